/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Processors compared, and pages counted. No domain is involved. Workers. */
#include "drivers/qemu/cpu_ops.h"
#include "drivers/qemu/domcaps.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/host.h"
#include "util/error.h"

bool qemu_connect_compare_cpu(Call *c, const remote_connect_compare_cpu_args *a, remote_connect_compare_cpu_ret *r,
                              GError **err)
{
    (void)c;
    r->result = qemu_cpu_compare_host(a->xml, a->flags, err);
    return r->result != VIR_CPU_COMPARE_ERROR;
}

bool qemu_connect_compare_hypervisor_cpu(Call *c, const remote_connect_compare_hypervisor_cpu_args *a,
                                         remote_connect_compare_hypervisor_cpu_ret *r, GError **err)
{
    g_autoptr(QemuCaps) caps = NULL;
    QemuAccel accel;
    CpuSpec guest;
    (void)c;

    if (!qemu_resolve_target(a->emulator, a->arch, a->machine, a->virttype, NULL, &caps, &accel, err) ||
        !cpu_spec_guest(caps, accel, &guest, err))
        return false;
    r->result = qemu_cpu_compare_to(&guest, a->xmlCPU, a->flags, err);
    cpu_spec_clear(&guest);
    return r->result != VIR_CPU_COMPARE_ERROR;
}

bool qemu_connect_baseline_cpu(Call *c, const remote_connect_baseline_cpu_args *a, remote_connect_baseline_cpu_ret *r,
                               GError **err)
{
    (void)c;
    r->cpu = qemu_cpu_baseline((const char *const *)a->xmlCPUs.xmlCPUs_val, a->xmlCPUs.xmlCPUs_len, a->flags, err);
    return r->cpu != NULL;
}

bool qemu_connect_baseline_hypervisor_cpu(Call *c, const remote_connect_baseline_hypervisor_cpu_args *a,
                                          remote_connect_baseline_hypervisor_cpu_ret *r, GError **err)
{
    g_autoptr(QemuCaps) caps = NULL;
    QemuAccel accel;
    (void)c;

    if (!qemu_resolve_target(a->emulator, a->arch, a->machine, a->virttype, NULL, &caps, &accel, err))
        return false;
    r->cpu = qemu_cpu_baseline_for(caps, accel, (const char *const *)a->xmlCPUs.xmlCPUs_val, a->xmlCPUs.xmlCPUs_len,
                                   a->flags, err);
    return r->cpu != NULL;
}

bool qemu_node_get_free_pages(Call *c, const remote_node_get_free_pages_args *a, remote_node_get_free_pages_ret *r,
                              GError **err)
{
    uint64_t n = (uint64_t)a->pages.pages_len * a->cellCount;
    const HostTopology *t = host_topology(err);
    (void)c;

    if (!t)
        return false;
    const HostCell *last = t->cells->pdata[t->cells->len - 1];
    if (a->startCell > (int)last->id) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "start cell %d out of range (0-%u)", a->startCell, last->id);
        return false;
    }
    if (n == 0 || n > REMOTE_NODE_MAX_CELLS || a->startCell < -1) {
        error_set(err, VIR_ERR_INVALID_ARG, "%u page sizes of %u cells from %d cannot be told", a->pages.pages_len,
                  a->cellCount, a->startCell);
        return false;
    }
    g_autofree uint64_t *counts = g_new0(uint64_t, n);
    for (uint64_t i = 0; i < n; i++)
        if (!host_free_pages(a->startCell + (int)(i / a->pages.pages_len), a->pages.pages_val[i % a->pages.pages_len],
                             &counts[i], err))
            return false;
    r->counts.counts_len = (u_int)n;
    r->counts.counts_val = g_steal_pointer(&counts);
    return true;
}
