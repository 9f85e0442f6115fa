/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Owners of lent files (owner.h). The list of borrowers is what counts. The number beside it, for other
 * tools, is written so that a kill between the two leaves it too small, never too large: borrower first,
 * then the number; and the other way round when it is given back. The borrower is the first attribute to
 * come and the last to go: whoever gives the file back knows by it that the others may be there, whole or in
 * part. One lock: these are short calls, and two guests with one image start at the same time. Workers.
 */
#define LOG_SOURCE "qemu.owner"
#include "drivers/qemu/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/log.h"

#define ATTR_OWNER     "trusted.libvirt.security.dac"
#define ATTR_COUNT     "trusted.libvirt.security.ref_dac"
#define ATTR_BOOT      "trusted.libvirt.security.timestamp_dac"
#define ATTR_BORROWERS "trusted.modvirt.borrowers"

enum { BORROWERS_BYTES = 16384, UUID_TEXT = 36 };

static Lock lock = LOCK_INIT;

typedef struct Memory {
    char owner[64];
    unsigned count;       /* borrowers of other daemons included */
    GPtrArray *borrowers; /* text of uuids */
} Memory;

/* Seconds since the epoch; constant until the next boot. */
static unsigned long long boot_time(void)
{
    static gsize once;
    static unsigned long long seconds;

    if (g_once_init_enter(&once)) {
        g_autofree char *text = NULL;
        size_t len;
        const char *line = fd_read_file(AT_FDCWD, "/proc/stat", 1 << 20, &text, &len, NULL)
                               ? strstr(text, "\nbtime ")
                               : NULL;
        seconds = line ? g_ascii_strtoull(line + strlen("\nbtime "), NULL, 10) : 0;
        g_once_init_leave(&once, 1);
    }
    return seconds;
}

/* Empty when there is none. */
static bool get(const char *path, const char *name, char *buf, size_t size)
{
    ssize_t n = getxattr(path, name, buf, size - 1);

    buf[MAX(n, 0)] = '\0';
    return n > 0;
}

static void forget(const char *path)
{
    static const char *const names[] = { ATTR_COUNT, ATTR_OWNER, ATTR_BOOT, ATTR_BORROWERS };
    int errnum = errno;

    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        (void)removexattr(path, names[i]); /* some may not be there */
    errno = errnum;
}

static void memory_read(const char *path, Memory *m)
{
    g_autofree char *list = g_malloc(BORROWERS_BYTES);
    char text[64];

    *m = (Memory){ .borrowers = g_ptr_array_new_with_free_func(g_free) };
    if (get(path, ATTR_BOOT, text, sizeof(text)) && g_ascii_strtoull(text, NULL, 10) != boot_time())
        forget(path); /* its guests ended with the host */
    bool known = get(path, ATTR_OWNER, m->owner, sizeof(m->owner));
    if (known && get(path, ATTR_COUNT, text, sizeof(text)))
        m->count = (unsigned)MIN(g_ascii_strtoull(text, NULL, 10), UINT32_MAX / 2);
    if (get(path, ATTR_BORROWERS, list, BORROWERS_BYTES)) {
        g_auto(GStrv) words = g_strsplit(list, "\n", -1);
        for (char **w = words; *w; w++)
            if (strlen(*w) == UUID_TEXT)
                g_ptr_array_add(m->borrowers, g_strdup(*w));
    }
    if (known)
        m->count = MAX(m->count, m->borrowers->len);
}

static bool set(const char *path, const char *name, const char *value)
{
    return setxattr(path, name, value, strlen(value), 0) == 0;
}

static bool write_borrowers(const char *path, const GPtrArray *list)
{
    g_autoptr(GString) s = g_string_new(NULL);

    for (unsigned i = 0; i < list->len; i++)
        g_string_append_printf(s, "%s\n", (const char *)list->pdata[i]);
    return s->len < BORROWERS_BYTES && set(path, ATTR_BORROWERS, s->str);
}

static bool write_count(const char *path, unsigned n)
{
    char text[16];

    g_snprintf(text, sizeof(text), "%u", n);
    return set(path, ATTR_COUNT, text);
}

static int find(const GPtrArray *list, const char *who)
{
    for (unsigned i = 0; i < list->len; i++)
        if (strcmp(list->pdata[i], who) == 0)
            return (int)i;
    return -1;
}

