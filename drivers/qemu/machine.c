/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Machine types (machine.h). A machine is told by its name: an alias ("pc"), a family with a version
 * ("pc-i440fx-7.2"), or an old plain name ("pc-1.2"). Pure; any thread.
 */
#include "drivers/qemu/machine.h"

#include <string.h>

static bool one_of(const char *s, const char *const *names)
{
    for (; s && *names; names++) {
        if (strcmp(s, *names) == 0)
            return true;
    }
    return false;
}

bool arch_is_x86(const char *a)
{
    return one_of(a, (const char *const[]){ "x86_64", "i686", NULL });
}

bool arch_is_ppc64(const char *a)
{
    return one_of(a, (const char *const[]){ "ppc64", "ppc64le", NULL });
}

bool arch_is_s390(const char *a)
{
    return one_of(a, (const char *const[]){ "s390x", "s390", NULL });
}

bool arch_is_arm(const char *a)
{
    return one_of(a, (const char *const[]){ "aarch64", "armv7l", "armv6l", "armv7b", NULL });
}

bool arch_is_riscv(const char *a)
{
    return one_of(a, (const char *const[]){ "riscv64", "riscv32", NULL });
}

static bool machine_is(const DomainDef *d, bool (*arch)(const char *), const char *name, const char *prefix)
{
    const char *m = d->os.machine;
    return m && arch(d->os.arch) && (strcmp(m, name) == 0 || (prefix && g_str_has_prefix(m, prefix)));
}

/* The last number of a versioned name such as "pc-q35-2.10", as major * 1000 + minor; 0 without. */
static unsigned machine_version(const char *m, const char *prefix)
{
    if (!g_str_has_prefix(m, prefix))
        return 0;
    char *end;
    guint64 major = g_ascii_strtoull(m + strlen(prefix), &end, 10);
    guint64 minor = *end == '.' ? g_ascii_strtoull(end + 1, NULL, 10) : 0;
    return major > 1000 || minor > 999 ? 0 : (unsigned)(major * 1000 + minor);
}

bool qemu_machine_is_i440fx(const DomainDef *d)
{
    return machine_is(d, arch_is_x86, "pc", "pc-0.") || machine_is(d, arch_is_x86, "pc", "pc-1.") ||
           machine_is(d, arch_is_x86, "pc", "pc-i440") || machine_is(d, arch_is_x86, "pc", "rhel");
}

bool qemu_machine_is_q35(const DomainDef *d)
{
    return machine_is(d, arch_is_x86, "q35", "pc-q35");
}

bool qemu_machine_is_isapc(const DomainDef *d)
{
    return machine_is(d, arch_is_x86, "isapc", NULL);
}

bool qemu_machine_is_microvm(const DomainDef *d)
{
    return machine_is(d, arch_is_x86, "microvm", NULL);
}

bool qemu_machine_is_arm_virt(const DomainDef *d)
{
    return machine_is(d, arch_is_arm, "virt", "virt-");
}

bool qemu_machine_is_riscv_virt(const DomainDef *d)
{
    return machine_is(d, arch_is_riscv, "virt", "virt-");
}

bool qemu_machine_is_pseries(const DomainDef *d)
{
    return machine_is(d, arch_is_ppc64, "pseries", "pseries-");
}

bool qemu_machine_is_s390_ccw(const DomainDef *d)
{
    return machine_is(d, arch_is_s390, "s390-ccw", "s390-ccw");
}

bool qemu_machine_is_host_cpu_only(const DomainDef *d)
{
    unsigned v = arch_is_s390(d->os.arch) ? machine_version(d->os.machine, "s390-ccw-virtio-") : 0;
    return v != 0 && v <= 2007;
}

bool qemu_machine_has_ide(const DomainDef *d)
{
    return qemu_machine_is_i440fx(d) ||
           one_of(d->os.machine, (const char *const[]){ "malta", "sun4u", "g3beige", NULL });
}

bool qemu_machine_has_fdc(const DomainDef *d)
{
    return qemu_machine_is_i440fx(d) || (qemu_machine_is_q35(d) && !qemu_machine_needs_fdc(d));
}

