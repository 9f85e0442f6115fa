/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures of guests for collectors. It runs on the loop thread and must cost the same whatever a guest does:
 * everything comes from views, from /proc, and from the answers that emulators gave before. Behind that, what
 * is old is asked for again, without waiting; so figures of disks are those of the time of the former
 * collection, or newer, and a sample says how old they are.
 *
 * Families must stand together in the text, so each is collected in its own, in one walk over the guests.
 */
#include "drivers/qemu/metrics.h"

#include "drivers/common/domains.h"
#include "drivers/qemu/figures.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/net.h"
#include "drivers/qemu/procfs.h"
#include "util/loop.h"
#include "util/openmetrics.h"

enum { OLD_USEC = 1000000, PATIENCE_USEC = 10 * 1000000 };

typedef enum Family {
    F_STATE,
    F_VCPUS,
    F_MEMORY,
    F_MEMORY_MAX,
    F_RSS,
    F_CPU,
    F_SILENT,
    F_AGE,
    F_RD_BYTES,
    F_RD_REQS,
    F_RD_TIME,
    F_WR_BYTES,
    F_WR_REQS,
    F_WR_TIME,
    F_RX_BYTES,
    F_RX_PACKETS,
    F_RX_ERRORS,
    F_RX_DROPS,
    F_TX_BYTES,
    F_TX_PACKETS,
    F_TX_ERRORS,
    F_TX_DROPS,
    _FAMILY_N
} Family;

/* clang-format off */
static const struct { const char *name, *type, *help; } families[_FAMILY_N] = {
    [F_STATE]      = { "modvirt_domain_state", "gauge", "State of the guest: 1 running, 3 paused, 5 off, 6 crashed." },
    [F_VCPUS]      = { "modvirt_domain_vcpus", "gauge", "Virtual CPUs of a running guest." },
    [F_MEMORY]     = { "modvirt_domain_memory_bytes", "gauge", "Memory that a running guest has." },
    [F_MEMORY_MAX] = { "modvirt_domain_memory_max_bytes", "gauge", "Memory that a running guest may have." },
    [F_RSS]        = { "modvirt_domain_resident_bytes", "gauge", "Memory of the host that the emulator occupies." },
    [F_CPU]        = { "modvirt_domain_cpu_seconds", "counter", "Processor time of the emulator." },
    [F_SILENT]     = { "modvirt_domain_monitor_silent_seconds", "gauge", "Time since when the monitor owes an answer; 0: it answers." },
    [F_AGE]        = { "modvirt_domain_figures_age_seconds", "gauge", "Age of the figures of disks." },
    [F_RD_BYTES]   = { "modvirt_domain_block_read_bytes", "counter", "Bytes read from a disk." },
    [F_RD_REQS]    = { "modvirt_domain_block_read_requests", "counter", "Reads of a disk." },
    [F_RD_TIME]    = { "modvirt_domain_block_read_seconds", "counter", "Time that reads took." },
    [F_WR_BYTES]   = { "modvirt_domain_block_written_bytes", "counter", "Bytes written to a disk." },
    [F_WR_REQS]    = { "modvirt_domain_block_write_requests", "counter", "Writes to a disk." },
    [F_WR_TIME]    = { "modvirt_domain_block_write_seconds", "counter", "Time that writes took." },
    [F_RX_BYTES]   = { "modvirt_domain_interface_received_bytes", "counter", "Bytes that the guest received." },
    [F_RX_PACKETS] = { "modvirt_domain_interface_received_packets", "counter", "Packets that the guest received." },
    [F_RX_ERRORS]  = { "modvirt_domain_interface_receive_errors", "counter", "Errors of packets to the guest." },
    [F_RX_DROPS]   = { "modvirt_domain_interface_receive_drops", "counter", "Packets to the guest that were dropped." },
    [F_TX_BYTES]   = { "modvirt_domain_interface_sent_bytes", "counter", "Bytes that the guest sent." },
    [F_TX_PACKETS] = { "modvirt_domain_interface_sent_packets", "counter", "Packets that the guest sent." },
    [F_TX_ERRORS]  = { "modvirt_domain_interface_send_errors", "counter", "Errors of packets from the guest." },
    [F_TX_DROPS]   = { "modvirt_domain_interface_send_drops", "counter", "Packets from the guest that were dropped." },
};
/* clang-format on */

typedef struct Writer {
    GString *text[_FAMILY_N];
    GHashTable *net; /* NULL: not read, or cannot be */
    uint64_t now;
} Writer;

static void add(Writer *w, Family f, const DomainView *v, const char *device, uint64_t value)
{
    bool counts = families[f].type[0] == 'c',
         seconds = g_str_has_suffix(families[f].name, "_seconds");
    const OpenmetricsLabel labels[] = { { "domain", v->name },
                                        { device ? "device" : NULL, device },
                                        { NULL, NULL } };
    char name[96];

    if (!w->text[f])
        w->text[f] = g_string_new(NULL);
    g_snprintf(name, sizeof(name), "%s%s", families[f].name, counts ? "_total" : "");
    if (seconds)
        openmetrics_sample_ns(w->text[f], name, labels, value);
    else
        openmetrics_sample(w->text[f], name, labels, value);
}

