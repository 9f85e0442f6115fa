/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits of a disk: blkdeviotune. Limits belong together: whoever sets one of a kind (bytes, requests,
 * their bursts) sets that kind as a whole, what is not named of it becomes 0; other kinds stay. Disks of
 * one group share their limits, so a change is one of all its disks. Workers, with the turn.
 */
#include <string.h>

#include "drivers/common/emit.h"
#include "drivers/common/params.h"
#include "drivers/qemu/configure.h"
#include "drivers/qemu/disk.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "util/error.h"
#include "util/loop.h"

enum { CALL_WAIT = 30 * 1000000 };
/* The largest that emulators take. */
#define LIMIT_MAX 1000000000000000ULL

typedef enum Kind { BYTES, IOPS, BYTES_MAX, IOPS_MAX, SIZE_IOPS, GROUP, LENGTHS } Kind;

#define LIMIT(member, kind)                                                                        \
    {                                                                                              \
#member, VIR_TYPED_PARAM_ULLONG, .field = PARAM_U64, .off = offsetof(DiskIotune, member),  \
                                         .own = (kind)                                             \
    }
/* LENGTHS: each for itself. */
static const ParamRow rows[] = {
    LIMIT(total_bytes_sec, BYTES),
    LIMIT(read_bytes_sec, BYTES),
    LIMIT(write_bytes_sec, BYTES),
    LIMIT(total_iops_sec, IOPS),
    LIMIT(read_iops_sec, IOPS),
    LIMIT(write_iops_sec, IOPS),
    LIMIT(total_bytes_sec_max, BYTES_MAX),
    LIMIT(read_bytes_sec_max, BYTES_MAX),
    LIMIT(write_bytes_sec_max, BYTES_MAX),
    LIMIT(total_iops_sec_max, IOPS_MAX),
    LIMIT(read_iops_sec_max, IOPS_MAX),
    LIMIT(write_iops_sec_max, IOPS_MAX),
    LIMIT(size_iops_sec, SIZE_IOPS),
    { "group_name", VIR_TYPED_PARAM_STRING, .field = PARAM_STR,
      .off = offsetof(DiskIotune, group_name), .own = GROUP },
    LIMIT(total_bytes_sec_max_length, LENGTHS),
    LIMIT(read_bytes_sec_max_length, LENGTHS),
    LIMIT(write_bytes_sec_max_length, LENGTHS),
    LIMIT(total_iops_sec_max_length, LENGTHS),
    LIMIT(read_iops_sec_max_length, LENGTHS),
    LIMIT(write_iops_sec_max_length, LENGTHS),
};

static uint64_t *value_at(DiskIotune *t, const ParamRow *row)
{
    return (uint64_t *)(void *)((char *)t + row->off);
}

static const DiskDef *find_disk(const DomainDef *d, const char *word, bool live, GError **err)
{
    const DiskDef *disk = disk_find(d, word);

    if (!disk && live)
        error_set(err, VIR_ERR_INVALID_ARG, "disk '%s' not found in domain", word);
    else if (!disk)
        error_set(err, VIR_ERR_INVALID_ARG, "disk '%s' was not found in the domain config", word);
    return disk;
}

bool qemu_domain_get_block_io_tune(Call *c, DomainQuery *q,
                                   const remote_domain_get_block_io_tune_args *a,
                                   remote_domain_get_block_io_tune_ret *r, GError **err)
{
    static const DiskIotune none;
    const DomainDef *def = common_def_for(NULL, q->view, a->flags & COMMON_IMPACT_FLAGS, err);
    g_auto(ParamList) l = { 0 };
    (void)c;

    if (!def)
        return false;
    bool live = q->view->live && def == q->view->live->def;
    const DiskDef *disk =
        a->disk ? find_disk(def, a->disk, live, err) : NULL; /* for the number alone */
    if (a->disk && !disk)
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        params_add_field(&l, &rows[i], disk ? &disk->iotune : &none);
    params_drop_strings(&l, a->flags);
    r->nparams = (int)l.len;
    params_give(&l, &r->params);
    return true;
}

/* Changes -------------------------------------------------------------------------------------- */

/* Checks of the parameters alone. */
static bool check(remote_typed_param *params, u_int n, GError **err)
{
    static const char *const parts[] = { "bytes_sec", "iops_sec", "bytes_sec_max", "iops_sec_max" };

    if (!params_check(params, n, rows, G_N_ELEMENTS(rows), err))
        return false;
    for (u_int i = 0; i < n; i++) {
        if (params[i].value.type == VIR_TYPED_PARAM_ULLONG && params[i].value.u.ul > LIMIT_MAX) {
            error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
                      "block I/O throttle limit value must be no more than %llu", LIMIT_MAX);
            return false;
        }
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
        uint64_t set[3] = { 0 };
        static const char *const sorts[] = { "total", "read", "write" };
        for (unsigned s = 0; s < 3; s++) {
            g_autofree char *name = g_strdup_printf("%s_%s", sorts[s], parts[i]);
            const remote_typed_param *p = params_find(params, n, name);
            set[s] = p ? p->value.u.ul : 0;
        }
        if (set[0] && (set[1] || set[2])) {
            error_set(err, VIR_ERR_INVALID_ARG,
                      "total and read/write of %s cannot be set at the same time", parts[i]);
            return false;
        }
    }
    return true;
}

