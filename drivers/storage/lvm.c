/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Commands of LVM and its reports in JSON (tools.h). The reports' values are all texts; sizes are asked
 * for in bytes without a unit. Pure.
 */
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"
#include "util/json.h"

static Argv *checked(Argv *take, GError **err)
{
    g_autoptr(Argv) a = take;
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

Argv *lvm_activate(const StoragePoolDef *d, bool on, GError **err)
{
    Argv *a = argv_new("vgchange");

    argv_words(a, on ? "-aly" : "-aln", NULL);
    argv_operand(a, d->source.name);
    return checked(a, err);
}

static Argv *one(const char *program, const char *option, const char *operand, GError **err)
{
    Argv *a = argv_new(program);

    if (option)
        argv_words(a, option, NULL);
    argv_operand(a, operand);
    return checked(a, err);
}

Argv *lvm_make_device(const char *path, GError **err)
{
    return one("pvcreate", NULL, path, err);
}

Argv *lvm_remove_device(const char *path, GError **err)
{
    return one("pvremove", NULL, path, err);
}

Argv *lvm_make_group(const StoragePoolDef *d, GError **err)
{
    Argv *a = argv_new("vgcreate");

    argv_operand(a, d->source.name);
    for (LIST_EACH(PoolDevice, dev, d->source.devices))
        argv_operand(a, dev->path);
    return checked(a, err);
}

Argv *lvm_remove_group(const StoragePoolDef *d, GError **err)
{
    return one("vgremove", "-f", d->source.name, err);
}

static void add_name(Argv *a, const char *group, const char *name)
{
    g_autofree char *both = g_strdup_printf("%s/%s", group, name);
    argv_operand(a, both);
}

static void add_size(Argv *a, uint64_t bytes)
{
    argv_words(a, "-L", NULL);
    argv_wordf(a, "%" G_GUINT64_FORMAT "K", bytes / 1024 + (bytes % 1024 != 0));
}

Argv *lvm_make_volume(const char *group, const char *name, uint64_t capacity, uint64_t allocation, const char *origin,
                      GError **err)
{
    Argv *a = argv_new("lvcreate");

    argv_words(a, "--name", NULL);
    argv_operand(a, name);
    if (origin) {
        add_size(a, allocation ? allocation : capacity); /* as large as the origin it is in any case */
        argv_words(a, "-s", NULL);
        argv_operand(a, origin);
    } else if (allocation < capacity) {
        /* Room that is taken when it is written: a snapshot of nothing. */
        argv_words(a, "--type", "snapshot", "--virtualsize", NULL);
        argv_wordf(a, "%" G_GUINT64_FORMAT "K", capacity / 1024 + (capacity % 1024 != 0));
        add_size(a, allocation ? allocation : capacity);
        argv_operand(a, group);
    } else {
        add_size(a, capacity);
        argv_operand(a, group);
    }
    return checked(a, err);
}

Argv *lvm_remove_volume(const char *group, const char *name, GError **err)
{
    Argv *a = argv_new("lvremove");

    argv_words(a, "-f", NULL);
    add_name(a, group, name);
    return checked(a, err);
}

Argv *lvm_resize_volume(const char *group, const char *name, uint64_t capacity, GError **err)
{
    Argv *a = argv_new("lvresize");

    argv_words(a, "-f", NULL);
    add_size(a, capacity);
    add_name(a, group, name);
    return checked(a, err);
}

static Argv *report(const char *program, const char *fields, const char *group, GError **err)
{
    Argv *a = argv_new(program);

    argv_words(a, "--reportformat", "json", "--units", "b", "--nosuffix", "-o", fields, NULL);
    if (group)
        argv_operand(a, group);
    return checked(a, err);
}

Argv *lvm_list_groups(const char *group, GError **err)
{
    return report("vgs", "vg_name,vg_size,vg_free", group, err);
}

Argv *lvm_list_volumes(const char *group, GError **err)
{
    return report("lvs", "lv_name,lv_uuid,lv_size,origin,origin_size,pool_lv,lv_attr,segtype,seg_pe_ranges,vg_extent_size,stripes", group, err);
}

Argv *lvm_list_devices(void)
{
    return report("pvs", "pv_name,vg_name", NULL, NULL);
}

/* ---- reports ---- */

void lvm_group_free(LvmGroup *g)
{
    if (g)
        g_free(g->name);
    g_free(g);
}

static void segment_free(void *data)
{
    LvmSegment *s = data;
    g_free(s->device);
    g_free(s);
}

void lvm_volume_free(LvmVolume *v)
{
    if (!v)
        return;
    g_free(v->name);
    g_free(v->uuid);
    g_free(v->origin);
    g_free(v->pool);
    if (v->segments)
        g_ptr_array_unref(v->segments);
    g_free(v);
}

void lvm_device_free(LvmDevice *d)
{
    if (!d)
        return;
    g_free(d->path);
    g_free(d->group);
    g_free(d);
}

/* {"report": [{"vg": [row…]}]} → the rows. The document is returned: rows belong to it. */
static JsonObject *rows(const char *json, size_t len, const char *kind, JsonObject **ret_rows, GError **err)
{
    g_autoptr(JsonObject) doc = json_parse("report of LVM", json, len, NULL, err);
    JsonObject *reports = doc ? json_get(doc, "report") : NULL;

    if (!doc)
        return NULL;
    if (json_len(reports) < 1 || !json_object_is_type(reports, json_type_array) ||
        !(*ret_rows = json_get(json_object_array_get_idx(reports, 0), kind)) ||
        !json_object_is_type(*ret_rows, json_type_array)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "report of LVM: no list of '%s'", kind);
        return NULL;
    }
    return g_steal_pointer(&doc);
}

