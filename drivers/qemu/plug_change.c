/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Changes of devices that stay where they are: the medium in a drive (plug_media.c), the link of an interface, the
 * password of a display, the size of virtio memory. Whatever else a document says must already be so: a change that
 * cannot be made is refused by name, not ignored. Blocks on the monitor; workers.
 */
#define LOG_SOURCE "qemu.plug"
#include <string.h>

#include "drivers/qemu/configure.h"
#include "drivers/qemu/device_find.h"
#include "drivers/qemu/plug.h"
#include "drivers/qemu/plug_live.h"
#include "drivers/qemu/plug_run.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"
#include "util/log.h"

/* ---- media --------------------------------------------------------------------------------------- */

static bool same_source(StorageSource *like, const StorageSource *have)
{
    if (plug_medium_none(like) || plug_medium_none(have))
        return plug_medium_none(like) && plug_medium_none(have);
    like->index = 0;
    return storage_source_says(like, have);
}

static bool update_disk(PlugLive *l, Device *raw, bool force, GError **err)
{
    DiskDef *new = (DiskDef *)raw, *disk = domain_find_disk(l->def, new->dst);

    if (!disk) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "disk '%s' not found", new->dst);
        return false;
    }
    bool removable = disk->device == DISK_DEVICE_CDROM || disk->device == DISK_DEVICE_FLOPPY;
    bool same = same_source(&new->src, &disk->src);
    if (!same && !removable) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "disk source can be changed only in removable drives");
        return false;
    }
    /* All but what may change must be as it is. */
    g_autoptr(Device) rest = device_copy(raw);
    DiskDef *r = (DiskDef *)rest;
    device_free(plug_medium_out(r));
    r->src.type = disk->src.type;
    r->snapshot = SNAPSHOT_DEFAULT;
    r->tray = DISK_TRAY_CLOSED;
    if (r->device == DISK_DEVICE_CDROM)
        r->readonly = disk->readonly;
    g_autoptr(Device) have = device_copy(&disk->dev);
    ((DiskDef *)have)->tray = DISK_TRAY_CLOSED;
    if (!device_says(rest, have)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "cannot modify fields of disk '%s' other than its source", disk->dst);
        return false;
    }
    disk->src.startup_policy = new->src.startup_policy;
    disk->snapshot = new->snapshot;
    if (same)
        return true;
    if (new->src.format == FORMAT_NONE)
        new->src.format = FORMAT_RAW;
    return plug_change_medium(l, disk, &new->src, force, err);
}

/* ---- interfaces ---------------------------------------------------------------------------------- */

static bool no_net(GError **err, const char *what, const char *from, const char *to)
{
    error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "cannot modify network device %s from %s to %s", what, from ? from : "(null)",
              to ? to : "(null)");
    return false;
}

static bool update_net(PlugLive *l, Device *raw, GError **err)
{
    NetDef *new = (NetDef *)raw, *n = (NetDef *)device_find(l->def, raw, true, err);

    if (!n)
        return false;
    if (new->type != n->type) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "cannot change network interface type to '%s'", enum_name(&net_type_names, new->type));
        return false;
    }
    if (new->model && g_strcmp0(new->model, n->model) != 0)
        return no_net(err, "model", n->model, new->model);
    if (new->src.bridge && n->type == NET_BRIDGE && g_strcmp0(new->src.bridge, n->src.bridge) != 0) {
        if (!l->move_bridge || !l->move_bridge(n->ifname, n->src.bridge, new->src.bridge, err))
            return l->move_bridge ? false : no_net(err, "bridge", n->src.bridge, new->src.bridge);
        g_free(n->src.bridge);
        n->src.bridge = g_strdup(new->src.bridge);
    }
    NetLink link = new->link;
    g_autoptr(Device) rest = device_copy(raw), rates = device_new(DEVICE_INTERFACE);
    NetDef *r = (NetDef *)rest;
    ((NetDef *)rates)->bandwidth = g_steal_pointer(&r->bandwidth);
    r->link = NET_LINK_DEFAULT;
    r->coalesce_rx_frames_max = (OptU32){ 0 };
    if (!r->mac.set)
        r->mac = n->mac;
    if (!device_says(rest, &n->dev)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "cannot modify network device configuration other than its link state, bridge and bandwidth");
        return false;
    }
    NetBandwidth **rate = &((NetDef *)rates)->bandwidth;
    if (l->set_rate && n->ifname && (*rate || n->bandwidth)) {
        if (!l->set_rate(n->ifname, *rate, err))
            return false;
        NetBandwidth *old = n->bandwidth;
        n->bandwidth = *rate;
        *rate = old;
    }
    bool was_down = n->link == NET_LINK_DOWN, down = link == NET_LINK_DOWN;
    if (was_down != down &&
        !qmp_call(l->mon, "set_link", json_make(J_STR("name", n->dev.info.alias), J_BOOL("up", !down)), NULL, 0, err))
        return false;
    n->link = link;
    return true;
}

