/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where a guest's control group is, and its place in the start (cgroup.h): made with the definition's
 * limits after the emulator's process, entered by it right after, removed when it has ended. The trees of the
 * host are found once, when the daemon starts; constant afterwards.
 */
#define LOG_SOURCE "qemu.cgroup"
#include "drivers/qemu/cgroup.h"

#include <string.h>

#include "drivers/qemu/resctrl.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/log.h"
#include "util/paths.h"

enum { NAME_MAX_LEN = 64 };

static CgroupHost *host;

void guest_cgroups_init(const QemuConfig *c)
{
    unsigned wanted = c->cgroup_controllers ? 0 : CGROUP_ALL;
    g_autoptr(GError) error = NULL;

    for (char **name = c->cgroup_controllers; name && *name; name++) {
        int found = cgroup_controller_from_name(*name);
        if (found >= 0)
            wanted |= CGROUP_BIT((unsigned)found);
    }
    if (paths()->session)
        wanted = 0; /* the trees are root's */
    host = cgroup_host_detect(NULL, NULL, wanted, &error);
    if (!host) {
        log_warn("cannot look for control groups, guests run without: %s", error->message);
        host = cgroup_host_detect("/dev/null", NULL, 0, NULL);
    }
}

void guest_cgroups_done(void)
{
    g_clear_pointer(&host, cgroup_host_free);
}

bool guest_cgroups_have(CgroupController c)
{
    return cgroup_host_controllers(host) & CGROUP_BIT(c);
}

/* Every part of a partition but the well-known first one carries a suffix, so that it is never the name of a
 * guest. */
static char *partition_path(const DomainDef *def)
{
    GString *out = g_string_new(NULL);
    g_auto(GStrv) parts = g_strsplit(def->partition ? def->partition : "/machine", "/", -1);

    for (char **p = parts; *p; p++) {
        if (!**p)
            continue;
        bool known = out->len == 0 && (g_str_equal(*p, "machine") || g_str_equal(*p, "user") ||
                                       g_str_equal(*p, "system"));
        g_string_append_printf(out, "/%s%s", *p, known || strchr(*p, '.') ? "" : ".partition");
    }
    return g_string_free(out, false);
}

/* The scope of systemd's, or of our own making: letters, digits, '-' and '.' of the name. */
static char *group_path(const DomainDef *def, const QemuStatus *status)
{
    if (status->scope)
        return g_strdup(status->scope);
    g_autofree char *partition = partition_path(def);
    GString *name = g_string_new(NULL);

    g_string_append_printf(name, "qemu-%d-", status->id);
    for (const char *p = def->name; *p && name->len < NAME_MAX_LEN; p++)
        if (g_ascii_isalnum(*p) || *p == '-' || *p == '.')
            g_string_append_c(name, *p);
    char *path = g_strdup_printf("%s/%s.libvirt-qemu", partition, name->str);
    g_string_free(name, true);
    return path;
}

Cgroup *guest_cgroup_of(const DomainDef *live, const QemuStatus *s)
{
    g_autofree char *path = group_path(live, s);
    return cgroup_open(host, path);
}

Cgroup *guest_cgroup(const DomainView *v)
{
    return guest_cgroup_of(v->live->def, view_status(v));
}

/* What the definition asks for --------------------------------------------------------------- */

static bool wants_cpu(const CpuTuning *t)
{
    return t && (t->shares.set || t->period || t->global_period || t->emulator_period ||
                 t->iothread_period || t->quota || t->global_quota || t->emulator_quota ||
                 t->iothread_quota);
}

static bool wants_memory(const MemoryTuning *t)
{
    return t->hard_limit.set || t->soft_limit.set || t->swap_hard_limit.set;
}

static bool refuse(const char *what, GError **err)
{
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s is not available on this host", what);
    return false;
}

static bool possible(const DomainDef *d, bool cpu, bool memory, bool blkio, GError **err)
{
    if (wants_cpu(d->cputune) && !cpu)
        return refuse("CPU tuning", err);
    if (wants_memory(&d->memtune) && !memory)
        return refuse("Memory cgroup", err);
    if (d->blkiotune && (d->blkiotune->weight || list_len(d->blkiotune->devices)) && !blkio)
        return refuse("Block I/O tuning", err);
    return true;
}

void start_tell_cgroup(const Start *s, GPtrArray *lines)
{
    g_autofree char *path = partition_path(s->def);
    g_autoptr(GString) have = g_string_new(NULL);

    for (unsigned i = 0; i < CGROUP_CONTROLLER_N; i++)
        if (guest_cgroups_have((CgroupController)i))
            g_string_append_printf(have, "%s%s", have->len ? ", " : "",
                                   cgroup_controller_name((CgroupController)i));
    g_ptr_array_add(
        lines, have->len ? g_strdup_printf("a control group below '%s' for %s", path, have->str)
                         : g_strdup("no control group: this host has none that we may use"));
}

void start_tell_placement(const Start *s, GPtrArray *lines)
{
    g_autoptr(Bitmap) cpus = thread_cpus(s->def, THREAD_EMULATOR, 0);
    g_autofree char *text = bitmap_format(cpus);

    g_ptr_array_add(lines, g_strdup_printf("on the host's CPUs %s", text));
}

