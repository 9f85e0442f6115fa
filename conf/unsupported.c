/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Words of the domain language that have no row. A document that uses one is refused instead of
 * losing it. A word leaves this table when its row is written: a row marks what it reads, so a word in
 * both places is supported. Words that no release knows are typing mistakes and ignored, except in
 * strict mode.
 */
#include <string.h>

#include "conf/parse-internal.h"

/* "parent/element" or "element/@attribute" */
static const char *const words[] = {
    "backend/@hostdev",
    "cpu/@deprecated_features",
    "devices/pstore",
    "domain/throttlegroups",
    "driver/@granule",
    "driver/@iommufd",
    "driver/@pciBus",
    "driver/statistics",
    "launchSecurity/mrConfigId",
    "launchSecurity/mrOwner",
    "launchSecurity/mrOwnerConfig",
    "launchSecurity/quoteGenerationService",
    "os/varstore",
    "source/dataStore",
};

bool conf_known_unsupported(const xmlNode *n, const char *attr)
{
    const char *a = attr ? (const char *)n->name : n->parent ? (const char *)n->parent->name : "";
    const char *b = attr ? attr : (const char *)n->name;

    if (!attr && n->ns)
        return false;
    size_t la = strlen(a);
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++) {
        const char *w = words[i];
        if (strncmp(w, a, la) || w[la] != '/')
            continue;
        w += la + 1;
        if (attr ? *w == '@' && !strcmp(w + 1, b) : !strcmp(w, b))
            return true;
    }
    return false;
}
