/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Block I/O of a guest as a whole, and the nodes of its memory: blkiotune, numatune. Parameters of
 * devices are texts "PATH,VALUE,PATH,VALUE"; a row names the field of BlkioDevice and the value of the
 * control group. Workers, with the turn for changes.
 */
#include <string.h>

#include "drivers/common/params.h"
#include "drivers/qemu/cgroup.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/tuning.h"
#include "util/error.h"

enum { DEVICES_MAX = 1024 };

/* Block I/O ------------------------------------------------------------------------------------ */

/* The first row is of the guest, the others are texts about devices: field and off tell of the number in
 * BlkioDevice. */
#define DEVICE(word, type, member, rate)                                                           \
    {                                                                                              \
        word, VIR_TYPED_PARAM_STRING, .field = (type), .off = offsetof(BlkioDevice, member),       \
                                      .own = (rate)                                                \
    }
static const ParamRow blkio_rows[] = {
    { "weight", VIR_TYPED_PARAM_UINT, .field = PARAM_U32, .off = offsetof(BlkioTuning, weight),
      .own = -1 },
    DEVICE("device_weight", PARAM_U32, weight, CGROUP_WEIGHT),
    DEVICE("device_read_iops_sec", PARAM_U32, read_iops_sec, CGROUP_READ_IOPS),
    DEVICE("device_write_iops_sec", PARAM_U32, write_iops_sec, CGROUP_WRITE_IOPS),
    DEVICE("device_read_bytes_sec", PARAM_U64, read_bytes_sec, CGROUP_READ_BYTES),
    DEVICE("device_write_bytes_sec", PARAM_U64, write_bytes_sec, CGROUP_WRITE_BYTES),
};

static bool need_blkio(const Cgroup *g, GError **err)
{
    if (!g || cgroup_has(g, CGROUP_BLKIO))
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID, "blkio cgroup isn't mounted");
    return false;
}

static uint64_t value_of(const BlkioDevice *d, const ParamRow *row)
{
    const void *at = (const char *)d + row->off;
    return row->field == PARAM_U32 ? *(const uint32_t *)at : *(const uint64_t *)at;
}

static void set_value(BlkioDevice *d, const ParamRow *row, uint64_t value)
{
    void *at = (char *)d + row->off;

    if (row->field == PARAM_U32)
        *(uint32_t *)at = (uint32_t)value;
    else
        *(uint64_t *)at = value;
}

static char *format_devices(const BlkioTuning *t, const ParamRow *row)
{
    GString *out = g_string_new(NULL);

    for (LIST_EACH(const BlkioDevice, d, t ? t->devices : NULL))
        if (value_of(d, row))
            g_string_append_printf(out, "%s%s,%" G_GUINT64_FORMAT, out->len ? "," : "", d->path,
                                   value_of(d, row));
    return g_string_free(out, false);
}

bool qemu_domain_get_blkio_parameters(Call *c, DomainQuery *q,
                                      const remote_domain_get_blkio_parameters_args *a,
                                      remote_domain_get_blkio_parameters_ret *r, GError **err)
{
    const DomainDef *def = common_def_for(NULL, q->view, a->flags & COMMON_IMPACT_FLAGS, err);
    g_auto(ParamList) l = { 0 };
    unsigned weight = 0;
    (void)c;

    if (!def)
        return false;
    const BlkioTuning *t = def->blkiotune;
    g_autoptr(Cgroup) g = q->view->live && def == q->view->live->def ? guest_cgroup(q->view) : NULL;
    if (!need_blkio(g, err))
        return false;
    if (!g)
        weight = t ? t->weight : 0;
    else if (!guest_cgroup_get_weight(g, &weight, err))
        return false;
    params_add_uint(&l, weight, "%s", blkio_rows[0].name);
    for (unsigned i = 1; i < G_N_ELEMENTS(blkio_rows); i++) {
        g_autofree char *text = format_devices(t, &blkio_rows[i]);
        params_add_string(&l, text, "%s", blkio_rows[i].name);
    }
    params_drop_strings(&l, a->flags);
    r->nparams = (int)l.len;
    params_give(&l, &r->params);
    return true;
}

static bool bad_devices(const ParamRow *row, const char *text, GError **err)
{
    error_set(err, VIR_ERR_INVALID_ARG, "unable to parse blkio device '%s' '%s'", row->name, text);
    return false;
}

