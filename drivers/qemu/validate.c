/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Checks of a complete definition against what QEMU machines are and what this emulator has
 * (validate.h). Errors name the device and what is wrong with it. Reads only; any thread.
 */
#include "drivers/qemu/validate.h"

#include <string.h>

#include "drivers/qemu/machine.h"
#include "util/error.h"

bool qemu_refuse(GError **err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s", text);
    return false;
}

/* ---- devices ------------------------------------------------------------------------------------- */

static bool validate_layer(const DiskDef *disk, const StorageSource *s, GError **err)
{
    const char *format = enum_name(&storage_format_names, s->format);
    if (s->format == FORMAT_DIR)
        return qemu_refuse(err, "disk '%s': format 'dir' is not for images, use type 'dir'", disk->dst);
    if (s->format == FORMAT_COW)
        return qemu_refuse(err, "disk '%s': format '%s' is not supported", disk->dst, format);
    if (s->encryption && s->format != FORMAT_RAW && s->format != FORMAT_QCOW2)
        return qemu_refuse(err, "disk '%s': encryption is for the formats raw and qcow2, not '%s'", disk->dst, format);
    return true;
}

static bool validate_disk(const DiskDef *disk, GError **err)
{
    const char *bus = enum_name(&disk_bus_names, disk->bus);
    if (disk->driver && strcmp(disk->driver, "qemu") != 0)
        return qemu_refuse(err, "disk '%s': unsupported driver name '%s'", disk->dst, disk->driver);
    if (disk->device == DISK_DEVICE_LUN && disk->bus != DISK_BUS_VIRTIO && disk->bus != DISK_BUS_SCSI)
        return qemu_refuse(err, "disk '%s': device='lun' is not supported for bus '%s'", disk->dst, bus);
    if (disk->device == DISK_DEVICE_CDROM && disk->bus == DISK_BUS_VIRTIO)
        return qemu_refuse(err, "disk '%s': a virtio disk cannot be a CD-ROM", disk->dst);
    if (disk->bus == DISK_BUS_XEN || disk->bus == DISK_BUS_UML)
        return qemu_refuse(err, "disk '%s': bus '%s' is not supported", disk->dst, bus);
    if (disk->device == DISK_DEVICE_FLOPPY && disk->bus != DISK_BUS_FDC)
        return qemu_refuse(err, "disk '%s': bus '%s' cannot have a floppy drive", disk->dst, bus);
    for (const StorageSource *s = &disk->src; s; s = s->backing) {
        if (!validate_layer(disk, s, err))
            return false;
    }
    return true;
}

static bool validate_controller(const DomainDef *d, const ControllerDef *c, const QemuCaps *caps, GError **err)
{
    if (c->type == CONTROLLER_USB && caps) {
        if (c->model == CONTROLLER_MODEL_DEFAULT && arch_is_x86(d->os.arch) && caps->version)
            return qemu_refuse(err, "controller usb %u: no model, and the emulator has none of the usual ones", c->index.v);
        if ((c->model == USB_QEMU_XHCI && !qemu_caps_has(caps, QEMU_CAP_DEVICE_QEMU_XHCI)) ||
            (c->model == USB_NEC_XHCI && !qemu_caps_has(caps, QEMU_CAP_NEC_USB_XHCI)))
            return qemu_refuse(err, "controller usb %u: this emulator has no model '%s'", c->index.v, enum_name(&controller_model_names, c->model));
    }
    if (c->type != CONTROLLER_PCI)
        return true;
    if (c->model == PCIE_EXPANDER_BUS && !qemu_machine_is_q35(d) && !qemu_machine_is_arm_virt(d))
        return qemu_refuse(err, "controller pci %u: pcie-expander-bus is not for machine '%s'", c->index.v, d->os.machine);
    if (c->model == PCI_EXPANDER_BUS && !qemu_machine_is_i440fx(d))
        return qemu_refuse(err, "controller pci %u: pci-expander-bus is not for machine '%s'", c->index.v, d->os.machine);
    if (c->model == PCI_ROOT && c->index.v == 0 && c->numa_node.set)
        return qemu_refuse(err, "controller pci 0: the root cannot be associated with a NUMA node");
    if (c->target_index.set && (c->target_index.v > 30 || (c->target_index.v == 0) != (c->index.v == 0)))
        return qemu_refuse(err, "controller pci %u: target index %u is not possible, the root has 0 and others 1 to 30", c->index.v, c->target_index.v);
    if (c->model == PCI_ROOT && c->pci_hotplug != TRI_ABSENT && caps && caps->version && caps->version < 5002000)
        return qemu_refuse(err, "controller pci %u: this emulator cannot switch hotplug of the root off", c->index.v);
    return true;
}

