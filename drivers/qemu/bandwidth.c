/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits of interfaces (bandwidth.h), and domiftune. Rates are kilobytes per second, bursts kilobytes, as in
 * documents. Workers.
 */
#include "drivers/qemu/bandwidth.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "drivers/common/params.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/spawn.h"

enum { TC_WAIT = 20 * 1000000, TC_OUTPUT = 16384 };

/* The kernel's device --------------------------------------------------------------------------- */

static const char *tc_path(void)
{
    static const char *const places[] = { "/usr/sbin/tc", "/sbin/tc", "/usr/bin/tc" };

    for (unsigned i = 0; i < G_N_ELEMENTS(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

/* words: of one command, separated by spaces. */
static bool tc(const char *words, GError **err)
{
    g_auto(GStrv) argv = g_strsplit(words, " ", -1);
    const char *path = tc_path();

    if (!path) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "interfaces cannot be limited: tc is not installed");
        return false;
    }
    g_free(argv[0]);
    argv[0] = g_strdup(path);
    Spawn s = { .argv = (const char *const *)argv, .in = -1, .out = -1, .err = -1, .memlock = -1 };
    return spawn_run(&s, TC_WAIT, TC_OUTPUT, NULL, NULL, err);
}

static bool tcf(GError **err, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool tcf(GError **err, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    g_autofree char *words = g_strdup_vprintf(format, ap);
    va_end(ap);
    return tc(words, err);
}

static bool set_inbound(const char *dev, const BandwidthRate *r, GError **err)
{
    g_autofree char *burst =
        r->burst ? g_strdup_printf(" burst %" PRIu64 "kb", r->burst) : g_strdup("");

    return tcf(err, "tc qdisc add dev %s root handle 1: htb default 1", dev) &&
           tcf(err,
               "tc class add dev %s parent 1: classid 1:1 htb rate %" PRIu64 "kbps ceil %" PRIu64
               "kbps%s",
               dev, r->average, r->peak ? r->peak : r->average, burst);
}

static bool set_outbound(const char *dev, const BandwidthRate *r, GError **err)
{
    return tcf(err, "tc qdisc add dev %s ingress", dev) &&
           tcf(err,
               "tc filter add dev %s parent ffff: protocol all u32 match u32 0 0 police rate %" PRIu64
               "kbps burst %" PRIu64 "kb mtu 64kb drop flowid :1",
               dev, r->average, r->burst ? r->burst : r->average);
}

static void clear(const char *dev)
{
    (void)tcf(NULL, "tc qdisc del dev %s root", dev); /* there may be none */
    (void)tcf(NULL, "tc qdisc del dev %s ingress", dev);
}

bool bandwidth_set(const char *ifname, const NetBandwidth *b, GError **err)
{
    clear(ifname);
    if (!b || ((!b->inbound || !b->inbound->average || set_inbound(ifname, b->inbound, err)) &&
               (!b->outbound || !b->outbound->average || set_outbound(ifname, b->outbound, err))))
        return true;
    clear(ifname);
    return false;
}

bool bandwidth_possible(const NetDef *net)
{
    return net->type == NET_BRIDGE || net->type == NET_NETWORK || net->type == NET_ETHERNET ||
           net->type == NET_DIRECT;
}

static bool is_limited(const NetDef *net)
{
    return net->bandwidth && net->ifname && bandwidth_possible(net);
}

bool start_bandwidth(Start *s, GError **err)
{
    const NetDef *net;

    for (guint i = 0; (net = domain_next(s->def, DEVICE_INTERFACE, &i));)
        if (is_limited(net) && !bandwidth_set(net->ifname, net->bandwidth, err))
            return false;
    return true;
}

void start_tell_bandwidth(const Start *s, GPtrArray *lines)
{
    const NetDef *net;

    for (guint i = 0; (net = domain_next(s->def, DEVICE_INTERFACE, &i));)
        if (net->bandwidth && bandwidth_possible(net))
            g_ptr_array_add(lines, g_strdup_printf("limit interface %u as <bandwidth> says", i));
}

/* A device that is not ours stays behind. */
void start_undo_bandwidth(const Run *r)
{
    const NetDef *net;

    for (guint i = 0; (net = domain_next(r->def, DEVICE_INTERFACE, &i));) {
        g_autofree char *path =
            net->ifname ? g_build_filename("/sys/class/net", net->ifname, NULL) : NULL;
        if (is_limited(net) && access(path, F_OK) == 0)
            clear(net->ifname);
    }
}

/* Calls ----------------------------------------------------------------------------------------- */

#define RATE(direction, member, number)                                                            \
    {                                                                                              \
        direction "." #member, VIR_TYPED_PARAM_UINT,                                               \
            .field = PARAM_U64, .off = offsetof(BandwidthRate, member), .own = (number)            \
    }
/* own: 1 for outbound. */
static const ParamRow rate_rows[] = {
    RATE("inbound", average, 0), RATE("inbound", peak, 0),     RATE("inbound", burst, 0),
    RATE("inbound", floor, 0),   RATE("outbound", average, 1), RATE("outbound", peak, 1),
    RATE("outbound", burst, 1),
};

static NetDef *find_interface(const DomainDef *d, const char *word, GError **err)
{
    NetDef *net;

    for (guint i = 0; (net = domain_next(d, DEVICE_INTERFACE, &i));) {
        const uint8_t *m = net->mac.b;
        g_autofree char *mac =
            g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
        if (g_strcmp0(net->ifname, word) == 0 || g_ascii_strcasecmp(mac, word) == 0)
            return net;
    }
    error_set(err, VIR_ERR_INVALID_ARG, "'%s' is not a known interface", word);
    return NULL;
}

bool qemu_domain_get_interface_parameters(Call *c, DomainQuery *q,
                                          const remote_domain_get_interface_parameters_args *a,
                                          remote_domain_get_interface_parameters_ret *r,
                                          GError **err)
{
    static const BandwidthRate none;
    const DomainDef *def = common_def_for(NULL, q->view, a->flags & COMMON_IMPACT_FLAGS, err);
    g_auto(ParamList) l = { 0 };
    (void)c;

    /* The number alone may be asked for without naming an interface. */
    bool count = a->nparams == 0;
    const NetDef *net = def && !count ? find_interface(def, a->device, err) : NULL;
    if (!def || (!net && !count))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(rate_rows); i++) {
        const NetBandwidth *b = net ? net->bandwidth : NULL;
        const BandwidthRate *rate = !b ? NULL : rate_rows[i].own ? b->outbound : b->inbound;
        params_add_field(&l, &rate_rows[i], rate ? rate : &none);
    }
    r->nparams = (int)l.len;
    params_give(&l, &r->params);
    return true;
}

/* A direction that is named is set as a whole; without an average it has no limit. */
static void change(NetDef *net, const remote_typed_param *params, u_int n)
{
    BandwidthRate rates[2] = { { 0 } };
    bool named[2] = { false };

    for (u_int i = 0; i < n; i++) {
        const ParamRow *row = params_row(rate_rows, G_N_ELEMENTS(rate_rows), params[i].field);
        params_store(&params[i], row, &rates[row->own]);
        named[row->own] = true;
    }
    if (!net->bandwidth)
        net->bandwidth = g_new0(NetBandwidth, 1);
    BandwidthRate **places[2] = { &net->bandwidth->inbound, &net->bandwidth->outbound };
    for (unsigned i = 0; i < 2; i++) {
        if (!named[i])
            continue;
        g_clear_pointer(places[i], g_free);
        if (rates[i].average || rates[i].floor)
            *places[i] = g_memdup2(&rates[i], sizeof(rates[i]));
    }
    if (!net->bandwidth->inbound && !net->bandwidth->outbound)
        g_clear_pointer(&net->bandwidth, g_free);
}

static bool may_change(const NetDef *net, GError **err)
{
    if (bandwidth_possible(net))
        return true;
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
              "setting bandwidth on interfaces of type '%s' is not implemented yet",
              enum_name(&net_type_names, net->type));
    return false;
}

