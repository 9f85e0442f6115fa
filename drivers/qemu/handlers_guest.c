/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures, console and monitor of one guest. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/qmp_cmds.h"
#include "rpc/stream.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/loop.h"

/* Processor time that the emulator has used, in nanoseconds (proc(5): utime and stime of stat, in
 * clock ticks); 0 when it is gone. */
static uint64_t cpu_time_ns(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    size_t len;
    unsigned long long utime, stime;

    if (!fd_read_file(AT_FDCWD, path, 4096, &text, &len, NULL))
        return 0;
    /* The name in parentheses may hold anything: fields are counted behind it. */
    const char *p = strrchr(text, ')');
    if (!p || sscanf(p + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &utime, &stime) != 2)
        return 0;
    return (utime + stime) * (1000000000ULL / (uint64_t)sysconf(_SC_CLK_TCK));
}

bool qemu_domain_get_info(Call *c, const DomainView *v, const remote_domain_get_info_args *a,
                          remote_domain_get_info_ret *r, GError **err)
{
    const DomainDef *def = view_def(v, c, err);
    const QemuStatus *s = view_status(v);
    (void)a;

    if (!def)
        return false;
    r->state = (u_char)v->state;
    r->maxMem = def->memory;
    r->memory = def->current_memory;
    r->nrVirtCpu = (u_short)def->vcpus;
    r->cpuTime = s ? cpu_time_ns(s->pid) : 0;
    return true;
}

bool qemu_domain_get_control_info(Call *c, const DomainView *v, const remote_domain_get_control_info_args *a,
                                  remote_domain_get_control_info_ret *r, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(domain_driver_data(v->domain), NULL);
    (void)c;
    (void)a;

    if (!view_active(v)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
        return false;
    }
    uint64_t since = q ? qmp_unresponsive_since(q) : 0;
    if (!q) {
        r->state = VIR_DOMAIN_CONTROL_ERROR;
        r->details = VIR_DOMAIN_CONTROL_ERROR_REASON_MONITOR;
    } else if (since || qmp_in_flight(q)) {
        r->state = VIR_DOMAIN_CONTROL_OCCUPIED;
        r->stateTime = since ? (now_usec() - since) / 1000 : 0;
    } else {
        r->state = VIR_DOMAIN_CONTROL_OK;
    }
    return true;
}

/* Console -------------------------------------------------------------------------------------- */

/* A console has one user. The session's address is the identity of its stream. */
typedef struct ConsoleSession {
    GList link;
    char *path;
} ConsoleSession;

static struct {
    Lock lock;
    GQueue sessions;
} consoles = { .lock = LOCK_INIT };

static void console_closed(void *data)
{
    ConsoleSession *s = data;

    lock_enter(&consoles.lock);
    g_queue_unlink(&consoles.sessions, &s->link);
    lock_leave(&consoles.lock);
    g_free(s->path);
    g_free(s);
}

static const StreamOps console_ops = { .closed = console_closed };

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

    const ConsoleSession *taken = NULL;
    ConsoleSession *s = g_new0(ConsoleSession, 1);
    s->link.data = s;
    s->path = g_strdup(chr->src.path);
    /* Attached under the lock: whoever finds a session here can abort its stream. */
    LOCK_SCOPE(&consoles.lock);
    for (GList *l = consoles.sessions.head; l && !taken; l = l->next)
        if (g_str_equal(((ConsoleSession *)l->data)->path, s->path))
            taken = l->data;
    bool refused = taken && !(a->flags & VIR_DOMAIN_CONSOLE_FORCE);
    if (refused)
        error_set(err, VIR_ERR_OPERATION_FAILED, "active console session exists for this domain");
    if (refused || !call_attach_stream(c, fd_take(&fd), STREAM_BOTH, &console_ops, s, err)) {
        g_free(s->path);
        g_free(s);
        return false;
    }
    g_queue_push_tail_link(&consoles.sessions, &s->link);
    if (taken)
        stream_abort_by_data(taken, "another client took over the console");
    return true;
}

/* Monitor -------------------------------------------------------------------------------------- */

bool qemu_domain_monitor_command(Call *c, DomainQuery *query, const qemu_domain_monitor_command_args *a,
                                 qemu_domain_monitor_command_ret *r, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(domain_driver_data(query->domain), err);

    if (!q)
        return false;
    call_set_waiting(c, "monitor");
    figures_note_measuring(&((Guest *)domain_driver_data(query->domain))->figures); /* it may be that command */
    if (a->flags & VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
        return qmp_hmp(q, a->cmd, &r->result, call_deadline(c), err);
    return qmp_call_raw(q, a->cmd, &r->result, call_deadline(c), err);
}