static bool validate_serial(const DomainDef *d, const ChrDef *c, GError **err)
{
    bool fits = true;
    switch (c->target) {
    case SERIAL_ISA: case SERIAL_ISA_DEBUG: fits = !arch_is_s390(d->os.arch) && !arch_is_arm(d->os.arch); break;
    case SERIAL_SPAPR_VIO: fits = qemu_machine_is_pseries(d); break;
    case SERIAL_SCLP: fits = arch_is_s390(d->os.arch); break;
    case SERIAL_SYSTEM: fits = qemu_machine_is_arm_virt(d) || qemu_machine_is_riscv_virt(d) || arch_is_arm(d->os.arch); break;
    default: break;
    }
    if (c->serial_model == SERIAL_MODEL_PL011)
        fits &= qemu_machine_is_arm_virt(d);
    if (c->serial_model == SERIAL_MODEL_16550A)
        fits &= qemu_machine_is_riscv_virt(d);
    return fits || qemu_refuse(err, "serial %u: target model '%s' is not for architecture '%s' with machine '%s'", c->port.v,
                          enum_name(&serial_model_names, c->serial_model), d->os.arch, d->os.machine ? d->os.machine : "");
}

static bool validate_iommu(const DomainDef *d, const IommuDef *i, GError **err)
{
    const char *model = enum_name(&iommu_model_names, i->model);
    switch (i->model) {
    case IOMMU_INTEL:
        if (!qemu_machine_is_q35(d))
            return qemu_refuse(err, "iommu '%s' is for q35 machines", model);
        if (i->intremap == TRI_YES && d->features.ioapic != IOAPIC_QEMU)
            return qemu_refuse(err, "iommu '%s': interrupt remapping needs <ioapic driver='qemu'/>", model);
        if (i->eim == TRI_YES && i->intremap != TRI_YES)
            return qemu_refuse(err, "iommu '%s': eim needs interrupt remapping", model);
        return true;
    case IOMMU_SMMUV3:
        return qemu_machine_is_arm_virt(d) || qemu_refuse(err, "iommu '%s' is for ARM virt machines", model);
    case IOMMU_VIRTIO:
        if (!qemu_machine_is_q35(d) && !qemu_machine_is_arm_virt(d))
            return qemu_refuse(err, "iommu '%s' is for q35 and ARM virt machines", model);
        if (i->dev.info.address.type != ADDRESS_PCI && i->dev.info.address.type != ADDRESS_NONE)
            return qemu_refuse(err, "iommu '%s' needs a PCI address", model);
        return d->features.acpi || qemu_refuse(err, "iommu '%s' needs ACPI", model);
    case IOMMU_AMD: case _IOMMU_MODEL_N: default:
        return true;
    }
}

static bool validate_hostdev(const HostdevDef *h, const QemuCaps *caps, GError **err)
{
    if (h->mode != HOSTDEV_SUBSYS)
        return qemu_refuse(err, "hostdev: mode 'capabilities' is for containers");
    if (h->type == HOSTDEV_MDEV && h->dev.info.boot_order && h->model != HOSTDEV_MODEL_VFIO_PCI && h->model != HOSTDEV_MODEL_VFIO_CCW)
        return qemu_refuse(err, "hostdev: the guest cannot boot from a mediated device of model '%s'", enum_name(&hostdev_model_names, h->model));
    if (h->type == HOSTDEV_MDEV && h->model == HOSTDEV_MODEL_VFIO_CCW && caps && !qemu_caps_has(caps, QEMU_CAP_DEVICE_VFIO_CCW))
        return qemu_refuse(err, "hostdev: this emulator has no vfio-ccw");
    return true;
}

