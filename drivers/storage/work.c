/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The process that works on files for the storage daemon where a server may be dead (apart.h). The request is
 * on standard input, the answer goes to standard output; while something moves, it says so. What a stream
 * carries comes or goes through descriptor 3.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/storage/apart.h"
#include "drivers/storage/pump.h"
#include "util/api.h"
#include "util/error.h"
#include "util/loop.h"

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

static void add_name(const char *name, const char *path, StorageVolumeDef *def, void *data)
{
    (void)path;
    (void)def;
    g_string_append_printf(data, "%s\n", name); /* a name with a line's end is none */
}

static bool measure(StoragePoolDef *d, const StorageJob *job, GString *out, GError **err)
{
    PoolFigures f = { 0 };

    if (!backend_dir.measure(d, &f, job, err))
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

static bool work(const ApartWork *w, const StorageJob *job, GString *out, GError **err)
{
    const PoolBackend *b = &backend_dir;
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
        volume_file_replay(backend_records(), w->pool->target);
        return b->list(w->pool, add_name, out, job, err);
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
    case APART_WIPE:
        return volume_wipe(w->path, w->flags, job, err);
    case APART_READ:
    case APART_WRITE: {
        Pump p = { .path = w->path, .fd = -1, .pipe = DATA_FD, .offset = w->offset, .length = w->length, .framed = w->flags };
        return w->op == APART_READ ? pump_read(&p, job, err) : pump_write(&p, job, err);
    }
    case _APART_N:
        break;
    }
    error_set(err, VIR_ERR_INTERNAL_ERROR, "nothing that could be done");
    return false;
}

/* Which of them the request has to have. */
static bool complete(const ApartWork *w)
{
    bool by_path = w->op == APART_WIPE || w->op == APART_READ || w->op == APART_WRITE;
    bool of_volume = w->op == APART_CREATE || w->op == APART_DELETE || w->op == APART_RESIZE;

    return by_path ? *w->path == '/' : w->pool && w->pool->target && (!of_volume || (w->vol && w->vol->name));
}

int main(void)
{
    const StorageJob job = { .stall_usec = STORAGE_STALL_USEC, .own = true, .progress = on_progress, .alive = on_alive };
    ApartWork w = { 0 };
    g_autoptr(GString) out = g_string_new(NULL);
    g_autoptr(GError) err = NULL;

    (void)signal(SIGPIPE, SIG_IGN);
    apart_enter();
    bool ok = apart_read(STDIN_FILENO, &w, &err);
    if (ok && !complete(&w)) {
        error_set(&err, VIR_ERR_INTERNAL_ERROR, "the request is not complete");
        ok = false;
    }
    ok = ok && work(&w, &job, out, &err);
    printf("\002%d\n%s", ok ? 0 : error_code(err), ok ? out->str : err ? err->message : "it failed");
    apart_work_clear(&w);
    return fflush(stdout) == 0 ? 0 : 1;
}
