/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * How many vCPUs and how much memory a guest has: setvcpus, setvcpu, setmem, setmaxmem. Workers, with the
 * turn.
 */
#include <string.h>

#include "drivers/qemu/agent_ask.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/vcpus.h"
#include "util/error.h"

/* vCPUs ---------------------------------------------------------------------------------------- */

static bool refuse(GError **err, int code, const char *text)
{
    error_set(err, code, "%s", text);
    return false;
}

/* Those that the guest's own system uses. */
static bool set_guest_vcpus(DomainTurn *t, unsigned n, unsigned flags, GError **err)
{
    g_auto(AgentAsk) k = { 0 };

    if (flags & (VIR_DOMAIN_AFFECT_CONFIG | VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_VCPU_HOTPLUGGABLE))
        return refuse(err, VIR_ERR_INVALID_ARG, "setting vcpus via guest agent is supported only for running guests, alone");
    if (!view_active(turn_view(t)))
        return refuse(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
    if (n > turn_view(t)->live->def->vcpus) {
        error_set(err, VIR_ERR_INVALID_ARG, "requested vcpu count is greater than the count of enabled vcpus in the domain: %u > %u",
                  n, turn_view(t)->live->def->vcpus);
        return false;
    }
    return agent_ask_begin(&k, turn_call(t), turn_view(t), err) && agent_ask_set_cpu_count(&k, n, err);
}

static bool set_vcpus(DomainTurn *t, unsigned n, unsigned flags, GError **err)
{
    DomainDef *live, *config;

    if (n == 0)
        return refuse(err, VIR_ERR_INVALID_ARG, "nvcpus must be greater than 0");
    if (flags & VIR_DOMAIN_VCPU_GUEST)
        return set_guest_vcpus(t, n, flags, err);
    if (!common_edit(t, flags, &live, &config, err))
        return false;
    if ((flags & VIR_DOMAIN_VCPU_MAXIMUM) && live)
        return refuse(err, VIR_ERR_INVALID_ARG,
                      "maximum vcpu count of a live domain can't be modified");
    if (flags & VIR_DOMAIN_VCPU_MAXIMUM)
        return vcpus_set_max(config, n, err);
    return (!config || vcpus_set_count(config, n, flags & VIR_DOMAIN_VCPU_HOTPLUGGABLE, err)) &&
           (!live || vcpus_change_count(t, n, err));
}

bool qemu_domain_set_vcpus(Call *c, DomainTurn *t, const remote_domain_set_vcpus_args *a,
                           GError **err)
{
    (void)c;
    return set_vcpus(t, a->nvcpus, VIR_DOMAIN_AFFECT_LIVE, err);
}

bool qemu_domain_set_vcpus_flags(Call *c, DomainTurn *t,
                                 const remote_domain_set_vcpus_flags_args *a, GError **err)
{
    (void)c;
    return set_vcpus(t, a->nvcpus, a->flags, err);
}

bool qemu_domain_set_vcpu(Call *c, DomainTurn *t, const remote_domain_set_vcpu_args *a,
                          GError **err)
{
    g_autoptr(Bitmap) ids = NULL;
    DomainDef *live, *config;
    (void)c;

    if (a->state != 0 && a->state != 1) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported state value");
        return false;
    }
    ids = bitmap_parse(a->cpumap, err);
    if (!ids)
        return false;
    if (bitmap_is_empty(ids))
        return refuse(err, VIR_ERR_INVALID_ARG, "no vcpus selected for modification");
    return common_edit(t, a->flags, &live, &config, err) &&
           (!config || vcpus_set(config, ids, a->state, err)) &&
           (!live || vcpus_change(t, ids, a->state, err));
}

/* Memory --------------------------------------------------------------------------------------- */

static bool set_max(DomainDef *config, uint64_t kib, GError **err)
{
    if (config->cpu && list_len(config->cpu->cells))
        return refuse(
            err, VIR_ERR_OPERATION_INVALID,
            "initial memory size of a domain with NUMA nodes cannot be modified with this API");
    if (config->max_memory && kib > config->max_memory)
        return refuse(err, VIR_ERR_OPERATION_INVALID,
                      "cannot set initial memory size greater than the maximum memory size");
    config->memory = kib;
    config->current_memory = MIN(config->current_memory, kib);
    return true;
}

static bool set_memory(DomainTurn *t, uint64_t kib, unsigned flags, GError **err)
{
    DomainDef *live, *config;

    if (!common_edit(t, flags, &live, &config, err))
        return false;
    if (flags & VIR_DOMAIN_MEM_MAXIMUM) {
        if (live)
            return refuse(err, VIR_ERR_OPERATION_INVALID,
                          "cannot resize the maximum memory on an active domain");
        return set_max(config, kib, err);
    }
    if ((live && kib > live->memory) || (config && kib > config->memory))
        return refuse(err, VIR_ERR_INVALID_ARG, "cannot set memory higher than max memory");
    if (config)
        config->current_memory = kib;
    if (!live)
        return true;
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    /* What the guest makes of it comes as an event. */
    g_autoptr(GError) error = NULL;
    if (!q || qmp_balloon(q, kib * 1024, &error))
        return q != NULL;
    if (error_is(error, VIR_ERR_OPERATION_INVALID))
        return refuse(
            err, VIR_ERR_OPERATION_INVALID,
            "Unable to change memory of active domain without the balloon device and guest OS balloon driver");
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}

bool qemu_domain_set_memory(Call *c, DomainTurn *t, const remote_domain_set_memory_args *a,
                            GError **err)
{
    (void)c;
    return set_memory(t, a->memory, VIR_DOMAIN_AFFECT_LIVE, err);
}

bool qemu_domain_set_memory_flags(Call *c, DomainTurn *t,
                                  const remote_domain_set_memory_flags_args *a, GError **err)
{
    (void)c;
    return set_memory(t, a->memory, a->flags, err);
}

bool qemu_domain_set_max_memory(Call *c, DomainTurn *t, const remote_domain_set_max_memory_args *a,
                                GError **err)
{
    (void)c;
    return set_memory(t, a->memory, VIR_DOMAIN_MEM_MAXIMUM, err);
}
