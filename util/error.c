/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The error domain. A message has two parts: the template of its code, which clients have always
 * seen and which scripts search for ("Domain not found: …"), and the detail that the failing code
 * supplied. GError.message holds the detail; the template is joined when the error leaves us.
 */
#include "util/error.h"

#include <gio/gio.h>
#include <string.h>

typedef struct ErrorExtra {
    int source;
    int errnum;
} ErrorExtra;

static void error_extra_private_init(ErrorExtra *e) { *e = (ErrorExtra){ 0, 0 }; }
static void error_extra_private_copy(const ErrorExtra *s, ErrorExtra *d) { *d = *s; }
static void error_extra_private_clear(ErrorExtra *e) { (void)e; }
static GQuark error_extra_quark(void);

/* G_DEFINE_EXTENDED_ERROR derives the names it calls and defines from these. */
#define ErrorExtraPrivate ErrorExtra
/* clang-format off */
G_DEFINE_EXTENDED_ERROR(ErrorExtra, error_extra)
/* clang-format on */

GQuark error_quark(void)
{
    return error_extra_quark();
}

void error_set(GError **err, int code, const char *fmt, ...)
{
    if (!err)
        return;
    g_assert(!*err);

    va_list ap;
    va_start(ap, fmt);
    *err = g_error_new_valist(MODVIRT_ERROR, code, fmt, ap);
    va_end(ap);
}

void error_set_errno(GError **err, int errnum, const char *fmt, ...)
{
    if (!err)
        return;
    g_assert(!*err);

    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    *err = g_error_new(MODVIRT_ERROR, VIR_ERR_SYSTEM_ERROR, "%s: %s", what, g_strerror(errnum));
    error_extra_get_private(*err)->errnum = errnum;
}

int error_source(const GError *err)
{
    return err && err->domain == MODVIRT_ERROR ? error_extra_get_private(err)->source : 0;
}

void error_set_source(GError *err, int source)
{
    if (err->domain == MODVIRT_ERROR)
        error_extra_get_private(err)->source = source;
}

int error_errno(const GError *err)
{
    return err && err->domain == MODVIRT_ERROR ? error_extra_get_private(err)->errnum : 0;
}

int error_code(const GError *err)
{
    return err->domain == MODVIRT_ERROR ? err->code : VIR_ERR_INTERNAL_ERROR;
}

char *error_text(const GError *err)
{
    const char *t = error_template(error_code(err));
    const char *hole = strstr(t, "%s");

    if (!hole)
        return g_strdup(err->message);
    return g_strdup_printf("%.*s%s%s", (int)(hole - t), t, err->message, hole + 2);
}
