/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Commands of open-iscsi and what it says (tools.h). Pure. */
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

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
    return g_strdup_printf("%s%s%s:%u,1", v6 ? "[" : "", h->name, v6 ? "]" : "", h->port ? h->port : ISCSI_PORT);
}

/* Another initiator is another interface to the program. */
static void add_iface(Argv *a, const char *iface)
{
    if (!iface)
        return;
    argv_words(a, "--interface", NULL);
    argv_operand(a, iface);
}

/* keep: what is found becomes known, with the interface. */
Argv *iscsi_discover(const char *portal, const char *iface, bool keep, GError **err)
{
    Argv *a = argv_new("iscsiadm");

    argv_words(a, "--mode", "discovery", "--type", "sendtargets", "--portal", NULL);
    argv_operand(a, portal);
    add_iface(a, iface);
    if (!keep)
        argv_words(a, "--op", "nonpersistent", NULL);
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

Argv *iscsi_new_node(const char *portal, const char *target, GError **err)
{
    Argv *a = node(portal, target);

    argv_words(a, "--op", "new", NULL);
    return checked(a, err);
}

Argv *iscsi_login(const char *portal, const char *target, const char *iface, bool in, GError **err)
{
    Argv *a = node(portal, target);

    argv_words(a, in ? "--login" : "--logout", NULL);
    add_iface(a, iface);
    return checked(a, err);
}

Argv *iscsi_set(const char *portal, const char *target, const char *name, const char *value, GError **err)
{
    Argv *a = node(portal, target);

    /* Any word is a value here; it may be a password, of which no error is to tell (argv_operand()). */
    argv_words(a, "--op", "update", "--name", name, "--value", value, NULL);
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

Argv *iscsi_ifaces(void)
{
    Argv *a = argv_new("iscsiadm");

    argv_words(a, "--mode", "iface", NULL);
    return a;
}

Argv *iscsi_new_iface(const char *iface, GError **err)
{
    Argv *a = iscsi_ifaces();

    add_iface(a, iface);
    argv_words(a, "--op", "new", NULL);
    return checked(a, err);
}

Argv *iscsi_name_iface(const char *iface, const char *initiator, GError **err)
{
    Argv *a = iscsi_ifaces();

    add_iface(a, iface);
    argv_words(a, "--op", "update", "--name", "iface.initiatorname", "--value", NULL);
    argv_operand(a, initiator);
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

char *iscsi_parse_iface(const char *said, const char *initiator)
{
    g_auto(GStrv) lines = g_strsplit(said, "\n", 65536);

    for (unsigned i = 0; lines[i]; i++) {
        char *space = strchr(lines[i], ' '), *comma = strrchr(lines[i], ',');
        if (space && comma && strcmp(g_strstrip(comma + 1), initiator) == 0)
            return g_strndup(lines[i], (gsize)(space - lines[i]));
    }
    return NULL;
}
