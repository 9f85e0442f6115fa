/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Asking the storage daemon about volumes (volumes.h). What is said of a volume holds for the moment of the start: from
 * then on the run's record has what was found, and nobody asks again. One conversation serves all disks of a start
 * and has one deadline, longer than the storage daemon's own about a dead server, so that its words come first.
 * Workers, within the domain's turn.
 */
#define LOG_SOURCE "qemu.volumes"
#include "drivers/qemu/volumes.h"

#include <string.h>

#include "drivers/qemu/image_chain.h"
#include "drivers/qemu/start.h"
#include "drivers/qemu/validate.h"
#include "drivers/qemu/volume_source.h"
#include "protocols/remote_client.h"
#include "protocols/xdr_buf.h"
#include "rpc/peer.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"

enum { DEADLINE_USEC = 15 * 1000 * 1000 };

/* ---- the conversation ------------------------------------------------------------------------------ */

typedef struct Storage {
    Peer *peer;
    uint64_t end; /* 0: nothing has been asked yet */
    ClientCall calls;
} Storage;

/* Within what is left of the conversation's time. */
static bool call(void *self, const ProgramInfo *program, const ProcInfo *proc, const void *args, void *ret, GError **err)
{
    Storage *s = self;
    const ClientCall *cc = peer_calls(s->peer);
    uint64_t now = now_usec();

    s->end = s->end ? s->end : now + DEADLINE_USEC;
    peer_set_timeout(s->peer, now < s->end ? (unsigned)((s->end - now + G_USEC_PER_SEC - 1) / G_USEC_PER_SEC) : 1);
    return cc->call(cc->self, program, proc, args, ret, err);
}

static Storage *storage_new(Call *c)
{
    Storage *s = g_new0(Storage, 1);

    s->peer = peer_new(ROUTE_STORAGE, c);
    s->calls = (ClientCall){ .call = call, .self = s };
    return s;
}

static void storage_free(Storage *s)
{
    peer_free(s->peer);
    g_free(s);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Storage, storage_free)

/* ---- one volume ------------------------------------------------------------------------------------ */

static bool place(StorageSource *s, ClientCall *cc, remote_nonnull_storage_pool *pool, remote_nonnull_storage_vol *vol, GError **err)
{
    remote_storage_vol_get_info_args ask_info = { .vol = *vol };
    remote_storage_vol_get_info_ret info = { 0 };
    remote_storage_vol_get_path_args ask_path = { .vol = *vol };
    remote_storage_vol_get_path_ret path = { 0 };
    remote_storage_pool_get_xml_desc_args ask_doc = { .pool = *pool };
    remote_storage_pool_get_xml_desc_ret doc = { 0 };

    if (!remote_client_storage_vol_get_info(cc, &ask_info, &info, err) ||
        !remote_client_storage_pool_get_xml_desc(cc, &ask_doc, &doc, err))
        return false;
    g_autoptr(StoragePoolDef) def = storage_pool_parse(doc.xml, strlen(doc.xml), 0, err);
    proc_free((xdrproc_t)xdr_remote_storage_pool_get_xml_desc_ret, &doc);
    if (!def || !remote_client_storage_vol_get_path(cc, &ask_path, &path, err))
        return false;
    bool ok = volume_source(s, def, (StorageVolumeType)info.type, path.name, err);
    proc_free((xdrproc_t)xdr_remote_storage_vol_get_path_ret, &path);
    return ok;
}

static bool in_pool(StorageSource *s, ClientCall *cc, remote_nonnull_storage_pool *pool, GError **err)
{
    remote_storage_pool_is_active_args ask = { .pool = *pool };
    remote_storage_pool_is_active_ret active = { 0 };
    remote_storage_vol_lookup_by_name_args find = { .pool = *pool, .name = s->volume };
    remote_storage_vol_lookup_by_name_ret found = { 0 };

    if (!remote_client_storage_pool_is_active(cc, &ask, &active, err))
        return false;
    if (!active.active) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "storage pool '%.255s' containing volume '%.255s' is not active", s->pool, s->volume);
        return false;
    }
    if (!remote_client_storage_vol_lookup_by_name(cc, &find, &found, err))
        return false;
    bool ok = place(s, cc, pool, &found.vol, err);
    proc_free((xdrproc_t)xdr_remote_storage_vol_lookup_by_name_ret, &found);
    return ok;
}

