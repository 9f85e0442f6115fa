/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smaller devices: hubs, IOMMU, input, TPM, watchdog, balloon, rng, panic, shmem, vsock, crypto, pstore. */
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

static bool finish(Cmd *c, const Device *dev, JsonObject *o, GError **err)
{
    if (!o)
        return false;
    if (!cmd_address(c, &dev->info, o, err)) {
        json_put_(o);
        return false;
    }
    return cmd_device(c, dev->info.alias, o, err);
}

bool cmd_hubs(Cmd *c, GError **err)
{
    guint pos = 0;
    const HubDef *h;
    while ((h = domain_next(c->def, DEVICE_HUB, &pos))) {
        if (!finish(c, &h->dev, props_new(P_STR("driver", "usb-hub"), P_STR("id", h->dev.info.alias)), err))
            return false;
    }
    return true;
}

bool cmd_iommu(Cmd *c, GError **err)
{
    guint pos = 0;
    const IommuDef *i = domain_next(c->def, DEVICE_IOMMU, &pos);
    if (!i)
        return true;
    switch (i->model) {
    case IOMMU_INTEL:
        return cmd_device(c, i->dev.info.alias,
                          props_new(P_STR("driver", "intel-iommu"), P_STR("id", i->dev.info.alias), P_ONOFF("intremap", i->intremap),
                                    P_TRI("caching-mode", i->caching_mode), P_ONOFF("eim", i->eim), P_TRI("device-iotlb", i->iotlb),
                                    P_UINT_NZ("aw-bits", i->aw_bits)), err);
    case IOMMU_VIRTIO:
        return finish(c, &i->dev, props_new(P_STR("driver", "virtio-iommu"), P_STR("id", i->dev.info.alias)), err);
    case IOMMU_SMMUV3:
        return true; /* an option of the machine */
    case IOMMU_AMD: case _IOMMU_MODEL_N: default:
        return qemu_refuse(err, "iommu model '%s' is not supported", enum_name(&iommu_model_names, i->model));
    }
}

static bool add_evdev(Cmd *c, const InputDef *in, GError **err)
{
    static const char *const toggles[_GRAB_TOGGLE_N] = {
        [GRAB_CTRL_CTRL] = "ctrl-ctrl", [GRAB_ALT_ALT] = "alt-alt", [GRAB_SHIFT_SHIFT] = "shift-shift",
        [GRAB_META_META] = "meta-meta", [GRAB_SCROLLLOCK] = "scrolllock", [GRAB_CTRL_SCROLLLOCK] = "ctrl-scrolllock",
    };
    cmd_json(c, "-object", props_new(P_STR("qom-type", "input-linux"), P_STR("id", in->dev.info.alias), P_STR("evdev", in->source),
                                     P_TRI("repeat", in->repeat), P_YES("grab_all", in->grab == INPUT_GRAB_ALL),
                                     P_STR("grab-toggle", toggles[in->grab_toggle])));
    return true;
}

bool cmd_input(Cmd *c, const InputDef *in, GError **err)
{
    static const char *const virtio[_INPUT_TYPE_N] = { [INPUT_MOUSE] = "virtio-mouse", [INPUT_TABLET] = "virtio-tablet",
                                                       [INPUT_KEYBOARD] = "virtio-keyboard", [INPUT_PASSTHROUGH] = "virtio-input-host" };
    static const char *const usb[_INPUT_TYPE_N] = { [INPUT_MOUSE] = "usb-mouse", [INPUT_TABLET] = "usb-tablet", [INPUT_KEYBOARD] = "usb-kbd" };
    const char *id = in->dev.info.alias;
    if (in->type == INPUT_EVDEV)
        return add_evdev(c, in, err);
    if (in->bus == INPUT_BUS_VIRTIO && virtio[in->type]) {
        JsonObject *o = cmd_virtio(c, virtio[in->type], &in->dev.info, in->model, &in->virtio, err);
        if (!o)
            return false;
        props_add(o, P_STR("id", id), P_STR("evdev", in->type == INPUT_PASSTHROUGH ? in->source : NULL));
        return finish(c, &in->dev, o, err);
    }
    if (in->bus == INPUT_BUS_USB && usb[in->type])
        return finish(c, &in->dev, props_new(P_STR("driver", usb[in->type]), P_STR("id", id)), err);
    return qemu_refuse(err, "input '%s': type '%s' on bus '%s' is not supported", id, enum_name(&input_type_names, in->type),
                      enum_name(&input_bus_names, in->bus));
}