static BlkioDevice *device_of(BlkioTuning *t, const char *path)
{
    for (LIST_EACH(BlkioDevice, d, t->devices))
        if (g_str_equal(d->path, path))
            return d;
    BlkioDevice *d = g_new0(BlkioDevice, 1);
    d->path = g_strdup(path);
    if (!t->devices)
        t->devices = g_ptr_array_new();
    g_ptr_array_add(t->devices, d);
    return d;
}

/* Into the definition; g not NULL: and into the group. */
static bool set_devices(BlkioTuning *t, const Cgroup *g, const ParamRow *row, const char *text,
                        GError **err)
{
    g_auto(GStrv) words = g_strsplit(text, ",", 2 * DEVICES_MAX + 1);
    unsigned n = g_strv_length(words);

    if (n % 2)
        return bad_devices(row, text, err);
    for (unsigned i = 0; i < n; i += 2) {
        uint64_t value;
        if (!*words[i] || !g_ascii_string_to_unsigned(
                              words[i + 1], 10, 0,
                              row->field == PARAM_U32 ? UINT32_MAX : UINT64_MAX, &value, NULL))
            return bad_devices(row, text, err);
        if (g && !guest_cgroup_set_rate(g, words[i], (CgroupRate)row->own, value, err))
            return false;
        set_value(device_of(t, words[i]), row, value);
    }
    return true;
}

/* A device of which nothing is said is not in the definition. */
static void drop_empty(BlkioTuning *t)
{
    for (unsigned i = list_len(t->devices); i > 0; i--) {
        BlkioDevice *d = list_at(t->devices, i - 1);
        bool any = false;
        for (unsigned row = 1; row < G_N_ELEMENTS(blkio_rows); row++)
            any = any || value_of(d, &blkio_rows[row]);
        if (any)
            continue;
        g_ptr_array_remove_index(t->devices, i - 1);
        g_free(d->path);
        g_free(d);
    }
}

static bool set_blkio(DomainDef *d, const Cgroup *g, const remote_typed_param *params, u_int n,
                      GError **err)
{
    if (!d->blkiotune)
        d->blkiotune = g_new0(BlkioTuning, 1);
    for (u_int i = 0; i < n; i++) {
        const ParamRow *row = params_row(blkio_rows, G_N_ELEMENTS(blkio_rows), params[i].field);
        if (row->type == VIR_TYPED_PARAM_STRING) {
            if (!set_devices(d->blkiotune, g, row, params[i].value.u.s, err))
                return false;
            continue;
        }
        if (g && !guest_cgroup_set_weight(g, params[i].value.u.ui, err))
            return false;
        params_store(&params[i], row, d->blkiotune);
    }
    drop_empty(d->blkiotune);
    tuning_drop_empty(d);
    return true;
}

bool qemu_domain_set_blkio_parameters(Call *c, DomainTurn *t,
                                      const remote_domain_set_blkio_parameters_args *a,
                                      GError **err)
{
    remote_typed_param *params = a->params.params_val;
    u_int n = a->params.params_len;
    DomainDef *live, *config;
    (void)c;

    if (!params_check(params, n, blkio_rows, G_N_ELEMENTS(blkio_rows), err) ||
        !common_edit(t, a->flags, &live, &config, err))
        return false;
    g_autoptr(Cgroup) g = live ? guest_cgroup(turn_view(t)) : NULL;
    return need_blkio(g, err) && (!config || set_blkio(config, NULL, params, n, err)) &&
           (!live || set_blkio(live, g, params, n, err));
}

/* NUMA ----------------------------------------------------------------------------------------- */

static const ParamRow numa_rows[] = {
    { "numa_mode", VIR_TYPED_PARAM_INT },
    { "numa_nodeset", VIR_TYPED_PARAM_STRING },
};

bool qemu_domain_get_numa_parameters(Call *c, DomainQuery *q,
                                     const remote_domain_get_numa_parameters_args *a,
                                     remote_domain_get_numa_parameters_ret *r, GError **err)
{
    const DomainDef *def = common_def_for(NULL, q->view, a->flags & COMMON_IMPACT_FLAGS, err);
    g_auto(ParamList) l = { 0 };
    (void)c;

    if (!def)
        return false;
    const NumaTuning *t = def->numatune;
    g_autofree char *nodes = t && t->nodeset ? bitmap_format(t->nodeset) : g_strdup("");
    params_add_int(&l, t && t->memory ? (int)t->mode : (int)NUMA_STRICT, "%s", numa_rows[0].name);
    params_add_string(&l, nodes, "%s", numa_rows[1].name);
    params_drop_strings(&l, a->flags);
    r->nparams = (int)l.len;
    params_give(&l, &r->params);
    return true;
}

