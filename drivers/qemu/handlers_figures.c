/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures of one guest, asked for by name: disks, interfaces, memory, errors, dirty rate. Unlike the bulk
 * figures these are what the guest's monitor says now, or an error. Workers.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/common/params.h"
#include "drivers/qemu/disk.h"
#include "drivers/qemu/figures.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/image.h"
#include "drivers/qemu/memory_stats.h"
#include "drivers/qemu/net.h"
#include "drivers/qemu/procfs.h"
#include "util/error.h"
#include "util/fd.h"

/* Disks ------------------------------------------------------------------------------------------- */

static int64_t plus(int64_t a, int64_t b)
{
    return a < 0 ? b : b < 0 ? a : a + b;
}

/* Counters of one disk, or of all together ("" as clients say). */
static bool block_stats(const DomainQuery *q, const char *path, QmpBlockStats *ret, GError **err)
{
    const DomainDef *def = q->view->live->def;
    const DiskDef *d = *path ? disk_find(def, path) : NULL;

    if (*path && !d) {
        error_set(err, VIR_ERR_INVALID_ARG, "invalid path: %s", path);
        return false;
    }
    call_set_waiting(q->call, "monitor");
    g_autoptr(Figure) f = figures_ask_one(q->view, FIGURE_BLOCK_STATS, call_deadline(q->call), err);
    if (!f)
        return false;
    QmpBlockStats sum = { .rd_bytes = -1,
                          .wr_bytes = -1,
                          .rd_operations = -1,
                          .wr_operations = -1,
                          .flush_operations = -1,
                          .rd_total_time_ns = -1,
                          .wr_total_time_ns = -1,
                          .flush_total_time_ns = -1 };
    unsigned found = 0;
    for (guint i = 0; d || (!*path && (d = domain_next(def, DEVICE_DISK, &i))); d = NULL) {
        const QmpBlockStats *s = figure_block_stats(f, def, d);
        if (s) {
            found++;
            sum.rd_bytes = plus(sum.rd_bytes, s->rd_bytes);
            sum.wr_bytes = plus(sum.wr_bytes, s->wr_bytes);
            sum.rd_operations = plus(sum.rd_operations, s->rd_operations);
            sum.wr_operations = plus(sum.wr_operations, s->wr_operations);
            sum.flush_operations = plus(sum.flush_operations, s->flush_operations);
            sum.rd_total_time_ns = plus(sum.rd_total_time_ns, s->rd_total_time_ns);
            sum.wr_total_time_ns = plus(sum.wr_total_time_ns, s->wr_total_time_ns);
            sum.flush_total_time_ns = plus(sum.flush_total_time_ns, s->flush_total_time_ns);
            sum.wr_highest_offset = s->wr_highest_offset;
        }
        if (*path)
            break;
    }
    if (*path && !found) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the emulator has no counters of disk '%s'", path);
        return false;
    }
    *ret = sum;
    return true;
}

bool qemu_domain_block_stats(Call *c, DomainQuery *q, const remote_domain_block_stats_args *a,
                             remote_domain_block_stats_ret *r, GError **err)
{
    QmpBlockStats s;
    (void)c;

    if (!block_stats(q, a->path, &s, err))
        return false;
    *r = (remote_domain_block_stats_ret){ .rd_req = s.rd_operations,
                                          .rd_bytes = s.rd_bytes,
                                          .wr_req = s.wr_operations,
                                          .wr_bytes = s.wr_bytes,
                                          .errs = -1 };
    return true;
}

