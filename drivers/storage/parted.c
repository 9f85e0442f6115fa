/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Partitions (tools.h): commands of parted, its output for machines, and where a new partition goes. All
 * numbers are bytes. Pure.
 */
#include <string.h>

#include "drivers/storage/tools.h"
#include "util/api.h"
#include "util/error.h"

enum { ALIGNMENT = 1 << 20 };

static Argv *parted(const char *device)
{
    Argv *a = argv_new("parted");

    argv_words(a, "-s", NULL); /* no questions */
    argv_operand(a, device);
    return a;
}

static Argv *checked(Argv *take, GError **err)
{
    g_autoptr(Argv) a = take;
    return argv_check(a, err) ? g_steal_pointer(&a) : NULL;
}

const char *parted_label(const StoragePoolSource *s, GError **err)
{
    switch ((PoolDiskFormat)s->format) {
    case POOL_DISK_UNKNOWN:
    case POOL_DISK_DOS:
        return "msdos";
    case POOL_DISK_DVH:
    case POOL_DISK_GPT:
    case POOL_DISK_MAC:
    case POOL_DISK_BSD:
    case POOL_DISK_PC98:
    case POOL_DISK_SUN:
        return enum_name(&pool_disk_format_names, s->format);
    case POOL_DISK_LVM2:
    case _POOL_DISK_N:
        break;
    }
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "a partition table of type '%s' cannot be made",
              enum_name(&pool_disk_format_names, s->format));
    return NULL;
}

Argv *parted_make_table(const StoragePoolDef *d, GError **err)
{
    const char *label = parted_label(&d->source, err);
    Argv *a;

    if (!label)
        return NULL;
    a = parted(((PoolDevice *)list_at(d->source.devices, 0))->path);
    argv_words(a, "mklabel", label, NULL);
    return checked(a, err);
}

Argv *parted_list(const char *device, GError **err)
{
    Argv *a = argv_new("parted");

    argv_words(a, "-m", "-s", NULL);
    argv_operand(a, device);
    argv_words(a, "unit", "B", "print", "free", NULL);
    return checked(a, err);
}

Argv *parted_make(const char *device, const char *kind, const char *fs, uint64_t start, uint64_t end, GError **err)
{
    Argv *a = parted(device);

    argv_words(a, "mkpart", kind, NULL);
    if (fs)
        argv_words(a, fs, NULL);
    argv_wordf(a, "%" G_GUINT64_FORMAT "B", start);
    argv_wordf(a, "%" G_GUINT64_FORMAT "B", end);
    return checked(a, err);
}

Argv *parted_remove(const char *device, unsigned number, GError **err)
{
    Argv *a = parted(device);

    argv_words(a, "rm", NULL);
    argv_wordf(a, "%u", number);
    return checked(a, err);
}

Argv *wipe_signatures(const char *device, GError **err)
{
    Argv *a = argv_new("wipefs");

    argv_words(a, "--all", "--force", NULL);
    argv_operand(a, device);
    return checked(a, err);
}

/* ---- what it says ---- */

static void partition_free(void *data)
{
    Partition *p = data;
    g_free(p->fs);
    g_free(p->name);
    g_free(p->flags);
    g_free(p);
}

void partition_table_free(PartitionTable *t)
{
    if (!t)
        return;
    g_free(t->device);
    g_free(t->label);
    if (t->parts)
        g_ptr_array_unref(t->parts);
    g_free(t);
}

/* "BYT;", then "device:sizeB:transport:sector:sector:label:model:flags;", then
 * "number:startB:endB:sizeB:fs:name:flags;", free space as "1:…:free;". */