bool cmd_inputs(Cmd *c, GError **err)
{
    guint pos = 0;
    const InputDef *in;
    while ((in = domain_next(c->def, DEVICE_INPUT, &pos))) {
        if ((in->type == INPUT_EVDEV || in->bus != INPUT_BUS_PS2) && !cmd_input(c, in, err))
            return false;
    }
    return true;
}

bool cmd_tpms(Cmd *c, GError **err)
{
    static const char *const drivers[_TPM_MODEL_N] = { [TPM_TIS] = "tpm-tis", [TPM_CRB] = "tpm-crb", [TPM_SPAPR] = "tpm-spapr",
                                                       [TPM_SPAPR_PROXY] = "spapr-tpm-proxy" };
    guint pos = 0;
    const TpmDef *t;
    while ((t = domain_next(c->def, DEVICE_TPM, &pos))) {
        const char *id = t->dev.info.alias;
        const char *driver = drivers[t->model];
        if (!driver)
            return qemu_refuse(err, "tpm '%s' has no model", id);
        if (t->model == TPM_SPAPR_PROXY) {
            if (!cmd_device(c, id, props_new(P_STR("driver", driver), P_STR("id", id), P_STR("host-path", t->path)), err))
                return false;
            continue;
        }
        if (t->backend == TPM_PASSTHROUGH) {
            g_autofree char *o1 = g_strdup_printf("%s-tpm", id), *o2 = g_strdup_printf("%s-cancel", id);
            g_autofree char *p1 = cmd_fd_set(c, QEMU_FD_TPM, &t->dev, o1, err);
            g_autofree char *p2 = p1 ? cmd_fd_set(c, QEMU_FD_TPM_CANCEL, &t->dev, o2, err) : NULL;
            if (!p2)
                return false;
            cmd_optf(c, "-tpmdev", "passthrough,id=tpm-%s,path=%s,cancel-path=%s", id, p1, p2);
        } else {
            g_autofree char *own = g_build_filename(c->ctx->lib_dir, "swtpm.sock", NULL);
            cmd_chardev_socket(c, "chrtpm", t->chr.path ? t->chr.path : t->backend == TPM_EMULATOR && c->ctx->tpm_socket ? c->ctx->tpm_socket : own,
                               false, -1);
            cmd_optf(c, "-tpmdev", "emulator,id=tpm-%s,chardev=chrtpm", id);
        }
        g_autofree char *tpmdev = g_strdup_printf("tpm-%s", id);
        JsonObject *o = props_new(P_STR("driver", arch_is_arm(c->def->os.arch) && t->model == TPM_TIS ? "tpm-tis-device" : driver),
                                  P_STR("tpmdev", tpmdev), P_STR("id", id));
        if (!finish(c, &t->dev, o, err))
            return false;
    }
    return true;
}

const char *cmd_watchdog_action(const WatchdogDef *w)
{
    return w->action == WATCHDOG_DUMP ? "pause" : enum_name(&watchdog_action_names, w->action);
}

bool cmd_watchdog(Cmd *c, const WatchdogDef *w, GError **err)
{
    static const char *const drivers[_WATCHDOG_MODEL_N] = { [WATCHDOG_I6300ESB] = "i6300esb", [WATCHDOG_IB700] = "ib700",
                                                            [WATCHDOG_DIAG288] = "diag288" };
    if (w->model == WATCHDOG_ITCO) {
        cmd_opt(c, "-global", "ICH9-LPC.noreboot=off"); /* part of the q35 chipset */
        return true;
    }
    return finish(c, &w->dev, props_new(P_STR("driver", drivers[w->model]), P_STR("id", w->dev.info.alias)), err);
}

bool cmd_watchdogs(Cmd *c, GError **err)
{
    guint pos = 0;
    const WatchdogDef *w, *last = NULL;
    while ((w = domain_next(c->def, DEVICE_WATCHDOG, &pos))) {
        if (!cmd_watchdog(c, w, err))
            return false;
        last = w;
    }
    if (last)
        cmd_opt(c, "-watchdog-action", cmd_watchdog_action(last));
    return true;
}

bool cmd_memballoon(Cmd *c, GError **err)
{
    guint pos = 0;
    const MemballoonDef *b = domain_next(c->def, DEVICE_MEMBALLOON, &pos);
    if (!b || b->model == BALLOON_NONE)
        return true;
    if (b->model == BALLOON_XEN)
        return qemu_refuse(err, "memballoon model 'xen' is not supported");
    VirtioModel model = b->model == BALLOON_VIRTIO_TRANSITIONAL ? VIRTIO_MODEL_TRANSITIONAL
                        : b->model == BALLOON_VIRTIO_NON_TRANSITIONAL ? VIRTIO_MODEL_NON_TRANSITIONAL : VIRTIO_MODEL_DEFAULT;
    JsonObject *o = cmd_virtio(c, "virtio-balloon", &b->dev.info, model, &b->virtio, err);
    if (!o)
        return false;
    props_add(o, P_STR("id", b->dev.info.alias), P_TRI("deflate-on-oom", b->autodeflate),
              P_TRI("free-page-reporting", b->free_page_reporting));
    return finish(c, &b->dev, o, err);
}

