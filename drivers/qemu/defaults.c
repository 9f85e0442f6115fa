/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU driver's part of defining a guest (defaults.h): what a device that leaves something open
 * gets, and which devices every machine has without being asked. Each function is idempotent: a
 * definition that has been through here is unchanged by another pass, with the same emulator.
 */
#include "drivers/qemu/defaults.h"

#include <string.h>

#include "conf/domain.h"
#include "drivers/qemu/address.h"
#include "drivers/qemu/defaults-internal.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/validate.h"
#include "util/error.h"

static QemuAccel accel_of(const DomainDef *d)
{
    const char *name = enum_name(&virt_type_names, d->virt);
    return name ? qemu_accel_from_name(name) : QEMU_ACCEL_N_;
}

static QemuCaps *lookup_caps(const DomainDef *d, const QemuPolicyData *p)
{
    return p->lookup_caps ? p->lookup_caps(p->opaque, d->emulator, d->os.arch, enum_name(&virt_type_names, d->virt)) : NULL;
}

static const char *host_arch(const QemuPolicyData *p)
{
#if defined(__x86_64__)
    const char *built = "x86_64";
#elif defined(__aarch64__)
    const char *built = "aarch64";
#elif defined(__powerpc64__)
    const char *built = "ppc64le";
#elif defined(__s390x__)
    const char *built = "s390x";
#elif defined(__riscv)
    const char *built = "riscv64";
#else
    const char *built = "i686";
#endif
    return p->host_arch ? p->host_arch : built;
}

/* Identity of the machine; all else depends on it. */
static void machine_defaults(DomainDef *d, const QemuPolicyData *p, QemuCaps **ret_caps)
{
    if (!d->os.arch)
        d->os.arch = g_strdup(host_arch(p));
    if (!d->emulator && p->emulator)
        d->emulator = g_strdup(p->emulator(p->opaque, d->os.arch));
    QemuCaps *caps = lookup_caps(d, p);
    QemuAccel accel = accel_of(d);
    if (caps && accel < QEMU_ACCEL_N_) {
        const QemuMachine *m = qemu_caps_machine(caps, accel, d->os.machine);
        if (m && g_strcmp0(m->name, d->os.machine) != 0) {
            g_free(d->os.machine);
            d->os.machine = g_strdup(m->name);
        }
    }
    *ret_caps = caps;
}

/* ---- NUMA cells ------------------------------------------------------------------------------------- */

static NumaDistance *cell_distance(NumaCell *c, uint32_t id)
{
    for (unsigned i = 0; i < list_len(c->distances); i++) {
        NumaDistance *x = list_at(c->distances, i);
        if (x->id == id)
            return x;
    }
    return NULL;
}

static void set_distance(NumaCell *c, uint32_t id, uint32_t value)
{
    NumaDistance *x = cell_distance(c, id);
    if (x && x->value)
        return;
    if (!x) {
        if (!c->distances)
            c->distances = g_ptr_array_new();
        x = g_new0(NumaDistance, 1);
        x->id = id;
        unsigned at = 0;
        while (at < c->distances->len && ((NumaDistance *)list_at(c->distances, at))->id < id)
            at++;
        g_ptr_array_insert(c->distances, (int)at, x);
    }
    x->value = value;
}

/* A distance holds in both directions unless the document says otherwise; a cell is 10 from itself. */
static void distance_defaults(const CpuDef *cpu)
{
    enum { LOCAL = 10 };
    for (unsigned i = 0; i < list_len(cpu->cells); i++) {
        NumaCell *c = list_at(cpu->cells, i);
        for (unsigned k = 0; k < list_len(c->distances); k++) {
            const NumaDistance *x = list_at(c->distances, k);
            for (unsigned j = 0; x->value && j < list_len(cpu->cells); j++) {
                NumaCell *o = list_at(cpu->cells, j);
                if (o != c && o->id.v == x->id)
                    set_distance(o, c->id.v, x->value);
            }
        }
    }
    for (unsigned i = 0; i < list_len(cpu->cells); i++) {
        NumaCell *c = list_at(cpu->cells, i);
        if (list_len(c->distances))
            set_distance(c, c->id.v, LOCAL);
    }
}

