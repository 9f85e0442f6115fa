/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting programs. The child shares our memory until it execs (as with vfork), so the
 * parent prepares everything: what runs in the child is spawn_child(), which makes system calls on
 * a plan that is already laid out, allocates nothing and takes no lock. The calling thread is
 * suspended meanwhile, other threads run on. An error comes back through the shared plan.
 *
 * Invariant: the new program has the descriptors 0, 1, 2 and the named targets, no other, and
 * default signal dispositions. Children of spawn_start() are kept in a list until spawn_reap()
 * has collected them: waiting for "any child" would steal the status of somebody else's. Any thread.
 */
#include "util/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"

enum { FDS_MAX = 256, TARGET_MAX = 4096, STACK_SIZE = 256 * 1024 };

/* The child runs on our memory: a sanitizer's notes of its own do not belong there. */
#define NO_SANITIZE __attribute__((no_sanitize_address, no_sanitize_thread))

static Lock children_lock = LOCK_INIT;
static GArray *children; /* pid_t, started and not yet reaped */

typedef struct Plan {
    const char *const *argv, *const *envp;
    const char *cwd;
    SpawnFd fds[FDS_MAX + 3]; /* sorted by target; includes 0, 1, 2 */
    unsigned n_fds;
    int park;                 /* descriptors below this are targets */
    const SpawnMount *mounts;
    unsigned n_mounts;
    bool new_session, no_caps;
    pid_t parent; /* with whom it dies; 0: with nobody */
    const SpawnUser *user;
    int64_t memlock;
    /* result */
    const char *failed;       /* what did; NULL: exec went well */
    int errnum;
} Plan;

/* close_range() is missing before Linux 5.9 and in some containers. */
static NO_SANITIZE void close_from_to(unsigned first, unsigned last)
{
    if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
        return;
    for (unsigned fd = first; fd <= MIN(last, 65536u); fd++)
        (void)syscall(SYS_close, fd); /* most are not open */
}

static NO_SANITIZE bool place_fds(Plan *p)
{
    unsigned next = 0;

    /* All sources move above the targets first, so that no target overwrites a source. */
    for (unsigned i = 0; i < p->n_fds; i++) {
        long r = syscall(SYS_fcntl, p->fds[i].fd, F_DUPFD_CLOEXEC, p->park);

        if (r < 0)
            return false;
        p->fds[i].fd = (int)r;
    }
    for (unsigned i = 0; i < p->n_fds; i++) {
        if (syscall(SYS_dup3, p->fds[i].fd, p->fds[i].target, 0) < 0)
            return false;
        if ((unsigned)p->fds[i].target > next)
            close_from_to(next, (unsigned)p->fds[i].target - 1);
        next = (unsigned)p->fds[i].target + 1;
    }
    close_from_to(next, ~0u);
    return true;
}

static NO_SANITIZE void signals_to_default(void)
{
    struct { /* as the kernel has it */
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask[2];
    } act = { SIG_DFL, 0, NULL, { 0, 0 } };
    unsigned long none[2] = { 0, 0 };

    /* Raw system calls: the C library's and a sanitizer's notes on handlers are shared memory. */
    for (int sig = 1; sig < 65; sig++)
        (void)syscall(SYS_rt_sigaction, sig, &act, NULL, 8); /* KILL and STOP refuse */
    (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, none, NULL, 8);
}

enum { CAPABILITIES = 64 };

static NO_SANITIZE bool change_identity(const Plan *p)
{
    /* What execve() would give root comes from the bounding set. */
    for (unsigned cap = 0; p->no_caps && cap < CAPABILITIES; cap++)
        (void)syscall(SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0); /* not there, or not ours to drop */
    if (p->user &&
        (syscall(SYS_setgroups, p->user->n_groups, p->user->groups) < 0 ||
         syscall(SYS_setresgid, p->user->gid, p->user->gid, p->user->gid) < 0 ||
         syscall(SYS_setresuid, p->user->uid, p->user->uid, p->user->uid) < 0))
        return false;
    if (p->no_caps) {
        struct { uint32_t version; int pid; } head = { _LINUX_CAPABILITY_VERSION_3, 0 };
        struct { uint32_t effective, permitted, inheritable; } none[2] = { { 0, 0, 0 }, { 0, 0, 0 } };
        return syscall(SYS_capset, &head, none) == 0;
    }
    return true;
}