bool qemu_domain_block_stats_flags(Call *c, DomainQuery *q,
                                   const remote_domain_block_stats_flags_args *a,
                                   remote_domain_block_stats_flags_ret *r, GError **err)
{
    g_auto(ParamList) out = { 0 };
    QmpBlockStats s;
    (void)c;

    if (!block_stats(q, a->path, &s, err))
        return false;
    const struct {
        const char *name;
        int64_t v;
    } rows[] = {
        { VIR_DOMAIN_BLOCK_STATS_WRITE_BYTES, s.wr_bytes },
        { VIR_DOMAIN_BLOCK_STATS_WRITE_REQ, s.wr_operations },
        { VIR_DOMAIN_BLOCK_STATS_READ_BYTES, s.rd_bytes },
        { VIR_DOMAIN_BLOCK_STATS_READ_REQ, s.rd_operations },
        { VIR_DOMAIN_BLOCK_STATS_FLUSH_REQ, s.flush_operations },
        { VIR_DOMAIN_BLOCK_STATS_WRITE_TOTAL_TIMES, s.wr_total_time_ns },
        { VIR_DOMAIN_BLOCK_STATS_READ_TOTAL_TIMES, s.rd_total_time_ns },
        { VIR_DOMAIN_BLOCK_STATS_FLUSH_TOTAL_TIMES, s.flush_total_time_ns },
    };
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].v >= 0)
            params_add_llong(&out, rows[i].v, "%s", rows[i].name);
    params_give(&out, &r->params);
    return true;
}

/* What a running guest's emulator knows better than the file does. */
static bool live_sizes(const DomainQuery *q, const DiskDef *d, ImageSizes *sizes, bool local,
                       GError **err)
{
    uint64_t deadline = call_deadline(q->call);

    call_set_waiting(q->call, "monitor");
    g_autoptr(Figure) stats = figures_ask_one(q->view, FIGURE_BLOCK_STATS, deadline, err);
    g_autoptr(Figure) nodes = stats ? figures_ask_one(q->view, FIGURE_NODES, deadline, err) : NULL;
    if (!nodes)
        return false;
    const QmpNode *n = figure_node(nodes, &d->src, "format");
    if (!n)
        n = figure_node(nodes, &d->src, "storage");
    const QmpBlockStats *s = figure_block_stats(stats, q->view->live->def, d);
    if (!n)
        return local; /* what the file says has to do */
    sizes->capacity = n->virtual_size;
    bool raw = d->src.format == FORMAT_RAW || d->src.format == FORMAT_NONE;
    sizes->allocation = raw && d->src.type == STORAGE_FILE ? n->actual_size
                        : s                                ? s->wr_highest_offset
                                                           : 0;
    if (!sizes->allocation)
        sizes->allocation = n->actual_size;
    if (!local)
        sizes->physical = n->actual_size;
    return true;
}

bool qemu_domain_get_block_info(Call *c, DomainQuery *q, const remote_domain_get_block_info_args *a,
                                remote_domain_get_block_info_ret *r, GError **err)
{
    const DomainDef *def = view_def(q->view, c, err);
    ImageSizes sizes = { 0 };

    if (!def)
        return false;
    const DiskDef *d = disk_find(def, a->path);
    if (!d) {
        error_set(err, VIR_ERR_INVALID_ARG, "invalid path %s not assigned to domain", a->path);
        return false;
    }
    if (disk_is_empty(d)) {
        error_set(err, VIR_ERR_INVALID_ARG, "disk '%s' does not currently have a source assigned",
                  a->path);
        return false;
    }
    bool local = disk_layer_is_local(&d->src), active = view_active(q->view);
    if (local && !image_sizes(&d->src, &sizes, err))
        return false;
    if (!active && d->src.type == STORAGE_VOLUME) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "what disk '%s' is, volume '%s' of pool '%s', is known while the guest runs only",
                  a->path, d->src.volume, d->src.pool);
        return false;
    }
    if (!local && !active) {
        error_set(
            err, VIR_ERR_OPERATION_UNSUPPORTED,
            "the size of disk '%s', which is not on this host, is known while the guest runs only",
            a->path);
        return false;
    }
    if (active && !live_sizes(q, d, &sizes, local, err))
        return false;
    *r = (remote_domain_get_block_info_ret){ .allocation = sizes.allocation,
                                             .capacity = sizes.capacity,
                                             .physical = sizes.physical };
    return true;
}

