/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures of many guests in one answer. A group is a row: its bit, which questions to emulators it needs,
 * how it is written. First all questions of all guests go out together (figures.h), then the records are
 * written from views, from /proc and from what is known by then; so a guest that hangs costs the others
 * at most the short wait here, once, and no turn or lock of any guest is taken. Worker.
 */
#include "drivers/common/params.h"
#include "drivers/common/domains.h"
#include "drivers/qemu/disk.h"
#include "drivers/qemu/figures.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/image.h"
#include "drivers/qemu/memory_stats.h"
#include "drivers/qemu/net.h"
#include "drivers/qemu/procfs.h"
#include "drivers/qemu/stats_kept.h"
#include "protocols/xdr_buf.h"
#include "util/error.h"
#include "util/loop.h"
#include "util/pool.h"

/* How long a request waits for emulators: less where older figures can stand in. */
enum { WAIT_USEC = 1000000, WAIT_KNOWN_USEC = 500000, WAIT_NOT_USEC = 100000 };

typedef struct Writer {
    const DomainView *view;
    const DomainDef *def;
    Figures *figures;
    const QemuStatus *status; /* NULL: not active */
    unsigned flags;
    GHashTable **net; /* read once for all guests */
    bool process_known, process_gone;
    ProcFigures process;
    ParamList *out;
    StatsKeeping *keep; /* NULL: the figures are of this moment only */
} Writer;

static bool is_active(const Writer *w)
{
    return w->status && w->view->live;
}

static const ProcFigures *process_of(Writer *w)
{
    if (!w->process_known && w->status) {
        w->process_known = true;
        w->process_gone = !procfs_read(w->status->pid, 0, &w->process);
    }
    return w->process_known && !w->process_gone ? &w->process : NULL;
}

/* Groups ------------------------------------------------------------------------------------------ */

static void write_state(Writer *w)
{
    params_add_int(w->out, w->view->state, "state.state");
    params_add_int(w->out, w->view->reason, "state.reason");
}

static void write_cpu(Writer *w)
{
    const ProcFigures *p = process_of(w);

    if (!p)
        return;
    params_add_ullong(w->out, p->user_ns + p->system_ns, "cpu.time");
    params_add_ullong(w->out, p->user_ns, "cpu.user");
    params_add_ullong(w->out, p->system_ns, "cpu.system");
    params_add_uint(w->out, 0, "cpu.cache.monitor.count");
    params_add_ullong(w->out, 0, "cpu.haltpoll.success.time");
    params_add_ullong(w->out, 0, "cpu.haltpoll.fail.time");
}

static void write_balloon(Writer *w)
{
    params_add_ullong(w->out, w->def->current_memory, "balloon.current");
    params_add_ullong(w->out, w->def->memory, "balloon.maximum");
    if (!is_active(w))
        return;
    MemoryStat stats[MEMORY_STATS_MAX];
    g_autoptr(Figure) guest = figures_get(w->figures, FIGURE_BALLOON);
    unsigned n = memory_stats(w->def, guest, process_of(w), stats);
    for (unsigned i = 0; i < n; i++)
        if (stats[i].tag != VIR_DOMAIN_MEMORY_STAT_ACTUAL_BALLOON)
            params_add_ullong(w->out, stats[i].value, "balloon.%s", stats[i].name);
}

static void write_vcpu(Writer *w)
{
    params_add_uint(w->out, w->def->vcpus, "vcpu.current");
    params_add_uint(w->out, w->def->vcpus_max, "vcpu.maximum");
    for (unsigned i = 0; is_active(w) && i < threads_count(w->status->threads); i++) {
        const GuestThread *t = threads_at(w->status->threads, i);
        ProcFigures p;
        ProcWaits waits;
        if (t->kind != THREAD_VCPU)
            continue;
        params_add_int(w->out, VIR_VCPU_RUNNING, "vcpu.%u.state", t->id);
        if (procfs_read(w->status->pid, t->tid, &p))
            params_add_ullong(w->out, p.user_ns + p.system_ns, "vcpu.%u.time", t->id);
        if (procfs_read_waits(w->status->pid, t->tid, &waits)) {
            params_add_ullong(w->out, waits.wait_ns, "vcpu.%u.wait", t->id);
            params_add_ullong(w->out, waits.delay_ns, "vcpu.%u.delay", t->id);
        }
    }
}

