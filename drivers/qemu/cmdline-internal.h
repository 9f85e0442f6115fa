/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the pieces of the command line (cmdline*.c) share. Each piece appends its options to a Cmd;
 * cmdline.c calls them in the order that users know. Functions that make the JSON of a device are
 * also what hotplug sends, with a Cmd whose argv is not looked at.
 */
#pragma once

#include "drivers/qemu/cmdline.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/plug_steps.h"
#include "drivers/qemu/props.h"
#include "drivers/qemu/validate.h"
#include "util/error.h"

typedef struct Cmd {
    const DomainDef *def;
    const QemuCaps *caps;
    const QemuCmdlineContext *ctx;
    GPtrArray *argv, *env;
    GHashTable *boot;   /* Device * → boot index, as <os><boot> says; NULL: the devices' own */
    unsigned fdset;     /* next -add-fd set */
    PlugSteps *plug;    /* one device for a running emulator: options go here as commands, argv is NULL */
} Cmd;

/* As <qemu:capabilities> has it, else the emulator. */
bool cmd_has(const Cmd *c, QemuCap cap);

void cmd_arg(Cmd *c, const char *arg);
void cmd_opt(Cmd *c, const char *option, const char *value);
void cmd_optf(Cmd *c, const char *option, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
void cmd_env(Cmd *c, const char *name, const char *value);
/* Take the tree. */
void cmd_json(Cmd *c, const char *option, JsonObject *o);
bool cmd_device(Cmd *c, const char *alias, JsonObject *o, GError **err);

/* Number of a descriptor in the child; -1 with *err. */
int cmd_fd(Cmd *c, QemuFdRole role, const Device *dev, unsigned index, GError **err);
bool cmd_secret(Cmd *c, const SecretRef *ref, const char *alias, GError **err);
/* What an option says to use a descriptor: its number in the child, or the name that a running emulator gets
 * it by. NULL with *err. */
char *cmd_fd_word(Cmd *c, QemuFdRole role, const Device *dev, unsigned index, GError **err);
/* A descriptor in a new set, for what takes paths: "/dev/fdset/N". NULL with *err. */
char *cmd_fd_set(Cmd *c, QemuFdRole role, const Device *dev, const char *opaque, GError **err);
/* Likewise for all descriptors of a name; ret_n: how many. Members of the set are called opaque0, opaque1, … */
char *cmd_fd_group(Cmd *c, const char *name, const char *opaque, unsigned *ret_n, GError **err);
/* "3-name": the name part of private directories. */
char *cmd_short_name(const Cmd *c);

/* Name of a controller's bus without the part behind the point; NULL: no such controller. */
char *cmd_bus(const Cmd *c, ControllerType type, unsigned index);
unsigned cmd_boot_index(const Cmd *c, const Device *dev);

/* bus, addr, multifunction, … of a device. */
bool cmd_address(const Cmd *c, const DeviceInfo *info, JsonObject *o, GError **err);
/* "virtio-blk" → {"driver":"virtio-blk-pci", options}, by address type. */
JsonObject *cmd_virtio(const Cmd *c, const char *base, const DeviceInfo *info, VirtioModel model,
                       const VirtioOptions *opts, GError **err);
void cmd_rom(const DeviceInfo *info, JsonObject *o);

/* cmdline_machine.c */
bool cmd_machine(Cmd *c, GError **err);
bool cmd_accel(Cmd *c, GError **err);
bool cmd_pflash(Cmd *c, GError **err);
bool cmd_loader(Cmd *c, GError **err);
bool cmd_smp(Cmd *c, GError **err);
bool cmd_smbios(Cmd *c, GError **err);
bool cmd_clock(Cmd *c, GError **err);
bool cmd_pm(Cmd *c, GError **err);
bool cmd_boot(Cmd *c, GError **err);
bool cmd_launch_security(Cmd *c, GError **err);
/* cmdline_memory.c */
bool cmd_memory(Cmd *c, GError **err);
bool cmd_numa(Cmd *c, GError **err);
bool cmd_memory_devices(Cmd *c, GError **err);
bool cmd_memory_device(Cmd *c, const MemoryDef *m, GError **err);
bool cmd_uses_ram_backend(const Cmd *c);
/* cmdline_cpu.c */
bool cmd_cpu(Cmd *c, GError **err);
/* cmdline_block.c: chains of images as block nodes. */
bool cmd_blockdev_chain(Cmd *c, const DiskDef *disk, GError **err);
bool cmd_blockdev_storage(Cmd *c, const StorageSource *s, const DiskDef *disk, const char *node, bool auto_readonly,
                          bool readonly, GError **err);
JsonObject *cmd_storage_props(Cmd *c, const StorageSource *s, const DiskDef *disk, const char *node,
                              GError **err);
bool cmd_source_is_empty(const StorageSource *s);
/* cmdline_disk.c */
bool cmd_disks(Cmd *c, GError **err);
bool cmd_disk(Cmd *c, const DiskDef *disk, GError **err);
JsonObject *cmd_disk_props(Cmd *c, const DiskDef *disk, GError **err);
/* cmdline_controller.c */
bool cmd_controllers(Cmd *c, GError **err);
bool cmd_controller(Cmd *c, const ControllerDef *ctl, GError **err);
bool cmd_controller_globals(Cmd *c, GError **err);
JsonObject *cmd_controller_props(Cmd *c, const ControllerDef *ctl, GError **err);
/* cmdline_net.c */
bool cmd_nets(Cmd *c, GError **err);
bool cmd_net(Cmd *c, const NetDef *n, GError **err);
/* cmdline_chr.c */
bool cmd_chrs(Cmd *c, GError **err);
bool cmd_chr(Cmd *c, const ChrDef *chr, GError **err);
bool cmd_chardev(Cmd *c, const ChrSource *src, const char *alias, const Device *dev, GError **err);
/* A unix socket of somebody else's. reconnect: seconds, 0 never, -1 not said. */
void cmd_chardev_socket(Cmd *c, const char *id, const char *path, bool server, int64_t reconnect);
bool cmd_monitor(Cmd *c, GError **err);
bool cmd_smartcards(Cmd *c, GError **err);
/* cmdline_graphics.c */
bool cmd_display(Cmd *c, GError **err);
bool cmd_graphics(Cmd *c, GError **err);
bool cmd_audio(Cmd *c, GError **err);
/* secret: the uuid of its key's password, NULL: it has none; whose: what the password's object is called after. */
bool cmd_tls_creds(Cmd *c, const char *alias, const char *dir, bool listen, bool verify, const char *secret, const char *whose,
                   GError **err);
/* cmdline_video.c */
bool cmd_videos(Cmd *c, GError **err);
bool cmd_sounds(Cmd *c, GError **err);
/* Id of the backend that a sound card plays on; NULL: there is none. */
char *cmd_sound_audio(const Cmd *c, const SoundDef *s);
/* cmdline_hostdev.c */
bool cmd_filesystems(Cmd *c, GError **err);
bool cmd_filesystem(Cmd *c, const FsDef *f, GError **err);
bool cmd_hostdevs(Cmd *c, GError **err);
bool cmd_hostdev(Cmd *c, const HostdevDef *h, GError **err);
bool cmd_net_hostdev(Cmd *c, const NetDef *n, GError **err); /* an interface that is a card of the host */
bool cmd_redirdevs(Cmd *c, GError **err);
bool cmd_redirdev(Cmd *c, const RedirdevDef *r, GError **err);
/* cmdline_misc.c */
bool cmd_hubs(Cmd *c, GError **err);
bool cmd_iommu(Cmd *c, GError **err);
bool cmd_inputs(Cmd *c, GError **err);
bool cmd_input(Cmd *c, const InputDef *in, GError **err);
bool cmd_tpms(Cmd *c, GError **err);
bool cmd_watchdogs(Cmd *c, GError **err);
bool cmd_watchdog(Cmd *c, const WatchdogDef *w, GError **err);
/* What the emulator does when one fires; a dump is made by us while the guest is paused. */
const char *cmd_watchdog_action(const WatchdogDef *w);
bool cmd_memballoon(Cmd *c, GError **err);
bool cmd_rngs(Cmd *c, GError **err);
bool cmd_rng(Cmd *c, const RngDef *r, GError **err);
bool cmd_misc_devices(Cmd *c, GError **err); /* vmcoreinfo, nvram */
bool cmd_late_devices(Cmd *c, GError **err); /* panic, shmem, vsock, crypto: behind -sandbox */
bool cmd_shmem(Cmd *c, const ShmemDef *s, GError **err);
bool cmd_vsock(Cmd *c, const VsockDef *v, GError **err);
bool cmd_crypto(Cmd *c, const CryptoDef *k, GError **err);
