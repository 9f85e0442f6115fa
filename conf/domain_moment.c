/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots and checkpoints as rows. The domain inside is read and written by the domain's own
 * functions, without defaults: it was complete when it was taken.
 */
#include "conf/domain_moment.h"

#include <string.h>

#include "conf/device-internal.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(snapshot_state_names, "snapshot state", _SNAPSHOT_STATE_N, NULL, "nostate", "running", "blocked", "paused", "shutdown", "shutoff", "crashed", "pmsuspended", "disk-snapshot");
ENUM_TABLE(checkpoint_type_names, "checkpoint type", _CHECKPOINT_TYPE_N, NULL, "no", "bitmap");
/* clang-format on */

/* ---- the domain inside ---- */

static bool domain_inside_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    DomainDef **d = (DomainDef **)((char *)base + row->off);

    if (!el)
        return true;
    if (p->flags & DOMAIN_PARSE_INACTIVE) {
        conf_mark_tree(el);
        return true;
    }
    if (!xml_attr_get(el, "type")) /* only its uuid: another row */
        return true;
    *d = domain_parse_element(el, DOMAIN_PARSE_INACTIVE | DOMAIN_PARSE_NO_DEFAULTS | DOMAIN_PARSE_NO_VALIDATE,
                              NULL, NULL, err);
    return *d != NULL;
}

static void domain_inside_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const DomainDef *d = *(DomainDef *const *)((const char *)base + row->off);

    if (!d)
        return;
    conf_format_at(f, NULL, 0);
    g_autofree char *text = domain_format_inside(d, DOMAIN_FORMAT_INACTIVE | (f->flags & DOMAIN_FORMAT_SECURE), NULL,
                                                 f->w.base + f->w.depth, NULL);
    if (!text) {
        f->failed = true;
        return;
    }
    /* The element has the row's name; the indentation of the first line is the writer's. */
    g_strstrip(text);
    const char *body = text + strlen("<domain");
    size_t len = strlen(body) - strlen("</domain>");
    g_autofree char *renamed = g_strdup_printf("<%s%.*s</%s>", row->path, (int)len, body, row->path);
    xml_raw(&f->w, renamed);
}
static const ConfCustom domain_inside = { domain_inside_parse, domain_inside_format, NULL, NULL };

/* clang-format off */
/* ---- snapshots ---- */

#define D SnapshotDisk
static const ConfField snapshot_disk_rows[] = {
    CONF_STR(D, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "disk of the domain"),
    CONF_ENUM(D, snapshot, "@snapshot", snapshot_location_names, 0, "where its state goes"),
    CONF_ENUM(D, src.type, "@type", storage_type_names, CF_VIEW, "where the new layer is"),
    CONF_ENUM(D, src.format, "driver/@type", storage_format_names, CF_VIEW, "its format"),
    CONF_SIZE(D, src.metadata_cache_size, "driver/metadata_cache/max_size/text()", size_bytes, CF_VIEW, "qcow2 metadata cache"),
    CONF_STRUCT(D, src, "", top_storage_desc, 0, "the new layer"),
    CONF_FLAG(D, delete_in_progress, "snapshotDeleteInProgress", CF_LIVE, "it is being deleted"),
};
#undef D
static bool snapshot_disk_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    SnapshotDisk *d = v;
    StorageSource *s = &d->src;

    bool given = s->path || s->protocol != PROTOCOL_NONE || s->volume || s->format != FORMAT_NONE;
    if (!given)
        conf_clear(&top_storage_desc, s);
    else if (s->type == STORAGE_NONE)
        s->type = STORAGE_FILE;
    if (given && d->snapshot == SNAPSHOT_DEFAULT)
        d->snapshot = SNAPSHOT_EXTERNAL;
    if (given && d->snapshot != SNAPSHOT_EXTERNAL) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "snapshot", "a source or format needs an external snapshot");
        return false;
    }
    if (s->type == STORAGE_FILE && s->path && *s->path != '/') {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "path '%.200s' is not absolute", s->path);
        return false;
    }
    return true;
}
CONF_DESC(snapshot_disk_desc, SnapshotDisk, snapshot_disk_rows, .parsed = snapshot_disk_parsed);