static void write_interfaces(Writer *w)
{
    const NetDef *n;
    unsigned at = 0;

    if (!is_active(w))
        return;
    params_add_uint(w->out, domain_count(w->def, DEVICE_INTERFACE), "net.count");
    for (guint i = 0; (n = domain_next(w->def, DEVICE_INTERFACE, &i)); at++) {
        if (!n->ifname)
            continue;
        params_add_string(w->out, n->ifname, "net.%u.name", at);
        if (!*w->net)
            *w->net = procfs_net_counters(NULL);
        const NetCounters *host = *w->net ? g_hash_table_lookup(*w->net, n->ifname) : NULL;
        if (!host)
            continue;
        NetCounters c = net_shares_host_view(n) ? *host : net_counters_swapped(host);
        params_add_ullong(w->out, c.rx_bytes, "net.%u.rx.bytes", at);
        params_add_ullong(w->out, c.rx_packets, "net.%u.rx.pkts", at);
        params_add_ullong(w->out, c.rx_errs, "net.%u.rx.errs", at);
        params_add_ullong(w->out, c.rx_drop, "net.%u.rx.drop", at);
        params_add_ullong(w->out, c.tx_bytes, "net.%u.tx.bytes", at);
        params_add_ullong(w->out, c.tx_packets, "net.%u.tx.pkts", at);
        params_add_ullong(w->out, c.tx_errs, "net.%u.tx.errs", at);
        params_add_ullong(w->out, c.tx_drop, "net.%u.tx.drop", at);
    }
}

static void add_told(Writer *w, int64_t v, unsigned at, const char *name)
{
    if (v >= 0)
        params_add_ullong(w->out, (uint64_t)v, "block.%u.%s", at, name);
}

static void write_counters(Writer *w, const QmpBlockStats *s, unsigned at)
{
    add_told(w, s->rd_operations, at, "rd.reqs");
    add_told(w, s->rd_bytes, at, "rd.bytes");
    add_told(w, s->rd_total_time_ns, at, "rd.times");
    add_told(w, s->wr_operations, at, "wr.reqs");
    add_told(w, s->wr_bytes, at, "wr.bytes");
    add_told(w, s->wr_total_time_ns, at, "wr.times");
    add_told(w, s->flush_operations, at, "fl.reqs");
    add_told(w, s->flush_total_time_ns, at, "fl.times");
}

/* Sizes of a layer as the emulator has them. */
static void write_node(Writer *w, const Figure *nodes, const QmpBlockStats *stats,
                       const StorageSource *s, unsigned at)
{
    const QmpNode *image = figure_node(nodes, s, "format"),
                  *storage = figure_node(nodes, s, "storage");

    if (!image)
        image = storage;
    if (!image)
        return;
    params_add_ullong(w->out, stats ? stats->wr_highest_offset : 0, "block.%u.allocation", at);
    if (image->virtual_size)
        params_add_ullong(w->out, image->virtual_size, "block.%u.capacity", at);
    if (image->actual_size)
        params_add_ullong(w->out, image->actual_size, "block.%u.physical", at);
    if (storage && storage->write_threshold)
        params_add_ullong(w->out, storage->write_threshold, "block.%u.threshold", at);
}

static void write_file(Writer *w, const StorageSource *s, unsigned at)
{
    ImageSizes sizes;

    if (!disk_layer_is_local(s))
        return;
    if (w->keep)
        stats_keep_file(w->keep, s->path);
    if (!image_sizes(s, &sizes, NULL))
        return;
    if (sizes.allocation)
        params_add_ullong(w->out, sizes.allocation, "block.%u.allocation", at);
    if (sizes.capacity)
        params_add_ullong(w->out, sizes.capacity, "block.%u.capacity", at);
    params_add_ullong(w->out, sizes.physical, "block.%u.physical", at);
}

static unsigned layers_of(const Writer *w, const DiskDef *d)
{
    unsigned n = 1;

    if (is_active(w) && (w->flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING) && !disk_is_empty(d))
        for (const StorageSource *s = d->src.backing; s && s->type != STORAGE_NONE; s = s->backing)
            n++;
    return n;
}