static uint64_t bytes(JsonObject *row, const char *name)
{
    const char *text = json_get_str(row, name);
    return text ? g_ascii_strtoull(text, NULL, 10) : 0;
}

static char *text_or_null(JsonObject *row, const char *name)
{
    const char *text = json_get_str(row, name);
    return text && *text ? g_strdup(text) : NULL;
}

GPtrArray *lvm_parse_groups(const char *json, size_t len, GError **err)
{
    JsonObject *list = NULL;
    g_autoptr(JsonObject) doc = rows(json, len, "vg", &list, err);
    GPtrArray *all = doc ? g_ptr_array_new_with_free_func((GDestroyNotify)lvm_group_free) : NULL;

    for (size_t i = 0; all && i < json_len(list); i++) {
        JsonObject *row = json_object_array_get_idx(list, i);
        LvmGroup *g = g_new0(LvmGroup, 1);
        g->name = text_or_null(row, "vg_name");
        g->size = bytes(row, "vg_size");
        g->free = bytes(row, "vg_free");
        g_ptr_array_add(all, g);
    }
    return all;
}

/* "/dev/sda2:0-255 /dev/sdb:5-9": devices and their extents, the last included. */
static void add_segments(LvmVolume *v, const char *ranges, uint64_t extent)
{
    g_auto(GStrv) all = g_strsplit(ranges ? ranges : "", " ", 4096);

    for (unsigned i = 0; all[i]; i++) {
        char *colon = strrchr(all[i], ':'), *dash = colon ? strchr(colon, '-') : NULL;
        if (!dash)
            continue;
        uint64_t first = g_ascii_strtoull(colon + 1, NULL, 10), last = g_ascii_strtoull(dash + 1, NULL, 10);
        if (last < first || last == UINT64_MAX || (extent && last + 1 > UINT64_MAX / extent))
            continue;
        LvmSegment *s = g_new0(LvmSegment, 1);
        s->device = g_strndup(all[i], (gsize)(colon - all[i]));
        s->start = first * extent;
        s->end = (last + 1) * extent;
        g_ptr_array_add(v->segments, s);
    }
}

/* The letters of lv_attr: what it is, …, whether it is active. */
static void read_attributes(LvmVolume *v, const char *attr)
{
    enum { KIND = 0, STATE = 4 };

    if (!attr || strlen(attr) <= STATE)
        return;
    v->active = attr[STATE] == 'a';
    v->snapshot = strchr("sS", attr[KIND]) != NULL;
    v->thin = attr[KIND] == 'V';
    v->internal = strchr("tTei", attr[KIND]) != NULL; /* pools, their data, metadata, images of mirrors */
}

GPtrArray *lvm_parse_volumes(const char *json, size_t len, GError **err)
{
    JsonObject *list = NULL;
    g_autoptr(JsonObject) doc = rows(json, len, "lv", &list, err);
    GPtrArray *all = doc ? g_ptr_array_new_with_free_func((GDestroyNotify)lvm_volume_free) : NULL;

    for (size_t i = 0; all && i < json_len(list); i++) {
        JsonObject *row = json_object_array_get_idx(list, i);
        const char *name = json_get_str(row, "lv_name");
        if (!name || !*name)
            continue;
        /* Each segment of a volume has a row. */
        LvmVolume *v = all->len ? all->pdata[all->len - 1] : NULL;
        if (!v || strcmp(v->name, name) != 0) {
            v = g_new0(LvmVolume, 1);
            v->segments = g_ptr_array_new_with_free_func(segment_free);
            v->name = g_strdup(name);
            v->uuid = text_or_null(row, "lv_uuid");
            v->origin = text_or_null(row, "origin");
            v->pool = text_or_null(row, "pool_lv");
            read_attributes(v, json_get_str(row, "lv_attr"));
            uint64_t size = bytes(row, "lv_size"), origin = bytes(row, "origin_size");
            v->size = v->snapshot && origin ? origin : size;
            v->room = v->thin ? 0 : size;
            /* In brackets: nothing but a size, below one whose room is taken when it is written. */
            if (v->origin && *v->origin == '[')
                g_clear_pointer(&v->origin, g_free);
            g_ptr_array_add(all, v);
        }
        add_segments(v, json_get_str(row, "seg_pe_ranges"), bytes(row, "vg_extent_size"));
    }
    return all;
}

GPtrArray *lvm_parse_devices(const char *json, size_t len, GError **err)
{
    JsonObject *list = NULL;
    g_autoptr(JsonObject) doc = rows(json, len, "pv", &list, err);
    GPtrArray *all = doc ? g_ptr_array_new_with_free_func((GDestroyNotify)lvm_device_free) : NULL;

    for (size_t i = 0; all && i < json_len(list); i++) {
        JsonObject *row = json_object_array_get_idx(list, i);
        LvmDevice *d = g_new0(LvmDevice, 1);
        d->path = text_or_null(row, "pv_name");
        d->group = text_or_null(row, "vg_name");
        g_ptr_array_add(all, d);
    }
    return all;
}
