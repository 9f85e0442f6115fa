/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making and changing a guest's /dev (private_dev.h). The file system is made by the daemon, detached, and
 * filled before there is a process; the child only moves it to /dev in its new namespace (util/spawn.h), so
 * nothing of this runs between fork and exec. Later the daemon reaches the same directory as /proc/PID/root/dev:
 * it enters no namespace, and one that was restarted needs nothing but the process's number.
 *
 * Paths are the host's. Links are made again on the way, each with the text that it has on the host. What a
 * path leads to decides: only nodes on the file system of the host's own /dev are copied, since what is on
 * another one below it is mounted in the guest's, too. Workers.
 */
#define LOG_SOURCE "qemu.dev"
#include "drivers/qemu/private_dev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/paths.h"

#define DEV     "/dev"
#define DEV_LEN 4
#define ACL     "system.posix_acl_access"

enum { MOUNTINFO_MAX = 4 << 20, LINKS_MAX = 32, ACL_MAX = 4096 };

static const char *const usual[] = { "/dev/null",   "/dev/full", "/dev/zero",  "/dev/random", "/dev/urandom",
                                     "/dev/ptmx",   "/dev/kvm",  "/dev/userfaultfd", NULL };

const char *const *private_dev_fixed(void)
{
    char **own = qemu.config->cgroup_device_acl;
    return own && *own ? (const char *const *)own : usual;
}

/* Nodes ------------------------------------------------------------------------------------------- */

static bool below_dev(const char *path)
{
    return g_str_has_prefix(path, DEV "/");
}

/* The mount that a path of the host is on. */
static bool mount_of(const char *path, uint64_t *ret)
{
    struct statx st;

    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &st) < 0 || !(st.stx_mask & STATX_MNT_ID))
        return false;
    *ret = st.stx_mnt_id;
    return true;
}

char *private_dev_node(const char *path)
{
    g_autofree char *real = realpath(path, NULL);
    uint64_t dev, own;
    struct stat st;

    if (!real || !below_dev(real) || stat(real, &st) < 0 || (!S_ISBLK(st.st_mode) && !S_ISCHR(st.st_mode)) ||
        !mount_of(DEV, &dev) || !mount_of(real, &own) || dev != own)
        return NULL;
    return g_strdup(real);
}

bool private_dev_serves(const char *path)
{
    g_autofree char *node = private_dev_node(path);
    return node != NULL;
}

static bool fail(GError **err, const char *path)
{
    error_set_errno(err, errno, "cannot make '%s' in the guest's own /dev", path);
    return false;
}