/* False: this file cannot remember. */
static bool remember_owner(const char *path, Memory *m, const char *who, const struct stat *st)
{
    char boot[32];
    bool first = !*m->owner;

    if (first) { /* what else there is was begun by somebody who was killed */
        g_ptr_array_set_size(m->borrowers, 0);
        g_snprintf(m->owner, sizeof(m->owner), "+%u:+%u", (unsigned)st->st_uid,
                   (unsigned)st->st_gid);
        g_snprintf(boot, sizeof(boot), "%llu", boot_time());
    }
    if (find(m->borrowers, who) >= 0)
        return true;
    g_ptr_array_add(m->borrowers, g_strdup(who));
    if (write_borrowers(path, m->borrowers) &&
        (!first || (set(path, ATTR_BOOT, boot) && set(path, ATTR_OWNER, m->owner))) &&
        write_count(path, m->count + 1))
        return true;
    if (first)
        forget(path);
    return false;
}

/* The file system has no such attributes, or nothing can be written there: the owner stays, too. */
static bool cannot_remember(int errnum)
{
    return errnum == ENOTSUP || errnum == EPERM || errnum == EROFS;
}

static bool has_memory(const char *path)
{
    char byte;
    return getxattr(path, ATTR_OWNER, &byte, 0) >= 0 || !cannot_remember(errno);
}

static bool may_change(const char *path, const Memory *m, const char *who, bool mine, GError **err)
{
    bool others = m->count > (find(m->borrowers, who) >= 0 ? 1u : 0u);

    if (!others || mine)
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID,
              "Setting different DAC user or group on %s which is already in use", path);
    return false;
}

bool owner_is_free(const char *path, const Uuid borrower, uid_t uid, gid_t gid, GError **err)
{
    char who[37];
    struct stat st;
    Memory m;

    uuid_format(borrower, who);
    LOCK_SCOPE(&lock);
    if (stat(path, &st) < 0)
        return true; /* it is not there to be borrowed */
    memory_read(path, &m);
    bool ok = may_change(path, &m, who, st.st_uid == uid && st.st_gid == gid, err);
    g_ptr_array_unref(m.borrowers);
    return ok;
}

bool owner_lend(const char *path, const Uuid borrower, uid_t uid, gid_t gid, bool remember,
                GError **err)
{
    char who[37];
    struct stat st;
    Memory m;

    uuid_format(borrower, who);
    LOCK_SCOPE(&lock);
    if (stat(path, &st) < 0) {
        error_set_errno(err, errno, "cannot look at '%s'", path);
        return false;
    }
    bool mine = st.st_uid == uid && st.st_gid == gid, ok = true;
    memory_read(path, &m);
    if (!may_change(path, &m, who, mine, err)) {
        ok = false;
    } else if (remember && !remember_owner(path, &m, who, &st) && !cannot_remember(errno)) {
        error_set_errno(err, errno, "cannot remember the owner of '%s'", path);
        ok = false;
    }
    if (ok && !mine && chown(path, uid, gid) < 0 && errno != ENOTSUP && errno != EROFS) {
        error_set_errno(err, errno, "unable to set user and group to '%u:%u' on '%s'",
                        (unsigned)uid, (unsigned)gid, path);
        ok = false;
    }
    g_ptr_array_unref(m.borrowers);
    return ok;
}

static void restore(const char *path, const char *owner)
{
    unsigned uid, gid;

    if (sscanf(owner, "+%u:+%u", &uid, &gid) != 2)
        log_warn("the owner of '%s' is remembered as '%s', which says nothing", path, owner);
    else if (chown(path, uid, gid) < 0)
        log_warn("cannot give '%s' back to %u:%u: %s", path, uid, gid, g_strerror(errno));
}

void owner_return(const char *path, const Uuid borrower, uid_t uid, bool remember)
{
    char who[37];
    struct stat st;
    Memory m;

    uuid_format(borrower, who);
    LOCK_SCOPE(&lock);
    if (stat(path, &st) < 0)
        return; /* gone, and its owner with it */
    memory_read(path, &m);
    int at = find(m.borrowers, who);
    if (at >= 0) {
        g_ptr_array_remove_index(m.borrowers, (unsigned)at);
        if (!*m.owner) {
            forget(path); /* it was not lent yet, or is given back already */
        } else if (m.count > 1) {
            (void)(write_count(path, m.count - 1) && write_borrowers(path, m.borrowers));
        } else {
            restore(path, m.owner);
            forget(path);
        }
    } else if (!*m.owner && st.st_uid == uid && uid != 0 && !(remember && has_memory(path))) {
        restore(path, "+0:+0"); /* as without memory: it came from root */
    }
    g_ptr_array_unref(m.borrowers);
}
