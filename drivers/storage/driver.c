/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The storage driver: its handler table, its start and its stop. init() is quick: it reads state files and
 * queues a turn per pool that was active; whoever asks about the volumes of such a pool sees them when that
 * turn has passed, and no pool waits for another one, whatever server it is on.
 */
#define LOG_SOURCE "storage.driver"
#include "drivers/common/uri.h"
#include "drivers/storage/handlers.h"

#include <string.h>

#include "util/api.h"
#include "util/error.h"
#include "util/log.h"
#include "util/paths.h"


static char *autostarted_mark(void)
{
    return g_build_filename(paths()->run, "storage", "autostarted", NULL);
}

/* After a restart of ours a pool is active if its storage is. */
static void reconnect(ObjectTurn *t, void *unused)
{
    g_autoptr(GError) error = NULL;
    bool active = false;

    (void)unused;
    if (!t)
        return;
    StoragePoolDef *d = object_turn_edit_live(t);
    const ObjectView *v = object_turn_view(t);
    const PoolBackend *b = d ? pool_backend(d->source.type, &error) : NULL;
    StorageJob job = job_of_pool(NULL, object_turn_object(t));
    bool ok = b && (!b->check || b->check(d, &active, &error)) &&
              (!active || pool_refresh(object_turn_object(t), (const StoragePoolView *)v, d, &job, &error));
    if (ok && active)
        return;
    if (error_is(error, VIR_ERR_OPERATION_TIMEOUT) || error_is(error, VIR_ERR_OPERATION_ABORTED)) {
        /* It is as active as it was; its volumes are found by name, and listed when it is refreshed. */
        log_warn("pool '%s': %s", v->name, error->message);
        return;
    }
    if (!ok)
        log_error("pool '%s' cannot be taken up again: %s", v->name, error ? error->message : "its status is broken");
    else
        log_warn("pool '%s' cannot be taken up again: its storage is not there", v->name);
    pool_end(t);
}

static void autostart(ObjectTurn *t, void *unused)
{
    g_autoptr(GError) error = NULL;

    (void)unused;
    if (!t || object_turn_view(t)->active)
        return;
    const StoragePoolDef *d = pool_def((const StoragePoolView *)object_turn_view(t), NULL, &error);
    StorageJob job = job_of_pool(NULL, object_turn_object(t));
    if (!d || !pool_start(t, pool_copy(d), 0, &job, &error))
        log_error("cannot autostart pool '%s': %s", object_turn_view(t)->name, error->message);
}

static bool driver_init(const DriverContext *ctx, GError **err)
{
    g_autoptr(GPtrArray) live = NULL;

    storage_use_secrets(pool_ask_for_secret);
    objects_init(ctx);
    storage_vol_init();
    if (!registry_open(&storage_vol_info, NULL, err) || !registry_open(&storage_pool_info, &live, err))
        return false;
    for (guint i = 0; i < live->len; i++)
        object_run_turn(live->pdata[i], "reconnect", true, reconnect, NULL);
    return true;
}

/* As with guests: for the start of the host, not of the daemon. */
static void driver_start(void)
{
    g_autofree char *mark = autostarted_mark();
    unsigned n = volume_file_replay(backend_records(), NULL);

    if (n)
        log_info("%u volumes that were being made when the daemon ended are removed", n);
    if (g_file_test(mark, G_FILE_TEST_EXISTS))
        return;
    if (!g_file_set_contents(mark, "", 0, NULL))
        log_warn("cannot write '%s'; pools that are to start with the host may start again with the daemon", mark);
    g_autoptr(GPtrArray) views = registry_views(storage_pools());
    for (guint i = 0; i < views->len; i++) {
        const ObjectView *v = views->pdata[i];
        g_autoptr(Object) o = v->autostart && !v->active ? registry_find_uuid(storage_pools(), v->uuid) : NULL;
        if (o)
            object_run_turn(o, "autostart", false, autostart, NULL);
    }
}

static void driver_stop(void)
{
    objects_stop();
}

static void driver_done(void)
{
    registry_close(storage_volumes());
    registry_close(storage_pools());
}

/* What is active is the system's, and stays. */
static unsigned driver_busy(void)
{
    return 0;
}

static bool driver_open(Call *c, const char *uri, bool readonly, char **ret_uri, GError **err)
{
    (void)c;
    (void)readonly;
    return open_own_uri("storage", "storage", uri, ret_uri, err);
}

#define CREATE_FLAGS (VIR_STORAGE_POOL_CREATE_WITH_BUILD | VIR_STORAGE_POOL_CREATE_WITH_BUILD_OVERWRITE | \
                      VIR_STORAGE_POOL_CREATE_WITH_BUILD_NO_OVERWRITE)
#define LIST_FLAGS ((VIR_CONNECT_LIST_STORAGE_POOLS_ISCSI_DIRECT << 1) - 1)

