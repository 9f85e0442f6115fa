/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Backups as rows. The store of a disk is called <target> when we push and <scratch> when clients
 * pull: two descriptions of one struct, chosen by the mode of the document.
 */
#include "conf/domain_backup.h"

#include <string.h>

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(backup_mode_names, "backup mode", _BACKUP_MODE_N, "push", "pull");
ENUM_TABLE(backup_state_names, "backup state", _BACKUP_STATE_N, NULL, "running", "complete", "failed", "cancelling", "cancelled");
ENUM_TABLE(backup_disk_mode_names, "backup mode", _BACKUP_DISK_MODE_N, NULL, "full", "incremental");
ENUM_TABLE(backup_transport_names, "transport", _BACKUP_TRANSPORT_N, "tcp", "unix", "fd");

#define OWN (CF_LIVE | CF_STATUS)

#define S BackupServer
static const ConfField server_rows[] = {
    CONF_ENUM(S, transport, "@transport", backup_transport_names, CF_ALWAYS, "how clients reach it"),
    CONF_YESNO(S, tls, "@tls", 0, "encrypted"),
    CONF_STR(S, name, "@name", 0, "name or address to listen at", WHEN(S, transport, BIT(BACKUP_TCP))),
    CONF_U32(S, port, "@port", 0, "port", CONF_NUM(num_u16), WHEN(S, transport, BIT(BACKUP_TCP))),
    CONF_STR(S, socket, "@socket", CF_REQUIRED, "path", WHEN(S, transport, BIT(BACKUP_UNIX))),
    CONF_STR(S, fdgroup, "@fdgroup", CF_REQUIRED, "passed descriptors", WHEN(S, transport, BIT(BACKUP_FD))),
    CONF_PAD(S, _pad),
};
#undef S
CONF_DESC(backup_server_desc, BackupServer, server_rows);

#define D BackupDisk
#define USED WHEN(D, backup, BIT(TRI_ABSENT) | BIT(TRI_YES))
#define BACKUP_DISK_ROWS(store) \
    CONF_STR(D, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "disk of the domain"), \
    CONF_YESNO(D, backup, "@backup", 0, "whether it is in the backup"), \
    CONF_ENUM(D, state, "@state", backup_state_names, OWN, "state of the job", USED), \
    CONF_ENUM(D, type, "@type", storage_type_names, 0, "kind of the store", USED), \
    CONF_ENUM(D, mode, "@backupmode", backup_disk_mode_names, 0, "everything, or changes", USED), \
    CONF_STR(D, incremental, "@incremental", 0, "since this checkpoint", USED), \
    CONF_STR(D, export_name, "@exportname", 0, "name of the export", USED), \
    CONF_STR(D, export_bitmap, "@exportbitmap", 0, "name of the exported bitmap", USED), \
    CONF_U32(D, index, "@index", OWN, "number of the layer", USED), \
    CONF_ENUM(D, format, "driver/@type", storage_format_names, 0, "format of the store", USED), \
    CONF_STR(D, path, store "/@file", 0, "file", WHEN(D, type, BIT(STORAGE_FILE) | BIT(STORAGE_NONE))), \
    CONF_STR(D, path, store "/@dev", CF_VIEW, "block device", WHEN(D, type, BIT(STORAGE_BLOCK))), \
    CONF_LIST(D, seclabels, store "/seclabel", seclabel_desc, 0, "security labels", USED), \
    CONF_OPTIONAL(D, encryption, store "/encryption", encryption_desc, 0, "encryption", USED), \
    CONF_OPTIONAL(D, priv, store "/privateData", storage_private_desc, OWN, "names in the emulator", USED)

static bool disk_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    D *d = v;

    if (d->backup == TRI_NO)
        return true;
    if (d->type == STORAGE_NONE)
        d->type = STORAGE_FILE;
    if (d->type != STORAGE_FILE && d->type != STORAGE_BLOCK) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "type", "'%s' is not possible, expected file or block", enum_name(&storage_type_names, d->type));
        return false;
    }
    if (d->mode == BACKUP_FULL && d->incremental) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "incremental", "not possible with backupmode='full'");
        return false;
    }
    return true;
}
static const ConfField push_disk_rows[] = { BACKUP_DISK_ROWS("target") };
CONF_DESC(backup_push_disk_desc, BackupDisk, push_disk_rows, .parsed = disk_parsed);
static const ConfField pull_disk_rows[] = { BACKUP_DISK_ROWS("scratch") };
CONF_DESC(backup_pull_disk_desc, BackupDisk, pull_disk_rows, .parsed = disk_parsed);
#undef D