bool qemu_validate_device(const DomainDef *d, const Device *dev, const QemuCaps *caps, GError **err)
{
    const PciAddress *pci = &dev->info.address.u.pci;
    if (dev->info.address.type == ADDRESS_PCI && (pci->zpci_uid.set || pci->zpci_fid.set) && caps && !qemu_caps_has(caps, QEMU_CAP_DEVICE_ZPCI))
        return qemu_refuse(err, "%s: this emulator has no zpci", device_kind_element(dev->kind));
    if (!qemu_validate_kind(d, dev, caps, err))
        return false;
    switch (dev->kind) {
    case DEVICE_DISK: return validate_disk((const DiskDef *)dev, err);
    case DEVICE_CONTROLLER: return validate_controller(d, (const ControllerDef *)dev, caps, err);
    case DEVICE_VIDEO:
        return ((const VideoDef *)dev)->type != VIDEO_DEFAULT || qemu_refuse(err, "missing video model and cannot determine default");
    case DEVICE_PARALLEL:
        if (qemu_machine_is_pseries(d) || arch_is_s390(d->os.arch))
            return qemu_refuse(err, "parallel ports are not for machine '%s'", d->os.machine);
        return true;
    case DEVICE_SERIAL: return validate_serial(d, (const ChrDef *)dev, err);
    case DEVICE_IOMMU: return validate_iommu(d, (const IommuDef *)dev, err);
    case DEVICE_HOSTDEV: return validate_hostdev((const HostdevDef *)dev, caps, err);
    case DEVICE_FILESYSTEM: {
        const FsDef *f = (const FsDef *)dev;
        if (f->driver == FS_DRIVER_VIRTIOFS && f->readonly)
            return qemu_refuse(err, "filesystem '%s': virtiofs has no read-only mode", f->dst);
        return true;
    }
    case DEVICE_INPUT: {
        const InputDef *in = (const InputDef *)dev;
        if (in->model != VIRTIO_MODEL_DEFAULT && in->model != VIRTIO_MODEL_VIRTIO)
            return qemu_refuse(err, "input '%s': there are no (non-)transitional models of it", enum_name(&input_type_names, in->type));
        return true;
    }
    case DEVICE_PANIC: {
        const PanicDef *p = (const PanicDef *)dev;
        if ((p->model == PANIC_S390 || p->model == PANIC_PSERIES || p->model == PANIC_HYPERV) && dev->info.address.type != ADDRESS_NONE)
            return qemu_refuse(err, "panic: model '%s' has no address", enum_name(&panic_model_names, p->model));
        return true;
    }
    case DEVICE_TPM: {
        const TpmDef *t = (const TpmDef *)dev;
        QemuCap need = t->backend == TPM_PASSTHROUGH ? QEMU_CAP_DEVICE_TPM_PASSTHROUGH : QEMU_CAP_DEVICE_TPM_EMULATOR;
        if (caps && t->model != TPM_SPAPR_PROXY && !qemu_caps_has(caps, need))
            return qemu_refuse(err, "tpm: emulator '%s' has no backend of type '%s'", caps->binary, enum_name(&tpm_backend_names, t->backend));
        return true;
    }
    case DEVICE_MEMORY: {
        const MemoryDef *m = (const MemoryDef *)dev;
        if (m->model == MEMORY_SGX_EPC && caps && !qemu_caps_has(caps, QEMU_CAP_SGX_EPC))
            return qemu_refuse(err, "memory: model 'sgx-epc' is not supported by this emulator on this host");
        return true;
    }
    case DEVICE_PSTORE:
        if (!arch_is_x86(d->os.arch) || !d->features.acpi)
            return qemu_refuse(err, "pstore: backend 'acpi-erst' needs <acpi/> on x86");
        if (domain_count(d, DEVICE_PSTORE) > 1)
            return qemu_refuse(err, "pstore: only one is possible");
        return true;
    case DEVICE_SHMEM: {
        const ShmemDef *s = (const ShmemDef *)dev;
        if (dev->info.address.type != ADDRESS_PCI && dev->info.address.type != ADDRESS_NONE)
            return qemu_refuse(err, "shmem '%s' needs a PCI address", s->name);
        return true;
    }
    case DEVICE_MEMBALLOON: {
        const MemballoonDef *b = (const MemballoonDef *)dev;
        if (b->free_page_reporting != TRI_ABSENT && caps && !qemu_caps_has(caps, QEMU_CAP_VIRTIO_BALLOON_FREE_PAGE_REPORTING))
            return qemu_refuse(err, "memballoon: this emulator has no freePageReporting");
        return true;
    }
    default:
        return true;
    }
}