bool cmd_rng(Cmd *c, const RngDef *r, GError **err)
{
    const char *id = r->dev.info.alias;
    g_autofree char *object = g_strdup_printf("obj%s", id), *chardev = g_strdup_printf("char%s", id);
    switch (r->backend) {
    case RNG_RANDOM:
        cmd_json(c, "-object", props_new(P_STR("qom-type", "rng-random"), P_STR("id", object), P_STR("filename", r->path)));
        break;
    case RNG_EGD:
        if (!cmd_chardev(c, &r->chr, chardev, &r->dev, err))
            return false;
        cmd_json(c, "-object", props_new(P_STR("qom-type", "rng-egd"), P_STR("id", object), P_STR("chardev", chardev)));
        break;
    case RNG_BUILTIN:
        cmd_json(c, "-object", props_new(P_STR("qom-type", "rng-builtin"), P_STR("id", object)));
        break;
    case _RNG_BACKEND_N: default:
        return qemu_refuse(err, "rng '%s': unknown backend", id);
    }
    VirtioModel model = r->model == RNG_VIRTIO_TRANSITIONAL ? VIRTIO_MODEL_TRANSITIONAL
                        : r->model == RNG_VIRTIO_NON_TRANSITIONAL ? VIRTIO_MODEL_NON_TRANSITIONAL : VIRTIO_MODEL_DEFAULT;
    JsonObject *o = cmd_virtio(c, "virtio-rng", &r->dev.info, model, &r->virtio, err);
    if (!o)
        return false;
    props_add(o, P_STR("rng", object), P_STR("id", id));
    if (r->rate_bytes)
        props_add(o, P_UINT("max-bytes", r->rate_bytes), P_UINT("period", r->rate_period ? r->rate_period : 1000));
    return finish(c, &r->dev, o, err);
}

bool cmd_rngs(Cmd *c, GError **err)
{
    guint pos = 0;
    const RngDef *r;
    while ((r = domain_next(c->def, DEVICE_RNG, &pos))) {
        if (!cmd_rng(c, r, err))
            return false;
    }
    return true;
}

static bool add_panic(Cmd *c, const PanicDef *p, GError **err)
{
    switch (p->model) {
    case PANIC_ISA: case PANIC_DEFAULT: {
        const DeviceAddress *a = &p->dev.info.address;
        return cmd_device(c, p->dev.info.alias,
                          props_new(P_STR("driver", "pvpanic"), P_UINT_IF("ioport", a->type == ADDRESS_ISA, a->u.isa.iobase.v)), err);
    }
    case PANIC_PVPANIC:
        return finish(c, &p->dev, props_new(P_STR("driver", "pvpanic-pci"), P_STR("id", p->dev.info.alias)), err);
    case PANIC_PSERIES: case PANIC_S390: case PANIC_HYPERV:
        return true; /* part of the machine, or of -cpu */
    case _PANIC_MODEL_N: break;
    }
    return qemu_refuse(err, "panic model is unknown");
}

bool cmd_shmem(Cmd *c, const ShmemDef *s, GError **err)
{
    const char *id = s->dev.info.alias;
    bool master = s->role == SHMEM_MASTER;
    if (s->model == SHMEM_IVSHMEM_PLAIN) {
        g_autofree char *mem = g_strdup_printf("shmmem-%s", id), *path = g_build_filename("/dev/shm", s->name, NULL);
        cmd_json(c, "-object", props_new(P_STR("qom-type", "memory-backend-file"), P_STR("id", mem), P_STR("mem-path", path),
                                         P_UINT("size", s->size << 20), P_BOOL("share", true)));
        return finish(c, &s->dev, props_new(P_STR("driver", "ivshmem-plain"), P_STR("id", id), P_STR("memdev", mem),
                                            P_STR("master", s->role == SHMEM_ROLE_DEFAULT ? NULL : master ? "on" : "off")), err);
    }
    if (s->model == SHMEM_IVSHMEM_DOORBELL) {
        g_autofree char *chardev = g_strdup_printf("char%s", id);
        g_autofree char *usual = g_strdup_printf("/var/lib/libvirt/shmem-%s-sock", s->name);
        cmd_chardev_socket(c, chardev, s->server_path ? s->server_path : usual, false, -1);
        return finish(c, &s->dev, props_new(P_STR("driver", "ivshmem-doorbell"), P_STR("id", id), P_STR("chardev", chardev),
                                            P_UINT_NZ("vectors", s->msi_vectors), P_TRI("ioeventfd", s->msi_ioeventfd)), err);
    }
    return qemu_refuse(err, "shmem '%s': model 'ivshmem' is gone from this QEMU, use ivshmem-plain or ivshmem-doorbell", id);
}