static void write_disk(Writer *w, const Figure *stats, const Figure *nodes, const DiskDef *d,
                       unsigned *at)
{
    const StorageSource *s = &d->src;

    for (unsigned left = layers_of(w, d); left > 0; left--, s = s->backing, (*at)++) {
        const QmpBlockStats *counters = s == &d->src ? figure_block_stats(stats, w->def, d) : NULL;
        params_add_string(w->out, d->dst, "block.%u.name", *at);
        if (s->type == STORAGE_FILE || s->type == STORAGE_BLOCK || s->type == STORAGE_DIR)
            params_add_string(w->out, s->path, "block.%u.path", *at);
        if (is_active(w) && s->index && !disk_is_empty(d))
            params_add_uint(w->out, s->index, "block.%u.backingIndex", *at);
        if (counters)
            write_counters(w, counters, *at);
        if (disk_is_empty(d))
            continue;
        if (is_active(w))
            write_node(w, nodes, counters, s, *at);
        else
            write_file(w, s, *at);
    }
}

static void write_blocks(Writer *w)
{
    g_autoptr(Figure) stats = is_active(w) ? figures_get(w->figures, FIGURE_BLOCK_STATS) : NULL;
    g_autoptr(Figure) nodes = is_active(w) ? figures_get(w->figures, FIGURE_NODES) : NULL;
    const DiskDef *d;
    unsigned n = 0, count_at = w->out->len;

    /* One walk: with a thousand guests that are not in the processor's caches it is what takes the time. */
    params_add_uint(w->out, 0, "block.count");
    for (guint i = 0; (d = domain_next(w->def, DEVICE_DISK, &i));)
        write_disk(w, stats, nodes, d, &n);
    w->out->val[count_at].value.u.ui = n;
}

static void write_perf(Writer *w)
{
    Guest *g = is_active(w) ? domain_driver_data(w->view->domain) : NULL;
    uint64_t value;

    for (unsigned i = 0; g && i < PERF_EVENTS; i++)
        if (perf_value(g, i, &value))
            params_add_ullong(w->out, value, "perf.%s", perf_name(i));
}

static void write_iothreads(Writer *w)
{
    g_autoptr(Figure) threads =
        is_active(w) && w->def->iothreads ? figures_get(w->figures, FIGURE_IOTHREADS) : NULL;

    if (!threads || !threads->list->len)
        return;
    params_add_uint(w->out, threads->list->len, "iothread.count");
    for (unsigned i = 0; i < threads->list->len; i++) {
        const QmpIothread *t = &g_array_index(threads->list, QmpIothread, i);
        if (!g_str_has_prefix(t->id, "iothread"))
            continue;
        const char *id = t->id + strlen("iothread");
        if (t->poll_max_ns >= 0)
            params_add_ullong(w->out, (uint64_t)t->poll_max_ns, "iothread.%s.poll-max-ns", id);
        if (t->poll_grow >= 0)
            params_add_uint(w->out, (unsigned)MIN(t->poll_grow, UINT_MAX), "iothread.%s.poll-grow",
                            id);
        if (t->poll_shrink >= 0)
            params_add_uint(w->out, (unsigned)MIN(t->poll_shrink, UINT_MAX),
                            "iothread.%s.poll-shrink", id);
    }
}

static void write_memory(Writer *w)
{
    (void)
        w; /* bandwidth of memory: needs monitors of the kernel's resctrl, of which there are none */
}

static void write_dirty_rate(Writer *w)
{
    static const QmpDirtyRate none = { .status = QMP_DIRTY_RATE_UNSTARTED, .mode = (char *)"page-sampling" };
    g_autoptr(Figure) f = is_active(w) ? figures_get(w->figures, FIGURE_DIRTY_RATE) : NULL;

    if (!is_active(w) || (!f && atomic_load(&w->figures->measured)))
        return;
    const QmpDirtyRate *d = f ? &f->dirty_rate : &none;
    params_add_int(w->out, d->status, "dirtyrate.calc_status");
    params_add_llong(w->out, d->start_time, "dirtyrate.calc_start_time");
    params_add_int(w->out, (int)d->calc_time, "dirtyrate.calc_period");
    params_add_string(w->out, d->mode, "dirtyrate.calc_mode");
    if (d->status != QMP_DIRTY_RATE_MEASURED || d->mb_per_second < 0)
        return;
    params_add_llong(w->out, d->mb_per_second, "dirtyrate.megabytes_per_second");
    for (unsigned i = 0; d->by_vcpu && i < d->by_vcpu->len; i++) {
        const QmpVcpuDirtyRate *v = &g_array_index(d->by_vcpu, QmpVcpuDirtyRate, i);
        params_add_llong(w->out, v->mb_per_second, "dirtyrate.vcpu.%d.megabytes_per_second",
                         (int)v->id);
    }
}

