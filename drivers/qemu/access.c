/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Access as another user (access.h). The kernel answers: for the time of a question this thread, and it
 * alone, has that user's file system identity. System calls instead of the C library's wrappers, which
 * would change every thread. Workers.
 */
#include "drivers/qemu/access.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/error.h"
#include "util/lock.h"

enum { NSS_BUFFER = 65536 };

/* Directories of accounts may be on the network: asked once per user and run of the daemon. */
static struct {
    Lock lock;
    bool known;
    Creds creds;
} recent = { .lock = LOCK_INIT };

/* An account's own group counts as well as the one that guests are given: distributions make it "kvm". */
static void add_group(Creds *c, gid_t gid)
{
    for (unsigned i = 0; i < c->n_groups; i++)
        if (c->groups[i] == gid)
            return;
    if (c->n_groups == CREDS_GROUPS_MAX)
        c->n_groups--;
    c->groups[c->n_groups++] = gid;
}

void creds_of(uid_t uid, gid_t gid, Creds *ret)
{
    g_autofree char *buf = NULL;
    struct passwd pw, *found = NULL;
    int n = CREDS_GROUPS_MAX;

    *ret = (Creds){ .self = uid == geteuid() && gid == getegid(), .uid = uid, .gid = gid };
    if (ret->self)
        return;
    LOCK_SCOPE(&recent.lock);
    if (recent.known && recent.creds.uid == uid && recent.creds.gid == gid) {
        *ret = recent.creds;
        return;
    }
    buf = g_malloc(NSS_BUFFER);
    if (getpwuid_r(uid, &pw, buf, NSS_BUFFER, &found) == 0 && found &&
        getgrouplist(found->pw_name, found->pw_gid, ret->groups, &n) >= 0)
        ret->n_groups = (unsigned)n;
    add_group(ret, gid);
    recent.creds = *ret;
    recent.known = true;
}

/* Names first, then numbers; "+7" is a number in any case. */
static bool number_of(const char *text, uint32_t *ret)
{
    char *end;
    const char *digits = *text == '+' ? text + 1 : text;
    guint64 n;

    if (!g_ascii_isdigit(*digits))
        return false;
    errno = 0;
    n = g_ascii_strtoull(digits, &end, 10);
    if (errno || *end || n >= UINT32_MAX)
        return false;
    *ret = (uint32_t)n;
    return true;
}

bool creds_parse_user(const char *name, uid_t *uid, GError **err)
{
    g_autofree char *buf = g_malloc(NSS_BUFFER);
    struct passwd pw, *found = NULL;

    if (*name != '+' && getpwnam_r(name, &pw, buf, NSS_BUFFER, &found) == 0 && found) {
        *uid = found->pw_uid;
        return true;
    }
    if (number_of(name, uid))
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "Failed to parse user '%s'", name);
    return false;
}

bool creds_parse_group(const char *name, gid_t *gid, GError **err)
{
    g_autofree char *buf = g_malloc(NSS_BUFFER);
    struct group gr, *found = NULL;

    if (*name != '+' && getgrnam_r(name, &gr, buf, NSS_BUFFER, &found) == 0 && found) {
        *gid = found->gr_gid;
        return true;
    }
    if (number_of(name, gid))
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "Failed to parse group '%s'", name);
    return false;
}

bool creds_parse(const char *text, uid_t *uid, gid_t *gid, GError **err)
{
    const char *colon = strchr(text, ':');
    g_autofree char *user = colon ? g_strndup(text, (gsize)(colon - text)) : g_strdup(text);

    return (!*user || creds_parse_user(user, uid, err)) &&
           (!colon || !colon[1] || creds_parse_group(colon + 1, gid, err));
}

/* Questions ------------------------------------------------------------------------------------- */

typedef struct Before {
    uid_t uid;
    gid_t gid;
    gid_t *groups;
    int n_groups;
} Before;

static bool become(const Creds *as, Before *b)
{
    *b = (Before){ .uid = geteuid(), .gid = getegid() };
    if (as->self)
        return true;
    b->n_groups = getgroups(0, NULL);
    if (b->n_groups < 0)
        return false;
    b->groups = g_new(gid_t, MAX(b->n_groups, 1));
    b->n_groups = getgroups(b->n_groups, b->groups);
    if (b->n_groups < 0 || syscall(SYS_setgroups, as->n_groups, as->groups) < 0) {
        g_clear_pointer(&b->groups, g_free);
        return false;
    }
    (void)syscall(SYS_setfsgid, as->gid);
    (void)syscall(SYS_setfsuid, as->uid); /* the capabilities over files go with it */
    return true;
}