bool qemu_domain_set_interface_parameters(Call *c, DomainTurn *t,
                                          const remote_domain_set_interface_parameters_args *a,
                                          GError **err)
{
    remote_typed_param *params = a->params.params_val;
    u_int n = a->params.params_len;
    DomainDef *live, *config;
    (void)c;

    if (!params_check(params, n, rate_rows, G_N_ELEMENTS(rate_rows), err) ||
        !common_edit(t, a->flags, &live, &config, err))
        return false;
    NetDef *running = live ? find_interface(live, a->device, err) : NULL;
    if (live && (!running || !may_change(running, err)))
        return false;
    NetDef *defined = config ? find_interface(config, a->device, err) : NULL;
    if (config && (!defined || !may_change(defined, err)))
        return false;
    if (defined)
        change(defined, params, n);
    if (!running)
        return true;
    g_autoptr(GError) error = NULL;
    const NetBandwidth old = running->bandwidth ? *running->bandwidth : (NetBandwidth){ 0 };
    BandwidthRate in = old.inbound ? *old.inbound : (BandwidthRate){ 0 },
                  out = old.outbound ? *old.outbound : (BandwidthRate){ 0 };
    change(running, params, n);
    if (!running->ifname) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "the interface has no device on the host");
        return false;
    }
    if (bandwidth_set(running->ifname, running->bandwidth, &error))
        return true;
    /* As it was: what could be set then can be set again. */
    NetBandwidth before = { .inbound = &in, .outbound = &out };
    (void)bandwidth_set(running->ifname, &before, NULL);
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}
