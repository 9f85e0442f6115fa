/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the head of a disk image says: its format, its size as a guest sees it, the image below it. The
 * bytes are whatever a guest wrote: nothing here follows a pointer out of the buffer. Pure.
 *
 * A guest can make a raw image look like any other. Whoever knows the format by other means must not ask
 * for it here.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* As many bytes of the image's begin as are worth reading. */
enum { IMAGE_HEAD_SIZE = 65536 + 512 };

/* Name of the format, as definitions have it ("qcow2"); "raw" when it is none that we know. Static. */
const char *image_format(const uint8_t *head, size_t len);
/* Bytes that a guest sees of an image of this format; size: of the file. False: the format does not tell,
 * or the head is not of that format. */
bool image_capacity(const char *format, const uint8_t *head, size_t len, uint64_t size,
                    uint64_t *ret);
/* The image below, as the image names it, and its format where it says so (NULL: it does not). ret NULL:
 * there is none. False with *err: what it says makes no sense. */
bool image_backing(const char *format, const uint8_t *head, size_t len, char **ret,
                   char **ret_format, GError **err);