/* ---- the whole ---------------------------------------------------------------------------------------- */

static bool validate_virt_type(const DomainDef *d, const QemuCaps *caps, GError **err)
{
    const char *name = enum_name(&virt_type_names, d->virt);
    if (d->virt != VIRT_QEMU && d->virt != VIRT_KVM && d->virt != VIRT_HVF)
        return qemu_refuse(err, "the QEMU driver does not run guests of type '%s'", name);
    if (caps && caps->version && d->virt == VIRT_HVF && !qemu_caps_accel_usable(caps, QEMU_ACCEL_HVF))
        return qemu_refuse(err, "emulator '%s' does not support guests of type '%s'", d->emulator ? d->emulator : caps->binary, name);
    return true;
}

static bool validate_features(const DomainDef *d, const QemuCaps *caps, GError **err)
{
    const Features *f = &d->features;
    bool pseries = qemu_machine_is_pseries(d), x86 = arch_is_x86(d->os.arch);
    const char *machine = d->os.machine ? d->os.machine : "", *arch = d->os.arch;

    if (f->gic && !qemu_machine_is_arm_virt(d))
        return qemu_refuse(err, "features/gic is not for architecture '%s' with machine '%s'", arch, machine);
    if ((f->hpt_given || f->hpt != HPT_NONE || f->htm != TRI_ABSENT || f->nested_hv != TRI_ABSENT || f->ccf_assist != TRI_ABSENT ||
         f->cfpc || f->sbbc || f->ibs) && !pseries)
        return qemu_refuse(err, "features: hpt, htm, nested-hv, ccf-assist, cfpc, sbbc and ibs are not for architecture '%s' with machine '%s'", arch, machine);
    if (f->tseg.set && !qemu_machine_is_q35(d))
        return qemu_refuse(err, "features/smm/tseg is for q35 machines only");
    if ((f->smm != TRI_ABSENT || f->vmport != TRI_ABSENT) && !x86)
        return qemu_refuse(err, "features: smm and vmport are not for architecture '%s'", arch);
    if (caps) {
        const struct { bool asked; QemuCap cap; const char *name; } rows[] = {
            { f->htm != TRI_ABSENT, QEMU_CAP_MACHINE_PSERIES_CAP_HTM, "htm" },
            { f->nested_hv != TRI_ABSENT, QEMU_CAP_MACHINE_PSERIES_CAP_NESTED_HV, "nested-hv" },
            { f->ccf_assist != TRI_ABSENT, QEMU_CAP_MACHINE_PSERIES_CAP_CCF_ASSIST, "ccf-assist" },
            { f->cfpc != 0, QEMU_CAP_MACHINE_PSERIES_CAP_CFPC, "cfpc" },
            { f->sbbc != 0, QEMU_CAP_MACHINE_PSERIES_CAP_SBBC, "sbbc" },
            { f->ibs != 0, QEMU_CAP_MACHINE_PSERIES_CAP_IBS, "ibs" },
        };
        for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
            if (rows[i].asked && !qemu_caps_has(caps, rows[i].cap))
                return qemu_refuse(err, "features/%s is not supported by this emulator", rows[i].name);
        }
    }
    return true;
}

static bool validate_firmware(const DomainDef *d, GError **err)
{
    const OsLoader *l = d->os.loader;
    bool uefi = d->os.firmware == FIRMWARE_EFI || (l && l->type == LOADER_PFLASH);
    if (uefi && arch_is_x86(d->os.arch) && !d->features.acpi)
        return qemu_refuse(err, "UEFI needs <acpi/> on this architecture");
    if (d->features.acpi && arch_is_arm(d->os.arch) && qemu_machine_is_arm_virt(d) && !uefi)
        return qemu_refuse(err, "<acpi/> needs UEFI on this architecture");
    return true;
}

