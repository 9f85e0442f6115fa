/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * User networking by passt: it has one end of a pair of sockets, the emulator the other, and it ends when
 * that one is closed. Workers.
 */
#include "drivers/qemu/helper.h"

#include <errno.h>
#include <sys/socket.h>

#include "util/error.h"
#include "util/fd.h"

enum { SOCKET_FD = 20 };

/* "-t 10.0.0.1%eth0/22:2022,~80,…": ports of the host that lead into the guest. */
static char *forward(const NetPortForward *f)
{
    GString *o = g_string_new(f->address);

    if (f->dev)
        g_string_append_printf(o, "%%%s", f->dev);
    if (f->address || f->dev)
        g_string_append_c(o, '/');
    for (unsigned i = 0; i < list_len(f->ranges); i++) {
        const NetPortRange *r = list_at(f->ranges, i);
        g_string_append_printf(o, "%s%s%u", i ? "," : "", r->exclude == TRI_YES ? "~" : "",
                               r->start);
        if (r->end)
            g_string_append_printf(o, "-%u", r->end);
        if (r->to) {
            g_string_append_printf(o, ":%u", r->to);
            if (r->end)
                g_string_append_printf(o, "-%u", r->to + r->end - r->start);
        }
    }
    if (list_len(f->ranges) == 0)
        g_string_append(o, "all");
    return g_string_free(o, false);
}

bool helper_passt_start(Start *s, const NetDef *n, GError **err)
{
    g_autofree char *program = helper_find("passt", "an interface with backend 'passt'", err);
    g_autoptr(GPtrArray) argv = g_ptr_array_new_with_free_func(g_free);
    int pair[2];

    if (!program)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        error_set_errno(err, errno, "cannot make sockets for '%s'", program);
        return false;
    }
    auto_fd theirs = pair[0];
    resources_keep_fd(&s->res, &n->dev, pair[1]);

    g_ptr_array_add(argv, g_strdup(program));
    g_ptr_array_add(argv, g_strdup("--foreground"));
    g_ptr_array_add(argv, g_strdup("--fd"));
    g_ptr_array_add(argv, g_strdup_printf("%d", SOCKET_FD));
    if (n->src.dev) {
        g_ptr_array_add(argv, g_strdup("--interface"));
        g_ptr_array_add(argv, g_strdup(n->src.dev));
    }
    if (n->backend_logfile) {
        g_ptr_array_add(argv, g_strdup("--log-file"));
        g_ptr_array_add(argv, g_strdup(n->backend_logfile));
    } else {
        g_ptr_array_add(argv, g_strdup("--stderr")); /* it takes one of the two */
    }
    for (unsigned i = 0; i < list_len(n->ips); i++) {
        const NetIp *ip = list_at(n->ips, i);
        g_ptr_array_add(argv, g_strdup("--address"));
        g_ptr_array_add(argv, g_strdup(ip->address));
        if (ip->prefix.set && ip->family != IP_FAMILY_IPV6) {
            g_ptr_array_add(argv, g_strdup("--netmask"));
            g_ptr_array_add(argv, g_strdup_printf("%u", ip->prefix.v));
        }
    }
    for (unsigned i = 0; i < list_len(n->port_forwards); i++) {
        const NetPortForward *f = list_at(n->port_forwards, i);
        g_ptr_array_add(argv,
                        g_strdup(g_strcmp0(f->proto, "udp") == 0 ? "--udp-ports" : "--tcp-ports"));
        g_ptr_array_add(argv, forward(f));
    }
    g_ptr_array_add(argv, NULL);
    const SpawnFd fd = { theirs, SOCKET_FD };
    return helper_spawn(s, n->dev.info.alias, (const char *const *)argv->pdata, NULL, &fd, 1, err);
}