bool cmd_vsock(Cmd *c, const VsockDef *v, GError **err)
{
    g_autofree char *fd = cmd_fd_word(c, QEMU_FD_VHOST_VSOCK, &v->dev, 0, err);
    if (!fd)
        return false;
    VirtioModel model = v->model == VSOCK_VIRTIO_TRANSITIONAL ? VIRTIO_MODEL_TRANSITIONAL
                        : v->model == VSOCK_VIRTIO_NON_TRANSITIONAL ? VIRTIO_MODEL_NON_TRANSITIONAL : VIRTIO_MODEL_DEFAULT;
    JsonObject *o = cmd_virtio(c, "vhost-vsock", &v->dev.info, model, &v->virtio, err);
    if (!o)
        return false;
    props_add(o, P_STR("id", v->dev.info.alias), P_UINT("guest-cid", v->cid), P_STR("vhostfd", fd));
    return finish(c, &v->dev, o, err);
}

bool cmd_crypto(Cmd *c, const CryptoDef *k, GError **err)
{
    const char *id = k->dev.info.alias;
    g_autofree char *object = g_strdup_printf("obj%s", id);
    cmd_json(c, "-object", props_new(P_STR("qom-type", k->backend == CRYPTO_BACKEND_LKCF ? "cryptodev-backend-lkcf" : "cryptodev-backend-builtin"),
                                     P_STR("id", object), P_UINT_NZ("queues", k->queues)));
    JsonObject *o = cmd_virtio(c, "virtio-crypto", &k->dev.info, VIRTIO_MODEL_DEFAULT, &k->virtio, err);
    if (!o)
        return false;
    props_add(o, P_STR("cryptodev", object), P_STR("id", id));
    return finish(c, &k->dev, o, err);
}

/* The guest's records of its crashes are a file that it maps. */
static bool add_pstore(Cmd *c, const PstoreDef *p, GError **err)
{
    const char *id = p->dev.info.alias;
    g_autofree char *mem = g_strdup_printf("mem%s", id);
    cmd_json(c, "-object", props_new(P_STR("qom-type", "memory-backend-file"), P_STR("id", mem), P_STR("mem-path", p->path),
                                     P_BOOL("share", true), P_UINT("size", p->size * 1024)));
    return finish(c, &p->dev, props_new(P_STR("driver", "acpi-erst"), P_STR("id", id), P_STR("memdev", mem)), err);
}

bool cmd_misc_devices(Cmd *c, GError **err)
{
    guint pos = 0;
    const NvramDef *n = domain_next(c->def, DEVICE_NVRAM, &pos);
    if (n && n->dev.info.address.type == ADDRESS_SPAPR_VIO && n->dev.info.address.u.vio.reg.set)
        cmd_optf(c, "-global", "spapr-nvram.reg=0x%" G_GINT64_MODIFIER "x", n->dev.info.address.u.vio.reg.v);
    return !tri_is_yes(c->def->features.vmcoreinfo) || cmd_device(c, NULL, props_new(P_STR("driver", "vmcoreinfo")), err);
}

bool cmd_late_devices(Cmd *c, GError **err)
{
    static const DeviceKind order[] = { DEVICE_PANIC, DEVICE_SHMEM, DEVICE_VSOCK, DEVICE_CRYPTO, DEVICE_PSTORE };
    for (unsigned k = 0; k < G_N_ELEMENTS(order); k++) {
        guint pos = 0;
        const Device *dev;
        while ((dev = domain_next(c->def, order[k], &pos))) {
            bool ok = true;
            switch (order[k]) {
            case DEVICE_PANIC: ok = add_panic(c, (const PanicDef *)dev, err); break;
            case DEVICE_SHMEM: ok = cmd_shmem(c, (const ShmemDef *)dev, err); break;
            case DEVICE_VSOCK: ok = cmd_vsock(c, (const VsockDef *)dev, err); break;
            case DEVICE_CRYPTO: ok = cmd_crypto(c, (const CryptoDef *)dev, err); break;
            default: ok = add_pstore(c, (const PstoreDef *)dev, err); break;
            }
            if (!ok)
                return false;
        }
    }
    return true;
}