static NO_SANITIZE bool place_mounts(Plan *p)
{
    const unsigned long off = MS_SLAVE | MS_REC;

    p->failed = "make a mount namespace";
    if (syscall(SYS_unshare, CLONE_NEWNS) < 0)
        return false;
    /* Where the root is no mount (a chroot), it is enough that nothing leaves the place of the first. */
    if (syscall(SYS_mount, NULL, "/", NULL, off, NULL) < 0 &&
        syscall(SYS_mount, NULL, p->mounts[0].target, NULL, off, NULL) < 0)
        return false;
    for (unsigned i = 0; i < p->n_mounts; i++) {
        p->failed = p->mounts[i].target;
        if (syscall(SYS_move_mount, p->mounts[i].fd, "", AT_FDCWD, p->mounts[i].target, MOVE_MOUNT_F_EMPTY_PATH) < 0)
            return false;
    }
    return true;
}

static NO_SANITIZE int spawn_child(void *data)
{
    Plan *p = data;

    p->failed = "reset signals";
    signals_to_default();
    if (p->n_mounts && !place_mounts(p))
        goto fail; /* one exit, nothing to clean */
    if (!p->argv)
        syscall(SYS_exit_group, 0);
    if (p->new_session)
        (void)syscall(SYS_setsid); /* a new child is never a group leader */
    if (p->memlock >= 0) {
        struct { uint64_t cur, max; } limit = { (uint64_t)p->memlock, (uint64_t)p->memlock };

        (void)syscall(SYS_prlimit64, 0, RLIMIT_MEMLOCK, &limit, NULL); /* EPERM: run with less */
    }
    p->failed = "change directory";
    if (syscall(SYS_chdir, p->cwd) < 0)
        goto fail;
    p->failed = "pass descriptors";
    if (!place_fds(p))
        goto fail;
    p->failed = "change user";
    if (!change_identity(p))
        goto fail;
    if (p->parent) {
        p->failed = "be told of our end";
        /* After the change of user, which clears it. Between fork and here we may have died already. */
        if (syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
            goto fail;
        if (syscall(SYS_getppid) != p->parent)
            syscall(SYS_exit_group, 127);
    }
    p->failed = "execute";
    syscall(SYS_execve, p->argv[0], p->argv, p->envp);
fail:
    p->errnum = errno;
    syscall(SYS_exit_group, 127);
    return 127;
}

static int by_target(const void *a, const void *b)
{
    return ((const SpawnFd *)a)->target - ((const SpawnFd *)b)->target;
}

static bool plan_fds(Plan *p, const Spawn *s, int null_fd, GError **err)
{
    if (s->n_fds > FDS_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot pass %u descriptors to '%s', at most %d",
                  s->n_fds, s->argv[0], FDS_MAX);
        return false;
    }
    p->fds[0] = (SpawnFd){ s->in >= 0 ? s->in : null_fd, 0 };
    p->fds[1] = (SpawnFd){ s->out >= 0 ? s->out : null_fd, 1 };
    p->fds[2] = (SpawnFd){ s->err >= 0 ? s->err : null_fd, 2 };
    if (s->n_fds)
        memcpy(p->fds + 3, s->fds, s->n_fds * sizeof(SpawnFd));
    p->n_fds = s->n_fds + 3;
    qsort(p->fds, p->n_fds, sizeof(SpawnFd), by_target);
    p->park = p->fds[p->n_fds - 1].target + 1;

    for (unsigned i = 0; i < p->n_fds; i++) {
        int target = p->fds[i].target;

        if (p->fds[i].fd < 0 || target < 0 || target > TARGET_MAX ||
            (i > 0 && target == p->fds[i - 1].target)) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot pass descriptor %d to '%s' as %d",
                      p->fds[i].fd, s->argv[0], target);
            return false;
        }
    }
    return true;
}

