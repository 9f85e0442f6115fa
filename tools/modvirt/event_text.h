/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Events of the journal as text. Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line, without the end: "NAME EVENT member=value …", or with json an object. body: the message behind
 * its callback id. Events that we do not know are named by their number.
 * NULL: not worth a line. */
char *event_text(int32_t proc, const void *body, size_t n, const char *cursor, uint64_t usec,
                 bool json);
