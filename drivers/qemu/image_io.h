/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stands between an emulator's stream and a file: nothing for a plain file, a compressor, or a
 * thread of ours that goes around the host's cache or writes to what cannot be waited for otherwise (a
 * pipe). Whatever stalls can be ended from our side. Workers.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/qemu/save_image.h"

typedef struct ImageIo ImageIo;

/* Writes head, then whatever comes through image_io_fd(), to file, which stays the caller's. name: for
 * errors. */
ImageIo *image_io_write(int file, const char *name, const GByteArray *head, SaveFormat format, bool bypass_cache,
                        GError **err);
/* What comes out of image_io_fd() is what stands in file behind its first 'skip' bytes. */
ImageIo *image_io_read(int file, const char *name, uint64_t skip, SaveFormat format, bool bypass_cache, GError **err);
/* For the emulator, which gets a copy; io's. */
int image_io_fd(const ImageIo *io);
/* The emulator has its copy: the end of the stream is its to make. */
void image_io_handed_over(ImageIo *io);
/* Whether all parts have ended; waits up to usec. Handed over by then. */
bool image_io_ended(ImageIo *io, uint64_t usec);
/* Writing: waits until everything is in the file and on the disk. Both: what failed first, if anything. */
bool image_io_finish(ImageIo *io, GError **err);
/* Replaces *err, an error of the stream's other end, by the reason for it when that is known here. */
void image_io_explain(ImageIo *io, GError **err);
/* Makes all parts end soon. */
void image_io_stop(ImageIo *io);
void image_io_free(ImageIo *io);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ImageIo, image_io_free)

/* VIR_ERR_OPERATION_FAILED when no program for it is installed. */
bool image_io_have(SaveFormat format, GError **err);