static int compare_cells(gconstpointer a, gconstpointer b)
{
    const NumaCell *x = *(NumaCell *const *)a, *y = *(NumaCell *const *)b;
    return x->id.v < y->id.v ? -1 : x->id.v > y->id.v;
}

/* ---- CPU, boot -------------------------------------------------------------------------------------- */

static void cpu_defaults(DomainDef *d, const QemuCaps *caps)
{
    QemuAccel accel = accel_of(d);
    const QemuMachine *m = caps && accel < QEMU_ACCEL_N_ ? qemu_caps_machine(caps, accel, d->os.machine) : NULL;
    bool open = !d->cpu || ((d->cpu->mode == CPU_MODE_NONE || d->cpu->mode == CPU_MODE_CUSTOM) && !d->cpu->model);
    if (open && m && m->default_cpu) {
        g_autofree char *model = qemu_cpu_model_in(caps, accel, m->default_cpu);
        bool host = strcmp(model, "host") == 0, s390 = arch_is_s390(d->os.arch) && !qemu_machine_is_host_cpu_only(d);
        bool usable = host ? d->virt == VIRT_KVM : !arch_is_riscv(d->os.arch) && !(arch_is_arm(d->os.arch) && d->virt == VIRT_KVM);
        if (usable) {
            if (!d->cpu)
                d->cpu = g_new0(CpuDef, 1);
            d->cpu->mode = host ? s390 ? CPU_MODE_HOST_MODEL : CPU_MODE_HOST_PASSTHROUGH : CPU_MODE_CUSTOM;
            d->cpu->check = host && s390 ? CPU_CHECK_PARTIAL : CPU_CHECK_NONE;
            if (!host) {
                d->cpu->match = CPU_MATCH_EXACT;
                d->cpu->model = g_steal_pointer(&model);
                d->cpu->fallback = CPU_FALLBACK_FORBID;
            }
        }
    }
    CpuDef *cpu = d->cpu;
    if (!cpu)
        return;
    if (cpu->mode == CPU_MODE_NONE && cpu->model)
        cpu->mode = CPU_MODE_CUSTOM;
    if (cpu->mode == CPU_MODE_HOST_MODEL && !cpu->model)
        cpu->fallback = CPU_FALLBACK_ALLOW; /* says nothing without a model */
    if (cpu->check == CPU_CHECK_DEFAULT) {
        switch (cpu->mode) {
        case CPU_MODE_HOST_PASSTHROUGH: case CPU_MODE_MAXIMUM: cpu->check = CPU_CHECK_NONE; break;
        case CPU_MODE_HOST_MODEL: cpu->check = CPU_CHECK_PARTIAL; break;
        case CPU_MODE_CUSTOM:
            /* An emulated CPU is not compared with the host's. */
            cpu->check = d->virt == VIRT_KVM ? CPU_CHECK_PARTIAL : CPU_CHECK_NONE;
            break;
        case CPU_MODE_NONE: case _CPU_MODE_N: break;
        }
    }
    if (cpu->mode == CPU_MODE_HOST_PASSTHROUGH && cpu->migratable == TRI_ABSENT &&
        caps && arch_is_x86(d->os.arch))
        cpu->migratable = qemu_caps_has(caps, QEMU_CAP_CPU_MIGRATABLE) ? TRI_YES : TRI_NO;
}

/* A vector length of SVE is asked for: so is SVE. */
static bool sve_defaults(CpuDef *cpu, GError **err)
{
    const CpuFeature *sve = NULL;
    bool lengths = false;
    for (unsigned i = 0; i < list_len(cpu->features); i++) {
        const CpuFeature *f = list_at(cpu->features, i);
        if (strcmp(f->name, "sve") == 0)
            sve = f;
        lengths |= g_str_has_prefix(f->name, "sve") && g_ascii_isdigit(f->name[3]);
    }
    if (!lengths)
        return true;
    if (sve && (sve->policy == CPU_POLICY_DISABLE || sve->policy == CPU_POLICY_FORBID)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "cpu/feature: SVE is disabled, and vector lengths of it are given");
        return false;
    }
    if (!sve) {
        CpuFeature *f = g_new0(CpuFeature, 1);
        f->name = g_strdup("sve");
        f->policy = CPU_POLICY_REQUIRE;
        g_ptr_array_add(cpu->features, f);
    }
    return true;
}

