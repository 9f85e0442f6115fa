/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The medium in a drive: another one, none, and what there is after a daemon of ours was killed in between. The old
 * medium's nodes stay until the new one is in, so that it can go back. Invariant: what the definition says is in
 * a drive is what the emulator has there. Blocks on the monitor; workers.
 */
#define LOG_SOURCE "qemu.plug"
#include <string.h>

#include "drivers/qemu/configure.h"
#include "drivers/qemu/disk.h"
#include "drivers/qemu/plug_live.h"
#include "drivers/qemu/plug_run.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"
#include "util/log.h"

bool plug_medium_none(const StorageSource *s)
{
    return s->type == STORAGE_NONE ||
           ((s->type == STORAGE_FILE || s->type == STORAGE_BLOCK || s->type == STORAGE_DIR) && !s->path && !s->fdgroup);
}

static void swap(StorageSource *a, StorageSource *b)
{
    StorageSource t = *a;

    *a = *b;
    *b = t;
}

static bool drive(PlugLive *l, const DiskDef *disk, const char *command, const char *node, GError **err)
{
    return qmp_call(l->mon, command, json_make(J_STR("id", disk->dev.info.alias), J_STR("node-name", node)), NULL, 0, err);
}

static bool open_tray(PlugLive *l, const DiskDef *disk, bool force, GError **err)
{
    return qmp_call(l->mon, "blockdev-open-tray", json_make(J_STR("id", disk->dev.info.alias), J_BOOL("force", force)), NULL, 0, err);
}

static char *top_node(const DiskDef *disk)
{
    return g_strdup_printf("libvirt-%u-format", disk->src.index);
}

static bool limit(PlugLive *l, const DiskDef *disk, GError **err)
{
    return !qemu_disk_has_limits(disk) || qmp_call(l->mon, "block_set_io_throttle", qemu_throttle_args(disk), NULL, 0, err);
}

/* tray: there is one. Guests and firmware close theirs at any moment: then it is opened once more. */
static bool insert(PlugLive *l, const DiskDef *disk, bool tray, GError **err)
{
    g_autofree char *node = top_node(disk);
    g_autoptr(GError) closed = NULL;
    bool in = drive(l, disk, "blockdev-insert-medium", node, &closed);

    if (!in && tray && open_tray(l, disk, true, NULL))
        in = drive(l, disk, "blockdev-insert-medium", node, err);
    else if (!in)
        g_propagate_error(err, g_steal_pointer(&closed));
    return in && limit(l, disk, err);
}

Device *plug_medium_out(DiskDef *disk)
{
    Device *was = device_copy(&disk->dev);
    g_autoptr(Device) empty = device_new(DEVICE_DISK);

    ((DiskDef *)empty)->src.type = disk->src.type;
    swap(&disk->src, &((DiskDef *)empty)->src);
    return was;
}

/* Once a medium is in; a guest closes its tray itself when it wants it. */
static void close_tray(PlugLive *l, DiskDef *disk)
{
    if (drive(l, disk, "blockdev-close-tray", NULL, NULL))
        disk->tray = DISK_TRAY_CLOSED;
}

/* It is in no drive. Nodes that the emulator never got need not go. */
static bool drop_nodes(PlugLive *l, const DiskDef *out, GError **err)
{
    g_autoptr(GArray) nodes = qmp_query_nodes(l->mon, err);
    g_autoptr(PlugSteps) go = nodes ? qemu_plug_medium(l->def, out, l->caps, l->ctx, true, err) : NULL;

    for (unsigned i = go ? go->list->len : 0; i > 0; i--) {
        const PlugStep *step = go->list->pdata[i - 1];
        bool there = step->command != PLUG_BLOCK;
        for (unsigned k = 0; k < nodes->len && !there; k++)
            there = g_strcmp0(g_array_index(nodes, QmpNode, k).name, step->id) == 0;
        if (!there)
            g_ptr_array_remove_index(go->list, i - 1);
    }
    if (go)
        plug_run_back(go, l->mon);
    return go != NULL;
}

/* stays: what is in the drive instead. */
static void leave(PlugLive *l, const DiskDef *out, const DiskDef *stays)
{
    g_autoptr(GError) error = NULL;

    if (!drop_nodes(l, out, &error))
        log_warn("a medium of drive '%s' stays open in the emulator: %s", out->dst, error->message);
    if (l->give_back && g_strcmp0(out->src.path, stays->src.path) != 0)
        l->give_back(l->opaque, &out->dev);
}

/* What was in the drive goes back; when it cannot, the drive is empty and says so. */
static void put_back(PlugLive *l, DiskDef *disk, bool tray)
{
    g_autoptr(GError) error = NULL;

    if (plug_medium_none(&disk->src))
        return;
    if (insert(l, disk, tray, &error)) {
        if (tray)
            close_tray(l, disk);
        return;
    }
    log_warn("drive '%s' stays empty after a change of its medium failed: %s", disk->dst, error->message);
    g_autoptr(Device) was = plug_medium_out(disk);
    leave(l, (const DiskDef *)was, disk);
    l->partial = true;
}

