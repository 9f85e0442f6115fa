/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Part of resolve: lists whose order means nothing are put into the order in which clients have
 * always seen them, so that equal definitions have equal documents. Sorting is stable and happens
 * once, after reading.
 */
#include <string.h>

#include "conf/device-internal.h"

typedef int (*Compare)(const void *a, const void *b);

/* Insertion: the lists are short and nearly always sorted already. */
static void sort_list(GPtrArray *list, Compare compare)
{
    for (unsigned i = 1; i < list_len(list); i++) {
        void *item = list->pdata[i];
        unsigned at = i;
        for (; at > 0 && compare(list->pdata[at - 1], item) > 0; at--)
            list->pdata[at] = list->pdata[at - 1];
        list->pdata[at] = item;
    }
}

#define BY_NUMBER(name, T, field)                                                                  \
    static int name(const void *a, const void *b)                                                  \
    {                                                                                              \
        uint32_t x = ((const T *)a)->field, y = ((const T *)b)->field;                             \
        return x < y ? -1 : x > y;                                                                 \
    }
BY_NUMBER(by_pin, Pin, id)
BY_NUMBER(by_cell, NumaCell, id.v)
BY_NUMBER(by_memnode, NumaMemnode, cell)
BY_NUMBER(by_idmap, IdMap, start)
BY_NUMBER(by_vcpu, VcpuDef, id)

static int by_keywrap(const void *a, const void *b)
{
    return strcmp(((const KeywrapDef *)a)->name, ((const KeywrapDef *)b)->name);
}

/* ---- sysinfo ---- */

static const char *const bios_order[] = { "vendor", "version", "date", "release", NULL };
static const char *const system_order[] = { "manufacturer", "product", "version", "serial",
                                            "uuid",         "sku",     "family",  NULL };
static const char *const board_order[] = { "manufacturer", "product",  "version", "serial",
                                           "asset",        "location", NULL };
static const char *const chassis_order[] = { "manufacturer", "version", "serial",
                                             "asset",        "sku",     NULL };

static unsigned rank(const char *const *order, const char *name)
{
    unsigned i = 0;
    while (order[i] && strcmp(order[i], name))
        i++;
    return i;
}

static void order_entries(GPtrArray *list, const char *const *order)
{
    for (unsigned i = 1; i < list_len(list); i++) {
        SysinfoEntry *item = list->pdata[i];
        unsigned at = i;
        for (; at > 0 && rank(order, ((const SysinfoEntry *)list->pdata[at - 1])->name) >
                             rank(order, item->name);
             at--)
            list->pdata[at] = list->pdata[at - 1];
        list->pdata[at] = item;
    }
}

static void order_sysinfo(Sysinfo *s)
{
    order_entries(s->bios, bios_order);
    order_entries(s->system, system_order);
    order_entries(s->chassis, chassis_order);
    for (unsigned i = 0; i < list_len(s->boards); i++)
        order_entries(((SysinfoBoard *)list_at(s->boards, i))->entries, board_order);
}

/* ---- disks ---- */

/* Disks of a bus stand together, by name; the buses in the order of their first disk. */
static void order_disks(DomainDef *d)
{
    g_autoptr(GPtrArray) sorted = g_ptr_array_new();
    DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        int n = disk_name_to_index(disk->dst);
        int at = -1;
        for (int k = (int)sorted->len - 1; k >= 0; k--) {
            const DiskDef *other = sorted->pdata[k];
            if (other->bus != disk->bus)
                continue;
            if (disk_name_to_index(other->dst) > n)
                at = k;
            else if (at < 0)
                at = k + 1;
        }
        g_ptr_array_insert(sorted, at, disk);
    }
    unsigned next = 0;
    for (unsigned i = 0; i < d->devices->len; i++) {
        if (((const Device *)d->devices->pdata[i])->kind == DEVICE_DISK)
            d->devices->pdata[i] = sorted->pdata[next++];
    }
}

void domain_order(DomainDef *d)
{
    if (d->cputune)
        sort_list(d->cputune->vcpu_pins, by_pin);
    if (d->numatune)
        sort_list(d->numatune->memnodes, by_memnode);
    if (d->cpu)
        sort_list(d->cpu->cells, by_cell);
    sort_list(d->uid_map, by_idmap);
    sort_list(d->gid_map, by_idmap);
    sort_list(d->vcpu_defs, by_vcpu);
    sort_list(d->keywrap, by_keywrap);
    for (unsigned i = 0; i < list_len(d->sysinfos); i++)
        order_sysinfo(list_at(d->sysinfos, i));
    order_disks(d);
}
