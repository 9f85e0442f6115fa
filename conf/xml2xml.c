/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool, usage: xml2xml [KIND]. Reads documents of a kind (domain) named on standard input, one
 * per line, and answers for each with one line "ok LENGTH" or "refused CODE LENGTH" followed by
 * that many bytes: the document as we write it, or the error. Driven by tests/conformance/run.
 * After the name may come tab-separated words "name=value": what a driver knows beside the document.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"
#include "conf/domain_backup.h"
#include "conf/domain_moment.h"
#include "conf/kinds.h"
#include "conf/network.h"
#include "conf/storage_volume.h"
#include "util/api.h"
#include "util/error.h"
#include "util/xml.h"

/* Value of a word, NULL when it is not there. */
static const char *word(char **words, const char *name)
{
    for (unsigned i = 1; words[0] && words[i]; i++) {
        const char *eq = strchr(words[i], '=');
        if (eq && !strncmp(words[i], name, (size_t)(eq - words[i])) && !name[eq - words[i]])
            return eq + 1;
    }
    return NULL;
}

static bool flag(char **words, const char *name)
{
    g_autofree char *w = g_strdup_printf("flag=%s", name);
    return words[0] && g_strv_contains((const char *const *)words + 1, w);
}

static char *volume_convert(const char *xml, gsize len, char **words, GError **err)
{
    const char *pool = word(words, "pool");
    unsigned flags = storage_volume_kind.tool_parse | (flag(words, "capacity") ? VOLUME_PARSE_NO_CAPACITY : 0);
    g_autoptr(StorageVolumeDef) d = storage_volume_parse_for(
        xml, len, flags, pool ? (StoragePoolType)enum_value(&storage_pool_type_names, pool) : POOL_DIR, err);
    return d ? storage_volume_format(d, storage_volume_kind.tool_format, err) : NULL;
}

static uint64_t number(char **words, const char *name)
{
    const char *text = word(words, name);
    return text ? g_ascii_strtoull(text, NULL, 10) : 0;
}

static char *snapshot_convert(const char *xml, gsize len, char **words, GError **err)
{
    unsigned flags = flag(words, "redefine") ? MOMENT_PARSE_REDEFINE : DOMAIN_PARSE_INACTIVE;
    g_autoptr(SnapshotDef) d = snapshot_parse(xml, len, flags, err);
    const char *uuid = word(words, "domain_uuid");

    if (!d)
        return NULL;
    if (number(words, "creation_time"))
        snapshot_begin(d, number(words, "creation_time"));
    if (flag(words, "running"))
        d->state = SNAPSHOT_RUNNING;
    if (uuid && !d->domain)
        d->domain_uuid.set = uuid_parse(uuid, d->domain_uuid.v);
    return snapshot_format(d, flag(words, "internal") ? DOMAIN_FORMAT_STATUS : 0, err);
}

/* The pretended domain has the disks that are named, or else vda. */
static char *checkpoint_convert(const char *xml, gsize len, char **words, GError **err)
{
    g_autoptr(GPtrArray) disks = g_ptr_array_new();
    unsigned flags = flag(words, "redefine") ? MOMENT_PARSE_REDEFINE : DOMAIN_PARSE_INACTIVE;
    g_autoptr(CheckpointDef) d = checkpoint_parse(xml, len, flags, err);

    if (!d)
        return NULL;
    if (number(words, "creation_time"))
        checkpoint_begin(d, number(words, "creation_time"));
    if (flag(words, "parent"))
        d->parent = g_strdup("1525111885");
    for (LIST_EACH(CheckpointDisk, disk, d->disks))
        g_ptr_array_add(disks, disk->name);
    if (!disks->len)
        g_ptr_array_add(disks, (void *)"vda");
    g_ptr_array_add(disks, NULL);
    if (flag(words, "bitmap") && !checkpoint_align(d, (const char *const *)disks->pdata, err))
        return NULL;
    if (flag(words, "size"))
        ((CheckpointDisk *)list_at(d->disks, 0))->size = 1048576;
    return checkpoint_format(d, 0, err);
}

/* The pretended domain has the disks that are named, and one more. */
static char *backup_convert(const char *xml, gsize len, char **words, GError **err)
{
    bool own = word(words, "internal");
    g_autoptr(BackupDef) d = backup_parse(xml, len, own ? 0 : DOMAIN_PARSE_INACTIVE, err);
    g_autoptr(GPtrArray) paths = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GArray) disks = g_array_new(FALSE, FALSE, sizeof(BackupSource));

    for (unsigned i = 0; d && i <= list_len(d->disks); i++) {
        const char *name = i < list_len(d->disks) ? ((BackupDisk *)list_at(d->disks, i))->name : "vdextradisk";
        char *path = g_strdup_printf("/fake/%s.qcow2", name);
        g_ptr_array_add(paths, path);
        g_array_append_val(disks, ((BackupSource){ name, path }));
    }
    return d && backup_align(d, (BackupSource *)disks->data, disks->len, "SUFFIX", err)
               ? backup_format(d, own ? DOMAIN_FORMAT_STATUS : 0, err)
               : NULL;
}

/* With update=PATH: the network after a change of one section. */
static char *network_convert(const char *xml, gsize len, char **words, GError **err)
{
    g_autoptr(NetworkDef) d = network_parse(xml, len, 0, err);
    const char *update = word(words, "update"), *parent = word(words, "parent");
    g_autofree char *section = NULL;
    gsize section_len;

    if (!d)
        return NULL;
    if (update && (!g_file_get_contents(update, &section, &section_len, err) ||
                   !network_update(d, (unsigned)number(words, "command"), (unsigned)number(words, "section"),
                                   parent ? atoi(parent) : -1, section, section_len, err)))
        return NULL;
    return network_format(d, 0, err);
}

/* Kinds whose documents are read with what a driver knows. */
static const struct {
    const char *kind;
    char *(*convert)(const char *xml, gsize len, char **words, GError **err);
} with_driver[] = {
    { "network", network_convert },
    { "storagevol", volume_convert },
    { "snapshot", snapshot_convert },
    { "checkpoint", checkpoint_convert },
    { "backup", backup_convert },
};

static char *convert(const char *kind, const char *line, GError **err)
{
    g_auto(GStrv) words = g_strsplit(line, "\t", -1);
    const char *path = words[0] ? words[0] : "";
    g_autofree char *xml = NULL;
    gsize len;

    if (!g_file_get_contents(path, &xml, &len, err))
        return NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(with_driver); i++) {
        if (!strcmp(with_driver[i].kind, kind))
            return with_driver[i].convert(xml, len, words, err);
    }
    const DocKind *k = doc_kind_find(kind);
    void *def = doc_parse(k, xml, len, k->tool_parse, err);
    char *out = def ? doc_format(k, def, k->tool_format, err) : NULL;
    if (def)
        doc_free(k, def);
    return out;
}

static void answer(const char *kind, const char *line)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *out = convert(kind, line, &err);

    if (out) {
        printf("ok %zu\n%s", strlen(out), out);
        return;
    }
    g_autofree char *text = error_text(err);
    printf("refused %d %zu\n%s", error_code(err), strlen(text), text);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "domain";
    char line[4096];

    if (!doc_kind_find(kind)) {
        fprintf(stderr, "xml2xml: no kind '%s'\n", kind);
        return 2;
    }
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(kind, line);
        fflush(stdout);
    }
    return 0;
}