/* come and go: the nodes of the two media, NULL for none. */
static bool exchange(PlugLive *l, DiskDef *disk, const DiskDef *with, PlugSteps *come, PlugSteps *go, bool force, GError **err)
{
    bool tray = disk->device == DISK_DEVICE_CDROM;

    if (tray && !open_tray(l, disk, force, err)) /* an open one stays as it is */
        return false;
    if (tray)
        disk->tray = DISK_TRAY_OPEN;
    if (go && !drive(l, disk, "blockdev-remove-medium", NULL, err)) {
        l->partial = tray;
        return false;
    }
    if (come && !plug_run(come, l->mon, err)) {
        put_back(l, disk, tray);
        return false;
    }
    if (come && !insert(l, with, tray, err)) {
        plug_run_back(come, l->mon);
        put_back(l, disk, tray);
        return false;
    }
    if (tray && come)
        close_tray(l, disk);
    if (go)
        plug_run_back(go, l->mon);
    return true;
}

bool plug_change_medium(PlugLive *l, DiskDef *disk, StorageSource *s, bool force, GError **err)
{
    bool full = !plug_medium_none(&disk->src), fills = !plug_medium_none(s);
    g_autoptr(Device) copy = device_copy(&disk->dev); /* the drive with its new medium */
    DiskDef *with = (DiskDef *)copy;

    swap(&with->src, s);
    if (fills && l->find && !l->find(l->opaque, copy, err))
        return false;
    plug_number_nodes(l, &with->src);
    g_autoptr(PlugSteps) come = fills ? qemu_plug_medium(l->def, with, l->caps, l->ctx, false, err) : NULL;
    g_autoptr(PlugSteps) go = full ? qemu_plug_medium(l->def, disk, l->caps, l->ctx, true, err) : NULL;
    if ((fills && !come) || (full && !go))
        return false;
    if (fills && l->lend && !l->lend(l->opaque, copy, err))
        return false;
    if (!exchange(l, disk, with, come, go, force, err)) {
        if (fills && l->give_back)
            l->give_back(l->opaque, copy);
        return false;
    }
    if (full && l->give_back && g_strcmp0(disk->src.path, with->src.path) != 0)
        l->give_back(l->opaque, &disk->dev);
    swap(&disk->src, &with->src);
    return true;
}

/* ---- after a restart of ours ---------------------------------------------------------------------- */

static bool has_tray(const DiskDef *disk)
{
    return disk->device == DISK_DEVICE_CDROM;
}

static bool is_drive(const DiskDef *disk)
{
    return has_tray(disk) || disk->device == DISK_DEVICE_FLOPPY;
}

static bool is_in(const QmpBlock *b, const DiskDef *disk)
{
    g_autofree char *node = top_node(disk);
    return g_strcmp0(b->node, node) == 0;
}

static DiskTray tray_of(const QmpBlock *b, const DiskDef *disk)
{
    return has_tray(disk) && b->tray_open ? DISK_TRAY_OPEN : DISK_TRAY_CLOSED;
}

static const QmpBlock *block_of(const DomainDef *def, const DiskDef *disk, const GArray *blocks)
{
    for (unsigned i = 0; i < blocks->len; i++) {
        const QmpBlock *b = &g_array_index(blocks, QmpBlock, i);
        if (disk_by_qdev(def, b->qdev) == disk)
            return b;
    }
    return NULL;
}

bool plug_media_possible(const DomainDef *def)
{
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(def, DEVICE_DISK, &i));)
        if (is_drive(disk))
            return true;
    return false;
}

bool plug_media_differ(const DomainDef *def, const GArray *blocks)
{
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(def, DEVICE_DISK, &i));) {
        const QmpBlock *b = is_drive(disk) ? block_of(def, disk, blocks) : NULL;
        if (b && (tray_of(b, disk) != disk->tray || (!plug_medium_none(&disk->src) && !b->node)))
            return true;
    }
    return false;
}

static void settle(PlugLive *l, DiskDef *disk, const QmpBlock *b, DiskDef *coming)
{
    g_autoptr(Device) gone = NULL;
    g_autoptr(GError) error = NULL;
    bool full = !plug_medium_none(&disk->src), tray = has_tray(disk);
    const DiskDef *out = coming;

    disk->tray = tray_of(b, disk);
    if (coming && is_in(b, coming)) {
        swap(&disk->src, &coming->src);
        if (!limit(l, disk, &error))
            log_warn("limits of drive '%s' are not in force: %s", disk->dst, error->message);
    } else if (coming && full && !b->node) {
        put_back(l, disk, tray);
    } else if (full && !b->node) {
        gone = plug_medium_out(disk);
        out = (const DiskDef *)gone;
    }
    if (out && !plug_medium_none(&out->src))
        leave(l, out, disk);
}

void plug_media_settle(PlugLive *l, const GArray *blocks, Device *coming)
{
    DiskDef *disk, *with = (DiskDef *)coming;

    for (guint i = 0; (disk = domain_next(l->def, DEVICE_DISK, &i));) {
        const QmpBlock *b = is_drive(disk) ? block_of(l->def, disk, blocks) : NULL;
        if (b)
            settle(l, disk, b, with && g_strcmp0(with->dst, disk->dst) == 0 ? with : NULL);
    }
}