/* PATH for the helpers that programs call; HOME because some refuse to run without. */
static char **minimal_env(void)
{
    const char *path = g_getenv("PATH");
    char **env = g_new0(char *, 4);

    env[0] = g_strdup_printf(
        "PATH=%s", path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    env[1] = g_strdup("LC_ALL=C");
    env[2] = g_strdup_printf("HOME=%s", g_get_home_dir());
    return env;
}

/*
 * Whether our memory may be dumped and traced. Asked once, before the first child: while a child on another thread
 * has changed its user, the answer is that child's.
 */
static int own_dumpable(void)
{
    static gsize known; /* 1 more than the answer */

    if (g_once_init_enter(&known))
        g_once_init_leave(&known, (gsize)MAX(prctl(PR_GET_DUMPABLE, 0, 0, 0, 0), 0) + 1);
    return (int)known - 1;
}

static bool clone_child(Plan *p, PidRef *ret, GError **err)
{
    const char *what = p->argv ? p->argv[0] : "a child";
    size_t size = STACK_SIZE;
    char *stack =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    sigset_t all, before;
    int pidfd = -1, errnum, dumpable = own_dumpable();
    pid_t pid;

    if (stack == MAP_FAILED) {
        error_set_errno(err, errno, "cannot start '%s'", what);
        return false;
    }
    /* No handler of ours may run in the child, where it would act on our memory. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = clone(spawn_child, stack + size, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, p, &pidfd);
    errnum = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    /* A child that changes its user marks the memory that it shares with us as secret. */
    if (p->user || p->no_caps)
        (void)prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
    munmap(stack, size);
    if (pid < 0) {
        error_set_errno(err, errnum, "cannot start '%s'", what);
        return false;
    }
    if (p->errnum != 0) {
        error_set_errno(err, p->errnum, "cannot start '%s': %s", what, p->failed);
        waitpid(pid, NULL, __WALL);
        fd_close(&pidfd);
        return false;
    }

    /* The record needs the start time as well. The child is ours and not reaped: its pid is sure. */
    PidRef ref;

    if (!pidref_from_pid(pid, &ref, NULL))
        ref = (PidRef){ .pid = pid, .start_time = 0, .fd = -1 }; /* no descriptor left, or no /proc */
    fd_close(&ref.fd);
    ref.fd = pidfd;
    *ret = ref;
    return true;
}

static bool start(const Spawn *s, PidRef *ret, GError **err)
{
    auto_fd null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    g_autofree Plan *p = g_new0(Plan, 1);
    g_auto(GStrv) env = NULL;

    if (null_fd < 0) {
        error_set_errno(err, errno, "cannot open /dev/null");
        return false;
    }
    if (!s->argv[0] || s->argv[0][0] != '/') {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "program '%s' is not an absolute path",
                  s->argv[0] ? s->argv[0] : "");
        return false;
    }
    p->argv = s->argv;
    if (!s->envp)
        env = minimal_env();
    p->envp = s->envp ? s->envp : (const char *const *)env;
    p->cwd = s->cwd ? s->cwd : "/";
    p->new_session = s->new_session;
    p->memlock = s->memlock;
    p->parent = s->dies_with_us ? getpid() : 0;
    p->user = s->user;
    p->no_caps = s->no_caps;
    p->mounts = s->mounts;
    p->n_mounts = s->n_mounts;
    return plan_fds(p, s, null_fd, err) && clone_child(p, ret, err);
}

static void reap_later(pid_t pid)
{
    LOCK_SCOPE(&children_lock);

    /* It may have ended before it stood in the list, and its SIGCHLD be gone. */
    if (waitpid(pid, NULL, WNOHANG) == 0) {
        if (!children)
            children = g_array_new(FALSE, FALSE, sizeof(pid_t));
        g_array_append_val(children, pid);
    }
}