static void feature_defaults(DomainDef *d, const QemuCaps *caps)
{
    Features *f = &d->features;
    if (qemu_machine_is_arm_virt(d) && f->gic_version == GIC_NONE) {
        /* KVM offers what the host's interrupt controller can; elsewhere the older one is emulated. */
        f->gic = 1;
        f->gic_version = GIC_2;
        for (unsigned i = 0; d->virt == VIRT_KVM && caps && caps->gic && i < caps->gic->len; i++) {
            const QemuGic *g = &g_array_index(caps->gic, QemuGic, i);
            if (g->version == 3 && g->kernel)
                f->gic_version = GIC_3;
        }
    }
}

/* What a pseries guest can plug is in units of 256 MiB; rounded down, since the file behind a module has
 * no more, and beside the label. */
static void align_nvdimms(DomainDef *d)
{
    static const uint64_t unit = 256 * 1024; /* KiB */
    guint pos = 0;
    MemoryDef *m;
    while ((m = domain_next(d, DEVICE_MEMORY, &pos))) {
        if (m->model == MEMORY_NVDIMM && m->size > m->label_size)
            m->size = (m->size - m->label_size) / unit * unit + m->label_size;
    }
}

/* The memory of a new guest is what its cells and modules have. */
static void memory_defaults(DomainDef *d)
{
    if (arch_is_ppc64(d->os.arch))
        align_nvdimms(d);
    uint64_t cells = 0, modules = 0;
    guint pos = 0;
    const MemoryDef *m;
    for (unsigned i = 0; d->cpu && i < list_len(d->cpu->cells); i++)
        cells += ((const NumaCell *)list_at(d->cpu->cells, i))->memory;
    while ((m = domain_next(d, DEVICE_MEMORY, &pos)))
        modules += m->size;
    if (cells == 0)
        return;
    d->memory = cells + modules;
    if (d->current_memory > d->memory || d->current_memory == 0)
        d->current_memory = d->memory;
}

/* A path that a run made, "DIR/domain-3-name/PORT" or the older "DIR/name.PORT", is not the user's. */
static void channel_defaults(ChrDef *c, const QemuPolicyData *p)
{
    g_autofree char *dir = g_strconcat(p->channel_dir ? p->channel_dir : "/var/lib/libvirt/qemu/channel/target", "/", NULL);
    if (c->target != CHANNEL_VIRTIO || c->src.type != CHR_UNIX || !c->src.path || !c->target_name ||
        !g_str_has_prefix(c->src.path, dir) || !g_str_has_suffix(c->src.path, c->target_name))
        return;
    const char *rest = c->src.path + strlen(dir);
    size_t n = strlen(rest) - strlen(c->target_name);
    bool ours = n > 1 && ((rest[n - 1] == '.' && !memchr(rest, '/', n)) ||
                          (rest[n - 1] == '/' && g_str_has_prefix(rest, "domain-") && !memchr(rest, '/', n - 1)));
    if (ours)
        g_clear_pointer(&c->src.path, g_free);
}

static void boot_defaults(DomainDef *d)
{
    if (d->os.loader && d->os.loader->path && d->os.loader->type == LOADER_NONE)
        d->os.loader->type = LOADER_ROM;
    if (list_len(d->os.boot))
        return;
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        if (((const Device *)list_at(d->devices, i))->info.boot_order)
            return;
    }
    BootItem *b = g_new0(BootItem, 1);
    b->dev = BOOT_HD;
    if (!d->os.boot)
        d->os.boot = g_ptr_array_new();
    g_ptr_array_add(d->os.boot, b);
}

static void nvram_defaults(DomainDef *d, const QemuPolicyData *p)
{
    OsDef *os = &d->os;
    if (!os->loader || os->loader->type != LOADER_PFLASH || !tri_is_yes(os->loader->readonly) || tri_is_yes(os->loader->stateless))
        return;
    if (os->nvram && (os->nvram->path || os->nvram->src))
        return;
    if (!os->nvram)
        os->nvram = g_new0(OsNvram, 1);
    os->nvram->path = qemu_firmware_nvram_path(p->nvram_dir, d->name, false);
}

