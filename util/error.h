/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Errors. One GError domain; the code is the VIR_ERR_* number that goes on the wire, so encoding an
 * error is a look-up, not a translation. Rules (QEMU's include/qapi/error.h): a function returns
 * false or NULL if and only if it set *err; detection is the callee's job, handling the caller's.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "util/api.h"

#define MODVIRT_ERROR (error_quark())
GQuark error_quark(void);

/* Sets *err (when err is not NULL) to the text alone; the template of the code is added when the
 * error is shown or encoded. Text: lower case, no trailing period, names the object. */
void error_set(GError **err, int code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* As error_set() with VIR_ERR_SYSTEM_ERROR; errnum is kept and its text appended. */
void error_set_errno(GError **err, int errnum, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

/* Source of the error (VIR_FROM_*), 0 when unknown: the encoder then takes the driver's. */
int error_source(const GError *err);
void error_set_source(GError *err, int source);
int error_errno(const GError *err);

/* VIR_ERR_* of any GError: foreign domains (GIO, GLib) become VIR_ERR_INTERNAL_ERROR. */
int error_code(const GError *err);

/* The template of a code with one %s for the detail, e.g. "Domain not found: %s". */
const char *error_template(int code);

/* The full text a user sees: template filled with the detail. */
char *error_text(const GError *err);

/* True when err is ours and has this code. */
static inline bool error_is(const GError *err, int code)
{
    return err && err->domain == MODVIRT_ERROR && err->code == code;
}