#define D BackupDef
static const ConfField tls_secret_rows[] = { CONF_CONST("@type", "tlskey"), CONF_STR(StrItem, s, "@alias", CF_REQUIRED, "object") };
CONF_DESC(backup_tls_secret_desc, StrItem, tls_secret_rows);
static const ConfField backup_rows[] = {
    CONF_ENUM(D, mode, "@mode", backup_mode_names, CF_ALWAYS, "who moves the data"),
    CONF_STR(D, incremental, "incremental/text()", 0, "since this checkpoint"),
    CONF_OPTIONAL(D, server, "server", backup_server_desc, 0, "where clients get the data"),
    CONF_LIST(D, disks, "disks/disk", backup_push_disk_desc, 0, "disks", WHEN(D, mode, BIT(BACKUP_PUSH))),
    CONF_LIST(D, disks, "disks/disk", backup_pull_disk_desc, CF_VIEW, "disks", WHEN(D, mode, BIT(BACKUP_PULL))),
    CONF_OPTIONAL(D, tls_secret, "privateData/objects/secret", backup_tls_secret_desc, OWN, "passphrase of the key"),
    CONF_STR(D, tls_object, "privateData/objects/TLSx509/@alias", OWN, "TLS credentials"),
    CONF_PAD(D, _pad),
};
#undef D
CONF_DESC(backup_desc, BackupDef, backup_rows);
/* clang-format on */

static bool backup_validate(const void *def, unsigned flags, GError **err)
{
    const BackupDef *d = def;

    if (d->mode == BACKUP_PUSH && d->server) {
        error_set(err, VIR_ERR_XML_ERROR, "domainbackup/server: only backups with mode='pull' have a server");
        return false;
    }
    for (LIST_EACH(BackupDisk, disk, d->disks)) {
        for (unsigned i = 0; i < disk_i; i++) {
            if (!strcmp(disk->name, ((const BackupDisk *)list_at(d->disks, i))->name)) {
                error_set(err, VIR_ERR_XML_ERROR, "domainbackup/disks: disk '%s' is named twice", disk->name);
                return false;
            }
        }
        if (d->mode == BACKUP_PUSH && (disk->export_name || disk->export_bitmap)) {
            error_set(err, VIR_ERR_XML_ERROR, "domainbackup/disks: disk '%s': only backups with mode='pull' have exports", disk->name);
            return false;
        }
    }
    return true;
}

const DocKind backup_kind = {
    .name = "backup", .root = "domainbackup", .desc = &backup_desc, .tool_parse = DOMAIN_PARSE_INACTIVE,
    .validate = backup_validate,
};
DOC_KIND_DEFINE(backup, BackupDef)

/* ---- for the disks of a domain ---- */

static const BackupSource *find_source(const BackupSource *disks, unsigned n, const char *name)
{
    for (unsigned i = 0; i < n; i++) {
        if (!strcmp(disks[i].name, name))
            return &disks[i];
    }
    return NULL;
}

static bool complete_disk(BackupDef *d, BackupDisk *disk, const BackupSource *src, const char *suffix, GError **err)
{
    if (disk->backup == TRI_NO)
        return true;
    disk->backup = TRI_YES;
    if (disk->type == STORAGE_NONE)
        disk->type = STORAGE_FILE;
    if (disk->mode == BACKUP_DISK_DEFAULT)
        disk->mode = disk->incremental || d->incremental ? BACKUP_INCREMENTAL : BACKUP_FULL;
    if (disk->mode == BACKUP_INCREMENTAL && !disk->incremental) {
        if (!d->incremental) {
            error_set(err, VIR_ERR_XML_ERROR, "domainbackup/disks: disk '%s': 'incremental' is missing", disk->name);
            return false;
        }
        disk->incremental = g_strdup(d->incremental);
    }
    if (disk->path)
        return true;
    if (disk->type != STORAGE_FILE || !src->path) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "domainbackup/disks: disk '%s': no file is given and no name for one can be made", disk->name);
        return false;
    }
    disk->path = g_strdup_printf("%s.%s", src->path, suffix);
    return true;
}

bool backup_align(BackupDef *d, const BackupSource *disks, unsigned n_disks, const char *suffix, GError **err)
{
    bool all = !list_len(d->disks);

    if (!d->disks)
        d->disks = g_ptr_array_new();
    for (unsigned i = 0; i < n_disks; i++) {
        bool there = false;
        for (LIST_EACH(BackupDisk, disk, d->disks))
            there |= !strcmp(disk->name, disks[i].name);
        if (there)
            continue;
        BackupDisk *disk = g_new0(BackupDisk, 1);
        disk->name = g_strdup(disks[i].name);
        disk->backup = all ? TRI_YES : TRI_NO;
        g_ptr_array_add(d->disks, disk);
    }
    for (LIST_EACH(BackupDisk, disk, d->disks)) {
        const BackupSource *src = find_source(disks, n_disks, disk->name);
        if (!src) {
            error_set(err, VIR_ERR_INVALID_ARG, "domainbackup/disks: the domain has no disk '%s'", disk->name);
            return false;
        }
        if (!complete_disk(d, disk, src, suffix, err))
            return false;
    }
    return true;
}
