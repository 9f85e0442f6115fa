/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One device for a running emulator: the pieces of the command line say what it is made of, and here is
 * which piece that is for each kind, with what a start does later over the monitor. Pure but for the
 * callbacks of the context; any thread.
 */
#include "drivers/qemu/cmdline-internal.h"
#include "drivers/qemu/configure.h"

static bool plug_disk(Cmd *c, const DiskDef *disk, GError **err)
{
    if (!cmd_disk(c, disk, err))
        return false;
    if (!c->plug->removing && qemu_disk_has_limits(disk) && !cmd_source_is_empty(&disk->src))
        plug_steps_add(c->plug, PLUG_THROTTLE, NULL, qemu_throttle_args(disk), -1);
    return true;
}

static bool plug_net(Cmd *c, const NetDef *n, GError **err)
{
    if (!cmd_net(c, n, err))
        return false;
    if (!c->plug->removing && n->link == NET_LINK_DOWN && n->type != NET_HOSTDEV)
        plug_steps_add(c->plug, PLUG_LINK, NULL, json_make(J_STR("name", n->dev.info.alias), J_BOOL("up", false)), -1);
    return true;
}

static bool plug_watchdog(Cmd *c, const WatchdogDef *w, GError **err)
{
    if (!c->plug->removing)
        plug_steps_add(c->plug, PLUG_WATCHDOG, NULL, json_make(J_STR("action", cmd_watchdog_action(w))), -1);
    return cmd_watchdog(c, w, err);
}

static bool plug(Cmd *c, const Device *dev, GError **err)
{
    switch (dev->kind) {
    case DEVICE_DISK: return plug_disk(c, (const DiskDef *)dev, err);
    case DEVICE_CONTROLLER: return cmd_controller(c, (const ControllerDef *)dev, err);
    case DEVICE_INTERFACE: return plug_net(c, (const NetDef *)dev, err);
    case DEVICE_FILESYSTEM: return cmd_filesystem(c, (const FsDef *)dev, err);
    case DEVICE_SERIAL: case DEVICE_PARALLEL: case DEVICE_CONSOLE: case DEVICE_CHANNEL: return cmd_chr(c, (const ChrDef *)dev, err);
    case DEVICE_INPUT: return cmd_input(c, (const InputDef *)dev, err);
    case DEVICE_HOSTDEV: return cmd_hostdev(c, (const HostdevDef *)dev, err);
    case DEVICE_REDIRDEV: return cmd_redirdev(c, (const RedirdevDef *)dev, err);
    case DEVICE_WATCHDOG: return plug_watchdog(c, (const WatchdogDef *)dev, err);
    case DEVICE_RNG: return cmd_rng(c, (const RngDef *)dev, err);
    case DEVICE_SHMEM: return cmd_shmem(c, (const ShmemDef *)dev, err);
    case DEVICE_MEMORY: return cmd_memory_device(c, (const MemoryDef *)dev, err);
    case DEVICE_VSOCK: return cmd_vsock(c, (const VsockDef *)dev, err);
    case DEVICE_CRYPTO: return cmd_crypto(c, (const CryptoDef *)dev, err);
    case DEVICE_LEASE: return true; /* kept by us, not by the emulator */
    default: break;
    }
    error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "live attach of device '%s' is not supported", device_kind_element(dev->kind));
    return false;
}

PlugSteps *qemu_plug_steps(const DomainDef *def, const Device *dev, const QemuCaps *caps, const QemuCmdlineContext *ctx, bool removing,
                           GError **err)
{
    g_autoptr(PlugSteps) steps = plug_steps_new(removing);
    Cmd c = { .def = def, .caps = caps, .ctx = ctx, .plug = steps };

    if (!plug(&c, dev, err))
        return NULL;
    if (steps->refused && !removing) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "a %s of this kind can only be there from the start: it needs the emulator's option '%s'",
                  device_kind_element(dev->kind), steps->refused);
        return NULL;
    }
    return g_steal_pointer(&steps);
}

PlugSteps *qemu_plug_medium(const DomainDef *def, const DiskDef *disk, const QemuCaps *caps, const QemuCmdlineContext *ctx, bool removing,
                            GError **err)
{
    g_autoptr(PlugSteps) steps = plug_steps_new(removing);
    Cmd c = { .def = def, .caps = caps, .ctx = ctx, .plug = steps };

    return cmd_blockdev_chain(&c, disk, err) ? g_steal_pointer(&steps) : NULL;
}