/* clang-format off */
static const RemoteHandlers remote_handlers = {
    .connect_num_of_storage_pools = { handle_connect_num_of_storage_pools },
    .connect_list_storage_pools = { handle_connect_list_storage_pools },
    .connect_num_of_defined_storage_pools = { handle_connect_num_of_defined_storage_pools },
    .connect_list_defined_storage_pools = { handle_connect_list_defined_storage_pools },
    .connect_list_all_storage_pools = { handle_connect_list_all_storage_pools, LIST_FLAGS },
    .storage_pool_lookup_by_name = { handle_storage_pool_lookup_by_name },
    .storage_pool_lookup_by_uuid = { handle_storage_pool_lookup_by_uuid },
    .storage_pool_lookup_by_volume = { handle_storage_pool_lookup_by_volume },
    .storage_pool_lookup_by_target_path = { handle_storage_pool_lookup_by_target_path },
    .storage_pool_num_of_volumes = { handle_storage_pool_num_of_volumes },
    .storage_pool_list_volumes = { handle_storage_pool_list_volumes },
    .storage_pool_list_all_volumes = { handle_storage_pool_list_all_volumes },
    .storage_vol_lookup_by_name = { handle_storage_vol_lookup_by_name },
    .storage_vol_lookup_by_key = { handle_storage_vol_lookup_by_key },
    .storage_vol_lookup_by_path = { handle_storage_vol_lookup_by_path },
    .connect_get_storage_pool_capabilities = { handle_connect_get_storage_pool_capabilities },
    .connect_find_storage_pool_sources = { handle_connect_find_storage_pool_sources },
    .storage_pool_create_xml = { handle_storage_pool_create_xml, CREATE_FLAGS },
    .storage_pool_define_xml = { handle_storage_pool_define_xml, VIR_STORAGE_POOL_DEFINE_VALIDATE },
    .storage_pool_create = { handle_storage_pool_create, CREATE_FLAGS },
    .storage_pool_build = { handle_storage_pool_build, VIR_STORAGE_POOL_BUILD_OVERWRITE | VIR_STORAGE_POOL_BUILD_NO_OVERWRITE },
    .storage_pool_destroy = { handle_storage_pool_destroy },
    .storage_pool_delete = { handle_storage_pool_delete, VIR_STORAGE_POOL_DELETE_ZEROED },
    .storage_pool_undefine = { handle_storage_pool_undefine },
    .storage_pool_refresh = { handle_storage_pool_refresh },
    .storage_pool_get_info = { handle_storage_pool_get_info },
    .storage_pool_get_xml_desc = { handle_storage_pool_get_xml_desc, VIR_STORAGE_XML_INACTIVE },
    .storage_pool_get_autostart = { handle_storage_pool_get_autostart },
    .storage_pool_set_autostart = { handle_storage_pool_set_autostart },
    .storage_pool_is_active = { handle_storage_pool_is_active },
    .storage_pool_is_persistent = { handle_storage_pool_is_persistent },
    .storage_vol_create_xml = { handle_storage_vol_create_xml, VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA | VIR_STORAGE_VOL_CREATE_VALIDATE },
    .storage_vol_create_xml_from = { handle_storage_vol_create_xml_from, VIR_STORAGE_VOL_CREATE_PREALLOC_METADATA | VIR_STORAGE_VOL_CREATE_REFLINK | VIR_STORAGE_VOL_CREATE_VALIDATE },
    .storage_vol_delete = { handle_storage_vol_delete, VIR_STORAGE_VOL_DELETE_ZEROED | VIR_STORAGE_VOL_DELETE_WITH_SNAPSHOTS },
    .storage_vol_get_info = { handle_storage_vol_get_info },
    .storage_vol_get_info_flags = { handle_storage_vol_get_info_flags, VIR_STORAGE_VOL_GET_PHYSICAL },
    .storage_vol_get_xml_desc = { handle_storage_vol_get_xml_desc },
    .storage_vol_get_path = { handle_storage_vol_get_path },
    .storage_vol_wipe = { handle_storage_vol_wipe },
    .storage_vol_wipe_pattern = { handle_storage_vol_wipe_pattern },
    .storage_vol_resize = { handle_storage_vol_resize, VIR_STORAGE_VOL_RESIZE_ALLOCATE | VIR_STORAGE_VOL_RESIZE_DELTA | VIR_STORAGE_VOL_RESIZE_SHRINK },
    .storage_vol_upload = { handle_storage_vol_upload, VIR_STORAGE_VOL_UPLOAD_SPARSE_STREAM },
    .storage_vol_download = { handle_storage_vol_download, VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM },
};
/* clang-format on */

static const char *const schemes[] = { "storage", NULL };

const Driver driver = {
    .name = "storage",
    .schemes = schemes,
    .error_source = VIR_FROM_STORAGE,
    .remote = &remote_handlers,
    .objects = { [OBJECT_STORAGE_POOL] = &object_class, [OBJECT_STORAGE_VOL] = &storage_vol_class },
    .init = driver_init,
    .start = driver_start,
    .stop = driver_stop,
    .done = driver_done,
    .busy = driver_busy,
    .open = driver_open,
};