static void write_vm(Writer *w)
{
    (void)w; /* the hypervisor's own counters: KVM's, which TCG has none of */
}

typedef struct Group {
    unsigned bit;
    unsigned questions; /* 1 << FigureKind */
    void (*write)(Writer *w);
    bool needs_emulator; /* not supported for guests that do not run */
} Group;

#define ASK(k) (1u << FIGURE_##k)
/* clang-format off */
static const Group groups[] = {
    { VIR_DOMAIN_STATS_STATE,     0,                            write_state,      false },
    { VIR_DOMAIN_STATS_CPU_TOTAL, 0,                            write_cpu,        false },
    { VIR_DOMAIN_STATS_BALLOON,   ASK(BALLOON),                 write_balloon,    false },
    { VIR_DOMAIN_STATS_VCPU,      0,                            write_vcpu,       false },
    { VIR_DOMAIN_STATS_INTERFACE, 0,                            write_interfaces, false },
    { VIR_DOMAIN_STATS_BLOCK,     ASK(BLOCK_STATS) | ASK(NODES), write_blocks,    false },
    { VIR_DOMAIN_STATS_PERF,      0,                            write_perf,       false },
    { VIR_DOMAIN_STATS_IOTHREAD,  ASK(IOTHREADS),               write_iothreads,  true },
    { VIR_DOMAIN_STATS_MEMORY,    0,                            write_memory,     false },
    { VIR_DOMAIN_STATS_DIRTYRATE, ASK(DIRTY_RATE),              write_dirty_rate, true },
    { VIR_DOMAIN_STATS_VM,        0,                            write_vm,         true },
};
/* clang-format on */

/* Which guests ------------------------------------------------------------------------------------ */

enum { LIST_FILTERS = (VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER << 1) - 1 };

static bool may_read(Call *c, const DomainView *v)
{
    AclObject o = { OBJECT_DOMAIN, v->name, v->uuid };
    return call_allows(c, &o, "read");
}

/* Those that the client names, or all; without what vanished meanwhile, and without those whose file cannot be
 * read: whoever asks for such a one alone is told why. */
static GPtrArray *find_guests(Call *c, const remote_connect_get_all_domain_stats_args *a)
{
    GPtrArray *views;

    if (a->doms.doms_len == 0) {
        views = domains_views();
    } else {
        views = g_ptr_array_new_with_free_func(domain_view_destroy);
        for (unsigned i = 0; i < a->doms.doms_len; i++) {
            g_autoptr(Domain) d = domains_find_uuid((const uint8_t *)a->doms.doms_val[i].uuid);
            DomainView *v = d ? domain_view(d) : NULL;
            if (v)
                g_ptr_array_add(views, v);
        }
    }
    for (unsigned i = views->len; i > 0; i--) {
        const DomainView *v = views->pdata[i - 1];
        if (!domains_filter(v, a->flags & LIST_FILTERS) || !may_read(c, v) || !view_def(v, c, NULL))
            g_ptr_array_remove_index(views, i - 1);
    }
    return views;
}

/* Under ENFORCE every group that was asked for must be one that can be answered. */
static bool check_support(const remote_connect_get_all_domain_stats_args *a, const GPtrArray *views,
                          GError **err)
{
    unsigned known = 0, inactive = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++) {
        known |= groups[i].bit;
        inactive |= groups[i].needs_emulator ? groups[i].bit : 0;
    }
    unsigned missing = a->stats & ~known;
    for (unsigned i = 0; i < views->len; i++)
        if (!view_active(views->pdata[i]))
            missing |= a->stats & inactive;
    if (!missing)
        return true;
    error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
              "Stats types bits 0x%x are not supported by this daemon or QEMU", missing);
    return false;
}