#define D SnapshotDef
static const ConfField snapshot_rows[] = {
    CONF_STR(D, name, "name/text()", 0, "name"),
    CONF_STR(D, description, "description/text()", 0, "text for people"),
    CONF_ENUM(D, state, "state/text()", snapshot_state_names, CF_LIVE, "state of the guest"),
    CONF_STR(D, parent, "parent/name/text()", CF_LIVE, "snapshot before"),
    CONF_U64(D, creation_time, "creationTime/text()", CF_LIVE, "seconds since the epoch"),
    CONF_ENUM(D, memory, "memory/@snapshot", snapshot_location_names, 0, "where the memory went"),
    CONF_STR(D, memory_file, "memory/@file", 0, "file with the memory"),
    CONF_LIST(D, disks, "disks/disk", snapshot_disk_desc, 0, "disks"),
    CONF_LIST(D, revert_disks, "revertDisks/disk", snapshot_disk_desc, CF_LIVE, "disks after a revert"),
    CONF_UUID(D, domain_uuid, "domain/uuid/text()", CF_LIVE, "the domain, when no more of it is known"),
    CONF_CUSTOM(D, domain, "domain", domain_inside, NULL, CF_VIEW | CF_LIVE, "the domain as it was"),
    CONF_OPTIONAL(D, domain, NULL, domain_desc, 0, ""),
    CONF_CUSTOM(D, inactive_domain, "inactiveDomain", domain_inside, NULL, CF_VIEW | CF_LIVE, "the domain after it stops"),
    CONF_OPTIONAL(D, inactive_domain, NULL, domain_desc, 0, ""),
    CONF_RAW(D, cookie, "cookie", 0, "the driver's"),
    CONF_OPT32(D, active, "active/text()", CF_LIVE | CF_STATUS, "it is the current one"),
    CONF_PAD(D, _pad),
};
#undef D
CONF_DESC(snapshot_desc, SnapshotDef, snapshot_rows);

/* ---- checkpoints ---- */

#define D CheckpointDisk
static const ConfField checkpoint_disk_rows[] = {
    CONF_STR(D, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "disk of the domain"),
    CONF_ENUM(D, checkpoint, "@checkpoint", checkpoint_type_names, 0, "how changes are recorded"),
    CONF_STR(D, bitmap, "@bitmap", 0, "name of the bitmap"),
    CONF_U64(D, size, "@size", CF_LIVE, "bytes changed since"),
    CONF_PAD(D, _pad),
};
#undef D
static bool checkpoint_disk_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    CheckpointDisk *d = v;
    if (d->bitmap && d->checkpoint == CHECKPOINT_DEFAULT)
        d->checkpoint = CHECKPOINT_BITMAP;
    if (!d->bitmap || d->checkpoint == CHECKPOINT_BITMAP)
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, "bitmap", "needs checkpoint='bitmap'");
    return false;
}
CONF_DESC(checkpoint_disk_desc, CheckpointDisk, checkpoint_disk_rows, .parsed = checkpoint_disk_parsed);

#define D CheckpointDef
static const ConfField checkpoint_rows[] = {
    CONF_STR(D, name, "name/text()", 0, "name"),
    CONF_STR(D, description, "description/text()", 0, "text for people"),
    CONF_STR(D, parent, "parent/name/text()", CF_LIVE, "checkpoint before"),
    CONF_U64(D, creation_time, "creationTime/text()", CF_LIVE, "seconds since the epoch"),
    CONF_LIST(D, disks, "disks/disk", checkpoint_disk_desc, 0, "disks"),
    CONF_CUSTOM(D, domain, "domain", domain_inside, NULL, CF_VIEW | CF_LIVE, "the domain as it was"),
    CONF_OPTIONAL(D, domain, NULL, domain_desc, 0, ""),
};
#undef D
CONF_DESC(checkpoint_desc, CheckpointDef, checkpoint_rows);
/* clang-format on */

/* ---- stages ---- */

static bool is_offline(const SnapshotDef *d)
{
    return d->state == SNAPSHOT_SHUTOFF || d->state == SNAPSHOT_DISK_SNAPSHOT;
}

static bool snapshot_resolve(void *def, unsigned flags, GError **err)
{
    SnapshotDef *d = def;

    if (d->domain)
        d->domain_uuid = (OptUuid){ 0 };
    if (d->memory == SNAPSHOT_DEFAULT && d->memory_file)
        d->memory = SNAPSHOT_EXTERNAL;
    if (d->memory == SNAPSHOT_DEFAULT && (flags & MOMENT_PARSE_REDEFINE))
        d->memory = is_offline(d) ? SNAPSHOT_NO : SNAPSHOT_INTERNAL;
    return true;
}

/* Names become names of files. */
static bool name_ok(const char *what, const char *name, GError **err)
{
    if (!name || (*name != '.' && !strchr(name, '/')))
        return true;
    error_set(err, VIR_ERR_XML_ERROR, "%s/name: '%.100s' must not begin with '.' or contain '/'", what, name);
    return false;
}

static bool redefine_ok(const char *what, const char *name, uint64_t time, GError **err)
{
    if (name && time)
        return true;
    error_set(err, VIR_ERR_XML_ERROR, "%s: '%s' is missing, but it exists already", what, name ? "creationTime" : "name");
    return false;
}

