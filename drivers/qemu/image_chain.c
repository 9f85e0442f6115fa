/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chains of images (image_chain.h): whether the emulator can reach each layer. What the layers are is
 * conf/backing.h's. Workers.
 */
#include "drivers/qemu/image_chain.h"

#include <unistd.h>

#include "conf/backing.h"
#include "drivers/qemu/alias.h"
#include "util/error.h"
#include "util/pool.h"

static bool is_local(const StorageSource *s)
{
    return (s->type == STORAGE_FILE || s->type == STORAGE_BLOCK || s->type == STORAGE_DIR) &&
           s->path && *s->path == '/';
}

/* top NULL: s is the disk's own image. */
static bool reachable(const StorageSource *s, const StorageSource *top, const Creds *as, int mode,
                      GError **err)
{
    g_autofree char *why = NULL, *who = NULL;
    int errnum = access_as(as, s->path, mode, &why);

    if (errnum == 0)
        return true;
    who = as->self ? g_strdup("")
                   : g_strdup_printf(" (as uid:%u, gid:%u)", (unsigned)as->uid, (unsigned)as->gid);
    if (top)
        error_set_errno(err, errnum, "Cannot access backing file '%s' of storage file '%s'%s",
                        s->path, top->path, who);
    else
        error_set_errno(err, errnum, "Cannot access storage file '%s'%s", s->path, who);
    access_explain(err, why);
    return false;
}

static bool is_there(const StorageSource *s, const StorageSource *top, void *as, GError **err)
{
    return reachable(s, s == top ? NULL : top, as, F_OK, err);
}

bool images_resolve_disk(DiskDef *disk, const Creds *as, GError **err)
{
    pool_wait_begin(); /* a server may be dead (image.h) */
    bool ok = storage_chain_load(&disk->src, is_there, (void *)as, err);
    pool_wait_end();
    return ok;
}

bool image_may_be_missing(const DiskDef *disk, bool resumes)
{
    return disk->src.startup_policy == STARTUP_OPTIONAL ||
           (disk->src.startup_policy == STARTUP_REQUISITE && resumes);
}

void missing_image_free(void *p)
{
    MissingImage *m = p;

    g_free(m->target);
    g_free(m->alias);
    g_free(m->path);
    g_free(m);
}

unsigned images_leave_out(DomainDef *d, DiskDef *disk, GPtrArray *dropped)
{
    bool medium = disk->device == DISK_DEVICE_CDROM || disk->device == DISK_DEVICE_FLOPPY;
    MissingImage *m = g_new(MissingImage, 1);

    qemu_assign_device_alias(d, &disk->dev); /* events name it */
    *m = (MissingImage){ g_strdup(disk->dst), g_strdup(disk->dev.info.alias),
                         g_strdup(disk->src.path ? disk->src.path : disk->src.volume), !medium };
    g_ptr_array_add(dropped, m);
    if (medium) {
        g_autoptr(Device) was = device_new(DEVICE_DISK);
        const StorageSource empty = ((DiskDef *)was)->src;
        ((DiskDef *)was)->src = disk->src;
        disk->src = empty;
        disk->src.type = STORAGE_FILE;
    } else {
        g_ptr_array_remove(d->devices, disk);
        device_free(&disk->dev);
    }
    return !medium;
}

bool images_resolve(DomainDef *d, const Creds *as, bool resumes, GPtrArray *dropped, GError **err)
{
    DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        g_autoptr(GError) error = NULL;
        if (images_resolve_disk(disk, as, &error))
            continue;
        if (!image_may_be_missing(disk, resumes)) {
            g_propagate_error(err, g_steal_pointer(&error));
            return false;
        }
        i -= images_leave_out(d, disk, dropped);
    }
    return true;
}

bool images_usable(const DomainDef *d, const Creds *as, ImageSkip skip, GError **err)
{
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        bool readonly = disk->readonly || disk->device == DISK_DEVICE_CDROM;
        for (const StorageSource *s = &disk->src; s && is_local(s); s = s->backing) {
            bool top = s == &disk->src;
            if (!s->fdgroup && !(skip && skip(s->path)) &&
                !reachable(s, top ? NULL : &disk->src, as, top && !readonly ? R_OK | W_OK : R_OK, err))
                return false;
        }
    }
    return true;
}