static void become_again(const Creds *as, Before *b)
{
    if (as->self)
        return;
    (void)syscall(SYS_setfsuid, b->uid);
    (void)syscall(SYS_setfsgid, b->gid);
    (void)syscall(SYS_setgroups, b->n_groups, b->groups);
    g_free(b->groups);
}

static const char *name_of_user(uid_t uid, char *buf, gsize n)
{
    g_autofree char *space = g_malloc(NSS_BUFFER);
    struct passwd pw, *found = NULL;

    if (getpwuid_r(uid, &pw, space, NSS_BUFFER, &found) == 0 && found)
        g_strlcpy(buf, found->pw_name, n);
    else
        g_snprintf(buf, n, "%u", (unsigned)uid);
    return buf;
}

static const char *name_of_group(gid_t gid, char *buf, gsize n)
{
    g_autofree char *space = g_malloc(NSS_BUFFER);
    struct group gr, *found = NULL;

    if (getgrgid_r(gid, &gr, space, NSS_BUFFER, &found) == 0 && found)
        g_strlcpy(buf, found->gr_name, n);
    else
        g_snprintf(buf, n, "%u", (unsigned)gid);
    return buf;
}

/* "drwxr-x--- root:kvm" */
static char *owner_text(const struct stat *st)
{
    static const char letters[] = "rwxrwxrwx";
    char mode[11] = "-", user[64], group[64];

    mode[0] = S_ISDIR(st->st_mode)   ? 'd'
              : S_ISBLK(st->st_mode) ? 'b'
              : S_ISCHR(st->st_mode) ? 'c'
                                     : '-';
    for (unsigned i = 0; i < 9; i++)
        mode[i + 1] = (st->st_mode & (0400u >> i)) ? letters[i] : '-';
    return g_strdup_printf("%s %s:%s", mode, name_of_user(st->st_uid, user, sizeof(user)),
                           name_of_group(st->st_gid, group, sizeof(group)));
}

/* The first component that cannot be got past, as the other user; NULL: the file itself is not there. */
static char *guilty(const char *path, int mode)
{
    struct stat st;

    for (const char *p = path + 1;; p++) {
        if (*p && *p != '/')
            continue;
        g_autofree char *part = g_strndup(path, (gsize)(p - path));
        bool last = !*p || !p[strspn(p, "/")];
        if (stat(part, &st) < 0)
            return errno == ENOENT  ? last ? NULL : g_strdup_printf("'%s' does not exist", part)
                   : errno == ELOOP ? g_strdup_printf("'%s' is a loop of links", part)
                                    : g_strdup_printf("'%s': %s", part, g_strerror(errno));
        g_autofree char *owner = owner_text(&st);
        if (!last && !S_ISDIR(st.st_mode))
            return g_strdup_printf("'%s' is not a directory", part);
        if (last)
            return g_strdup_printf("'%s' may not be %s: %s", part,
                                   (mode & W_OK) ? "written" : "read", owner);
        if (syscall(SYS_faccessat2, AT_FDCWD, part, X_OK, AT_EACCESS) < 0)
            return g_strdup_printf("'%s' may not be searched: %s", part, owner);
    }
}

int access_as(const Creds *as, const char *path, int mode, char **ret_why)
{
    Before before;
    int errnum = 0;

    *ret_why = NULL;
    if (*path != '/')
        return 0; /* not a path of ours to judge */
    if (!become(as, &before))
        return 0; /* an unprivileged daemon cannot know; the emulator will say */
    /* The system call itself: the C library's own emulation looks at other identities. */
    if (syscall(SYS_faccessat2, AT_FDCWD, path, mode, AT_EACCESS) < 0) {
        errnum = errno;
        if (errnum == ENOSYS || errnum == EPERM)
            errnum = 0;
        else
            *ret_why = guilty(path, mode);
    }
    become_again(as, &before);
    return errnum;
}

void access_explain(GError **err, const char *why)
{
    if (!err || !*err || !why)
        return;
    char *text = g_strdup_printf("%s (%s)", (*err)->message, why);
    g_free((*err)->message);
    (*err)->message = text;
}