bool start_check_cgroup(const Start *s, GError **err)
{
    return resctrl_possible(s->def, err) &&
           possible(s->def, guest_cgroups_have(CGROUP_CPU), guest_cgroups_have(CGROUP_MEMORY),
                    guest_cgroups_have(CGROUP_BLKIO), err);
}

static bool apply_cpu(const Cgroup *g, const CpuTuning *t, GError **err)
{
    uint64_t min, max;

    if (!t || !cgroup_has(g, CGROUP_CPU))
        return true;
    guest_cgroup_shares_range(cgroup_is_v2(g, CGROUP_CPU), &min, &max);
    if (t->shares.set && (t->shares.v < min || t->shares.v > max)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "Value of cputune 'shares' must be in range [%" G_GUINT64_FORMAT
                  ", %" G_GUINT64_FORMAT "]",
                  min, max);
        return false;
    }
    return (!t->shares.set || guest_cgroup_set_shares(g, t->shares.v, err)) &&
           guest_cgroup_set_quota(g, NULL, t->global_period, t->global_quota, err);
}

static bool apply_memory(const Cgroup *g, const MemoryTuning *t, GError **err)
{
    return (!t->hard_limit.set || guest_cgroup_set_limit(g, CGROUP_HARD, t->hard_limit.v, err)) &&
           (!t->soft_limit.set || guest_cgroup_set_limit(g, CGROUP_SOFT, t->soft_limit.v, err)) &&
           (!t->swap_hard_limit.set ||
            guest_cgroup_set_limit(g, CGROUP_SWAP_HARD, t->swap_hard_limit.v, err));
}

static bool apply_blkio(const Cgroup *g, const BlkioTuning *t, GError **err)
{
    if (!t)
        return true;
    if (t->weight && !guest_cgroup_set_weight(g, t->weight, err))
        return false;
    for (LIST_EACH(const BlkioDevice, d, t->devices)) {
        const struct {
            CgroupRate which;
            uint64_t value;
        } rates[] = {
            { CGROUP_WEIGHT, d->weight },
            { CGROUP_READ_IOPS, d->read_iops_sec },
            { CGROUP_WRITE_IOPS, d->write_iops_sec },
            { CGROUP_READ_BYTES, d->read_bytes_sec },
            { CGROUP_WRITE_BYTES, d->write_bytes_sec },
        };
        for (unsigned i = 0; i < G_N_ELEMENTS(rates); i++)
            if (rates[i].value &&
                !guest_cgroup_set_rate(g, d->path, rates[i].which, rates[i].value, err))
                return false;
    }
    return true;
}

/* The emulator binds the guest's memory itself, unless the host may change its mind. */
static bool apply_nodes(const Cgroup *g, const NumaTuning *t, GError **err)
{
    if (!t || !t->memory || !t->nodeset || t->mode != NUMA_RESTRICTIVE)
        return true;
    return guest_cgroup_set_mems(g, NULL, t->nodeset, err);
}

/* A partition of our own would weigh as much as a single process beside it; it gets the weight of a process for each
 * CPU. One that is there already is its maker's business. */
static bool make_partition(const DomainDef *d, GError **err)
{
    g_autofree char *path = partition_path(d);
    g_autoptr(Cgroup) there = cgroup_open(host, path);
    uint64_t min, max;

    if (!guest_cgroups_have(CGROUP_CPU) || cgroup_has(there, CGROUP_CPU))
        return true;
    g_autoptr(Cgroup) made = cgroup_make(host, path, err);
    if (!made || !cgroup_has(made, CGROUP_CPU))
        return made != NULL;
    bool v2 = cgroup_is_v2(made, CGROUP_CPU);
    g_autoptr(Bitmap) cpus = host_online_cpus();
    guest_cgroup_shares_range(v2, &min, &max);
    return guest_cgroup_set_shares(made, MIN((v2 ? 100 : 1024) * (uint64_t)bitmap_count(cpus), max),
                                   err);
}

/* Steps ---------------------------------------------------------------------------------------- */

bool start_cgroup(Start *s, GError **err)
{
    DomainDef *d = s->def;

    if (!d->partition && !paths()->session) /* a user has no place among the machines */
        d->partition = g_strdup("/machine");
    if (!resctrl_possible(d, err) || (!s->status->scope && !make_partition(d, err)))
        return false;
    g_autofree char *path = group_path(d, s->status);
    if (!s->status->scope) {
        g_autoptr(Cgroup) old = cgroup_open(host, path);
        (void)cgroup_remove(old, NULL); /* of a run that nobody cleaned up after */
    }
    g_autoptr(Cgroup) g = cgroup_make(host, path, err);
    return g &&
           possible(d, cgroup_has(g, CGROUP_CPU), cgroup_has(g, CGROUP_MEMORY),
                    cgroup_has(g, CGROUP_BLKIO), err) &&
           apply_cpu(g, d->cputune, err) && apply_memory(g, &d->memtune, err) &&
           apply_blkio(g, d->blkiotune, err) && apply_nodes(g, d->numatune, err);
}

void start_undo_cgroup(const Run *r)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Cgroup) g = guest_cgroup_of(r->def, r->status);

    if (!cgroup_remove(g, &error))
        log_warn("%s", error->message);
}