static bool ask(StorageSource *s, ClientCall *cc, GError **err)
{
    remote_storage_pool_lookup_by_name_args find = { .name = s->pool };
    remote_storage_pool_lookup_by_name_ret found = { 0 };

    if (!remote_client_storage_pool_lookup_by_name(cc, &find, &found, err))
        return false;
    bool ok = in_pool(s, cc, &found.pool, err);
    proc_free((xdrproc_t)xdr_remote_storage_pool_lookup_by_name_ret, &found);
    return ok;
}

/* ---- disks ----------------------------------------------------------------------------------------- */

static bool names_volume(const StorageSource *s)
{
    return s->type == STORAGE_VOLUME && s->pool && s->volume;
}

/* Which disk it was about, behind what the storage daemon said. */
static void say_which(GError **err, const DiskDef *disk)
{
    g_autofree char *text = g_strdup_printf("%.1000s (disk '%.50s' is volume '%.255s' of pool '%.255s')", (*err)->message, disk->dst,
                                            disk->src.volume, disk->src.pool);
    g_free((*err)->message);
    (*err)->message = g_steal_pointer(&text);
}

/* What was said, as far as a startup policy is about it; that nothing was said is another matter. */
static bool is_missing(const GError *error)
{
    return error_is(error, VIR_ERR_NO_STORAGE_POOL) || error_is(error, VIR_ERR_NO_STORAGE_VOL) ||
           error_is(error, VIR_ERR_CONFIG_UNSUPPORTED);
}

static bool find(DiskDef *disk, Storage *s, GError **err)
{
    GError *error = NULL;

    if (ask(&disk->src, &s->calls, &error))
        return qemu_validate_fat(disk, err); /* nobody knew before that it is a directory */
    say_which(&error, disk);
    g_propagate_error(err, error);
    return false;
}

bool volumes_find_disk(DiskDef *disk, Call *c, GError **err)
{
    g_autoptr(Storage) storage = storage_new(c);

    return !names_volume(&disk->src) || find(disk, storage, err);
}

bool volumes_find(DomainDef *d, Call *c, bool resumes, GPtrArray *dropped, GError **err)
{
    g_autoptr(Storage) storage = storage_new(c);
    DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        g_autoptr(GError) error = NULL;
        if (!names_volume(&disk->src) || find(disk, storage, &error))
            continue;
        if (!image_may_be_missing(disk, resumes) || !is_missing(error)) {
            g_propagate_error(err, g_steal_pointer(&error));
            return false;
        }
        i -= images_leave_out(d, disk, dropped);
    }
    return true;
}

void volumes_find_again(DomainTurn *t)
{
    g_autoptr(Storage) storage = storage_new(turn_call(t));
    const DomainDef *now = turn_view(t)->live->def;
    DomainDef *d = NULL;
    DiskDef *disk;

    for (guint i = 0; !d && (disk = domain_next(now, DEVICE_DISK, &i));)
        if (names_volume(&disk->src))
            d = turn_edit_live(t);
    for (guint i = 0; d && (disk = domain_next(d, DEVICE_DISK, &i));) {
        g_autoptr(GError) error = NULL;
        if (names_volume(&disk->src) && !find(disk, storage, &error))
            log_warn("where the image of a disk of '%s' is, is not known until its next start: %s", d->name, error->message);
    }
}

/* ---- the step of a start --------------------------------------------------------------------------- */

bool start_volumes(Start *s, GError **err)
{
    g_autoptr(GPtrArray) dropped = g_ptr_array_new_with_free_func(missing_image_free);

    if (!volumes_find(s->def, s->t ? turn_call(s->t) : NULL, s->how->load, dropped, err))
        return false;
    start_note_missing(s, dropped);
    return true;
}

void start_tell_volumes(const Start *s, GPtrArray *lines)
{
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(s->def, DEVICE_DISK, &i));) {
        const StoragePrivate *p = disk->src.priv;
        if (p && p->pool)
            g_ptr_array_add(lines, g_strdup_printf("disk %s: volume '%s' of pool '%s' is '%s'", disk->dst, p->volume, p->pool,
                                                   disk->src.path ? disk->src.path : disk->src.name));
    }
}
