/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What programs and servers say: any bytes as the output of each. What comes out is used as the backends use it; lists
 * of sources, which go to clients, are documents that can be read again.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/storage/qemu_img.h"
#include "drivers/storage/tools.h"
#include "util/error.h"
#include "util/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sources(StorageSourceList *take)
{
    g_autoptr(StorageSourceList) l = take;
    g_autofree char *text = l ? storage_source_list_format(l, 0, NULL) : NULL;
    g_autoptr(XmlDoc) doc = text ? xml_parse(text, strlen(text), NULL) : NULL;

    if (text && !doc)
        abort();
}

static void lvm(const char *text, size_t len)
{
    g_autoptr(GPtrArray) groups = lvm_parse_groups(text, len, NULL), volumes = lvm_parse_volumes(text, len, NULL);
    g_autoptr(GPtrArray) devices = lvm_parse_devices(text, len, NULL);

    for (guint i = 0; volumes && i < volumes->len; i++) {
        const LvmVolume *v = volumes->pdata[i];
        if (!v->name || !*v->name || !v->segments)
            abort();
        for (guint k = 0; k < v->segments->len; k++) {
            const LvmSegment *s = v->segments->pdata[k];
            if (s->end < s->start || !s->device)
                abort();
        }
    }
}

static void partitions(const char *text, size_t len)
{
    g_autoptr(PartitionTable) t = parted_parse(text, NULL);
    uint64_t start, end, size = len * 4096;
    uint8_t sector[512] = { 0 };
    unsigned number;

    memcpy(sector, text, MIN(len, sizeof(sector)));
    if (partition_extended(sector) > 4)
        abort();
    if (!t)
        return;
    t->extended = partition_extended(sector);
    (void)partition_kind(t, len & 1, &number, NULL);
    for (unsigned logical = 0; logical < 2; logical++)
        if (size && parted_place(t, size, logical, &start, &end, NULL) && (end < start || end - start + 1 != size))
            abort();
}

static void iscsi(const char *text)
{
    StoragePoolSource like = { .type = POOL_ISCSI, .hosts = g_ptr_array_new() };
    PoolHost host = { .name = (char *)"h" };
    g_autoptr(GPtrArray) targets = iscsi_parse_targets(text);
    g_autofree char *session = iscsi_parse_session(text, "iqn.x"), *iface = iscsi_parse_iface(text, "iqn.x");

    g_ptr_array_add(like.hosts, &host);
    check_sources(sources_of_targets(&like, targets));
    g_ptr_array_unref(like.hosts);
}

static void zfs(const char *text)
{
    g_autoptr(GPtrArray) volumes = zfs_parse_volumes(text, "tank/a");
    ZfsFigures f;

    (void)zfs_parse_figures(text, &f, NULL);
    for (guint i = 0; i < volumes->len; i++)
        if (!*((const ZfsVolume *)volumes->pdata[i])->name)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = size ? size - 1 : 0;
    g_autofree char *text = g_strndup((const char *)data + (size ? 1 : 0), len), *exact = g_memdup2(text, len);
    double percent;

    switch (size ? data[0] % 7 : 0) {
    case 0:
        lvm(text, len);
        break;
    case 1:
        partitions(text, len);
        break;
    case 2:
        iscsi(text);
        break;
    case 3:
        zfs(text);
        break;
    case 4:
        check_sources(sources_of_exports(text, "h"));
        break;
    case 5:
        check_sources(sources_of_gluster(text, "h", NULL));
        break;
    default:
        percent = qemu_img_progress(exact ? exact : "", len);
        if (!(percent == -1 || (percent >= 0 && percent <= 100)))
            abort();
    }
    return 0;
}