static const DiskIotune *group_limits(const DomainDef *d, const DiskDef *but, const char *name)
{
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));)
        if (disk != but && g_strcmp0(disk->iotune.group_name, name) == 0)
            return &disk->iotune;
    return NULL;
}

/* With the limits of another one, and this group. */
static void copy_limits(DiskIotune *to, const DiskIotune *from, const char *group)
{
    char *name = g_strdup(group);

    g_free(to->group_name);
    *to = *from;
    to->group_name = name;
}

/* What the disk's limits become. */
static void change(const DomainDef *d, DiskDef *disk, const remote_typed_param *params, u_int n)
{
    DiskIotune *t = &disk->iotune;
    const remote_typed_param *group = params_find(params, n, "group_name");
    unsigned named = 0;

    for (u_int i = 0; i < n; i++)
        named |= 1u << params_row(rows, G_N_ELEMENTS(rows), params[i].field)->own;
    if (group && *group->value.u.s && g_strcmp0(t->group_name, group->value.u.s) != 0) {
        const DiskIotune *others = group_limits(d, disk, group->value.u.s);
        copy_limits(t, others ? others : t, group->value.u.s);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++)
        if (rows[i].own != GROUP && rows[i].own != LENGTHS && (named & (1u << rows[i].own)))
            *value_at(t, &rows[i]) = 0;
    for (u_int i = 0; i < n; i++) {
        const ParamRow *row = params_row(rows, G_N_ELEMENTS(rows), params[i].field);
        if (row->own != GROUP)
            params_store(&params[i], row, t);
    }
}

/* The emulator would not say why. */
static bool may_reset(DiskIotune *old, DiskIotune *now, GError **err)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *name = g_strconcat(rows[i].name, "_max", NULL);
        const ParamRow *max = params_row(rows, G_N_ELEMENTS(rows), name);
        if (!max || !*value_at(old, &rows[i]) || *value_at(now, &rows[i]) || !*value_at(now, max))
            continue;
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "cannot reset '%s' when '%s' is set",
                  rows[i].name, max->name);
        return false;
    }
    return true;
}

/* To all others of its group. */
static void share(DomainDef *d, const DiskDef *disk)
{
    DiskDef *other;

    for (guint i = 0; disk->iotune.group_name && (other = domain_next(d, DEVICE_DISK, &i));)
        if (other != disk && g_strcmp0(other->iotune.group_name, disk->iotune.group_name) == 0)
            copy_limits(&other->iotune, &disk->iotune, disk->iotune.group_name);
}

static bool set_live(DomainTurn *t, DomainDef *live, const char *word,
                     const remote_typed_param *params, u_int n, GError **err)
{
    DiskDef *disk = (DiskDef *)find_disk(live, word, true, err); /* our own copy */
    g_autoptr(Qmp) q = disk ? guest_qmp(turn_driver_data(t), err) : NULL;
    g_auto(ParamList) told = { 0 };

    if (!q)
        return false;
    if (disk_is_empty(disk)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "disk '%s' is empty: limits come with a medium",
                  disk->dst);
        return false;
    }
    DiskIotune old = disk->iotune;
    old.group_name = NULL;
    change(live, disk, params, n);
    if (!may_reset(&old, &disk->iotune, err) ||
        !qmp_call(q, "block_set_io_throttle", qemu_throttle_args(disk), NULL,
                  now_usec() + CALL_WAIT, err))
        return false;
    share(live, disk);
    params_add_string(&told, disk->dst, "%s", VIR_DOMAIN_TUNABLE_BLKDEV_DISK);
    for (u_int i = 0; i < n; i++)
        params_add_renamed(&told, &params[i], "blkdeviotune.%s", params[i].field);
    emit_tunable(t, &told);
    return true;
}

bool qemu_domain_set_block_io_tune(Call *c, DomainTurn *t,
                                   const remote_domain_set_block_io_tune_args *a, GError **err)
{
    remote_typed_param *params = a->params.params_val;
    u_int n = a->params.params_len;
    DomainDef *live, *config;
    (void)c;

    if (!check(params, n, err) || !common_edit(t, a->flags, &live, &config, err))
        return false;
    if (config) {
        DiskDef *disk = (DiskDef *)find_disk(config, a->disk, false, err);
        if (!disk)
            return false;
        change(config, disk, params, n);
        share(config, disk);
    }
    return !live || set_live(t, live, a->disk, params, n, err);
}
