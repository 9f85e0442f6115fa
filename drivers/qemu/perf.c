/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Performance counters (perf.h), and the calls that ask and set them: perf. An event is a row: what the
 * kernel calls it. Those of a cache monitor (cmt, mbmt, mbml) have a number that the kernel tells, where
 * it has them.
 */
#define LOG_SOURCE "qemu.perf"
#include "drivers/qemu/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/common/params.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

typedef struct EventRow {
    const char *name;
    unsigned type;
    uint64_t config;
} EventRow;

enum { OF_CACHE_MONITOR = ~0u };
#define HW(name, id)                                                                               \
    {                                                                                              \
        name, PERF_TYPE_HARDWARE, PERF_COUNT_HW_##id                                               \
    }
#define SW(name, id)                                                                               \
    {                                                                                              \
        name, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_##id                                               \
    }
static const EventRow events[PERF_EVENTS] = {
    { "cmt", OF_CACHE_MONITOR, 1 },
    { "mbmt", OF_CACHE_MONITOR, 2 },
    { "mbml", OF_CACHE_MONITOR, 3 },
    HW("cpu_cycles", CPU_CYCLES),
    HW("instructions", INSTRUCTIONS),
    HW("cache_references", CACHE_REFERENCES),
    HW("cache_misses", CACHE_MISSES),
    HW("branch_instructions", BRANCH_INSTRUCTIONS),
    HW("branch_misses", BRANCH_MISSES),
    HW("bus_cycles", BUS_CYCLES),
    HW("stalled_cycles_frontend", STALLED_CYCLES_FRONTEND),
    HW("stalled_cycles_backend", STALLED_CYCLES_BACKEND),
    HW("ref_cpu_cycles", REF_CPU_CYCLES),
    SW("cpu_clock", CPU_CLOCK),
    SW("task_clock", TASK_CLOCK),
    SW("page_faults", PAGE_FAULTS),
    SW("context_switches", CONTEXT_SWITCHES),
    SW("cpu_migrations", CPU_MIGRATIONS),
    SW("page_faults_min", PAGE_FAULTS_MIN),
    SW("page_faults_maj", PAGE_FAULTS_MAJ),
    SW("alignment_faults", ALIGNMENT_FAULTS),
    SW("emulation_faults", EMULATION_FAULTS),
};

const char *perf_name(unsigned event)
{
    return events[event].name;
}

/* Counting ------------------------------------------------------------------------------------- */

static bool monitor_type(unsigned *ret)
{
    g_autofree char *text = NULL;
    uint64_t v;

    if (!fd_read_file(AT_FDCWD, "/sys/bus/event_source/devices/intel_cqm/type", 64, &text, NULL,
                      NULL) ||
        !g_ascii_string_to_unsigned(g_strstrip(text), 10, 0, UINT32_MAX, &v, NULL))
        return false;
    *ret = (unsigned)v;
    return true;
}

bool perf_enable(Guest *g, pid_t pid, unsigned event, GError **err)
{
    const EventRow *row = &events[event];
    struct perf_event_attr attr = { .size = sizeof(attr),
                                    .type = row->type,
                                    .config = row->config,
                                    .inherit = 1,
                                    .disabled = 1,
                                    .enable_on_exec = 0 };

    if (perf_is_enabled(g, event))
        return true;
    if (row->type == OF_CACHE_MONITOR && !monitor_type(&attr.type)) {
        error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "unable to enable host cpu perf event for %s",
                  row->name);
        return false;
    }
    auto_fd fd = (int)syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (fd < 0) {
        error_set_errno(err, errno, "unable to open host cpu perf event for %s", row->name);
        return false;
    }
    if (ioctl(fd, PERF_EVENT_IOC_ENABLE) < 0) {
        error_set_errno(err, errno, "unable to enable host cpu perf event for %s", row->name);
        return false;
    }
    LOCK_SCOPE(&g->lock);
    g->perf.fd[event] = fd_take(&fd) + 1;
    return true;
}

void perf_disable(Guest *g, unsigned event)
{
    LOCK_SCOPE(&g->lock);
    int fd = g->perf.fd[event] - 1;

    fd_close(&fd);
    g->perf.fd[event] = 0;
}

void perf_disable_all(Guest *g)
{
    for (unsigned i = 0; i < PERF_EVENTS; i++)
        perf_disable(g, i);
}

bool perf_is_enabled(Guest *g, unsigned event)
{
    LOCK_SCOPE(&g->lock);
    return g->perf.fd[event] != 0;
}

