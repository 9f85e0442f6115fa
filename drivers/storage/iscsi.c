/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of open-iscsi and what it says (tools.h). Pure. */
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

enum { PORT = 3260 };

static Argv *checked(Argv *take, GError **err)
{
    g_autoptr(Argv) a = take;
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

char *iscsi_portal(const StoragePoolSource *s, GError **err)
{
    if (list_len(s->hosts) != 1) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "an iSCSI source needs exactly one host, found %u", list_len(s->hosts));
        return NULL;
    }
    const PoolHost *h = list_at(s->hosts, 0);
    bool v6 = strchr(h->name, ':') && *h->name != '[';
    return g_strdup_printf("%s%s%s:%u,1", v6 ? "[" : "", h->name, v6 ? "]" : "", h->port ? h->port : PORT);
}

Argv *iscsi_discover(const char *portal, GError **err)
{
    Argv *a = argv_new("iscsiadm");

    argv_words(a, "--mode", "discovery", "--type", "sendtargets", "--portal", NULL);
    argv_operand(a, portal);
    return checked(a, err);
}

Argv *iscsi_sessions(void)
{
    Argv *a = argv_new("iscsiadm");

    argv_words(a, "--mode", "session", NULL);
    return a;
}

static Argv *node(const char *portal, const char *target)
{
    Argv *a = argv_new("iscsiadm");

    argv_words(a, "--mode", "node", "--portal", NULL);
    argv_operand(a, portal);
    argv_words(a, "--targetname", NULL);
    argv_operand(a, target);
    return a;
}

Argv *iscsi_login(const char *portal, const char *target, bool in, GError **err)
{
    Argv *a = node(portal, target);

    argv_words(a, in ? "--login" : "--logout", NULL);
    return checked(a, err);
}

Argv *iscsi_set(const char *portal, const char *target, const char *name, const char *value, GError **err)
{
    Argv *a = node(portal, target);

    argv_words(a, "--op", "update", "--name", name, "--value", NULL);
    argv_operand(a, value);
    return checked(a, err);
}

Argv *iscsi_rescan(const char *session, GError **err)
{
    Argv *a = argv_new("iscsiadm");

    argv_words(a, "--mode", "session", "-r", NULL);
    argv_operand(a, session);
    argv_words(a, "-R", NULL);
    return checked(a, err);
}

GPtrArray *iscsi_parse_targets(const char *said)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    g_auto(GStrv) lines = g_strsplit(said, "\n", 65536);

    for (unsigned i = 0; lines[i]; i++) {
        const char *space = strchr(lines[i], ' ');
        if (space && strchr(lines[i], ',') && space[1])
            g_ptr_array_add(all, g_strdup(g_strstrip((char *)space + 1)));
    }
    return all;
}

char *iscsi_parse_session(const char *said, const char *target)
{
    g_auto(GStrv) lines = g_strsplit(said, "\n", 65536);

    for (unsigned i = 0; lines[i]; i++) {
        g_auto(GStrv) w = g_strsplit(g_strstrip(lines[i]), " ", 8);
        if (g_strv_length(w) < 4 || strcmp(w[3], target) != 0 || *w[1] != '[')
            continue;
        char *end = strchr(w[1], ']');
        return end ? g_strndup(w[1] + 1, (gsize)(end - w[1]) - 1) : NULL;
    }
    return NULL;
}
