/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a start adds to a copy of the definition (prepare.h). Idempotent. Reads the host's firmware
 * descriptors and nothing else; a worker that owns the definition.
 */
#include "drivers/qemu/prepare.h"

#include <string.h>

#include "drivers/qemu/address.h"
#include "drivers/qemu/alias.h"
#include "drivers/qemu/cpu_map.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/guest_cpu.h"
#include "drivers/qemu/machine.h"
#include "util/error.h"

char *qemu_short_name(int id, const char *name)
{
    bool utf8 = g_utf8_validate(name, -1, NULL);
    g_autofree char *cut = !utf8 ? g_strndup(name, 20)
                           : g_utf8_strlen(name, -1) > 20 ? g_utf8_substring(name, 0, 20) : g_strdup(name);
    return g_strdup_printf("%d-%s", id, cut);
}

const ChrSource *qemu_chr_source(const Device *dev)
{
    switch (dev->kind) {
    case DEVICE_SERIAL: case DEVICE_PARALLEL: case DEVICE_CONSOLE: case DEVICE_CHANNEL:
        return &((const ChrDef *)dev)->src;
    case DEVICE_SMARTCARD: return &((const SmartcardDef *)dev)->src;
    case DEVICE_REDIRDEV: return &((const RedirdevDef *)dev)->src;
    case DEVICE_RNG: return &((const RngDef *)dev)->chr;
    case DEVICE_TPM: return &((const TpmDef *)dev)->chr;
    default: return NULL;
    }
}

static uint64_t round_up(uint64_t v, uint64_t unit)
{
    uint64_t rest = v % unit;
    return rest && v <= UINT64_MAX - unit ? v + (unit - rest) : v;
}

/* Machines take memory in whole MiB; pseries in 256 of them. */
static void align_memory(DomainDef *d)
{
    uint64_t unit = arch_is_ppc64(d->os.arch) ? 256 * 1024 : 1024;
    uint64_t cells = 0;
    guint pos = 0;
    MemoryDef *m;

    for (unsigned i = 0; d->cpu && i < list_len(d->cpu->cells); i++) {
        NumaCell *c = list_at(d->cpu->cells, i);
        c->memory = round_up(c->memory, unit);
        cells += c->memory;
    }
    uint64_t before = 0, after = 0;
    while ((m = domain_next(d, DEVICE_MEMORY, &pos))) {
        before += m->size;
        m->size = round_up(m->size, MAX(unit, 2048)); /* modules come in 2 MiB */
        after += m->size;
    }
    bool balloon_full = d->current_memory == d->memory;
    uint64_t initial = d->memory > before ? d->memory - before : d->memory;
    d->memory = (cells ? cells : round_up(initial, unit)) + after;
    if (balloon_full)
        d->current_memory = d->memory;
    if (d->max_memory)
        d->max_memory = round_up(d->max_memory, unit);
}

static CpuFeature *find_feature(const CpuDef *cpu, const char *name)
{
    for (unsigned i = 0; i < list_len(cpu->features); i++) {
        CpuFeature *f = list_at(cpu->features, i);
        if (strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

/* Features that models once had and lost are named, so that no emulator gives them back. pconfig is
 * one that no emulator knows any more, not even to switch it off. */
static void settle_features(CpuDef *cpu)
{
    const CpuModel *m = cpu->model ? cpu_model_find(cpu->model) : NULL;
    for (unsigned i = 0; m && i < cpu_x86_n_features; i++) {
        const char *name = cpu_x86_features[i].name;
        if (!cpu_features_has(&m->removed, i) || find_feature(cpu, name))
            continue;
        CpuFeature *f = g_new0(CpuFeature, 1);
        f->name = g_strdup(name);
        f->policy = CPU_POLICY_DISABLE;
        if (!cpu->features)
            cpu->features = g_ptr_array_new();
        g_ptr_array_add(cpu->features, f);
    }
    CpuFeature *gone = find_feature(cpu, "pconfig");
    if (gone && (gone->policy == CPU_POLICY_DISABLE || gone->policy == CPU_POLICY_FORBID)) {
        g_ptr_array_remove(cpu->features, gone);
        g_free(gone->name);
        g_free(gone);
    }
}

bool qemu_prepare_cpu(DomainDef *d, const QemuCaps *caps, GError **err)
{
    QemuAccel accel = qemu_accel_from_name(enum_name(&virt_type_names, d->virt));
    CpuDef *cpu = d->cpu;
    if (!cpu || accel == QEMU_ACCEL_N_)
        return true;
    if (!qemu_cpu_expand(cpu, caps, accel, err))
        return false;
    if (cpu->mode == CPU_MODE_CUSTOM && arch_is_x86(d->os.arch))
        settle_features(cpu);
    return true;
}

void qemu_channel_path(ChrDef *c, int id, const char *domain, const char *parent)
{
    if (c->target != CHANNEL_VIRTIO || c->src.type != CHR_UNIX || c->src.path)
        return;
    g_autofree char *name = qemu_short_name(id, domain), *dir = g_strdup_printf("domain-%s", name);
    c->src.path = g_build_filename(parent, dir, c->target_name ? c->target_name : c->dev.info.alias, NULL);
    c->src.listen = 1;
}

static void channel_paths(DomainDef *d, const QemuRun *run)
{
    guint pos = 0;
    ChrDef *c;
    while (run->channel_dir && (c = domain_next(d, DEVICE_CHANNEL, &pos)))
        qemu_channel_path(c, run->id, d->name, run->channel_dir);
}

bool qemu_prepare_run(DomainDef *d, const QemuCaps *caps, const QemuRun *run, GError **err)
{
    unsigned node = 0;
    if (!qemu_assign_addresses(d, caps, run->resumes, err))
        return false;
    qemu_assign_aliases(d);
    qemu_forget_nodes(d); /* those of another run */
    qemu_assign_nodes(d, &node);
    if (!qemu_firmware_select(d, run->firmware_dirs, run->nvram_dir, err))
        return false;
    align_memory(d);
    channel_paths(d, run);
    return qemu_prepare_cpu(d, caps, err);
}
