/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of pools (backend.h): which there are, and what those that are not would need. */
#include "drivers/storage/backend.h"

#include <stdatomic.h>

#include "util/api.h"
#include "util/error.h"
#include "util/paths.h"

/* clang-format off */
static const struct {
    const PoolBackend *row;
    const char *needs; /* what it takes, where a host may lack it */
} backends[_POOL_TYPE_N] = {
    [POOL_DIR]          = { &backend_dir, NULL },
    [POOL_FS]           = { &backend_fs, NULL },
    [POOL_NETFS]        = { &backend_netfs, NULL },
    [POOL_LOGICAL]      = { &backend_logical, NULL },
    [POOL_DISK]         = { &backend_disk, NULL },
    [POOL_ISCSI]        = { &backend_iscsi, NULL },
    [POOL_ISCSI_DIRECT] = { &backend_iscsi_direct, "libiscsi" },
    [POOL_SCSI]         = { &backend_scsi, NULL },
    [POOL_MPATH]        = { &backend_mpath, NULL },
    [POOL_RBD]          = { &backend_rbd, "librbd" },
    [POOL_SHEEPDOG]     = { NULL, "sheepdog, which is no longer made" },
    [POOL_GLUSTER]      = { &backend_gluster, "libgfapi" },
    [POOL_ZFS]          = { &backend_zfs, NULL },
    [POOL_VSTORAGE]     = { &backend_vstorage, "vstorage-mount" },
};
/* clang-format on */

static bool is_there(StoragePoolType type)
{
    const PoolBackend *row = type < _POOL_TYPE_N ? backends[type].row : NULL;
    g_autofree char *program = NULL;

    if (!row || !row->needs)
        return row != NULL;
    program = row->flags & BACKEND_LIBRARY ? g_build_filename(paths()->libexec, row->needs, NULL) : storage_find_program(row->needs);
    return program && g_file_test(program, G_FILE_TEST_IS_EXECUTABLE);
}

const PoolBackend *pool_backend(StoragePoolType type, GError **err)
{
    if (is_there(type))
        return backends[type].row;
    error_set(err, VIR_ERR_NO_SUPPORT, "pools of type '%s' need %s, which this daemon does not have",
              enum_name(&storage_pool_type_names, type), type < _POOL_TYPE_N ? backends[type].needs : "something");
    return NULL;
}

uint64_t pool_backends_supported(void)
{
    uint64_t bits = 0;

    for (unsigned t = 0; t < _POOL_TYPE_N; t++)
        bits |= is_there((StoragePoolType)t) ? 1ULL << t : 0;
    return bits;
}

bool backend_refuse(const StoragePoolDef *d, const char *what, GError **err)
{
    error_set(err, VIR_ERR_NO_SUPPORT, "pools of type '%s' do not support %s",
              enum_name(&storage_pool_type_names, d->source.type), what);
    return false;
}

static char *_Atomic records;

void backend_use_records(const char *dir)
{
    g_free(atomic_exchange(&records, g_strdup(dir)));
}

const char *backend_records(void)
{
    char *none = NULL, *own;

    if (records)
        return records;
    own = g_build_filename(paths()->lib, "storage", "unfinished", NULL);
    if (!__atomic_compare_exchange_n((char **)&records, &none, own, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        g_free(own);
    return records;
}

char *backend_device_holds(const char *path, const StorageJob *job)
{
    g_autoptr(Argv) a = argv_new("blkid");
    char *out = NULL;

    argv_words(a, "-p", "-o", "value", "-s", "TYPE", "-s", "PTTYPE", NULL);
    argv_operand(a, path);
    /* It fails where there is nothing. */
    if (!storage_run(a, job, &out, NULL))
        return NULL;
    g_strdelimit(g_strstrip(out), "\n", ' ');
    if (*out)
        return out;
    g_free(out);
    return NULL;
}

bool backend_secret(const StoragePoolDef *d, const StorageJob *job, SecretValue **ret, GError **err)
{
    const PoolAuth *a = d->source.auth;
    g_autofree char *what = g_strdup_printf("pool '%s'", d->name);

    *ret = a ? storage_secret(job, &a->secret, a->type == POOL_AUTH_CEPH ? VIR_SECRET_USAGE_TYPE_CEPH : VIR_SECRET_USAGE_TYPE_ISCSI,
                              what, err) : NULL;
    return !a || *ret;
}
