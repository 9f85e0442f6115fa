/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A client's own connection to the screen of a guest: a socket that it brought, or one end of a pair
 * made for it, becomes a client of the emulator's display server. No port, no password on the way. Workers.
 */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"
#include "util/fd.h"

/* What the emulator calls the display server; NULL and *err when it cannot be given a socket. */
static const char *display_protocol(const DomainDef *def, unsigned index, GError **err)
{
    const GraphicsDef *g = NULL;
    guint i = 0;

    for (unsigned n = 0; n <= index && (g = domain_next(def, DEVICE_GRAPHICS, &i)); n++)
        ;
    if (!g) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no graphics backend with index %u", index);
        return NULL;
    }
    if (g->type == GRAPHICS_VNC)
        return "vnc";
    if (g->type == GRAPHICS_SPICE)
        return "spice";
    if (g->type == GRAPHICS_DBUS && g->p2p == TRI_YES)
        return "@dbus-display";
    error_set(err, VIR_ERR_INTERNAL_ERROR, "graphics backend %u is of type '%s': sockets can be given to vnc, spice and dbus (p2p)",
              index, enum_name(&graphics_type_names, (int)g->type));
    return NULL;
}

static bool add_client(DomainQuery *query, unsigned index, int fd, unsigned flags, GError **err)
{
    const char *protocol = display_protocol(query->view->live->def, index, err);
    g_autoptr(Qmp) q = protocol ? guest_qmp(domain_driver_data(query->domain), err) : NULL;

    return q && qmp_add_client(q, protocol, fd, flags & VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH, err);
}

bool qemu_domain_open_graphics(Call *c, DomainQuery *query, const remote_domain_open_graphics_args *a, GError **err)
{
    auto_fd fd = call_take_fd(c, 0);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode)) {
        error_set(err, VIR_ERR_INVALID_ARG, "%s came with the call, expected a socket",
                  fd < 0 ? "no file descriptor" : "a file descriptor that is no socket");
        return false;
    }
    call_set_waiting(c, "monitor");
    return add_client(query, a->idx, fd, a->flags, err);
}

bool qemu_domain_open_graphics_fd(Call *c, DomainQuery *query, const remote_domain_open_graphics_fd_args *a,
                                  GError **err)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
        error_set_errno(err, errno, "cannot make a pair of sockets");
        return false;
    }
    auto_fd ours = pair[0], emulators = pair[1];
    call_set_waiting(c, "monitor");
    return add_client(query, a->idx, emulators, a->flags, err) && call_add_reply_fd(c, fd_take(&ours), err);
}