static bool snapshot_validate(const void *def, unsigned flags, GError **err)
{
    const SnapshotDef *d = def;
    const char *wrong = NULL;

    if (!name_ok("domainsnapshot", d->name, err))
        return false;
    if (flags & MOMENT_PARSE_REDEFINE) {
        if (!redefine_ok("domainsnapshot", d->name, d->creation_time, err))
            return false;
        if (d->state == SNAPSHOT_STATE_NONE)
            wrong = "'state' is missing, but it exists already";
        else if (is_offline(d) && d->memory != SNAPSHOT_NO)
            wrong = "memory: there is none of a guest that does not run";
    }
    if (d->memory == SNAPSHOT_MANUAL)
        wrong = "memory/@snapshot: 'manual' is for disks";
    else if (d->memory == SNAPSHOT_EXTERNAL && !d->memory_file)
        wrong = "memory/@file: missing, an external snapshot needs it";
    else if (d->memory != SNAPSHOT_EXTERNAL && d->memory_file)
        wrong = "memory/@file: needs an external snapshot";
    else if (d->memory_file && *d->memory_file != '/')
        wrong = "memory/@file: not an absolute path";
    if (wrong)
        error_set(err, VIR_ERR_XML_ERROR, "domainsnapshot: %s", wrong);
    return !wrong;
}

static bool checkpoint_validate(const void *def, unsigned flags, GError **err)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
    const CheckpointDef *d = def;

    if (!name_ok("domaincheckpoint", d->name, err))
        return false;
    if (d->name && d->name[strspn(d->name, letters)]) {
        error_set(err, VIR_ERR_XML_ERROR, "domaincheckpoint/name: '%.100s' has other characters than letters, digits, '_', '-', '.'", d->name);
        return false;
    }
    if (!(flags & MOMENT_PARSE_REDEFINE))
        return true;
    if (!redefine_ok("domaincheckpoint", d->name, d->creation_time, err))
        return false;
    if (d->domain)
        return true;
    error_set(err, VIR_ERR_XML_ERROR, "domaincheckpoint '%s': 'domain' is missing, but it exists already", d->name);
    return false;
}

const DocKind snapshot_kind = {
    .name = "snapshot", .root = "domainsnapshot", .desc = &snapshot_desc, .tool_format = DOMAIN_FORMAT_STATUS,
    .resolve = snapshot_resolve, .validate = snapshot_validate,
};
DOC_KIND_DEFINE(snapshot, SnapshotDef)
const DocKind checkpoint_kind = {
    .name = "checkpoint", .root = "domaincheckpoint", .desc = &checkpoint_desc, .validate = checkpoint_validate,
};
DOC_KIND_DEFINE(checkpoint, CheckpointDef)

/* ---- new ones ---- */

void snapshot_begin(SnapshotDef *d, uint64_t now)
{
    d->creation_time = now;
    if (!d->name)
        d->name = g_strdup_printf("%" G_GUINT64_FORMAT, now);
}

void checkpoint_begin(CheckpointDef *d, uint64_t now)
{
    d->creation_time = now;
    if (!d->name)
        d->name = g_strdup_printf("%" G_GUINT64_FORMAT, now);
}

static CheckpointDisk *find_disk(const CheckpointDef *d, const char *name)
{
    for (LIST_EACH(CheckpointDisk, disk, d->disks)) {
        if (!strcmp(disk->name, name))
            return disk;
    }
    return NULL;
}

bool checkpoint_align(CheckpointDef *d, const char *const *targets, GError **err)
{
    bool all = !list_len(d->disks);

    for (LIST_EACH(CheckpointDisk, disk, d->disks)) {
        if (!g_strv_contains(targets, disk->name)) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "domaincheckpoint/disks: the domain has no disk '%s'", disk->name);
            return false;
        }
        if (find_disk(d, disk->name) != disk) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "domaincheckpoint/disks: disk '%s' is named twice", disk->name);
            return false;
        }
        if (disk->checkpoint == CHECKPOINT_DEFAULT)
            disk->checkpoint = CHECKPOINT_BITMAP;
    }
    if (!d->disks)
        d->disks = g_ptr_array_new();
    for (; *targets; targets++) {
        if (find_disk(d, *targets))
            continue;
        CheckpointDisk *disk = g_new0(CheckpointDisk, 1);
        disk->name = g_strdup(*targets);
        disk->checkpoint = all ? CHECKPOINT_BITMAP : CHECKPOINT_NO;
        g_ptr_array_add(d->disks, disk);
    }
    for (LIST_EACH(CheckpointDisk, disk, d->disks)) {
        if (disk->checkpoint == CHECKPOINT_BITMAP && !disk->bitmap)
            disk->bitmap = g_strdup(d->name);
    }
    return true;
}