bool qemu_domain_get_disk_errors(Call *c, DomainQuery *q,
                                 const remote_domain_get_disk_errors_args *a,
                                 remote_domain_get_disk_errors_ret *r, GError **err)
{
    const DomainDef *def = q->view->live->def;
    unsigned disks = domain_count(def, DEVICE_DISK),
             room = MIN(a->maxerrors, REMOTE_DOMAIN_DISK_ERRORS_MAX);
    const DiskDef *d;

    if (a->maxerrors == 0) { /* how many could there be? */
        r->nerrors = (int)disks;
        return true;
    }
    g_autoptr(Qmp) monitor = guest_qmp(domain_driver_data(q->domain), err);
    if (!monitor)
        return false;
    call_set_waiting(c, "monitor");
    g_autoptr(GArray) blocks = qmp_query_block(monitor, err);
    if (!blocks)
        return false;
    r->errors.errors_val = g_new0(remote_domain_disk_error, room);
    for (guint i = 0; r->errors.errors_len < room && (d = domain_next(def, DEVICE_DISK, &i));) {
        for (unsigned b = 0; b < blocks->len; b++) {
            const QmpBlock *block = &g_array_index(blocks, QmpBlock, b);
            if (disk_by_qdev(def, block->qdev) != d || !block->io_status ||
                g_str_equal(block->io_status, "ok"))
                continue;
            r->errors.errors_val[r->errors.errors_len++] = (remote_domain_disk_error){
                .disk = g_strdup(d->dst),
                .error = g_str_equal(block->io_status, "nospace") ? VIR_DOMAIN_DISK_ERROR_NO_SPACE
                                                                  : VIR_DOMAIN_DISK_ERROR_UNSPEC,
            };
            break;
        }
    }
    r->nerrors = (int)r->errors.errors_len;
    return true;
}

/* Interfaces -------------------------------------------------------------------------------------- */

bool qemu_domain_interface_stats(Call *c, const DomainView *v,
                                 const remote_domain_interface_stats_args *a,
                                 remote_domain_interface_stats_ret *r, GError **err)
{
    const NetDef *n = net_find(v->live->def, a->device);
    (void)c;

    if (!n) {
        error_set(err, VIR_ERR_INVALID_ARG, "'%s' is not a known interface", a->device);
        return false;
    }
    if (!n->ifname) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "Interface name not provided");
        return false;
    }
    g_autoptr(GHashTable) all = procfs_net_counters(err);
    if (!all)
        return false;
    const NetCounters *host = g_hash_table_lookup(all, n->ifname);
    if (!host) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the host has no counters of interface '%s'",
                  n->ifname);
        return false;
    }
    NetCounters k = net_shares_host_view(n) ? *host : net_counters_swapped(host);
    *r = (remote_domain_interface_stats_ret){
        .rx_bytes = (int64_t)k.rx_bytes,
        .rx_packets = (int64_t)k.rx_packets,
        .rx_errs = (int64_t)k.rx_errs,
        .rx_drop = (int64_t)k.rx_drop,
        .tx_bytes = (int64_t)k.tx_bytes,
        .tx_packets = (int64_t)k.tx_packets,
        .tx_errs = (int64_t)k.tx_errs,
        .tx_drop = (int64_t)k.tx_drop,
    };
    return true;
}

/* Memory ------------------------------------------------------------------------------------------ */