/* Directories above path. */
static bool make_parents(int root, const char *path, GError **err)
{
    for (const char *slash = strchr(path + DEV_LEN + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        g_autofree char *dir = g_strndup(path + DEV_LEN + 1, (gsize)(slash - path) - DEV_LEN - 1);
        if (mkdirat(root, dir, 0755) < 0 && errno != EEXIST)
            return fail(err, path);
    }
    return true;
}

static void copy_acl(int root, const char *node)
{
    g_autofree char *there = g_strdup_printf("/proc/self/fd/%d%s", root, node + DEV_LEN);
    g_autofree char *acl = g_malloc(ACL_MAX);
    ssize_t n = getxattr(node, ACL, acl, ACL_MAX);

    if (n > 0 && setxattr(there, ACL, acl, (size_t)n, 0) < 0)
        log_debug("the access list of '%s' is not copied: %s", node, g_strerror(errno));
}

static bool make_node(int root, const char *node, GError **err)
{
    const char *name = node + DEV_LEN + 1;
    struct stat st;

    if (stat(node, &st) < 0 || !make_parents(root, node, err))
        return fail(err, node);
    if (mknodat(root, name, st.st_mode, st.st_rdev) < 0)
        return errno == EEXIST || fail(err, node);
    if (fchownat(root, name, st.st_uid, st.st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
        fchmodat(root, name, st.st_mode & 07777, 0) < 0) /* the mask of the daemon */
        return fail(err, node);
    copy_acl(root, node);
    return true;
}

/* The first component that is a link, as a path, and where it leads with the rest behind it; NULL: none. */
static char *next_link(const char *path, char **ret_text, char **ret_next)
{
    for (const char *p = path + DEV_LEN + 1;; p++) {
        if (*p && *p != '/')
            continue;
        g_autofree char *part = g_strndup(path, (gsize)(p - path));
        g_autofree char *text = g_file_read_link(part, NULL);
        if (text) {
            g_autofree char *dir = g_path_get_dirname(part), *to = g_canonicalize_filename(text, dir);
            *ret_next = g_strconcat(to, p, NULL);
            *ret_text = g_steal_pointer(&text);
            return g_steal_pointer(&part);
        }
        if (!*p)
            return NULL;
    }
}

bool private_dev_add(int root, const char *path, GError **err)
{
    g_autofree char *node = private_dev_node(path), *at = g_canonicalize_filename(path, "/");

    if (!node)
        return true;
    for (unsigned i = 0; i < LINKS_MAX && below_dev(at); i++) {
        g_autofree char *text = NULL, *next = NULL, *link = next_link(at, &text, &next);
        if (!link)
            break;
        if (!make_parents(root, link, err))
            return false;
        if (symlinkat(text, root, link + DEV_LEN + 1) < 0 && errno != EEXIST)
            return fail(err, link);
        g_free(at);
        at = g_steal_pointer(&next);
    }
    return make_node(root, node, err);
}

void private_dev_remove(int root, const char *path)
{
    g_autofree char *node = private_dev_node(path), *at = g_canonicalize_filename(path, "/");

    if (below_dev(at))
        (void)unlinkat(root, at + DEV_LEN + 1, 0); /* a link, or the node itself; or it is not there */
    if (node)
        (void)unlinkat(root, node + DEV_LEN + 1, 0);
}

bool private_dev_give(int root, const char *path, uid_t uid, gid_t gid, GError **err)
{
    g_autofree char *node = private_dev_node(path);

    if (!node || fchownat(root, node + DEV_LEN + 1, uid, gid, AT_SYMLINK_NOFOLLOW) == 0)
        return true;
    error_set_errno(err, errno, "unable to set user and group to '%u:%u' on '%s' in the guest's own /dev", (unsigned)uid,
                    (unsigned)gid, path);
    return false;
}

/* Making one -------------------------------------------------------------------------------------- */

void private_dev_done(PrivateDev *p)
{
    for (unsigned i = 0; i < p->n_mounts; i++) {
        fd_close(&p->mounts[i].fd);
        g_free((char *)p->mounts[i].target);
    }
    p->n_mounts = 0;
    p->root = -1;
}

static void add_mount(PrivateDev *p, int fd, char *take_target)
{
    p->mounts[p->n_mounts++] = (SpawnMount){ fd, take_target };
}

static bool make_root(PrivateDev *p, GError **err)
{
    auto_fd fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
    int tree = -1;

    if (fs >= 0 && fsconfig(fs, FSCONFIG_SET_STRING, "source", "devfs", 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "mode", "755", 0) == 0 &&
        fsconfig(fs, FSCONFIG_SET_STRING, "size", "65536", 0) == 0 &&
        fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
    if (tree < 0) {
        error_set_errno(err, errno, "cannot make a file system for a guest's own /dev");
        return false;
    }
    p->root = tree;
    add_mount(p, tree, g_strdup(DEV));
    return true;
}

static bool has_mount(const PrivateDev *p, const char *target)
{
    for (unsigned i = 1; i < p->n_mounts; i++) {
        size_t n = strlen(p->mounts[i].target);
        if (strncmp(target, p->mounts[i].target, n) == 0 && (target[n] == '\0' || target[n] == '/'))
            return true; /* what is below comes with it */
    }
    return false;
}

static bool copy_mount(PrivateDev *p, const char *target, GError **err)
{
    struct stat st;

    if (has_mount(p, target) || lstat(target, &st) < 0)
        return true; /* hidden by another one */
    if (p->n_mounts == PRIVATE_DEV_MOUNTS) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "more than %d file systems are mounted below /dev", PRIVATE_DEV_MOUNTS - 1);
        return false;
    }
    if (!make_parents(p->root, target, err))
        return false;
    const char *name = target + DEV_LEN + 1;
    auto_fd file = -1;
    if (S_ISDIR(st.st_mode) ? mkdirat(p->root, name, 0755) < 0
                            : (file = openat(p->root, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600)) < 0)
        return errno == EEXIST || fail(err, target);
    int tree = open_tree(AT_FDCWD, target, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW);
    if (tree < 0) {
        error_set_errno(err, errno, "cannot keep '%s' in a guest's own /dev", target);
        return false;
    }
    add_mount(p, tree, g_strdup(target));
    return true;
}

/* Mount points are the fifth word, with "\040" for a blank. Those above come before those below them. */
static bool copy_mounts(PrivateDev *p, GError **err)
{
    g_autofree char *text = NULL;
    size_t len;

    if (!fd_read_file(AT_FDCWD, "/proc/self/mountinfo", MOUNTINFO_MAX, &text, &len, err))
        return false;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; *line; line++) {
        g_auto(GStrv) words = g_strsplit(*line, " ", 6);
        g_autofree char *target = g_strv_length(words) == 6 ? g_strcompress(words[4]) : NULL;
        if (target && below_dev(target) && !copy_mount(p, target, err))
            return false;
    }
    return true;
}