static bool validate_shape(const DomainDef *d, GError **err)
{
    bool usb_off = false, first = true;
    guint pos = 0;
    const ControllerDef *c;
    while ((c = domain_next(d, DEVICE_CONTROLLER, &pos))) {
        usb_off |= c->type == CONTROLLER_USB && c->model == USB_NONE;
        if (c->type == CONTROLLER_FDC && c->index.v > 0)
            return qemu_refuse(err, "only 1 fdc controller is supported");
        if (c->type == CONTROLLER_IDE && !qemu_machine_has_ide(d))
            return qemu_refuse(err, "IDE controllers are not for machine '%s'", d->os.machine ? d->os.machine : "");
        if (c->type == CONTROLLER_IDE && c->index.v > 0)
            return qemu_refuse(err, "only 1 IDE controller is supported by this machine");
    }
    for (unsigned i = 0; usb_off && i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        if (qemu_device_on_usb(dev))
            return qemu_refuse(err, "USB is disabled for this domain, but it has a %s on USB", device_kind_element(dev->kind));
    }
    pos = 0;
    const VideoDef *v;
    for (; (v = domain_next(d, DEVICE_VIDEO, &pos)); first = false) {
        bool secondary = v->type == VIDEO_QXL || v->type == VIDEO_VIRTIO;
        if (!first && !secondary)
            return qemu_refuse(err, "video type '%s' is only valid as primary video device", enum_name(&video_type_names, v->type));
    }
    pos = 0;
    const ChrDef *console;
    for (first = true; (console = domain_next(d, DEVICE_CONSOLE, &pos)); first = false) {
        if (!first && console->target == CONSOLE_SERIAL)
            return qemu_refuse(err, "only the first console can be a serial port");
    }
    return true;
}

static bool validate_displays(const DomainDef *d, GError **err)
{
    guint pos = 0;
    const GraphicsDef *g;
    unsigned gl = 0;
    while ((g = domain_next(d, DEVICE_GRAPHICS, &pos)))
        gl += g->type == GRAPHICS_EGL_HEADLESS || tri_is_yes(g->gl);
    return gl <= 1 || qemu_refuse(err, "graphics: multiple OpenGL displays are not supported by QEMU");
}

bool qemu_validate_domain(const DomainDef *d, const QemuCaps *caps, GError **err)
{
    if (!validate_virt_type(d, caps, err) || !validate_features(d, caps, err) || !validate_firmware(d, err) ||
        !validate_shape(d, err) || !validate_displays(d, err) || !qemu_validate_limits(d, err) || !qemu_validate_newer(d, err) ||
        !qemu_validate_lifecycle(d, err) || !qemu_validate_guest(d, caps, err))
        return false;
    const CpuTopology *t = d->cpu ? d->cpu->topology : NULL;
    if (t && (!caps || qemu_caps_has(caps, QEMU_CAP_QUERY_HOTPLUGGABLE_CPUS)) &&
        (uint64_t)t->sockets * MAX(t->dies, 1) * MAX(t->clusters, 1) * t->cores * t->threads != d->vcpus_max)
        return qemu_refuse(err, "cpu/topology does not match the maximum of %u vcpus", d->vcpus_max);
    QemuAccel accel = qemu_accel_from_name(enum_name(&virt_type_names, d->virt));
    const QemuMachine *machine = caps && accel < QEMU_ACCEL_N_ ? qemu_caps_machine(caps, accel, d->os.machine) : NULL;
    if (d->launch_security && d->launch_security->type == LAUNCH_SEV && caps && !qemu_caps_has(caps, QEMU_CAP_SEV_GUEST))
        return qemu_refuse(err, "launchSecurity 'sev' is not supported by this emulator on this host");
    if (d->os.bootmenu_timeout.set && d->os.bootmenu_timeout.v > 65535)
        return qemu_refuse(err, "os/bootmenu: timeout %u is not between 0 and 65535", d->os.bootmenu_timeout.v);
    if (d->backing && d->backing->hugepages && d->backing->access == MEM_ACCESS_SHARED && !(d->cpu && list_len(d->cpu->cells)) &&
        (!machine || !machine->default_ram_id))
        return qemu_refuse(err, "memory access mode '%s' not supported without guest numa node",
                      enum_name(&mem_access_names, d->backing->access));
    if (d->max_memory && arch_is_x86(d->os.arch) && !(d->cpu && list_len(d->cpu->cells)))
        return qemu_refuse(err, "maxMemory: at least one NUMA cell must be configured for memory hotplug");
    return true;
}
