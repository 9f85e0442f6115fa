/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams to the character devices of a guest: terminals, and the sockets of channels. Each device has
 * one user, who may be made to leave. Workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/unix_path.h"
#include "rpc/stream.h"
#include "util/error.h"
#include "util/fd.h"

/* The session's address is the identity of its stream. */
typedef struct Session {
    GList link;
    char *path;
} Session;

static struct {
    Lock lock;
    GQueue list;
} sessions = { .lock = LOCK_INIT };

static void session_closed(void *data)
{
    Session *s = data;

    lock_enter(&sessions.lock);
    g_queue_unlink(&sessions.list, &s->link);
    lock_leave(&sessions.lock);
    g_free(s->path);
    g_free(s);
}

static const StreamOps session_ops = { .closed = session_closed };

/* Gives fd, which is closed in any case, to the client as the stream of path. What: for errors. */
static bool session_open(Call *c, const char *path, int take_fd, bool force, const char *what, GError **err)
{
    auto_fd fd = take_fd;
    const Session *taken = NULL;
    Session *s = g_new0(Session, 1);

    s->link.data = s;
    s->path = g_strdup(path);
    /* Attached under the lock: whoever finds a session here can abort its stream. */
    LOCK_SCOPE(&sessions.lock);
    for (GList *l = sessions.list.head; l && !taken; l = l->next)
        if (g_str_equal(((Session *)l->data)->path, s->path))
            taken = l->data;
    bool refused = taken && !force;
    if (refused)
        error_set(err, VIR_ERR_OPERATION_FAILED, "active %s session exists for this domain", what);
    if (refused || !call_attach_stream(c, fd_take(&fd), STREAM_BOTH, &session_ops, s, err)) {
        g_free(s->path);
        g_free(s);
        return false;
    }
    g_queue_push_tail_link(&sessions.list, &s->link);
    if (taken)
        stream_abort_by_data(taken, "another client took it over");
    return true;
}

/* Consoles -------------------------------------------------------------------------------------- */

static const ChrDef *first_of(const DomainDef *def, DeviceKind kind)
{
    guint i = 0;
    return domain_next(def, kind, &i);
}

/* The device that the call means: by alias, else the first console, serial or parallel port. */
static const ChrDef *find_console(const DomainDef *def, const char *name, GError **err)
{
    const ChrDef *chr = NULL;

    if (name && *name) {
        const Device *d = domain_find_alias(def, name);
        if (d && (d->kind == DEVICE_CONSOLE || d->kind == DEVICE_SERIAL || d->kind == DEVICE_PARALLEL ||
                  d->kind == DEVICE_CHANNEL))
            return (const ChrDef *)d;
        error_set(err, VIR_ERR_INVALID_ARG, "cannot find character device '%s'", name);
        return NULL;
    }
    static const DeviceKind order[] = { DEVICE_CONSOLE, DEVICE_SERIAL, DEVICE_PARALLEL };
    for (unsigned i = 0; !chr && i < G_N_ELEMENTS(order); i++)
        chr = first_of(def, order[i]);
    if (!chr)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot find default console device");
    return chr;
}

bool qemu_domain_open_console(Call *c, const DomainView *v, const remote_domain_open_console_args *a, GError **err)
{
    const ChrDef *chr = find_console(v->live->def, a->dev_name, err);

    if (!chr)
        return false;
    if (chr->src.type != CHR_PTY || !chr->src.path) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "character device %s is not using a PTY",
                  chr->dev.info.alias ? chr->dev.info.alias : "");
        return false;
    }
    auto_fd fd = open(chr->src.path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open '%s', the console of '%s'", chr->src.path, v->name);
        return false;
    }

    /* The path is what the emulator said: never more than a terminal. */
    if (!isatty(fd)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "'%s', the console of '%s', is not a terminal", chr->src.path, v->name);
        return false;
    }

    return session_open(c, chr->src.path, fd_take(&fd), a->flags & VIR_DOMAIN_CONSOLE_FORCE, "console", err);
}

/* Channels -------------------------------------------------------------------------------------- */

/* By the name that the guest knows it by; NULL: the first. */
static const ChrDef *find_channel(const DomainDef *def, const char *name, GError **err)
{
    const ChrDef *chr;

    for (guint i = 0; (chr = domain_next(def, DEVICE_CHANNEL, &i));)
        if (!name || g_strcmp0(chr->target_name, name) == 0)
            return chr;
    if (name)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot find channel '%s'", name);
    else
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the domain has no channel");
    return NULL;
}

bool qemu_domain_open_channel(Call *c, const DomainView *v, const remote_domain_open_channel_args *a, GError **err)
{
    const ChrDef *chr = find_channel(v->live->def, a->name, err);

    if (!chr)
        return false;
    const char *name = chr->target_name ? chr->target_name : "";
    if (chr->src.type != CHR_UNIX || !chr->src.listen || !chr->src.path) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "channel %s is not using a UNIX socket", name);
        return false;
    }
    int fd = unix_path_connect(chr->src.path, err);
    if (fd == -2)
        error_set(err, VIR_ERR_OPERATION_FAILED, "channel %s: too many wait for its socket '%s'", name, chr->src.path);
    return fd >= 0 && session_open(c, chr->src.path, fd, a->flags & VIR_DOMAIN_CHANNEL_FORCE, "channel", err);
}
