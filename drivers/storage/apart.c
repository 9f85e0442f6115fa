/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What goes to the process that works apart, and what comes back (apart.h). A request is a list of texts, each
 * with its zero at the end. The answer is what the process wrote after ANSWER: 0 and a text, or an error's
 * number and its message; what it wrote before tells how far it is. A directory that has just let a look wait
 * for nothing is not looked at again at once: whoever asks for a list of details would wait for each.
 */
#include "drivers/storage/apart.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "conf/domain.h"
#include "drivers/storage/mounts.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/loop.h"
#include "util/paths.h"

enum { LOOK_USEC = 10 * 1000 * 1000, PAUSE_USEC = 10 * 1000 * 1000, REQUEST_MAX = 64 << 20, DEAD_MAX = 256, N_TEXTS = 11 };
#define ANSWER '\002'

static bool inside;

void apart_enter(void)
{
    inside = true;
}

bool apart_inside(void)
{
    return inside;
}

bool apart_needed(const StoragePoolDef *pool, const char *path, const char *other)
{
    if (inside)
        return false;
    return (pool && (pool->source.type == POOL_NETFS || (pool->target && mount_may_hang(pool->target)))) ||
           (path && mount_may_hang(path)) || (other && mount_may_hang(other));
}

/* Places that do not answer ----------------------------------------------------------------------- */

static Lock dead_lock = LOCK_INIT;
static GHashTable *dead; /* path -> until when nobody looks */

static bool is_dead(const char *place)
{
    LOCK_SCOPE(&dead_lock);
    uint64_t *until = dead ? g_hash_table_lookup(dead, place) : NULL;
    return until && *until > now_usec();
}

static void set_dead(const char *place, bool is)
{
    LOCK_SCOPE(&dead_lock);
    if (is) {
        if (!dead)
            dead = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        if (g_hash_table_size(dead) >= DEAD_MAX)
            g_hash_table_remove_all(dead);
        uint64_t *until = g_new(uint64_t, 1);
        *until = now_usec() + PAUSE_USEC;
        g_hash_table_replace(dead, g_strdup(place), until);
    } else if (dead) {
        g_hash_table_remove(dead, place);
        if (!g_hash_table_size(dead))
            g_clear_pointer(&dead, g_hash_table_unref);
    }
}

/* Asking ------------------------------------------------------------------------------------------ */

static void add_text(GString *s, const char *text)
{
    g_string_append(s, text ? text : "");
    g_string_append_c(s, 0);
}

static bool add_volume(GString *s, const StorageVolumeDef *v, GError **err)
{
    g_autofree char *xml = v ? storage_volume_format(v, DOMAIN_FORMAT_STATUS, err) : NULL;

    add_text(s, xml);
    return !v || xml;
}

static int request_fd(const ApartRequest *r, GError **err)
{
    g_autoptr(GString) s = g_string_new(NULL);
    g_autofree char *pool = r->pool ? storage_pool_format(r->pool, 0, err) : NULL;

    if (r->pool && !pool)
        return -1;
    g_string_append_printf(s, "%u", r->op);
    g_string_append_c(s, 0);
    add_text(s, backend_records());
    add_text(s, pool);
    add_text(s, r->path);
    g_string_append_printf(s, "%u%c%" G_GUINT64_FORMAT "%c%" G_GUINT64_FORMAT "%c%u%c", r->flags, 0, r->offset, 0, r->length, 0,
                           r->pool ? r->pool->source.type : POOL_DIR, 0);
    if (!add_volume(s, r->vol, err) || !add_volume(s, r->input, err))
        return -1;
    size_t plain = s->len;
    g_autofree char *secret = r->secret ? g_base64_encode(r->secret->bytes, r->secret->len) : NULL;
    add_text(s, secret);
    auto_fd fd = memfd_create("request", MFD_CLOEXEC);
    bool written = fd >= 0 && fd_write_all(fd, s->str, s->len) >= 0 && lseek(fd, 0, SEEK_SET) == 0;
    if (secret)
        explicit_bzero(secret, strlen(secret));
    explicit_bzero(s->str + plain, s->len - plain);
    if (!written) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "cannot hand over what is to be done");
        return -1;
    }
    return fd_take(&fd);
}

