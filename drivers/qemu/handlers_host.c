/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions about the host and what guests can be had on it. No domain is involved. */
#include <string.h>

#include "drivers/common/params.h"
#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/domcaps.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/host.h"
#include "drivers/qemu/native.h"
#include "util/error.h"

bool qemu_node_get_info(Call *c, remote_node_get_info_ret *r, GError **err)
{
    HostNodeInfo i;
    (void)c;

    if (!host_node_info(&i, err))
        return false;
    g_strlcpy(r->model, i.model, sizeof(r->model));
    r->memory = i.memory_kib;
    r->cpus = (int)i.cpus;
    r->mhz = (int)i.mhz;
    r->nodes = (int)i.nodes;
    r->sockets = (int)i.sockets;
    r->cores = (int)i.cores;
    r->threads = (int)i.threads;
    return true;
}

bool qemu_node_get_cpu_map(Call *c, const remote_node_get_cpu_map_args *a, remote_node_get_cpu_map_ret *r,
                           GError **err)
{
    uint8_t *map = NULL;
    size_t bytes = 0;
    unsigned online = 0;
    (void)c;

    r->ret = host_cpu_map(a->need_map ? &map : NULL, &bytes, &online, err);
    if (r->ret < 0)
        return false;
    if (a->need_map) {
        r->cpumap.cpumap_val = map;
        r->cpumap.cpumap_len = (u_int)bytes;
    }
    if (a->need_online)
        r->online = online;
    return true;
}

typedef struct Figure {
    const char *name;
    uint64_t value;
} Figure;

bool qemu_node_get_cpu_stats(Call *c, const remote_node_get_cpu_stats_args *a, remote_node_get_cpu_stats_ret *r,
                             GError **err)
{
    HostCpuTimes t;
    (void)c;

    if (!host_cpu_times(a->cpuNum, &t, err))
        return false;
    const Figure rows[] = { { VIR_NODE_CPU_STATS_KERNEL, t.kernel },
                            { VIR_NODE_CPU_STATS_USER, t.user },
                            { VIR_NODE_CPU_STATS_IDLE, t.idle },
                            { VIR_NODE_CPU_STATS_IOWAIT, t.iowait } };
    unsigned n = G_N_ELEMENTS(rows); /* the thunk cuts it to what was asked for */
    r->params.params_val = g_new0(remote_node_get_cpu_stats, n);
    r->params.params_len = n;
    for (unsigned i = 0; i < n; i++) {
        r->params.params_val[i].field = g_strdup(rows[i].name);
        r->params.params_val[i].value = rows[i].value;
    }
    return true;
}

bool qemu_node_get_memory_stats(Call *c, const remote_node_get_memory_stats_args *a,
                                remote_node_get_memory_stats_ret *r, GError **err)
{
    HostMemory m;
    (void)c;

    if (!host_memory(a->cellNum, &m, err))
        return false;
    const Figure rows[] = { { VIR_NODE_MEMORY_STATS_TOTAL, m.total },
                            { VIR_NODE_MEMORY_STATS_FREE, m.free },
                            { VIR_NODE_MEMORY_STATS_BUFFERS, m.buffers },
                            { VIR_NODE_MEMORY_STATS_CACHED, m.cached } };
    unsigned n = m.buffers == UINT64_MAX ? 2 : G_N_ELEMENTS(rows);
    r->params.params_val = g_new0(remote_node_get_memory_stats, n);
    r->params.params_len = n;
    for (unsigned i = 0; i < n; i++) {
        r->params.params_val[i].field = g_strdup(rows[i].name);
        r->params.params_val[i].value = rows[i].value;
    }
    return true;
}

bool qemu_node_get_sev_info(Call *c, const remote_node_get_sev_info_args *a, remote_node_get_sev_info_ret *r, GError **err)
{
    g_autofree char *path = qemu_emulator_find(host_arch());
    g_autoptr(QemuCaps) caps = path ? qemu_caps_get(path, NULL) : NULL;
    const QemuSev *sev = caps ? caps->sev : NULL;
    g_auto(ParamList) l = { 0 };
    (void)c, (void)a;

    if (!sev) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "QEMU does not support SEV guest");
        return false;
    }
    params_add_string(&l, sev->pdh, VIR_NODE_SEV_PDH);
    params_add_string(&l, sev->cert_chain, VIR_NODE_SEV_CERT_CHAIN);
    params_add_uint(&l, sev->cbitpos, VIR_NODE_SEV_CBITPOS);
    params_add_uint(&l, sev->reduced_phys_bits, VIR_NODE_SEV_REDUCED_PHYS_BITS);
    params_add_uint(&l, sev->max_guests, VIR_NODE_SEV_MAX_GUESTS);
    params_add_uint(&l, sev->max_es_guests, VIR_NODE_SEV_MAX_ES_GUESTS);
    if (sev->cpu0_id)
        params_add_string(&l, sev->cpu0_id, VIR_NODE_SEV_CPU0_ID);
    r->nparams = (int)l.len;
    params_give(&l, &r->params);
    return true;
}

