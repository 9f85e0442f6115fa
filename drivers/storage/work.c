/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that works on files for the storage daemon where a server may be dead (apart.h). The request is
 * on standard input, the answer goes to standard output; while something moves, it says so. What a stream
 * carries comes or goes through descriptor 3.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "drivers/storage/apart.h"
#include "drivers/storage/library.h"
#include "drivers/storage/pump.h"
#include "util/api.h"
#include "util/error.h"
#include "util/loop.h"
#include "util/text.h"

enum { DATA_FD = 3 };

/* A sign of life each second is enough. */
static void say(double percent)
{
    static uint64_t last;
    uint64_t now = now_usec();

    if (now - last < G_USEC_PER_SEC && percent < 100)
        return;
    last = now;
    if (percent >= 0)
        printf("(%.2f/100%%)\r", percent);
    else
        putchar('.');
    (void)fflush(stdout);
}

static void on_progress(double percent, void *data)
{
    (void)data;
    say(percent);
}

static void on_alive(void *data)
{
    (void)data;
    say(-1);
}

/* A name, or all that is known. */
static void add_volume(const char *name, const char *path, StorageVolumeDef *def, void *data)
{
    /* What a server calls a volume that no document can name is none. */
    g_autofree char *text = def && text_can_be_said(name) ? storage_volume_format(def, 0, NULL) : NULL;

    (void)path;
    if (text)
        g_string_append_printf(data, "%s" WORK_DOCUMENT_END, text);
    else if (!def)
        g_string_append_printf(data, "%s\n", name); /* a name with a line's end is none */
    storage_volume_free(def);
}

static bool measure(StoragePoolDef *d, const StorageJob *job, GString *out, GError **err)
{
    PoolFigures f = { 0 };

    if (!work_row->measure(d, &f, job, err))
        return false;
    const StoragePermissions *p = d->permissions;
    g_string_append_printf(out, "%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %u %u %u\n", f.capacity,
                           f.allocation, f.available, p ? p->mode.v : 0, p ? p->owner.v : 0, p ? p->group.v : 0);
    return true;
}

static bool say_volume(const StorageVolumeDef *v, GString *out, GError **err)
{
    g_autofree char *text = v ? storage_volume_format(v, 0, err) : NULL;

    if (text)
        g_string_append(out, text);
    return text != NULL;
}

/* "HOST\nPORT\nINITIATOR"; the answer is a line for each. */
static bool find(const char *like, const StorageJob *job, GString *out, GError **err)
{
    g_auto(GStrv) words = g_strsplit(like, "\n", 3);
    PoolHost host = { .name = words[0] };
    StoragePoolSource s = { .type = work_row->type, .hosts = g_ptr_array_new() };

    if (g_strv_length(words) == 3) {
        host.port = (uint32_t)strtoul(words[1], NULL, 10);
        s.initiator = words[2];
    }
    g_ptr_array_add(s.hosts, &host);
    g_autoptr(StorageSourceList) l = work_row->find_sources(&s, job, err);
    for (guint i = 0; l && i < l->sources->len; i++) {
        const StoragePoolSource *found = l->sources->pdata[i];
        g_string_append_printf(out, "%s\n", ((PoolDevice *)list_at(found->devices, 0))->path);
    }
    g_ptr_array_unref(s.hosts);
    return l != NULL;
}