bool qemu_domain_memory_stats(Call *c, DomainQuery *q, const remote_domain_memory_stats_args *a,
                              remote_domain_memory_stats_ret *r, GError **err)
{
    const QemuStatus *s = view_status(q->view);
    g_autoptr(Figure) balloon = NULL;
    MemoryStat stats[MEMORY_STATS_MAX];
    ProcFigures process;
    (void)a;

    if (figures_wanted(q->view, 1u << FIGURE_BALLOON)) {
        call_set_waiting(c, "monitor");
        balloon = figures_ask_one(q->view, FIGURE_BALLOON, call_deadline(c), err);
        if (!balloon)
            return false;
    }
    bool alive = s && procfs_read(s->pid, 0, &process);
    unsigned n = memory_stats(q->view->live->def, balloon, alive ? &process : NULL, stats);
    r->stats.stats_val = g_new0(remote_domain_memory_stat, n);
    r->stats.stats_len = n;
    for (unsigned i = 0; i < n; i++)
        r->stats.stats_val[i] =
            (remote_domain_memory_stat){ .tag = stats[i].tag, .val = stats[i].value };
    return true;
}

static MemballoonDef *virtio_balloon(DomainDef *def, GError **err)
{
    guint i = 0;
    MemballoonDef *b = domain_next(def, DEVICE_MEMBALLOON, &i);

    if (b && b->model != BALLOON_NONE && b->model != BALLOON_XEN)
        return b;
    error_set(err, VIR_ERR_OPERATION_INVALID,
              "Memory balloon model must be virtio to set the collection period");
    return NULL;
}

bool qemu_domain_set_memory_stats_period(Call *c, DomainTurn *t,
                                         const remote_domain_set_memory_stats_period_args *a,
                                         GError **err)
{
    const DomainView *v = turn_view(t);
    unsigned flags = a->flags;
    g_autofree char *path = NULL;

    if (a->period < 0) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "period in virDomainSetMemoryStatsPeriod must be zero or greater");
        return false;
    }
    if (!common_impact(v, &flags, err))
        return false;
    if (flags & VIR_DOMAIN_AFFECT_LIVE) {
        MemballoonDef *b = virtio_balloon(turn_edit_live(t), err);
        g_autoptr(Qmp) q = b ? guest_qmp(turn_driver_data(t), err) : NULL;
        if (!q)
            return false;
        path = g_strconcat("/machine/peripheral/", b->dev.info.alias, NULL);
        call_set_waiting(c, "monitor");
        if (!qmp_balloon_stats_period(q, path, (unsigned)a->period, err))
            return false;
        b->stats_period = (uint32_t)a->period;
    }
    if (flags & VIR_DOMAIN_AFFECT_CONFIG) {
        DomainDef *config = turn_edit_config(t, err);
        MemballoonDef *b = config ? virtio_balloon(config, err) : NULL;
        if (!b)
            return false;
        b->stats_period = (uint32_t)a->period;
    }
    return true;
}

bool qemu_domain_start_dirty_rate_calc(Call *c, DomainQuery *q,
                                       const remote_domain_start_dirty_rate_calc_args *a,
                                       GError **err)
{
    enum { SECONDS_MAX = 60 };
    static const char *const modes[] = { "page-sampling", "dirty-bitmap", "dirty-ring" };
    Guest *g = domain_driver_data(q->domain);
    const KvmFeatures *kvm = q->view->live->def->features.kvm;
    (void)c;

    if (a->seconds < 1 || a->seconds > SECONDS_MAX) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "seconds=%d is invalid, please choose value within [1, %d].", a->seconds,
                  SECONDS_MAX);
        return false;
    }
    if (a->flags >= G_N_ELEMENTS(modes)) {
        error_set(err, VIR_ERR_INVALID_ARG, "only one way of measuring a dirty rate can be chosen");
        return false;
    }
    if ((a->flags & VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING) && !tri_is_yes(kvm ? kvm->dirty_ring : TRI_ABSENT)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "dirty-ring calculation mode requires dirty-ring feature enabled.");
        return false;
    }
    g_autoptr(Qmp) monitor = guest_qmp(g, err);
    if (!monitor)
        return false;
    call_set_waiting(c, "monitor");
    bool ok = qmp_calc_dirty_rate(monitor, (unsigned)a->seconds, modes[a->flags], err);
    figures_note_measuring(&g->figures);
    return ok;
}