/* ---- hooks ------------------------------------------------------------------------------------------ */

static bool policy_device_defaults(DomainDef *d, Device *dev, void *data, GError **err)
{
    g_autoptr(QemuCaps) caps = NULL;
    machine_defaults(d, data, &caps);
    qemu_fill_device(d, dev, data, caps);
    return true;
}

/* No machine has as many; what follows looks at pairs of devices. */
enum { DEVICES_MAX = 4096 };

/* Who names no model gets the first of this host, which is "none": there is no label to choose. */
static void seclabel_defaults(GPtrArray *labels)
{
    for (unsigned i = 0; i < list_len(labels); i++) {
        SeclabelDef *l = list_at(labels, i);
        if (!l->model && labels->len == 1 && (l->type == SECLABEL_NONE || (l->type == SECLABEL_DYNAMIC && !l->baselabel)))
            l->model = g_strdup("none");
        if (g_strcmp0(l->model, "none") == 0 && l->type == SECLABEL_DYNAMIC) {
            l->type = SECLABEL_NONE;
            l->relabel = TRI_ABSENT;
        }
    }
}

static bool policy_domain_defaults(DomainDef *d, void *data, GError **err)
{
    if (list_len(d->devices) > DEVICES_MAX) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "domain '%s' has %u devices, at most %d are possible", d->name,
                  list_len(d->devices), DEVICES_MAX);
        return false;
    }
    g_autoptr(QemuCaps) caps = NULL;
    machine_defaults(d, data, &caps);
    qemu_sort_devices(d);
    if (d->cpu && d->cpu->cells) {
        g_ptr_array_sort(d->cpu->cells, compare_cells);
        distance_defaults(d->cpu);
    }
    feature_defaults(d, caps);
    if (!((const QemuPolicyData *)data)->keep_hardware)
        memory_defaults(d);
    guint pos = 0;
    ChrDef *channel;
    while ((channel = domain_next(d, DEVICE_CHANNEL, &pos)))
        channel_defaults(channel, data);
    if (!qemu_imply_devices(d, data, caps, err))
        return false;
    seclabel_defaults(d->seclabels);
    boot_defaults(d);
    nvram_defaults(d, data);
    cpu_defaults(d, caps);
    if (d->cpu && arch_is_arm(d->os.arch) && !sve_defaults(d->cpu, err))
        return false;
    for (unsigned i = 0; i < list_len(d->devices); i++)
        qemu_fill_device(d, list_at(d->devices, i), data, caps);
    return true;
}

static bool policy_domain_assign(DomainDef *d, void *data, GError **err)
{
    g_autoptr(QemuCaps) caps = lookup_caps(d, data);
    return qemu_assign_addresses(d, caps, ((const QemuPolicyData *)data)->keep_hardware, err);
}

static bool policy_device_validate(const DomainDef *d, const Device *dev, void *data, GError **err)
{
    g_autoptr(QemuCaps) caps = lookup_caps(d, data);
    const GraphicsDef *g = (const GraphicsDef *)dev;
    if (dev->kind == DEVICE_GRAPHICS && g->type == GRAPHICS_SPICE && g->tls_port.set && g->tls_port.v > 0 &&
        !((const QemuPolicyData *)data)->spice_tls) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "graphics spice: a TLS port is asked for, but TLS is not switched on in qemu.conf");
        return false;
    }
    return qemu_validate_device(d, dev, caps, err);
}

static bool policy_domain_validate(const DomainDef *d, void *data, GError **err)
{
    g_autoptr(QemuCaps) caps = lookup_caps(d, data);
    return qemu_validate_domain(d, caps, err);
}

const ConfPolicy qemu_policy = {
    .name = "QEMU",
    .features = CONF_POLICY_SERIAL_CONSOLE | CONF_POLICY_OFFLINE_VCPUPIN | CONF_POLICY_INDIVIDUAL_VCPUS |
                CONF_POLICY_USER_ALIAS | CONF_POLICY_NET_MODEL_STRING | CONF_POLICY_DISK_FD,
    .device_defaults = policy_device_defaults,
    .domain_defaults = policy_domain_defaults,
    .domain_assign = policy_domain_assign,
    .device_validate = policy_device_validate,
    .domain_validate = policy_domain_validate,
};
