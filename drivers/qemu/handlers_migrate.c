/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Limits of moving a guest: bandwidth, downtime, cache of the compression (QEMU's
 * migrate-set-parameters). They hold for the next migration of this run; the bandwidth is remembered
 * for a guest that does not run, too, until the daemon ends. Workers.
 */
#include <inttypes.h>

#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"

enum { MIB = 1024 * 1024 };
#define SPEED_MAX ((uint64_t)(INT64_MAX / MIB)) /* MiB/s: no limit */

static bool set_param(DomainQuery *query, const char *name, uint64_t value, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(domain_driver_data(query->domain), err);

    return q && qmp_call(q, "migrate-set-parameters", json_make(J_UINT(name, value)), NULL, 0, err);
}

static bool get_param(DomainQuery *query, const char *name, uint64_t *ret, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(domain_driver_data(query->domain), err);
    g_autoptr(JsonObject) all = NULL;

    if (!q || !qmp_call(q, "query-migrate-parameters", NULL, &all, 0, err))
        return false;
    int64_t v = json_get_i64(all, name, -1);
    if (v < 0) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "the emulator has no migration parameter '%s'", name);
        return false;
    }
    *ret = (uint64_t)v;
    return true;
}

bool qemu_domain_migrate_set_max_speed(Call *c, DomainQuery *query, const remote_domain_migrate_set_max_speed_args *a,
                                       GError **err)
{
    const DomainView *v = query->view;
    Guest *g = domain_driver_data(v->domain);
    bool postcopy = a->flags & VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY;
    (void)c;

    if (a->bandwidth > SPEED_MAX) {
        error_set(err, VIR_ERR_OVERFLOW, "bandwidth must be less than %" PRIu64, SPEED_MAX + 1);
        return false;
    }
    if (postcopy && !view_active(v)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
        return false;
    }
    if (view_active(v) && !set_param(query, postcopy ? "max-postcopy-bandwidth" : "max-bandwidth", a->bandwidth * MIB, err))
        return false;
    if (!postcopy)
        atomic_store(&g->migrate_speed, a->bandwidth + 1);
    return true;
}

bool qemu_domain_migrate_get_max_speed(Call *c, DomainQuery *query, const remote_domain_migrate_get_max_speed_args *a,
                                       remote_domain_migrate_get_max_speed_ret *r, GError **err)
{
    const DomainView *v = query->view;
    Guest *g = domain_driver_data(v->domain);
    uint64_t bytes;
    (void)c;

    if (a->flags & VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY) {
        if (!view_active(v)) {
            error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
            return false;
        }
        if (!get_param(query, "max-postcopy-bandwidth", &bytes, err))
            return false;
        r->bandwidth = bytes / MIB;
        return true;
    }
    uint64_t kept = atomic_load(&g->migrate_speed);
    r->bandwidth = kept ? kept - 1 : SPEED_MAX;
    return true;
}

bool qemu_domain_migrate_set_max_downtime(Call *c, DomainQuery *query, const remote_domain_migrate_set_max_downtime_args *a,
                                          GError **err)
{
    (void)c;
    if (a->downtime > 2000000) { /* QEMU's limit, ms */
        error_set(err, VIR_ERR_INVALID_ARG, "downtime %" PRIu64 " ms is more than 2000000 ms", a->downtime);
        return false;
    }
    return set_param(query, "downtime-limit", a->downtime, err);
}

bool qemu_domain_migrate_get_max_downtime(Call *c, DomainQuery *query, const remote_domain_migrate_get_max_downtime_args *a,
                                          remote_domain_migrate_get_max_downtime_ret *r, GError **err)
{
    (void)c;
    (void)a;
    return get_param(query, "downtime-limit", &r->downtime, err);
}

bool qemu_domain_migrate_set_compression_cache(Call *c, DomainQuery *query,
                                               const remote_domain_migrate_set_compression_cache_args *a, GError **err)
{
    (void)c;
    return set_param(query, "xbzrle-cache-size", a->cacheSize, err);
}

bool qemu_domain_migrate_get_compression_cache(Call *c, DomainQuery *query,
                                               const remote_domain_migrate_get_compression_cache_args *a,
                                               remote_domain_migrate_get_compression_cache_ret *r, GError **err)
{
    (void)c;
    (void)a;
    return get_param(query, "xbzrle-cache-size", &r->cacheSize, err);
}

bool qemu_domain_migrate_start_post_copy(Call *c, DomainQuery *q, const remote_domain_migrate_start_post_copy_args *a,
                                         GError **err)
{
    (void)c, (void)q, (void)a;
    error_set(err, VIR_ERR_OPERATION_INVALID, "post-copy can only be started while outgoing migration is in progress");
    return false;
}
