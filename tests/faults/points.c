/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Loaded into a daemon before its own libraries (LD_PRELOAD), this makes a fault happen at the n-th of its
 * calls that change something outside its memory: files, processes, sockets to emulators, interfaces. What
 * is to happen is in a page that the test shares with the daemon ($MODVIRT_FAULT_POINTS); see faults.py.
 * A call counts when it is one of the daemon's own, not of a child that has yet to execute its program.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Known to faults.py. */
enum { OFF, COUNT, KILL, FAIL, FAIL_FROM, WAIT };
enum { PENDING, HIT, GO };

/* What the file systems of the daemon do not have. */
enum { LACKS_NAMELESS = 1, LACKS_RENAME_FLAGS = 2 };

typedef struct Page {
    atomic_int mode;
    atomic_int at;    /* which call, from 1 */
    atomic_int error; /* errno of FAIL and FAIL_FROM */
    atomic_int seen, harmful; /* calls so far; of those in mode COUNT, which FAIL would be about */
    atomic_int state;
    atomic_int lacks;
    atomic_int logged; /* bytes of log that are taken */
    char what[4064];
    char log[61440]; /* in mode COUNT: "CALL\tSUBJECT\tSOURCE\n"; the source of what is missing is "missing" */
} Page;

static Page *page;
static pid_t self;

__attribute__((constructor)) static void set_up(void)
{
    const char *path = getenv("MODVIRT_FAULT_POINTS");
    const char *daemon = getenv("MODVIRT_FAULT_DAEMON");
    int fd = path && strcmp(program_invocation_short_name, daemon ? daemon : "virtqemud") == 0 ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    /* What the daemon starts is not meant. */
    unsetenv("LD_PRELOAD");
    if (p != MAP_FAILED) {
        self = getpid();
        page = p;
    }
}

static int is_on(void)
{
    return page && atomic_load(&page->mode) != OFF;
}

static void note(const char *call, const char *subject, const char *source)
{
    char line[1024];
    int n = snprintf(line, sizeof(line), "%s\t%s\t%s\n", call, subject ? subject : "", source ? source : "");
    int at = n < (int)sizeof(line) ? atomic_fetch_add(&page->logged, n) : (int)sizeof(page->log);

    if (at + n <= (int)sizeof(page->log))
        memcpy(page->log + at, line, (size_t)n);
}

/* A name that is relative to a descriptor, in full. */
static const char *full(int dir, const char *name, char buf[static 600])
{
    char link[40];

    if (!is_on() || dir == AT_FDCWD || *name == '/')
        return name;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", dir);
    ssize_t n = readlink(link, buf, 300);
    size_t at = n < 0 ? 0 : (size_t)n, room = 600 - at;
    return snprintf(buf + at, room, "/%s", name) < (int)room ? buf : name; /* one that is too long stays as it is */
}

/* What a link is made of, when that has no name. */
static const char *origin(const char *path, char buf[static 600])
{
    ssize_t n = is_on() && strncmp(path, "/proc/self/fd/", 14) == 0 ? readlink(path, buf, 599) : -1;

    if (n < 0)
        return path;
    buf[n] = 0;
    return buf;
}

/* Whether the call is to be left out, with errno set. harmful: it may fail as well as be the last. */
static int point_of(int harmful, const char *call, const char *subject, const char *source)
{
    int mode = page ? atomic_load(&page->mode) : OFF, saved = errno;

    if (mode == OFF || getpid() != self || ((mode == FAIL || mode == FAIL_FROM) && !harmful))
        return 0;
    int n = atomic_fetch_add(&page->seen, 1) + 1, at = atomic_load(&page->at);
    if (mode == COUNT) {
        note(call, subject, source);
        if (harmful)
            atomic_fetch_add(&page->harmful, 1);
    }
    if (mode == COUNT || n < at || (n > at && mode != FAIL_FROM))
        return 0;
    if (n == at)
        snprintf(page->what, sizeof(page->what), "%s %s", call, subject ? subject : "");
    atomic_store(&page->state, HIT);
    if (mode == KILL)
        kill(self, SIGKILL);
    while (mode == WAIT && atomic_load(&page->state) == HIT)
        usleep(1000);
    errno = mode == WAIT ? saved : atomic_load(&page->error);
    return mode == FAIL || mode == FAIL_FROM;
}