bool apart_answer(const char *said, char **ret, GError **err)
{
    const char *answer = strchr(said, ANSWER);
    char *end = NULL;
    long code = answer ? strtol(answer + 1, &end, 10) : -1;

    if (!answer || end == answer + 1 || *end != '\n' || code < 0 || code > G_MAXINT) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the process that works on storage gave no answer");
        return false;
    }
    if (code) {
        error_set(err, (int)code, "%s", end + 1);
        return false;
    }
    if (ret)
        *ret = g_strdup(end + 1);
    return true;
}

bool apart_run(const ApartRequest *r, const StorageJob *job, char **ret, GError **err)
{
    bool looks = r->op == APART_CHECK || r->op == APART_MEASURE || r->op == APART_LIST || r->op == APART_LOOK ||
                 r->op == APART_FIND || r->op == APART_CHAIN;
    const char *place = r->pool && r->pool->target ? r->pool->target : r->pool ? r->pool->name : r->path;
    g_autofree char *program = g_build_filename(paths()->libexec, r->program ? r->program : "virt-storage-work", NULL), *said = NULL;
    g_autoptr(Argv) a = argv_new(program);
    g_autoptr(GError) why = NULL;
    StorageJob with = job ? *job : (StorageJob){ 0 };

    if ((r->op == APART_LOOK || (r->op == APART_LIST && !job)) && is_dead(place)) {
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "the storage at '%s' did not answer a few seconds ago", place);
        return false;
    }
    with.own = true;
    with.usec = looks ? MIN(with.usec ? with.usec : LOOK_USEC, LOOK_USEC) : STORAGE_PATIENCE_USEC;
    with.stall_usec = with.stall_usec ? with.stall_usec : STORAGE_STALL_USEC;
    auto_fd request = request_fd(r, err);
    if (request < 0)
        return false;
    const StorageFiles files = { request, r->fd, true };
    bool ok = storage_run_with(a, &files, &with, &said, &why);
    bool late = error_is(why, VIR_ERR_OPERATION_TIMEOUT);
    if (place && (late || ok))
        set_dead(place, late);
    if (ok)
        return apart_answer(said, ret, err);
    if (late)
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "the storage at '%s' does not answer: %s", place, why->message);
    else
        g_propagate_error(err, g_steal_pointer(&why));
    return false;
}

/* Being asked ------------------------------------------------------------------------------------- */

static StorageVolumeDef *volume_of(const char *xml, StoragePoolType type, GError **err)
{
    return storage_volume_parse_for(xml, strlen(xml), VOLUME_PARSE_NO_CAPACITY, type, err);
}

bool apart_read(int fd, ApartWork *ret, GError **err)
{
    g_autofree char *all = g_malloc0(1);
    size_t len = 0;
    char *text[N_TEXTS];
    off_t size = lseek(fd, 0, SEEK_END);
    unsigned n = 0;

    if (size > 0 && size <= REQUEST_MAX && lseek(fd, 0, SEEK_SET) == 0) {
        all = g_realloc(all, (gsize)size);
        len = fd_read_all(fd, all, (size_t)size) == size ? (size_t)size : 0;
    }
    for (char *at = all; at < all + len && n < N_TEXTS && memchr(at, 0, (size_t)(all + len - at)); at += strlen(at) + 1)
        text[n++] = at;
    if (n != N_TEXTS) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the request makes no sense");
        return false;
    }
    StoragePoolType type = (StoragePoolType)strtoul(text[7], NULL, 10);
    *ret = (ApartWork){ .op = (ApartOp)strtoul(text[0], NULL, 10), .path = g_strdup(text[3]),
                        .flags = (unsigned)strtoul(text[4], NULL, 10), .offset = strtoull(text[5], NULL, 10),
                        .length = strtoull(text[6], NULL, 10), .secret = g_strdup(text[10]) };
    backend_use_records(text[1]);
    return (!*text[2] || (ret->pool = storage_pool_parse(text[2], strlen(text[2]), 0, err))) &&
           (!*text[8] || (ret->vol = volume_of(text[8], type, err))) && (!*text[9] || (ret->input = volume_of(text[9], type, err)));
}

void apart_work_clear(ApartWork *w)
{
    storage_pool_free(w->pool);
    storage_volume_free(w->vol);
    storage_volume_free(w->input);
    g_free(w->path);
    g_free(w->secret);
}