/* The emulator has bound the memory already, except when the mode leaves it to the control group. */
static bool numa_may_change(const NumaTuning *now, int mode, const Bitmap *nodes, GError **err)
{
    bool bound = now && now->memory;

    if (mode >= 0 && bound && (int)now->mode != mode)
        error_set(err, VIR_ERR_OPERATION_INVALID, "can't change numatune mode for running domain");
    else if (mode == NUMA_STRICT && nodes)
        error_set(err, VIR_ERR_OPERATION_INVALID,
                  "can't change nodeset for strict mode for running domain");
    else if (nodes && bound && now->mode != NUMA_RESTRICTIVE)
        error_set(err, VIR_ERR_OPERATION_INVALID,
                  "change of nodeset for running domain requires restrictive numa mode");
    else
        return true;
    return false;
}

/* A child's nodes must be among the group's: wide first, then narrow. */
static bool move_memory(const Cgroup *g, const QemuStatus *s, const Bitmap *nodes, GError **err)
{
    char buf[32];

    if (!guest_cgroup_set_mems(g, NULL, nodes, err) ||
        !guest_cgroup_set_mems(g, thread_group(THREAD_EMULATOR, 0, buf), nodes, err))
        return false;
    for (unsigned i = 0; i < threads_count(s->threads); i++) {
        const GuestThread *one = threads_at(s->threads, i);
        if (!guest_cgroup_set_mems(g, thread_group(one->kind, one->id, buf), nodes, err))
            return false;
    }
    return true;
}

static bool store_numa(DomainDef *d, int mode, const Bitmap *nodes, GError **err)
{
    if (!d->numatune)
        d->numatune = g_new0(NumaTuning, 1);
    NumaTuning *t = d->numatune;
    if (!nodes && !t->nodeset && t->placement != NUMA_PLACEMENT_AUTO) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "nodeset for NUMA memory tuning must be set if 'placement' is 'static'");
        return false;
    }
    if (mode >= 0)
        t->mode = (NumaMode)mode;
    else if (!t->memory)
        t->mode = NUMA_STRICT;
    if (nodes) {
        bitmap_free(t->nodeset);
        t->nodeset = bitmap_copy(nodes);
        t->placement = NUMA_PLACEMENT_DEFAULT;
    }
    t->memory = 1;
    return true;
}

bool qemu_domain_set_numa_parameters(Call *c, DomainTurn *t,
                                     const remote_domain_set_numa_parameters_args *a, GError **err)
{
    remote_typed_param *params = a->params.params_val;
    u_int n = a->params.params_len;
    DomainDef *live, *config;
    (void)c;

    if (!params_check(params, n, numa_rows, G_N_ELEMENTS(numa_rows), err))
        return false;
    const remote_typed_param *m = params_find(params, n, numa_rows[0].name),
                             *set = params_find(params, n, numa_rows[1].name);
    int mode = m ? m->value.u.i : -1;
    g_autoptr(Bitmap) nodes = set ? bitmap_parse(set->value.u.s, err) : NULL;
    if (m && (mode < 0 || mode >= (int)_NUMA_MODE_N)) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported numatune mode: '%d'", mode);
        return false;
    }
    if (set && !nodes) {
        g_clear_error(err);
        error_set(err, VIR_ERR_INVALID_ARG, "Failed to parse bitmap '%s'", set->value.u.s);
        return false;
    }
    if (set && bitmap_is_empty(nodes)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "Invalid nodeset of 'numatune': %s",
                  set->value.u.s);
        return false;
    }
    if (!common_edit(t, a->flags, &live, &config, err))
        return false;
    if (live) {
        g_autoptr(Cgroup) g = guest_cgroup(turn_view(t));
        if (!cgroup_has(g, CGROUP_CPUSET)) {
            error_set(err, VIR_ERR_OPERATION_INVALID, "cgroup cpuset controller is not mounted");
            return false;
        }
        if (!numa_may_change(live->numatune, mode, nodes, err) ||
            (nodes && !move_memory(g, view_status(turn_view(t)), nodes, err)) ||
            !store_numa(live, mode, nodes, err))
            return false;
    }
    return !config || store_numa(config, mode, nodes, err);
}