bool perf_value(Guest *g, unsigned event, uint64_t *ret)
{
    LOCK_SCOPE(&g->lock); /* the read does not wait */
    return g->perf.fd[event] && read(g->perf.fd[event] - 1, ret, sizeof(*ret)) == sizeof(*ret);
}

/* Definitions ---------------------------------------------------------------------------------- */

static int event_of(const char *name)
{
    for (unsigned i = 0; i < PERF_EVENTS; i++)
        if (g_strcmp0(events[i].name, name) == 0)
            return (int)i;
    return -1;
}

static PerfEvent *find(const DomainDef *d, unsigned event, unsigned *ret_at)
{
    unsigned at = 0;

    for (; at < list_len(d->perf); at++) {
        PerfEvent *e = list_at(d->perf, at);
        int number = event_of(e->name);
        if (number == (int)event)
            return e;
        if (number > (int)event)
            break;
    }
    if (ret_at)
        *ret_at = at;
    return NULL;
}

bool perf_wanted(const DomainDef *d, unsigned event)
{
    const PerfEvent *e = find(d, event, NULL);
    return e && e->enabled == TRI_YES;
}

void perf_set_wanted(DomainDef *d, unsigned event, bool on)
{
    unsigned at = 0;
    PerfEvent *e = find(d, event, &at);

    if (!e) {
        e = g_new0(PerfEvent, 1);
        e->name = g_strdup(events[event].name);
        if (!d->perf)
            d->perf = g_ptr_array_new();
        g_ptr_array_insert(d->perf, (int)at, e);
    }
    e->enabled = on ? TRI_YES : TRI_NO;
}

/* Steps ---------------------------------------------------------------------------------------- */

bool start_perf(Start *s, GError **err)
{
    for (unsigned i = 0; i < PERF_EVENTS; i++)
        if (perf_wanted(s->def, i) && !perf_enable(s->g, s->status->pid, i, err))
            return false;
    return true;
}

void start_undo_perf(const Run *r)
{
    perf_disable_all(r->guest);
}

void start_perf_again(const Run *r)
{
    for (unsigned i = 0; i < PERF_EVENTS; i++) {
        g_autoptr(GError) error = NULL;
        if (perf_wanted(r->def, i) && !perf_enable(r->guest, r->status->pid, i, &error))
            log_warn("'%s': %s", r->name, error->message);
    }
}

/* Calls ---------------------------------------------------------------------------------------- */

bool qemu_domain_get_perf_events(Call *c, DomainQuery *q,
                                 const remote_domain_get_perf_events_args *a,
                                 remote_domain_get_perf_events_ret *r, GError **err)
{
    const DomainDef *def = common_def_for(NULL, q->view, a->flags & COMMON_IMPACT_FLAGS, err);
    g_auto(ParamList) l = { 0 };
    (void)c;

    if (!def)
        return false;
    bool live = q->view->live && def == q->view->live->def;
    for (unsigned i = 0; i < PERF_EVENTS; i++)
        params_add_bool(
            &l, live ? perf_is_enabled(domain_driver_data(q->domain), i) : perf_wanted(def, i),
            "%s", events[i].name);
    params_give(&l, &r->params);
    return true;
}

bool qemu_domain_set_perf_events(Call *c, DomainTurn *t,
                                 const remote_domain_set_perf_events_args *a, GError **err)
{
    ParamRow rows[PERF_EVENTS];
    remote_typed_param *params = a->params.params_val;
    u_int n = a->params.params_len;
    DomainDef *live, *config;
    (void)c;

    for (unsigned i = 0; i < PERF_EVENTS; i++)
        rows[i] = (ParamRow){ events[i].name, VIR_TYPED_PARAM_BOOLEAN, false };
    if (!params_check(params, n, rows, PERF_EVENTS, err) ||
        !common_edit(t, a->flags, &live, &config, err))
        return false;
    for (u_int i = 0; i < n; i++) {
        unsigned event = (unsigned)event_of(params[i].field);
        bool on = params[i].value.u.b;
        Guest *g = turn_driver_data(t);
        if (live && on && !perf_enable(g, view_status(turn_view(t))->pid, event, err))
            return false;
        if (live && !on)
            perf_disable(g, event);
        if (live)
            perf_set_wanted(live, event, on);
        if (config)
            perf_set_wanted(config, event, on);
    }
    return true;
}
