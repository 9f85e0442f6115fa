/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The system's table of mounts says of every directory on the way whether it is a mount, and of what, before
 * it is looked at: a path is followed link by link until it is at its end or at a file system that is not on
 * this machine's own disks. Which those are is a list; all others may hang. Any thread.
 */
#include "drivers/storage/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

enum { MOUNTINFO_MAX = 8 << 20, LINKS_MAX = 40 };

static const char *const local[] = {
    "bcachefs", "binfmt_misc", "btrfs", "cgroup2", "configfs", "devpts", "devtmpfs", "ecryptfs", "erofs", "exfat", "ext2",
    "ext3", "ext4", "f2fs", "hugetlbfs", "iso9660", "jfs", "minix", "mqueue", "msdos", "nilfs2", "ntfs3", "overlay", "proc",
    "ramfs", "reiserfs", "rootfs", "securityfs", "squashfs", "sysfs", "tmpfs", "udf", "vfat", "xfs", "zfs", NULL,
};

void mount_place_clear(MountPlace *p)
{
    g_clear_pointer(&p->path, g_free);
}

/* Mount points, and of each whether what is on top there is local. A line: id, parent, device, root, mount
 * point, options, any number of words, "-", type, … Blanks are \040. */
static GHashTable *read_table(GError **err)
{
    g_autofree char *text = NULL;
    size_t len;

    if (!fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, &len, err))
        return NULL;
    GHashTable *t = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (char *next, *line = text; line && *line; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = 0;
        char *where = line, *type = strstr(line, " - ");
        for (int i = 0; i < 4 && where; i++)
            where = strchr(where, ' ') ? strchr(where, ' ') + 1 : NULL;
        if (!where || !type || where > type)
            continue;
        type += 3;
        type[strcspn(type, " ")] = 0;
        where[strcspn(where, " ")] = 0;
        g_hash_table_replace(t, g_strcompress(where), GINT_TO_POINTER(g_strv_contains(local, type) ? 1 : 2));
    }
    return t;
}

void path_push_words(GQueue *todo, const char *path)
{
    g_auto(GStrv) words = g_strsplit(path, "/", -1);

    for (unsigned i = g_strv_length(words); i-- > 0;)
        if (*words[i] && strcmp(words[i], ".") != 0)
            g_queue_push_head(todo, g_strdup(words[i]));
}

static void up(GString *at)
{
    char *slash = strrchr(at->str, '/');
    g_string_truncate(at, slash ? (gsize)(slash - at->str) : 0);
}

/* at: a directory without its slash at the end, the root is empty. */
static bool walk(GHashTable *table, GString *at, GQueue *todo, MountPlace *ret, const char *path, GError **err)
{
    char link[PATH_MAX];

    ret->mounted = true;
    ret->may_hang = GPOINTER_TO_INT(g_hash_table_lookup(table, "/")) == 2;
    for (unsigned links = 0; todo->length && !ret->may_hang;) {
        g_autofree char *word = g_queue_pop_head(todo);
        if (strcmp(word, "..") == 0) {
            up(at);
            continue;
        }
        g_string_append_printf(at, "/%s", word);
        int kind = GPOINTER_TO_INT(g_hash_table_lookup(table, at->str));
        ret->mounted = kind != 0;
        ret->may_hang = kind == 2;
        ssize_t n = ret->mounted ? -1 : readlink(at->str, link, sizeof(link) - 1);
        if (n < 0)
            continue; /* no link, or not there */
        if (++links > LINKS_MAX) {
            error_set_errno(err, ELOOP, "cannot follow '%s'", path);
            return false;
        }
        link[n] = 0;
        if (*link == '/')
            g_string_truncate(at, 0);
        else
            up(at);
        path_push_words(todo, link);
    }
    /* What is left is behind what may hang. */
    ret->mounted &= !todo->length;
    for (GList *l = todo->head; l; l = l->next)
        g_string_append_printf(at, "/%s", (char *)l->data);
    return true;
}

bool mount_place(const char *path, MountPlace *ret, GError **err)
{
    g_autoptr(GHashTable) table = read_table(err);
    g_autoptr(GString) at = g_string_new(NULL);
    GQueue todo = G_QUEUE_INIT;

    *ret = (MountPlace){ 0 };
    if (!table)
        return false;
    path_push_words(&todo, path);
    bool ok = walk(table, at, &todo, ret, path, err);
    g_queue_clear_full(&todo, g_free);
    if (ok)
        ret->path = g_strdup(at->len ? at->str : "/");
    return ok;
}

bool mount_may_hang(const char *path)
{
    g_auto(MountPlace) p = { 0 };
    g_autoptr(GError) error = NULL;

    if (*path != '/')
        return false;
    /* Links in a circle lead nowhere: the system says that at once. */
    return mount_place(path, &p, &error) ? p.may_hang : error_errno(error) != ELOOP;
}
