/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Paths of volumes and pools, followed for somebody who can change what is on the way (volume_file.h). The daemon may go
 * anywhere; a link that another user put into a pool's directory would take it where that user could not go. So a link
 * counts with the rights of whoever owns it: it leads only through directories that he can search, to what he can open as
 * the daemon is about to. Links of root's and of our own lead everywhere. Rights are those of owners and of everybody;
 * what groups and lists of access add is not asked for. What has been looked at is what is opened. Any thread; blocks.
 */
#define LOG_SOURCE "storage.links"
#include "drivers/storage/volume_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/storage/mounts.h"
#include "util/fd.h"
#include "util/image.h"
#include "util/log.h"

enum { LINKS_MAX = 40, MAY_READ = 4, MAY_WRITE = 2, MAY_SEARCH = 1 };

typedef struct Way {
    GQueue todo;            /* words */
    uid_t hands[LINKS_MAX]; /* owners of links that were followed */
    unsigned n_hands, n_links;
} Way;

static bool may(const Way *w, int at, unsigned rights)
{
    struct stat st;

    if (w->n_hands == 0)
        return true;
    if (fstat(at, &st) < 0)
        return false;
    for (unsigned i = 0; i < w->n_hands; i++)
        if (st.st_uid != w->hands[i] && (st.st_mode & rights) != rights) {
            errno = EPERM;
            return false;
        }
    return true;
}

/* at: where the link is; becomes the directory in which its words begin. */
static bool follow(Way *w, int link, const struct stat *st, int *at)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(link, "", target, sizeof(target) - 1);

    if (n < 0)
        return false;
    target[n] = 0;
    if (++w->n_links > LINKS_MAX) {
        errno = ELOOP;
        return false;
    }
    if (st->st_uid != 0 && st->st_uid != geteuid())
        w->hands[w->n_hands++] = st->st_uid;
    if (*target == '/') {
        fd_close(at);
        *at = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    }
    path_push_words(&w->todo, target);
    return *at >= 0;
}

static int walk(Way *w, const char *path, unsigned rights)
{
    auto_fd at = open(*path == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    path_push_words(&w->todo, path);
    while (at >= 0 && w->todo.length) {
        g_autofree char *word = g_queue_pop_head(&w->todo);
        auto_fd next = may(w, at, MAY_SEARCH) ? openat(at, word, O_PATH | O_NOFOLLOW | O_CLOEXEC) : -1;
        struct stat st;

        if (next < 0 || fstat(next, &st) < 0 || (S_ISLNK(st.st_mode) && !follow(w, next, &st, &at)))
            return -1;
        if (!S_ISLNK(st.st_mode)) {
            fd_close(&at);
            at = fd_take(&next);
        }
    }
    return at >= 0 && may(w, at, rights) ? fd_take(&at) : -1;
}

/* What is at the end of the path, as O_PATH has it; below zero with errno, EPERM where a link's owner may not go. */
static int find(const char *path, unsigned rights)
{
    const struct open_how no_links = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &no_links, sizeof(no_links));
    Way w = { .todo = G_QUEUE_INIT };

    if (fd >= 0)
        return fd;
    fd = walk(&w, path, rights);
    int errnum = errno;
    if (fd < 0 && errnum == EPERM && w.n_hands)
        log_warn("'%s' leads through a link of user %u to what that user may not open: it is not followed", path,
                 (unsigned)w.hands[0]);
    g_queue_clear_full(&w.todo, g_free);
    errno = errnum;
    return fd;
}

int volume_open(const char *path, int flags)
{
    int mode = flags & O_ACCMODE;
    auto_fd fd = find(path, (mode == O_WRONLY ? 0 : MAY_READ) | (mode == O_RDONLY ? 0 : MAY_WRITE));

    return fd < 0 ? -1 : image_reopen(fd, flags);
}

int volume_open_dir(const char *path, bool write)
{
    auto_fd fd = find(path, MAY_READ | MAY_SEARCH | (write ? MAY_WRITE : 0));

    return fd < 0 ? -1 : openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}