bool spawn_can_mount(const SpawnMount *mounts, unsigned n, GError **err)
{
    g_autofree Plan *p = g_new0(Plan, 1);
    PidRef child = PIDREF_NONE;

    p->memlock = -1;
    p->mounts = mounts;
    p->n_mounts = n;
    if (!clone_child(p, &child, err))
        return false;
    while (waitpid(child.pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    pidref_done(&child);
    return true;
}

bool spawn_start(const Spawn *s, PidRef *ret, GError **err)
{
    if (!start(s, ret, err)) /* may hang with the file system: no lock is held */
        return false;
    if (s->keep_zombie)
        return true;

    reap_later(ret->pid);
    return true;
}

unsigned spawn_reap(void)
{
    unsigned n = 0;
    LOCK_SCOPE(&children_lock);

    for (guint i = 0; children && i < children->len;) {
        pid_t r = waitpid(g_array_index(children, pid_t, i), NULL, WNOHANG);

        if (r == 0 || (r < 0 && errno == EINTR)) {
            i++;
            continue;
        }
        g_array_remove_index_fast(children, i);
        n++;
    }
    return n;
}

/* Takes what is there; false at end of file. Bytes beyond max are read and dropped. */
static bool take_output(int *fd, GString *out, size_t max)
{
    char buf[4096];
    ssize_t r;

    while ((r = read(*fd, buf, sizeof(buf))) > 0)
        g_string_append_len(out, buf, (gssize)MIN((size_t)r, max - MIN(max, out->len)));
    if (r < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    fd_close(fd);
    return false;
}

typedef enum Outcome { OUTCOME_ENDED, OUTCOME_LATE, OUTCOME_STALLED, OUTCOME_CANCELLED } Outcome;

/* When it last gave a sign of life. */
typedef struct Life {
    gint64 last;
    uint64_t moved; /* bytes, by the system's count */
} Life;

/* What the program has read and written so far, anywhere; 0: cannot be told. */
static uint64_t bytes_moved(pid_t pid)
{
    char path[40], text[512];
    uint64_t in = 0, out = 0;

    g_snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
    auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (n <= 0)
        return 0;
    text[n] = 0;
    return sscanf(text, "rchar: %" SCNu64 " wchar: %" SCNu64, &in, &out) == 2 ? in + out : 0;
}

/* False: too long without a sign. */
static bool lives(Life *l, const SpawnWatch *w, pid_t pid, bool said)
{
    gint64 now = g_get_monotonic_time();
    uint64_t moved = w->counters ? bytes_moved(pid) : 0;

    if (said || moved != l->moved) {
        *l = (Life){ now, moved };
        if (w->alive)
            w->alive(w->data);
    }
    return !w->stall_usec || now - l->last < (gint64)MIN(w->stall_usec, (uint64_t)G_MAXINT64 / 4);
}

/* Reads until the program ends or the deadline. Its end counts, not that of the pipes: a helper that
 * it left behind may hold them for ever. */
static Outcome collect(const PidRef *child, const SpawnWatch *watch, int *out, int *errfd, gint64 deadline,
                       size_t max, GString *outs, GString *errs)
{
    enum { FOREVER_MS = 1000 * 1000, WATCHED_MS = 200 };
    Life life = { .last = g_get_monotonic_time() };

    for (;;) {
        struct pollfd p[3] = { { child->fd, POLLIN, 0 }, { *out, POLLIN, 0 }, { *errfd, POLLIN, 0 } };
        gint64 left = deadline - g_get_monotonic_time();
        int wait = (int)MIN(left / 1000 + 1, watch ? WATCHED_MS : FOREVER_MS);
        int r = left > 0 ? poll(p, 3, wait) : 0;
        gsize before = outs->len;

        if (r == 0 && deadline <= g_get_monotonic_time())
            return OUTCOME_LATE;
        if (*out >= 0)
            (void)take_output(out, outs, max);
        if (*errfd >= 0)
            (void)take_output(errfd, errs, max);
        if (watch && watch->output && outs->len > before)
            watch->output(outs->str, outs->len, watch->data);
        if (r > 0 && p[0].revents) {
            /* It wrote before it ended: the pipes were read after poll() saw the end. */
            return OUTCOME_ENDED;
        }
        if (watch && (watch->stall_usec || watch->alive) && !lives(&life, watch, child->pid, outs->len > before))
            return OUTCOME_STALLED;
        if (watch && watch->cancelled && watch->cancelled(watch->data))
            return OUTCOME_CANCELLED;
    }
}

/* Collects what has been killed. A program that the kernel does not let go is spawn_reap()'s. */
static bool collect_killed(const PidRef *child)
{
    enum { PATIENCE_MS = 2000 };
    struct pollfd p = { child->fd, POLLIN, 0 };
    siginfo_t si;

    if (poll(&p, 1, PATIENCE_MS) > 0)
        return waitid(P_PID, (id_t)child->pid, &si, WEXITED) == 0;
    reap_later(child->pid);
    return false;
}

/* The last lines of what it wrote to stderr, for the message. */
static char *tail(const GString *errs)
{
    g_autofree char *valid = g_utf8_make_valid(errs->str, (gssize)errs->len);
    char *s = g_strstrip(valid);
    size_t n = strlen(s);

    if (n > 500) {
        s += n - 500;
        while ((*s & 0xc0) == 0x80)
            s++;
    }
    return g_strdup(s[0] ? s : "no message");
}

static bool check_status(const char *program, const siginfo_t *si, const GString *errs, GError **err)
{
    g_autofree char *said = tail(errs);

    if (si->si_code == CLD_EXITED && si->si_status == 0)
        return true;
    if (si->si_code == CLD_EXITED)
        error_set(err, VIR_ERR_OPERATION_FAILED, "'%s' ended with status %d: %s", program,
                  si->si_status, said);
    else
        error_set(err, VIR_ERR_OPERATION_FAILED, "'%s' was killed by signal %d: %s", program,
                  si->si_status, said);
    return false;
}

bool spawn_run(const Spawn *s, uint64_t usec, size_t max_out, char **ret_out, char **ret_err,
               GError **err)
{
    gint64 deadline = g_get_monotonic_time() + (gint64)MIN(usec, (uint64_t)G_MAXINT64 / 4);
    int out[2] = { -1, -1 }, errs[2] = { -1, -1 };
    g_autoptr(GString) out_text = g_string_new(NULL), err_text = g_string_new(NULL);
    PidRef child = PIDREF_NONE;
    Spawn with = *s;
    siginfo_t si = { 0 };
    bool ok = false;

    if (pipe2(out, O_CLOEXEC) < 0 || pipe2(errs, O_CLOEXEC) < 0) {
        error_set_errno(err, errno, "cannot make a pipe for '%s'", s->argv[0]);
    } else {
        with.out = out[1];
        with.err = errs[1];
        (void)fd_set_nonblock(out[0], true); /* cannot fail on a pipe of ours */
        (void)fd_set_nonblock(errs[0], true);
        ok = start(&with, &child, err);
    }
    fd_close(&out[1]);
    fd_close(&errs[1]);

    if (ok) {
        Outcome how = collect(&child, s->watch, &out[0], &errs[0], deadline, max_out, out_text, err_text);
        if (how == OUTCOME_ENDED) {
            while (waitid(P_PID, (id_t)child.pid, &si, WEXITED) < 0 && errno == EINTR)
                ;
            ok = check_status(s->argv[0], &si, err_text, err);
        } else {
            g_autofree char *said = tail(err_text);

            ok = false;
            (void)kill(s->new_session ? -child.pid : child.pid, SIGKILL); /* not reaped: the pid is ours */
            const char *left = collect_killed(&child) ? "" : "; it cannot be killed and is left behind";
            if (how == OUTCOME_CANCELLED)
                error_set(err, VIR_ERR_OPERATION_ABORTED, "'%s' was cancelled%s", s->argv[0], left);
            else if (how == OUTCOME_STALLED)
                error_set(err, VIR_ERR_OPERATION_TIMEOUT, "'%s' made no progress for %" G_GUINT64_FORMAT " s%s", s->argv[0],
                          (guint64)(s->watch->stall_usec / G_USEC_PER_SEC), left);
            else
                error_set(err, VIR_ERR_OPERATION_TIMEOUT,
                          "'%s' did not end within %" G_GUINT64_FORMAT " ms: %s%s", s->argv[0],
                          (guint64)usec / 1000, said, left);
        }
    }
    pidref_done(&child);
    fd_close(&out[0]);
    fd_close(&errs[0]);
    if (ok && ret_out)
        *ret_out = g_string_free(g_steal_pointer(&out_text), FALSE);
    if (ok && ret_err)
        *ret_err = g_string_free(g_steal_pointer(&err_text), FALSE);
    return ok;
}