/* ---- displays ------------------------------------------------------------------------------------ */

static char *expiry(const char *valid_to)
{
    g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
    g_autoptr(GDateTime) when = valid_to ? g_date_time_new_from_iso8601(valid_to, utc) : NULL;

    return when ? g_strdup_printf("%" G_GINT64_FORMAT, g_date_time_to_unix(when)) : g_strdup("never");
}

static bool set_password(PlugLive *l, const GraphicsDef *new, const char *protocol, GError **err)
{
    const char *connected = new->connected == CONNECTED_DEFAULT ? NULL : enum_name(&graphics_connected_names, new->connected);
    g_autofree char *when = expiry(new->passwd_valid_to);

    return qmp_set_password(l->mon, protocol, new->passwd ? new->passwd : "", connected, err) &&
           qmp_expire_password(l->mon, protocol, when, err);
}

static bool update_graphics(PlugLive *l, Device *raw, GError **err)
{
    GraphicsDef *new = (GraphicsDef *)raw, *g = (GraphicsDef *)device_find(l->def, raw, true, err);

    if (!g)
        return false;
    const char *type = enum_name(&graphics_type_names, g->type);
    if (g->type != GRAPHICS_VNC && g->type != GRAPHICS_SPICE) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "unable to change config on '%s' graphics type", type);
        return false;
    }
    /* A port that was chosen for the guest is not asked for by a document that leaves it open. */
    g_autoptr(Device) rest = device_copy(raw);
    GraphicsDef *r = (GraphicsDef *)rest;
    if (r->autoport != TRI_NO && tri_is_yes(g->autoport))
        r->port = r->tls_port = (OptI32){ 0 };
    bool port = (r->port.set && r->port.v > 0 && r->port.v != g->port.v) || (r->tls_port.set && r->tls_port.v > 0 && r->tls_port.v != g->tls_port.v) ||
                (r->autoport != TRI_ABSENT && (r->autoport == TRI_YES) != (g->autoport == TRI_YES));
    if (port) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "cannot change port settings on %s graphics", type);
        return false;
    }
    if (g_strcmp0(r->keymap ? r->keymap : g->keymap, g->keymap) != 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "cannot change keymap setting on %s graphics", type);
        return false;
    }
    if (r->listen_legacy && g->listen_legacy && strcmp(r->listen_legacy, g->listen_legacy) != 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "cannot change listen address setting on %s graphics", type);
        return false;
    }
    /* A lifetime counts from now, so it is set anew even with the same word. */
    if (g_strcmp0(new->passwd, g->passwd) != 0 || new->passwd_valid_to || g->passwd_valid_to || new->connected != g->connected) {
        if (!set_password(l, new, type, err))
            return false;
        g_free(g->passwd);
        g->passwd = g_strdup(new->passwd);
        g_free(g->passwd_valid_to);
        g->passwd_valid_to = g_strdup(new->passwd_valid_to);
        g->connected = new->connected;
    }
    return true;
}

/* ---- memory -------------------------------------------------------------------------------------- */

static bool update_memory(PlugLive *l, Device *raw, GError **err)
{
    MemoryDef *new = (MemoryDef *)raw, *m = device_find_memory(l->def, new);

    if (!m) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "memory '%s' not found", raw->info.alias ? raw->info.alias : "(null)");
        return false;
    }
    if (m->model != MEMORY_VIRTIO_MEM) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "cannot modify memory of model '%s'", enum_name(&memory_model_names, m->model));
        return false;
    }
    if (new->requested.v > m->size || (m->block_size && new->requested.v % m->block_size)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "requested size of memory '%s' must be an integer multiple of its block size, and not more than its size",
                  m->dev.info.alias);
        return false;
    }
    g_autofree char *path = g_strdup_printf("/machine/peripheral/%s", m->dev.info.alias);
    if (!qmp_qom_set(l->mon, path, "requested-size", json_object_new_int64((int64_t)(new->requested.v * 1024)), err))
        return false;
    m->requested = new->requested;
    return true;
}

bool plug_live_update(PlugLive *l, Device *take, bool force, GError **err)
{
    g_autoptr(Device) raw = take;

    switch (raw->kind) {
    case DEVICE_DISK: return update_disk(l, raw, force, err);
    case DEVICE_INTERFACE: return update_net(l, raw, err);
    case DEVICE_GRAPHICS: return update_graphics(l, raw, err);
    case DEVICE_MEMORY: return update_memory(l, raw, err);
    default: break;
    }
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "live update of device '%s' is not supported", device_kind_word(raw->kind));
    return false;
}
