/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file that a saved guest lives in, as today's hosts have it: a header of 92 bytes, the definition
 * with room to grow, and the emulator's stream, compressed or not. A file that is not whole says so in
 * its first bytes. Bytes of such a file are anybody's until they are parsed.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

enum { SAVE_HEADER_SIZE = 92, SAVE_ROOM = 65536 };

/* The numbers are those in the header. */
typedef enum SaveFormat { SAVE_RAW, SAVE_GZIP, SAVE_BZIP2, SAVE_XZ, SAVE_LZOP, SAVE_ZSTD, SAVE_FORMAT_N_ } SaveFormat;

typedef struct SaveHeader {
    bool complete;
    bool swapped; /* written on a host of the other byte order */
    bool was_running;
    SaveFormat format;
    uint32_t text_len;  /* bytes between header and stream */
    uint32_t cookie_at; /* in the text; 0: there is none */
} SaveHeader;

/* 1: a header; 0: of an image that is incomplete, *ret is set as well; -1: of something else. For both
 * the error is set. */
int save_header_parse(const uint8_t bytes[SAVE_HEADER_SIZE], SaveHeader *ret, GError **err);
void save_header_format(const SaveHeader *h, uint8_t ret[SAVE_HEADER_SIZE]);

typedef struct SaveImage {
    SaveHeader header;
    char *xml;
    char *cookie; /* NULL: none */
} SaveImage;

/* Header and text of a new image; what stands in header besides was_running and format is computed. */
GByteArray *save_image_format(const SaveImage *i, GError **err);
/* The same for one that exists: in the room that it has. */
GByteArray *save_image_format_again(const SaveImage *i, GError **err);
/* Reads header and text from fd, whose next byte is the first of the stream then. Returns as
 * save_header_parse(); a file that ends within the header is incomplete. */
int save_image_read(int fd, SaveImage *ret, GError **err);
void save_image_clear(SaveImage *i);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SaveImage, save_image_clear)

/* "raw", "gzip" …; -1: none. */
int save_format_from_name(const char *name);
const char *save_format_name(SaveFormat f);
