/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kept figures (stats_kept.h). A record is one piece of memory: what its files were, their paths, the encoded bytes, in
 * the order in which they are read, because with thousands of guests it is memory that takes the time. Invariant:
 * whoever has taken a record out of its place owns it alone, so nothing is locked while files are looked at.
 * A file that changed a moment ago is not trusted to show its next change: its clock may be too coarse. Any thread.
 */
#include "drivers/qemu/stats_kept.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { SETTLED_SEC = 2, ALIGN = 8, RECORD_MAX = 64 * 1024 };

typedef struct KeptFile {
    dev_t dev;
    ino_t ino;
    off_t size;
    blkcnt_t blocks;
    struct timespec changed, written;
    int error;     /* why there is nothing to look at; 0: there is */
    unsigned path; /* bytes that follow, with the end and padding */
} KeptFile;

struct StatsKept {
    DomainView *view;
    unsigned groups, n_files;
    size_t files, record; /* bytes of data */
    _Alignas(ALIGN) uint8_t data[];
};

static bool look(const char *path, struct stat *st, KeptFile *ret)
{
    *ret = (KeptFile){ 0 };
    if (stat(path, st) < 0) {
        ret->error = errno;
        return true;
    }
    ret->dev = st->st_dev;
    ret->ino = st->st_ino;
    ret->size = st->st_size;
    ret->blocks = st->st_blocks;
    ret->changed = st->st_ctim;
    ret->written = st->st_mtim;
    return S_ISREG(st->st_mode);
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool same(const KeptFile *a, const KeptFile *b)
{
    return a->error == b->error && a->dev == b->dev && a->ino == b->ino && a->size == b->size && a->blocks == b->blocks &&
           same_time(&a->changed, &b->changed) && same_time(&a->written, &b->written);
}

static bool holds(const StatsKept *k)
{
    const uint8_t *at = k->data;

    for (unsigned i = 0; i < k->n_files; i++) {
        const KeptFile *was = (const KeptFile *)(const void *)at;
        struct stat st;
        KeptFile is;
        if (!look((const char *)(was + 1), &st, &is) || !same(was, &is))
            return false;
        at += sizeof(*was) + was->path;
    }
    return true;
}

StatsKept *stats_kept_take(StatsPlace *place, const DomainView *v, unsigned groups)
{
    StatsKept *k = atomic_load(place) ? atomic_exchange(place, NULL) : NULL;

    if (k && k->view == v && k->groups == groups && holds(k))
        return k;
    stats_kept_free(k);
    return NULL;
}

void stats_kept_put(StatsPlace *place, StatsKept *take)
{
    stats_kept_free(atomic_exchange(place, take));
}

bool_t xdr_stats_kept(XDR *x, const StatsKept *k)
{
    return xdrb_opaque_fixed(x, (u_char *)k->data + k->files, (u_int)k->record);
}

void stats_kept_free(StatsKept *k)
{
    if (k)
        domain_view_unref(k->view);
    g_free(k);
}

void stats_keep_file(StatsKeeping *k, const char *path)
{
    static const uint8_t padding[ALIGN];
    size_t len = strlen(path) + 1, pad = (ALIGN - len % ALIGN) % ALIGN;
    struct timespec now;
    struct stat st;
    KeptFile file;

    if (k->no)
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    k->no = !look(path, &st, &file) || (!file.error && MAX(file.changed.tv_sec, file.written.tv_sec) > now.tv_sec - SETTLED_SEC);
    file.path = (unsigned)(len + pad);
    if (!k->files)
        k->files = g_byte_array_new();
    g_byte_array_append(k->files, (const guint8 *)&file, sizeof(file));
    g_byte_array_append(k->files, (const guint8 *)path, (guint)len);
    g_byte_array_append(k->files, padding, (guint)pad);
    k->n++;
}

StatsKept *stats_keep(StatsKeeping *k, const DomainView *v, unsigned groups, const remote_domain_stats_record *record)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    size_t files = k->files ? k->files->len : 0;

    if (k->no || !proc_encode("statistics", (xdrproc_t)xdr_remote_domain_stats_record, record, bytes, RECORD_MAX, NULL))
        return NULL;
    StatsKept *n = g_malloc(sizeof(*n) + files + bytes->len);
    *n = (StatsKept){ .view = domain_view_ref(v), .groups = groups, .n_files = k->n, .files = files, .record = bytes->len };
    if (files)
        memcpy(n->data, k->files->data, files);
    memcpy(n->data + files, bytes->data, bytes->len);
    return n;
}

void stats_keeping_done(StatsKeeping *k)
{
    if (k->files)
        g_byte_array_unref(k->files);
    *k = (StatsKeeping){ 0 };
}
