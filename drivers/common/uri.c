/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The URIs that a daemon of this host serves. Any thread. */
#include "drivers/common/uri.h"

#include <string.h>

#include "util/error.h"
#include "util/paths.h"

bool open_own_uri(const char *scheme, const char *word, const char *uri, char **ret_uri, GError **err)
{
    g_autofree char *own = g_strconcat(scheme, paths()->session ? ":///session" : ":///system", NULL);

    if (uri) {
        const char *sep = strstr(uri, "://");
        const char *path = sep ? strchr(sep + 3, '/') : NULL;
        g_autofree char *place = path ? g_strndup(path, strcspn(path, "?#")) : NULL;
        if (g_strcmp0(place, strrchr(own, '/')) != 0) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "unexpected %s URI path '%s', try %s", word, place ? place : "", own);
            return false;
        }
    }
    *ret_uri = g_steal_pointer(&own);
    return true;
}
