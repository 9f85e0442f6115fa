/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * After the emulator answers and before it runs (configure.h): disk limits, links that are down,
 * balloon statistics, CPUs that are plugged in. Blocks on the monitor; a worker.
 */
#include "drivers/qemu/configure.h"

#include "drivers/qemu/cmdline-internal.h"
#include "drivers/qemu/qmp_cmds.h"
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

/* CPUs that the document has present and removable are plugged in now: those that the emulator starts
 * with cannot be taken away again. */
static bool plug_vcpus(const DomainDef *d, Qmp *mon, GError **err)
{
    unsigned fixed = qemu_fixed_vcpus(d), wanted = d->vcpus > fixed ? d->vcpus - fixed : 0;
    if (wanted == 0)
        return true;
    g_autoptr(JsonObject) list = NULL;
    if (!call(mon, "query-hotpluggable-cpus", NULL, &list, err))
        return false;
    /* The emulator lists them from the last to the first. */
    for (size_t i = json_len(list); i > 0 && wanted > 0; i--) {
        JsonObject *cpu = json_object_array_get_idx(list, i - 1), *place = json_get(cpu, "props");
        const char *type = json_get_str(cpu, "type");
        int64_t count = json_get_i64(cpu, "vcpus-count", 1);
        if (json_get(cpu, "qom-path") || !place || !type)
            continue;
        if (count < 1 || count > wanted)
            break;
        g_autofree char *id = g_strdup_printf("vcpu%u", d->vcpus - wanted);
        JsonObject *args = props_new(P_STR("driver", type), P_STR("id", id));
        json_object_object_foreach(place, key, value)
            json_object_object_add(args, key, json_object_get(value));
        if (!call(mon, "device_add", args, NULL, err))
            return false;
        wanted -= (unsigned)count;
    }
    if (wanted > 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "vcpus: %u more cannot be plugged into this machine", wanted);
        return false;
    }
    return true;
}

bool qemu_configure_run(const DomainDef *d, Qmp *mon, GError **err)
{
    return plug_vcpus(d, mon, err) && set_throttles(d, mon, err) && set_links(d, mon, err) && set_balloon_period(d, mon, err);
}