static int point(int harmful, const char *call, const char *subject)
{
    return point_of(harmful, call, subject, NULL);
}

static int lacks(int what, int error)
{
    if (!page || getpid() != self || !(atomic_load(&page->lacks) & what))
        return 0;
    errno = error;
    return 1;
}

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) \
        next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* What a descriptor is: nothing that counts, something on a disk, a socket to an emulator. */
static int counts(int fd, char name[static 200])
{
    struct stat st;
    char link[40];

    if (!is_on() || fstat(fd, &st) < 0)
        return 0;
    if (S_ISSOCK(st.st_mode)) {
        union {
            struct sockaddr any;
            struct sockaddr_un un;
        } a = { .any.sa_family = AF_UNSPEC };
        socklen_t len = sizeof(a);
        if (getsockname(fd, &a.any, &len) == 0 && a.any.sa_family == AF_NETLINK) {
            strcpy(name, "netlink");
            return 1;
        }
        len = sizeof(a);
        if (getpeername(fd, &a.any, &len) < 0 || a.any.sa_family != AF_UNIX || len <= offsetof(struct sockaddr_un, sun_path) + 1)
            return 0;
        snprintf(name, 200, "%.107s", a.un.sun_path);
        return 1;
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode))
        return 0;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, name, 199);
    name[n < 0 ? 0 : n] = 0;
    return strstr(name, ".log") ? 0 : 2; /* nobody waits for a line of a log */
}

/* clang-format off */
#define PATH_CALL(type, name, params, args, harmful, subject) \
    __attribute__((visibility("default"))) type name params \
    { \
        NEXT(name); \
        char buf[600]; \
        (void)buf; \
        return point(harmful, #name, subject) ? -1 : next args; \
    }
#define NAME_CALL(name, params, args, d, a, e, b, refused) \
    __attribute__((visibility("default"))) int name params \
    { \
        NEXT(name); \
        char from[600], own[600], to[600]; \
        if (refused) \
            return -1; \
        return point_of(1, #name, full(e, b, to), full(d, origin(a, own), from)) ? -1 : next args; \
    }
#define FD_CALL(type, name, params, args) \
    __attribute__((visibility("default"))) type name params \
    { \
        NEXT(name); \
        char what[200]; \
        int kind = counts(fd, what); \
        return kind && point(kind == 2, #name, what) ? -1 : next args; \
    }

NAME_CALL(rename, (const char *a, const char *b), (a, b), AT_FDCWD, a, AT_FDCWD, b, 0)
NAME_CALL(renameat, (int d, const char *a, int e, const char *b), (d, a, e, b), d, a, e, b, 0)
NAME_CALL(renameat2, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f), d, a, e, b,
          f && lacks(LACKS_RENAME_FLAGS, EINVAL))
NAME_CALL(link, (const char *a, const char *b), (a, b), AT_FDCWD, a, AT_FDCWD, b, 0)
NAME_CALL(linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f), d, a, e, b, 0)
PATH_CALL(int, symlink, (const char *a, const char *b), (a, b), 1, b)
PATH_CALL(int, symlinkat, (const char *a, int d, const char *b), (a, d, b), 1, full(d, b, buf))
PATH_CALL(int, mkdir, (const char *a, mode_t m), (a, m), 1, a)
PATH_CALL(int, mkdirat, (int d, const char *a, mode_t m), (d, a, m), 1, full(d, a, buf))
PATH_CALL(int, setxattr, (const char *a, const char *n, const void *v, size_t s, int f), (a, n, v, s, f), 1, n)
PATH_CALL(int, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), 1,
          a->sa_family == AF_UNIX ? ((const struct sockaddr_un *)a)->sun_path : "")