static void add_told(Writer *w, Family f, const DomainView *v, const char *device, int64_t value)
{
    if (value >= 0)
        add(w, f, v, device, (uint64_t)value);
}

static void add_disks(Writer *w, const DomainView *v, Figures *figures)
{
    g_autoptr(Figure) stats = figures_get(figures, FIGURE_BLOCK_STATS);
    const DiskDef *d;

    if (!stats)
        return;
    add(w, F_AGE, v, NULL, (w->now - stats->when) * 1000);
    for (guint i = 0; (d = domain_next(v->live->def, DEVICE_DISK, &i));) {
        const QmpBlockStats *s = figure_block_stats(stats, v->live->def, d);
        if (!s)
            continue;
        add_told(w, F_RD_BYTES, v, d->dst, s->rd_bytes);
        add_told(w, F_RD_REQS, v, d->dst, s->rd_operations);
        add_told(w, F_RD_TIME, v, d->dst, s->rd_total_time_ns);
        add_told(w, F_WR_BYTES, v, d->dst, s->wr_bytes);
        add_told(w, F_WR_REQS, v, d->dst, s->wr_operations);
        add_told(w, F_WR_TIME, v, d->dst, s->wr_total_time_ns);
    }
}

static void add_interfaces(Writer *w, const DomainView *v)
{
    const NetDef *n;

    for (guint i = 0; (n = domain_next(v->live->def, DEVICE_INTERFACE, &i));) {
        const NetCounters *host =
            w->net && n->ifname ? g_hash_table_lookup(w->net, n->ifname) : NULL;
        if (!host)
            continue;
        NetCounters c = net_shares_host_view(n) ? *host : net_counters_swapped(host);
        add(w, F_RX_BYTES, v, n->ifname, c.rx_bytes);
        add(w, F_RX_PACKETS, v, n->ifname, c.rx_packets);
        add(w, F_RX_ERRORS, v, n->ifname, c.rx_errs);
        add(w, F_RX_DROPS, v, n->ifname, c.rx_drop);
        add(w, F_TX_BYTES, v, n->ifname, c.tx_bytes);
        add(w, F_TX_PACKETS, v, n->ifname, c.tx_packets);
        add(w, F_TX_ERRORS, v, n->ifname, c.tx_errs);
        add(w, F_TX_DROPS, v, n->ifname, c.tx_drop);
    }
}

static void add_guest(Writer *w, const DomainView *v)
{
    const QemuStatus *s = view_status(v);
    Guest *g = domain_driver_data(v->domain);
    ProcFigures p;

    add(w, F_STATE, v, NULL, (uint64_t)v->state);
    if (!view_active(v) || !v->live || !s)
        return;
    add(w, F_VCPUS, v, NULL, v->live->def->vcpus);
    add(w, F_MEMORY, v, NULL, v->live->def->current_memory * 1024);
    add(w, F_MEMORY_MAX, v, NULL, v->live->def->memory * 1024);
    if (s->pid && procfs_read(s->pid, 0, &p)) {
        add(w, F_RSS, v, NULL, p.rss_kib * 1024);
        add(w, F_CPU, v, NULL, p.user_ns + p.system_ns);
    }
    uint64_t since = guest_unresponsive_since(v->domain);
    add(w, F_SILENT, v, NULL, since ? (w->now - since) * 1000 : 0);
    add_disks(w, v, &g->figures);
    add_interfaces(w, v);
}

/* For the next collection. */
static void ask_again(const GPtrArray *views, uint64_t now)
{
    g_autofree FigureAsk *asks = g_new(FigureAsk, views->len);
    unsigned n = 0;

    for (unsigned i = 0; i < views->len; i++) {
        const DomainView *v = views->pdata[i];
        Figures *figures = &((Guest *)domain_driver_data(v->domain))->figures;
        unsigned wanted = figures_wanted(v, 1u << FIGURE_BLOCK_STATS);
        g_autoptr(Figure) known = wanted ? figures_get(figures, FIGURE_BLOCK_STATS) : NULL;
        if (wanted && (!known || now - known->when > OLD_USEC))
            asks[n++] = (FigureAsk){ v, wanted };
    }
    if (n)
        figures_ask(asks, n, FIGURES_IDLE_ONLY | FIGURES_NO_WAIT, now + PATIENCE_USEC);
}

void qemu_render_metrics(GString *out)
{
    g_autoptr(GPtrArray) views = domains_views();
    g_autoptr(GHashTable) net = domains_count_active() ? procfs_net_counters(NULL) : NULL;
    Writer w = { .net = net, .now = now_usec() };

    for (unsigned i = 0; i < views->len; i++)
        add_guest(&w, views->pdata[i]);
    for (unsigned f = 0; f < _FAMILY_N; f++) {
        if (!w.text[f])
            continue;
        openmetrics_family(out, families[f].name, families[f].type, families[f].help);
        g_string_append_len(out, w.text[f]->str, (gssize)w.text[f]->len);
        g_string_free(w.text[f], TRUE);
    }
    ask_again(views, w.now);
}