static bool work(const ApartWork *w, const StorageJob *job, GString *out, GError **err)
{
    const PoolBackend *b = work_row;
    bool there;

    switch (w->op) {
    case APART_CHECK:
        if (!b->check(w->pool, &there, err))
            return false;
        g_string_append(out, there ? "yes" : "no");
        return true;
    case APART_START:
        return b->start(w->pool, job, err);
    case APART_BUILD:
        return b->build(w->pool, w->flags, job, err);
    case APART_REMOVE:
        return b->remove(w->pool, job, err);
    case APART_MEASURE:
        return measure(w->pool, job, out, err);
    case APART_LIST:
        if (w->pool->target)
            volume_file_replay(backend_records(), w->pool->target);
        return b->list(w->pool, add_volume, out, job, err);
    case APART_LOOK: {
        g_autoptr(StorageVolumeDef) v = b->vol_look(w->pool, w->path, err);
        return say_volume(v, out, err);
    }
    case APART_CREATE:
        return b->vol_create(w->pool, w->vol, w->input, w->flags, job, err);
    case APART_DELETE:
        return b->vol_delete(w->pool, w->vol, w->flags, job, err);
    case APART_RESIZE:
        return b->vol_resize(w->pool, w->vol, w->length, w->flags, job, err);
    case APART_FIND:
        return find(w->path, job, out, err);
    case APART_WIPE:
        if (w->vol)
            return b->vol_wipe(w->pool, w->vol, w->flags, job, err);
        return volume_wipe(w->path, w->flags, job, err);
    case APART_CHAIN:
        return volume_chain_check(w->path, w->flags, job, err);
    case APART_READ:
    case APART_WRITE: {
        Pump p = { .path = w->path, .fd = -1, .offset = w->offset, .length = w->length, .framed = w->flags,
                   .synced = true };
        return w->op == APART_READ ? pump_read(&p, DATA_FD, job, err) : pump_write_pipe(&p, DATA_FD, job, err);
    }
    case _APART_N:
        break;
    }
    error_set(err, VIR_ERR_INTERNAL_ERROR, "nothing that could be done");
    return false;
}

/* A library's row is a part of one. */
static bool is_able(ApartOp op)
{
    const PoolBackend *b = work_row;

    switch (op) {
    case APART_CHECK:
        return b->check;
    case APART_START:
        return b->start;
    case APART_BUILD:
        return b->build;
    case APART_REMOVE:
        return b->remove;
    case APART_CREATE:
        return b->vol_create;
    case APART_DELETE:
        return b->vol_delete;
    case APART_RESIZE:
        return b->vol_resize;
    case APART_WIPE:
        return b->vol_wipe;
    default:
        return true;
    }
}

/* Which of them the request has to have. */
static bool complete(const ApartWork *w)
{
    bool by_path = (w->op == APART_WIPE && !w->vol) || w->op == APART_READ || w->op == APART_WRITE || w->op == APART_CHAIN;
    bool of_volume = w->op == APART_CREATE || w->op == APART_DELETE || w->op == APART_RESIZE || w->op == APART_WIPE;
    bool library = work_row->flags & BACKEND_LIBRARY;

    if (by_path)
        return *w->path == '/' && !library;
    if (w->op == APART_FIND)
        return *w->path && work_row->find_sources;
    return w->pool && (library ? w->pool->source.type == work_row->type : w->pool->target != NULL) &&
           (!of_volume || (w->vol && w->vol->name)) && is_able(w->op);
}

static char *secret;

const char *work_secret(void)
{
    return secret && *secret ? secret : NULL;
}

int main(void)
{
    const StorageJob job = { .stall_usec = STORAGE_STALL_USEC, .own = true, .progress = on_progress, .alive = on_alive };
    ApartWork w = { 0 };
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) err = NULL;

    const struct rlimit no_core = { 0, 0 };

    (void)signal(SIGPIPE, SIG_IGN);
    (void)setrlimit(RLIMIT_CORE, &no_core); /* a secret may be in it */
    apart_enter();
    bool ok = apart_read(STDIN_FILENO, &w, &err);
    if (ok && !complete(&w)) {
        error_set(&err, VIR_ERR_INTERNAL_ERROR, "the request is not complete");
        ok = false;
    }
    secret = w.secret;
    ok = ok && work(&w, &job, out, &err);
    printf("\002%d\n%s", ok ? 0 : error_code(err), ok ? out->str : err ? err->message : "it failed");
    apart_work_clear(&w);
    int status = fflush(stdout) == 0 ? 0 : 1;
    /* Threads of libraries may still run: what they hold is the system's to take back. */
    if (work_row->flags & BACKEND_LIBRARY)
        _exit(status);
    return status;
}
