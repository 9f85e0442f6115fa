/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Figures and monitor of one guest. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/qmp_cmds.h"
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
