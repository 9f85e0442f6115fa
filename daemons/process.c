/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a daemon owes the host it runs on. Everything here happens before there are threads, except
 * the crash handler, which may run on any of them and uses only what signal handlers may use.
 */
#include "daemons/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

bool background_start(int *ret_ready_fd, GError **err)
{
    int p[2];
    pid_t pid;

    if (pipe2(p, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
        error_set_errno(err, errno, "cannot go to the background");
        return false;
    }
    if (pid > 0) {
        char status = 1;
        int wait_status;

        close(p[1]);
        if (fd_read_all(p[0], &status, 1) != 1)
            status = 1; /* the child said why on stderr and ended */
        if (status != 0)
            waitpid(pid, &wait_status, 0);
        _exit(status);
    }
    close(p[0]);
    (void)setsid(); /* a fresh child is no group leader, this cannot fail */
    (void)!chdir("/");
    *ret_ready_fd = p[1];
    return true;
}

void background_ready(int *ready_fd)
{
    int null_fd;

    if (*ready_fd < 0)
        return;
    null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; null_fd >= 0 && fd < 3; fd++)
        (void)dup2(null_fd, fd);
    if (null_fd > 2)
        close(null_fd);
    (void)fd_write_all(*ready_fd, "", 1); /* the waiting parent was killed: nobody to tell */
    fd_close(ready_fd);
}

/* The lock is of the open file description: no other close() of the file in this process drops it. */
static bool try_lock(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1 };

    return fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

bool pid_file_take(const char *daemon, const char *path, int *ret_fd, GError **err)
{
    for (unsigned tries = 0; tries < 10; tries++) {
        auto_fd fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
        struct stat of_fd, of_path;
        char text[32] = "";

        if (fd < 0) {
            error_set_errno(err, errno, "cannot open pid file '%s'", path);
            return false;
        }
        if (!try_lock(fd)) {
            if (errno != EAGAIN && errno != EACCES) {
                error_set_errno(err, errno, "cannot lock pid file '%s'", path);
                return false;
            }
            (void)!pread(fd, text, sizeof(text) - 1, 0);
            error_set(err, VIR_ERR_OPERATION_FAILED, "%s runs already: process %s holds '%s'", daemon,
                      text[0] ? g_strstrip(text) : "?", path);
            return false;
        }
        /* The one before may have removed the file between our open and its end. */
        if (fstat(fd, &of_fd) < 0 || stat(path, &of_path) < 0 || of_fd.st_ino != of_path.st_ino ||
            of_fd.st_dev != of_path.st_dev)
            continue;

        g_snprintf(text, sizeof(text), "%d\n", (int)getpid());
        if (ftruncate(fd, 0) < 0 || pwrite(fd, text, strlen(text), 0) != (ssize_t)strlen(text)) {
            error_set_errno(err, errno, "cannot write pid file '%s'", path);
            return false;
        }
        *ret_fd = fd_take(&fd);
        return true;
    }
    error_set(err, VIR_ERR_OPERATION_FAILED, "pid file '%s' does not stay in place", path);
    return false;
}

void pid_file_remove(const char *path, int *fd)
{
    if (*fd < 0)
        return;
    (void)unlink(path); /* stale ones are harmless */
    fd_close(fd);
}

void raise_fd_limit(void)
{
    struct rlimit l;

    if (getrlimit(RLIMIT_NOFILE, &l) == 0 && l.rlim_cur < l.rlim_max) {
        l.rlim_cur = l.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &l); /* fewer clients, then */
    }
}

/* Sanitizers have handlers of their own, which have more to say. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED
#endif
#endif

static char crash_path[4096];

void crash_dump_now(void)
{
    int fd = crash_path[0]
                 ? open(crash_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)
                 : -1;

    if (fd < 0)
        return;
    log_ring_dump(fd);
    close(fd);
}

static void G_GNUC_UNUSED on_fatal(int sig)
{
    static const char text[] = "fatal signal; the newest debug lines:\n";

    (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
    log_ring_dump(STDERR_FILENO);
    crash_dump_now();
    raise(sig); /* SA_RESETHAND: kills this time, with a core where those are wanted */
}

void crash_dump_install(const char *path)
{
#ifndef SANITIZED
    static const int fatal[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
    enum { STACK = 64 * 1024 };
    struct sigaction act = { .sa_handler = on_fatal,
                             .sa_flags = SA_RESETHAND | SA_NODEFER | SA_ONSTACK };
    stack_t stack = { .ss_size = STACK };

    /* Another stack: the reason may be that this one is full. Of the loop thread only. */
    stack.ss_sp = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp != MAP_FAILED)
        (void)sigaltstack(&stack, NULL); /* without it the handler uses the normal one */
    for (unsigned i = 0; i < G_N_ELEMENTS(fatal); i++)
        sigaction(fatal[i], &act, NULL);
#endif
    if (strlen(path) < sizeof(crash_path))
        memcpy(crash_path, path, strlen(path) + 1);
}
