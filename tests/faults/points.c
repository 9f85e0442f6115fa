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

typedef struct Page {
    atomic_int mode;
    atomic_int at;    /* which call, from 1 */
    atomic_int error; /* errno of FAIL and FAIL_FROM */
    atomic_int seen, harmful; /* calls so far; of those in mode COUNT, which FAIL would be about */
    atomic_int state;
    char what[4096 - 6 * sizeof(int)];
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

/* Whether the call is to be left out, with errno set. harmful: it may fail as well as be the last. */
static int point(int harmful, const char *call, const char *subject)
{
    int mode = page ? atomic_load(&page->mode) : OFF, saved = errno;

    if (mode == OFF || getpid() != self || ((mode == FAIL || mode == FAIL_FROM) && !harmful))
        return 0;
    int n = atomic_fetch_add(&page->seen, 1) + 1, at = atomic_load(&page->at);
    if (mode == COUNT && harmful)
        atomic_fetch_add(&page->harmful, 1);
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

#define NEXT(name) \
    static __typeof__(&name) next; \
    if (!next) \
        next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

/* What a descriptor is: nothing that counts, something on a disk, a socket to an emulator. */
static int counts(int fd, char name[static 200])
{
    struct stat st;
    char link[40];

    if (!page || atomic_load(&page->mode) == OFF || fstat(fd, &st) < 0)
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
        return point(harmful, #name, subject) ? -1 : next args; \
    }
#define FD_CALL(type, name, params, args) \
    __attribute__((visibility("default"))) type name params \
    { \
        NEXT(name); \
        char what[200]; \
        int kind = counts(fd, what); \
        return kind && point(kind == 2, #name, what) ? -1 : next args; \
    }

PATH_CALL(int, rename, (const char *a, const char *b), (a, b), 1, b)
PATH_CALL(int, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b), 1, b)
PATH_CALL(int, renameat2, (int d, const char *a, int e, const char *b, unsigned f), (d, a, e, b, f), 1, b)
PATH_CALL(int, link, (const char *a, const char *b), (a, b), 1, b)
PATH_CALL(int, linkat, (int d, const char *a, int e, const char *b, int f), (d, a, e, b, f), 1, b)
PATH_CALL(int, symlink, (const char *a, const char *b), (a, b), 1, b)
PATH_CALL(int, symlinkat, (const char *a, int d, const char *b), (a, d, b), 1, b)
PATH_CALL(int, mkdir, (const char *a, mode_t m), (a, m), 1, a)
PATH_CALL(int, mkdirat, (int d, const char *a, mode_t m), (d, a, m), 1, a)
PATH_CALL(int, setxattr, (const char *a, const char *n, const void *v, size_t s, int f), (a, n, v, s, f), 1, n)
PATH_CALL(int, bind, (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n), 1,
          a->sa_family == AF_UNIX ? ((const struct sockaddr_un *)a)->sun_path : "")
PATH_CALL(int, unlink, (const char *a), (a), 0, a)
PATH_CALL(int, unlinkat, (int d, const char *a, int f), (d, a, f), 0, a)
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
#define OPEN_CALL(name, first, args, path) \
    __attribute__((visibility("default"))) int name(first, int flags, ...) \
    { \
        NEXT(name); \
        va_list ap; \
        va_start(ap, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0; \
        va_end(ap); \
        return (flags & O_CREAT) && !strstr(path, ".log") && point(1, #name, path) ? -1 : next args; \
    }
#define COMMA ,
OPEN_CALL(open, const char *a, (a, flags, mode), a)
OPEN_CALL(openat, int d COMMA const char *a, (d, a, flags, mode), a)
/* clang-format on */

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