PartitionTable *parted_parse(const char *said, GError **err)
{
    g_autoptr(PartitionTable) t = g_new0(PartitionTable, 1);
    g_auto(GStrv) lines = g_strsplit(said, "\n", 4096);

    t->parts = g_ptr_array_new_with_free_func(partition_free);
    for (unsigned i = 0; lines[i]; i++) {
        g_auto(GStrv) w = NULL;
        char *end = strrchr(lines[i], ';');
        if (!end || g_str_has_prefix(lines[i], "BYT"))
            continue;
        *end = '\0';
        w = g_strsplit(lines[i], ":", 16);
        unsigned n = g_strv_length(w);
        if (n >= 6 && *w[0] == '/') {
            g_free(t->device);
            g_free(t->label);
            t->device = g_strdup(w[0]);
            t->size = g_ascii_strtoull(w[1], NULL, 10);
            t->sector = g_ascii_strtoull(w[3], NULL, 10);
            t->label = g_strdup(w[5]);
        } else if (n >= 5 && g_ascii_isdigit(*w[0])) {
            Partition *p = g_new0(Partition, 1);
            p->number = strcmp(w[4], "free") ? (unsigned)g_ascii_strtoull(w[0], NULL, 10) : 0;
            p->start = g_ascii_strtoull(w[1], NULL, 10);
            p->end = g_ascii_strtoull(w[2], NULL, 10);
            p->size = g_ascii_strtoull(w[3], NULL, 10);
            p->fs = g_strdup(p->number ? w[4] : "");
            p->name = g_strdup(n > 5 ? w[5] : "");
            p->flags = g_strdup(n > 6 ? w[6] : "");
            g_ptr_array_add(t->parts, p);
        }
    }
    if (t->device)
        return g_steal_pointer(&t);
    error_set(err, VIR_ERR_INTERNAL_ERROR, "parted says nothing of a device");
    return NULL;
}

/* Four entries of 16 bytes end the sector, before its mark; the fifth byte of one is its type. */
unsigned partition_extended(const uint8_t *sector)
{
    enum { ENTRIES = 446, ENTRY = 16, TYPE = 4, MARK = 510 };

    if (sector[MARK] != 0x55 || sector[MARK + 1] != 0xaa)
        return 0;
    for (unsigned i = 0; i < 4; i++) {
        uint8_t type = sector[ENTRIES + i * ENTRY + TYPE];
        if (type == 0x05 || type == 0x0f || type == 0x85)
            return i + 1;
    }
    return 0;
}

static const Partition *find_number(const PartitionTable *t, unsigned number)
{
    for (guint i = 0; i < t->parts->len; i++)
        if (((const Partition *)t->parts->pdata[i])->number == number)
            return t->parts->pdata[i];
    return NULL;
}

/* A DOS table has room for four; what comes then goes into the extended one. */
const char *partition_kind(const PartitionTable *t, bool extended, unsigned *ret_number, GError **err)
{
    bool dos = strcmp(t->label, "msdos") == 0;
    unsigned n = 1;

    while (find_number(t, n))
        n++;
    if (extended && (!dos || t->extended)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, dos ? "extended partition already exists on '%s'"
                                                   : "the partition table of '%s' has no extended partitions", t->device);
        return NULL;
    }
    if (dos && n > 4) {
        if (extended || !t->extended) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "no extended partition found and no primary partition available on '%s'", t->device);
            return NULL;
        }
        *ret_number = n;
        return "logical";
    }
    *ret_number = n;
    return extended ? "extended" : "primary";
}

bool parted_place(const PartitionTable *t, uint64_t size, bool logical, uint64_t *ret_start, uint64_t *ret_end,
                  GError **err)
{
    const Partition *holder = t->extended ? find_number(t, t->extended) : NULL;
    uint64_t best = UINT64_MAX, room_max = 0;

    for (guint i = 0; i < t->parts->len; i++) {
        const Partition *p = t->parts->pdata[i];
        bool inside = holder && p->start >= holder->start && p->end <= holder->end;
        uint64_t from = p->start + (logical ? 1 : 0); /* what describes a logical one is before it */
        uint64_t start = (from + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        if (p->number || inside != logical || start > p->end)
            continue;
        if (start == 0)
            start = ALIGNMENT; /* the table is there */
        uint64_t room = p->end >= start ? p->end - start + 1 : 0;
        room_max = MAX(room_max, room);
        if (room >= size && room < best) {
            best = room;
            *ret_start = start;
            *ret_end = start + size - 1;
        }
    }
    if (best != UINT64_MAX)
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR,
              "no free space of %" G_GUINT64_FORMAT " bytes on '%s', the largest has %" G_GUINT64_FORMAT, size, t->device,
              room_max);
    return false;
}