static void sample(const GPtrArray *views, unsigned stats, unsigned flags)
{
    g_autofree FigureAsk *asks = g_new(FigureAsk, views->len);
    unsigned kinds = 0, n = 0;
    uint64_t wait = WAIT_KNOWN_USEC;

    for (unsigned i = 0; i < G_N_ELEMENTS(groups); i++)
        if (stats & groups[i].bit)
            kinds |= groups[i].questions;
    for (unsigned i = 0; kinds && i < views->len; i++) {
        const DomainView *v = views->pdata[i];
        unsigned wanted = figures_wanted(v, kinds);
        if (!wanted)
            continue;
        asks[n++] = (FigureAsk){ v, wanted };
        if (!figures_known(v, wanted))
            wait = WAIT_USEC;
    }
    if (flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT)
        wait = WAIT_NOT_USEC;
    if (n)
        figures_ask(asks, n,
                    flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT ? FIGURES_IDLE_ONLY : 0,
                    now_usec() + wait);
}

/* at_rest: figures that hold as long as neither the view nor a file changes; they are kept. */
static bool answer_record(Call *c, const DomainView *v, unsigned flags, unsigned stats, GHashTable **net, GError **err)
{
    g_auto(ParamList) out = { 0 };
    g_auto(StatsKeeping) keep = { 0 };
    Guest *g = domain_driver_data(v->domain);
    bool at_rest = !view_active(v) && !v->live;
    StatsKept *kept = at_rest ? stats_kept_take(&g->stats, v, stats) : NULL;

    if (kept) {
        bool ok = call_answer_add(c, (xdrproc_t)xdr_stats_kept, kept, err);
        stats_kept_put(&g->stats, kept);
        return ok;
    }
    Writer w = { .view = v,
                 .def = view_def(v, c, err),
                 .figures = &g->figures,
                 .status = view_status(v),
                 .flags = flags,
                 .net = net,
                 .out = &out,
                 .keep = at_rest ? &keep : NULL };
    if (!w.def)
        return false;
    for (unsigned k = 0; k < G_N_ELEMENTS(groups); k++)
        if (stats & groups[k].bit)
            groups[k].write(&w);
    remote_domain_stats_record record = { 0 };
    common_wire_domain(v, &record.dom);
    params_cut(&out, REMOTE_CONNECT_GET_ALL_DOMAIN_STATS_MAX);
    params_give(&out, &record.params);
    bool ok = call_answer_add(c, (xdrproc_t)xdr_remote_domain_stats_record, &record, err);
    if (ok && at_rest && (kept = stats_keep(&keep, v, stats, &record)))
        stats_kept_put(&g->stats, kept);
    proc_free((xdrproc_t)xdr_remote_domain_stats_record, &record);
    return ok;
}

/* One record after the other: all of them at once are more than the processor's caches hold. */
static bool answer_records(Call *c, GPtrArray *views, unsigned flags, unsigned stats, GError **err)
{
    g_autoptr(GHashTable) net = NULL;

    if (!call_answer_add(c, (xdrproc_t)xdrb_uint, &views->len, err))
        return false;
    for (unsigned i = 0; i < views->len; i++)
        if (!answer_record(c, views->pdata[i], flags, stats, &net, err))
            return false;
    return true;
}

bool qemu_connect_get_all_domain_stats(Call *c, const remote_connect_get_all_domain_stats_args *a,
                                       remote_connect_get_all_domain_stats_ret *r, GError **err)
{
    g_autoptr(GPtrArray) views = find_guests(c, a);
    unsigned stats = a->stats ? a->stats : ~0u;

    if ((a->flags & VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS) &&
        !check_support(a, views, err))
        return false;
    if (views->len > REMOTE_DOMAIN_LIST_MAX) {
        error_set(err, VIR_ERR_RPC, "%u domains are more than one reply can hold (%u); use filters",
                  views->len, REMOTE_DOMAIN_LIST_MAX);
        return false;
    }
    call_set_waiting(c, "monitor");
    sample(views, stats, a->flags);
    call_set_waiting(c, NULL);
    pool_wait_begin(); /* images are looked at, on servers that may be dead (image.h) */
    bool ok = answer_records(c, views, a->flags, stats, err);
    pool_wait_end();
    return ok;
}