bool qemu_machine_needs_fdc(const DomainDef *d)
{
    if (!qemu_machine_is_q35(d))
        return false;
    unsigned v = machine_version(d->os.machine, "pc-q35-");
    return v == 0 || v >= 2004;
}

bool qemu_machine_numbers_pci_buses(const DomainDef *d)
{
    if (arch_is_x86(d->os.arch) || arch_is_arm(d->os.arch) || arch_is_s390(d->os.arch) ||
        arch_is_riscv(d->os.arch))
        return true;
    if (arch_is_ppc64(d->os.arch) || g_strcmp0(d->os.arch, "ppc") == 0)
        return one_of(d->os.machine, (const char *const[]){ "prep", "bamboo", "mpc8544ds", NULL }) == false ||
               qemu_machine_is_pseries(d);
    return g_strcmp0(d->os.arch, "sparc64") == 0;
}

unsigned qemu_fixed_vcpus(const DomainDef *d)
{
    unsigned n = 0;
    if (list_len(d->vcpu_defs) == 0)
        return d->vcpus;
    for (unsigned i = 0; i < list_len(d->vcpu_defs); i++) {
        const VcpuDef *v = list_at(d->vcpu_defs, i);
        n += v->enabled == TRI_YES && v->hotpluggable != TRI_YES;
    }
    return n ? n : d->vcpus;
}

char *qemu_cpu_model_of_type(const char *type)
{
    static const char *const suffixes[] = { "-x86_64-cpu", "-i386-cpu", "-arm-cpu", "-s390x-cpu", "-s390-cpu",
                                            "-powerpc64-cpu", "-powerpc-cpu", "-riscv-cpu", "-aarch64-cpu" };
    for (unsigned i = 0; i < G_N_ELEMENTS(suffixes); i++) {
        if (g_str_has_suffix(type, suffixes[i]))
            return g_strndup(type, strlen(type) - strlen(suffixes[i]));
    }
    return g_strdup(type);
}

char *qemu_cpu_model_in(const QemuCaps *c, QemuAccel a, const char *type)
{
    const GPtrArray *cpus = c->accel[a].cpus;

    for (unsigned i = 0; cpus && i < cpus->len; i++) {
        const QemuCpuModel *m = g_ptr_array_index(cpus, i);
        if (g_strcmp0(m->type_name, type) == 0)
            return g_strdup(m->name);
    }
    return qemu_cpu_model_of_type(type);
}

bool qemu_machine_has_pci_root(const DomainDef *d)
{
    const ControllerDef *c = domain_find_controller(d, CONTROLLER_PCI, 0);
    return c && c->model == PCI_ROOT;
}

bool qemu_machine_has_pcie_root(const DomainDef *d)
{
    const ControllerDef *c = domain_find_controller(d, CONTROLLER_PCI, 0);
    return c && c->model == PCIE_ROOT;
}

bool qemu_device_on_usb(const Device *dev)
{
    switch (dev->kind) {
    case DEVICE_HUB: return true;
    case DEVICE_HOSTDEV: {
        const HostdevDef *h = (const HostdevDef *)dev;
        return h->mode == HOSTDEV_SUBSYS && h->type == HOSTDEV_USB;
    }
    case DEVICE_DISK: return ((const DiskDef *)dev)->bus == DISK_BUS_USB;
    case DEVICE_CONTROLLER: return ((const ControllerDef *)dev)->type == CONTROLLER_CCID;
    case DEVICE_INPUT: return ((const InputDef *)dev)->bus == INPUT_BUS_USB;
    case DEVICE_SERIAL: return ((const ChrDef *)dev)->target == SERIAL_USB;
    case DEVICE_SOUND: return ((const SoundDef *)dev)->model == SOUND_USB;
    case DEVICE_REDIRDEV: return true;
    case DEVICE_INTERFACE: return g_strcmp0(((const NetDef *)dev)->model, "usb-net") == 0;
    default: return false;
    }
}

bool qemu_is_usb_companion(const ControllerDef *c)
{
    return c->type == CONTROLLER_USB && (c->model == USB_ICH9_UHCI1 || c->model == USB_ICH9_UHCI2 || c->model == USB_ICH9_UHCI3);
}
