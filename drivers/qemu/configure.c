/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * After the emulator answers and before it runs (configure.h): disk limits, links that are down,
 * balloon statistics, CPUs that are plugged in, what a reboot is. Blocks on the monitor; a worker.
 */
#include "drivers/qemu/configure.h"

#include "drivers/qemu/cmdline-internal.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/vcpus.h"
#include "util/loop.h"

enum { CALL_WAIT = 30 * 1000000 };

/* Takes args. */
static bool call(Qmp *mon, const char *command, JsonObject *args, JsonObject **ret, GError **err)
{
    return qmp_call(mon, command, args, ret, now_usec() + CALL_WAIT, err);
}

static bool set_throttles(const DomainDef *d, Qmp *mon, GError **err)
{
    guint pos = 0;
    const DiskDef *disk;
    while ((disk = domain_next(d, DEVICE_DISK, &pos))) {
        if (!qemu_disk_has_limits(disk))
            continue;
        if (cmd_source_is_empty(&disk->src))
            continue; /* a limit needs a medium, and comes with it */
        if (!call(mon, "block_set_io_throttle", qemu_throttle_args(disk), NULL, err)) {
            g_prefix_error(err, "disk '%s': ", disk->dst);
            return false;
        }
    }
    return true;
}

static bool set_links(const DomainDef *d, Qmp *mon, GError **err)
{
    guint pos = 0;
    const NetDef *n;
    while ((n = domain_next(d, DEVICE_INTERFACE, &pos))) {
        if (n->link != NET_LINK_DOWN || n->type == NET_HOSTDEV)
            continue;
        JsonObject *args = props_new(P_STR("name", n->dev.info.alias), P_BOOL("up", false));
        if (!call(mon, "set_link", args, NULL, err))
            return false;
    }
    return true;
}

static bool set_balloon_period(const DomainDef *d, Qmp *mon, GError **err)
{
    guint pos = 0;
    const MemballoonDef *b = domain_next(d, DEVICE_MEMBALLOON, &pos);
    if (!b || b->model == BALLOON_NONE || !b->stats_period)
        return true;
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", b->dev.info.alias);
    return qmp_balloon_stats_period(mon, path, b->stats_period, err);
}

/* A guest that must not reboot ends instead; the event says that it was a reboot. */
static bool set_reboot(const DomainDef *d, Qmp *mon, GError **err)
{
    return d->on_reboot != ACTION_DESTROY || qmp_set_action(mon, "shutdown", NULL, NULL, NULL, err);
}

bool qemu_configure_run(DomainDef *d, Qmp *mon, GError **err)
{
    return vcpus_start(d, mon, err) && set_throttles(d, mon, err) && set_links(d, mon, err) &&
           set_balloon_period(d, mon, err) && set_reboot(d, mon, err);
}