static bool fill(PrivateDev *p, GError **err)
{
    if (!make_root(p, err) || !copy_mounts(p, err))
        return false;
    for (const char *const *path = private_dev_fixed(); *path; path++)
        if (!private_dev_add(p->root, *path, err))
            return false;
    return true;
}

static bool make(PrivateDev *p, GError **err)
{
    *p = (PrivateDev){ .root = -1 };
    if (fill(p, err))
        return true;
    private_dev_done(p);
    return false;
}

/* Whether ----------------------------------------------------------------------------------------- */

static struct {
    Lock lock;
    bool tried;
    GError *why; /* NULL: it works */
} trial = { .lock = LOCK_INIT };

/* Once; what the kernel and a container allow does not change. */
static const GError *try_once(void)
{
    LOCK_SCOPE(&trial.lock);
    PrivateDev p;

    if (trial.tried)
        return trial.why;
    trial.tried = true;
    if (make(&p, &trial.why)) {
        (void)spawn_can_mount(p.mounts, p.n_mounts, &trial.why);
        private_dev_done(&p);
    }
    if (trial.why && !qemu.config->namespaces)
        log_warn("guests run with the host's /dev: %s", trial.why->message);
    return trial.why;
}

bool private_dev_decide(bool *ret, GError **err)
{
    char **names = qemu.config->namespaces;

    *ret = false;
    if (paths()->session || (names && !*names))
        return true;
    const GError *why = try_once();
    if (why && names) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "namespaces in qemu.conf: 'mount' is not possible here: %s", why->message);
        return false;
    }
    *ret = !why;
    return true;
}

int private_dev_open(const QemuStatus *s, GError **err)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/root" DEV, (int)s->pid);

    if (!s->private_dev)
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        return fd;
    error_set_errno(err, errno, "cannot reach the guest's own /dev");
    return -2;
}

/* The step ---------------------------------------------------------------------------------------- */

bool start_private_dev(Start *s, GError **err)
{
    if (!s->status->private_dev)
        return true;
    if (!make(&s->dev, err) || !private_dev_add_device(s->dev.root, s->def, NULL, err))
        return false;
    for (unsigned i = 0; i < list_len(s->def->devices); i++)
        if (!private_dev_add_device(s->dev.root, s->def, list_at(s->def->devices, i), err))
            return false;
    return true;
}

void start_tell_private_dev(const Start *s, GPtrArray *lines)
{
    g_autoptr(GString) own = g_string_new(NULL);

    if (!s->status->private_dev) {
        g_ptr_array_add(lines, g_strdup("the guest has the host's /dev"));
        return;
    }
    for (const char *const *path = private_dev_fixed(); *path; path++)
        if (private_dev_serves(*path))
            g_string_append_printf(own, "%s%s", own->len ? ", " : "", *path);
    g_ptr_array_add(lines, g_strdup_printf("a /dev of its own with %s and what is mounted below", own->str));
    device_nodes_tell(s->def, lines);
}