PATH_CALL(int, unlink, (const char *a), (a), 0, a)
PATH_CALL(int, rmdir, (const char *a), (a), 0, a)
PATH_CALL(int, removexattr, (const char *a, const char *n), (a, n), 0, n)
PATH_CALL(int, chown, (const char *a, uid_t u, gid_t g), (a, u, g), 0, a)
PATH_CALL(int, lchown, (const char *a, uid_t u, gid_t g), (a, u, g), 0, a)
FD_CALL(ssize_t, write, (int fd, const void *b, size_t n), (fd, b, n))
FD_CALL(ssize_t, pwrite, (int fd, const void *b, size_t n, off_t o), (fd, b, n, o))
FD_CALL(ssize_t, send, (int fd, const void *b, size_t n, int f), (fd, b, n, f))
FD_CALL(ssize_t, sendmsg, (int fd, const struct msghdr *m, int f), (fd, m, f))
FD_CALL(int, fsync, (int fd), (fd))
FD_CALL(int, fdatasync, (int fd), (fd))
FD_CALL(int, ftruncate, (int fd, off_t n), (fd, n))
FD_CALL(int, fallocate, (int fd, int m, off_t a, off_t n), (fd, m, a, n))
FD_CALL(ssize_t, splice, (int in, off64_t *a, int fd, off64_t *b, size_t n, unsigned f), (in, a, fd, b, n, f))
FD_CALL(int, fchmod, (int fd, mode_t m), (fd, m))
FD_CALL(int, fchown, (int fd, uid_t u, gid_t g), (fd, u, g))

/* These have a mode only when they create. */
#define OPEN_CALL(name, first, args, dir, path) \
    __attribute__((visibility("default"))) int name(first, int flags, ...) \
    { \
        NEXT(name); \
        va_list ap; \
        va_start(ap, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0; \
        va_end(ap); \
        char buf[600]; \
        if ((flags & O_TMPFILE) == O_TMPFILE && lacks(LACKS_NAMELESS, EOPNOTSUPP)) \
            return -1; \
        return (flags & O_CREAT) && !strstr(path, ".log") && point(1, #name, full(dir, path, buf)) ? -1 : next args; \
    }
#define COMMA ,
OPEN_CALL(open, const char *a, (a, flags, mode), AT_FDCWD, a)
OPEN_CALL(openat, int d COMMA const char *a, (d, a, flags, mode), d, a)
/* clang-format on */

__attribute__((visibility("default"))) int unlinkat(int d, const char *a, int f)
{
    NEXT(unlinkat);
    char buf[600];
    bool missing = is_on() && faccessat(d, a, F_OK, AT_SYMLINK_NOFOLLOW) < 0;

    return point_of(0, "unlinkat", full(d, a, buf), missing ? "missing" : NULL) ? -1 : next(d, a, f);
}

__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
    NEXT(ioctl);
    va_list ap;

    va_start(ap, request);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if ((request == TUNSETIFF || request == TUNSETPERSIST || request == SIOCBRADDIF) && point(1, "ioctl", "of an interface"))
        return -1;
    return next(fd, request, arg);
}

__attribute__((visibility("default"))) int clone(int (*run)(void *), void *stack, int flags, void *arg, ...)
{
    NEXT(clone);
    va_list ap;

    va_start(ap, arg);
    void *parent = va_arg(ap, void *), *tls = va_arg(ap, void *), *child = va_arg(ap, void *);
    va_end(ap);
    return point(1, "clone", "a program") ? -1 : next(run, stack, flags, arg, parent, tls, child);
}

__attribute__((visibility("default"))) long syscall(long number, ...)
{
    NEXT(syscall);
    va_list ap;
    long a[6];

    va_start(ap, number);
    for (int i = 0; i < 6; i++)
        a[i] = va_arg(ap, long);
    va_end(ap);
    if (number == SYS_pidfd_send_signal && a[1] != 0)
        point(0, "signal", "");
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