bool qemu_node_get_free_memory(Call *c, remote_node_get_free_memory_ret *r, GError **err)
{
    HostMemory m;
    (void)c;

    if (!host_memory(-1, &m, err))
        return false;
    r->freeMem = m.free * 1024;
    return true;
}

bool qemu_node_get_cells_free_memory(Call *c, const remote_node_get_cells_free_memory_args *a,
                                     remote_node_get_cells_free_memory_ret *r, GError **err)
{
    unsigned max = (unsigned)CLAMP(a->maxcells, 0, REMOTE_NODE_MAX_CELLS);
    g_autofree uint64_t *cells = g_new0(uint64_t, max + 1);
    int n = host_cells_free(a->startCell, max, cells, err);
    (void)c;

    if (n < 0)
        return false;
    r->cells.cells_len = (u_int)n;
    r->cells.cells_val = (void *)g_steal_pointer(&cells);
    return true;
}

bool qemu_node_get_security_model(Call *c, remote_node_get_security_model_ret *r, GError **err)
{
    (void)c;
    (void)err;
    r->model.model_val = g_strdup("none");
    r->model.model_len = sizeof("none");
    r->doi.doi_val = g_strdup("0");
    r->doi.doi_len = sizeof("0");
    return true;
}

bool qemu_connect_get_sysinfo(Call *c, const remote_connect_get_sysinfo_args *a, remote_connect_get_sysinfo_ret *r,
                              GError **err)
{
    (void)c;
    (void)a;
    r->sysinfo = host_sysinfo_xml(err);
    return r->sysinfo != NULL;
}

bool qemu_connect_get_capabilities(Call *c, remote_connect_get_capabilities_ret *r, GError **err)
{
    (void)c;
    r->capabilities = qemu_capabilities_xml(err);
    return r->capabilities != NULL;
}

bool qemu_connect_get_domain_capabilities(Call *c, const remote_connect_get_domain_capabilities_args *a,
                                          remote_connect_get_domain_capabilities_ret *r, GError **err)
{
    (void)c;
    r->capabilities = qemu_domain_capabilities(a->emulatorbin, a->arch, a->machine, a->virttype, err);
    return r->capabilities != NULL;
}

/* Paths are those of a start; the number of the run is not known yet. */
bool qemu_connect_domain_xml_to_native(Call *c, const remote_connect_domain_xml_to_native_args *a,
                                       remote_connect_domain_xml_to_native_ret *r, GError **err)
{
    QemuRun run = { .id = -1, .channel_dir = qemu.policy.channel_dir, .nvram_dir = qemu.policy.nvram_dir };
    QemuCmdlineContext ctx = { 0 };
    (void)c;

    if (strcmp(a->nativeFormat, "qemu-argv") != 0) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported config type %s", a->nativeFormat);
        return false;
    }
    qemu_config_cmdline(qemu.config, &ctx);
    r->nativeConfig = qemu_native_argv(a->domainXml, strlen(a->domainXml), &qemu.policy, &run, &ctx, qemu.lib, false, err);
    return r->nativeConfig != NULL;
}

bool qemu_connect_get_cpu_model_names(Call *c, const remote_connect_get_cpu_model_names_args *a,
                                      remote_connect_get_cpu_model_names_ret *r, GError **err)
{
    char **names = qemu_cpu_model_names(a->arch, err);
    (void)c;

    if (!names)
        return false;
    r->ret = (int)g_strv_length(names);
    if (!a->need_results) {
        g_strfreev(names);
        return true;
    }
    r->models.models_len = (u_int)r->ret;
    r->models.models_val = names; /* the terminating NULL is not counted */
    return true;
}

/* The version of the emulator for this host's own architecture. */
bool qemu_connect_get_version(Call *c, remote_connect_get_version_ret *r, GError **err)
{
    g_autofree char *emulator = qemu_emulator_find(host_arch());
    (void)c;

    if (!emulator) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no emulator for %s is installed", host_arch());
        return false;
    }
    g_autoptr(QemuCaps) caps = qemu_caps_get_brief(emulator, err);
    if (!caps)
        return false;
    r->hv_ver = caps->version;
    return true;
}

bool qemu_connect_get_max_vcpus(Call *c, const remote_connect_get_max_vcpus_args *a,
                                remote_connect_get_max_vcpus_ret *r, GError **err)
{
    (void)c;
    r->max_vcpus = qemu_max_vcpus(a->type, err);
    return r->max_vcpus >= 0;
}

bool qemu_connect_is_secure(Call *c, remote_connect_is_secure_ret *r, GError **err)
{
    (void)c;
    (void)err;
    r->secure = 1; /* the daemon drives guests of its own host */
    return true;
}
