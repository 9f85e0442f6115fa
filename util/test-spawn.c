/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children have exactly the named descriptors; deadlines, errors and reaping; pidrefs. */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/spawn.h"

static bool run_sh(const char *script, const SpawnFd *fds, unsigned n, uint64_t usec, char **out,
                   GError **err)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .fds = fds, .n_fds = n, .memlock = -1 };

    return spawn_run(&s, usec, 10000, out, NULL, err);
}

static void test_child_has_exactly_the_named_fds(void)
{
    g_autofree char *out = NULL;
    int p[2], not_cloexec = open("/dev/null", O_RDONLY);
    g_autoptr(GError) err = NULL;

    assert(not_cloexec >= 0 && pipe2(p, O_CLOEXEC) == 0);
    /* Crosswise targets: what is written last must not hit what is still to be moved. */
    SpawnFd fds[] = { { p[0], p[1] }, { p[1], p[0] }, { p[1], 9 } };

    /* "*" opens one more: the shell's own descriptor of the directory, which has no target. */
    if (!run_sh(
            "for f in /proc/self/fd/*; do [ -e $f ] && echo ${f##*/}; done | sort -n | tr '\\n' ' '; echo hello >&9",
            fds, G_N_ELEMENTS(fds), 5000000, &out, &err))
        g_error("%s", err->message);
    g_autofree char *expected = g_strdup_printf("0 1 2 %d %d 9 ", MIN(p[0], p[1]), MAX(p[0], p[1]));
    if (strcmp(out, expected) != 0)
        g_error("child has '%s' instead of '%s'", out, expected);

    char buf[6] = "";
    assert(read(p[0], buf, 5) == 5 && strcmp(buf, "hello") == 0);
    close(p[0]);
    close(p[1]);
    close(not_cloexec);
}

static void test_child_has_default_signals(void)
{
    g_autofree char *out = NULL;
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    assert(run_sh("grep -E '^Sig(Blk|Ign)' /proc/self/status", NULL, 0, 5000000, &out, NULL));
    assert(strcmp(out, "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n") == 0);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void test_errors_tell_what_happened(void)
{
    g_autoptr(GError) missing = NULL, status = NULL, late = NULL, relative = NULL;
    const char *argv[] = { "/nonexistent/program", NULL }, *rel[] = { "true", NULL };
    Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .memlock = -1 };
    PidRef ref = PIDREF_NONE;
    gint64 before = g_get_monotonic_time();

    assert(!spawn_start(&s, &ref, &missing));
    assert(error_errno(missing) == ENOENT && strstr(missing->message, "/nonexistent/program"));
    s.argv = rel;
    assert(!spawn_start(&s, &ref, &relative));

    assert(!run_sh("echo no luck >&2; exit 3", NULL, 0, 5000000, NULL, &status));
    assert(strstr(status->message, "status 3") && strstr(status->message, "no luck"));

    assert(!run_sh("sleep 60", NULL, 0, 100000, NULL, &late));
    assert(error_is(late, VIR_ERR_OPERATION_TIMEOUT));
    assert(g_get_monotonic_time() - before < 10 * 1000 * 1000);
    assert(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD); /* all reaped */
}

static void test_a_left_over_helper_does_not_hold_us(void)
{
    g_autofree char *out = NULL, *big = NULL;
    gint64 before = g_get_monotonic_time();

    assert(run_sh("sleep 20 & echo done $!", NULL, 0, 15000000, &out, NULL));
    assert(g_get_monotonic_time() - before < 10 * 1000 * 1000);
    assert(g_str_has_prefix(out, "done "));
    kill(atoi(out + 5), SIGKILL);

    assert(run_sh("head -c 1000000 /dev/zero | tr '\\0' x", NULL, 0, 15000000, &big, NULL));
    assert(strlen(big) == 10000); /* cut, and the program was not blocked */
}

static void count_signs(void *data)
{
    ++*(unsigned *)data;
}

static bool run_watched(const char *script, bool counters, uint64_t stall_usec, unsigned *signs, GError **err)
{
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    SpawnWatch w = { .data = signs, .stall_usec = stall_usec, .counters = counters, .alive = count_signs };
    Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .memlock = -1, .new_session = true, .watch = &w };

    return spawn_run(&s, 60000000, 10000, NULL, NULL, err);
}

/* Output is a sign of life, and so is that something was read or written. What works has patience to spare: a busy
 * machine may take a second to go on. */
static void test_who_stands_still_is_given_up(void)
{
    enum { SOON = 1000000, LATE = 2500000 };
    unsigned signs = 0;
    g_autoptr(GError) still = NULL, busy = NULL;

    assert(!run_watched("sleep 60", true, SOON, &signs, &still) && error_is(still, VIR_ERR_OPERATION_TIMEOUT));
    assert(run_watched("for i in 1 2 3 4 5 6 7 8 9 10; do echo x; sleep 0.3; done", false, LATE, &signs, NULL) && signs > 2);
    assert(run_watched("for i in 1 2 3 4 5 6 7 8 9 10; do echo x > /dev/null; sleep 0.3; done", true, LATE, &signs, NULL));
    assert(!run_watched("for i in 1 2 3 4 5 6 7 8 9 10; do echo x > /dev/null; sleep 0.3; done", false, SOON, &signs, &busy));
    assert(error_is(busy, VIR_ERR_OPERATION_TIMEOUT));
}

static void test_who_works_for_us_dies_with_us(void)
{
    int p[2];
    char c;

    assert(pipe(p) == 0);
    pid_t pid = fork();
    assert(pid >= 0);
    if (pid == 0) {
        /* The program keeps the pipe open as long as it lives. */
        const char *argv[] = { "/bin/sh", "-c", "echo >&3; exec sleep 60", NULL };
        SpawnFd fd = { p[1], 3 };
        Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .fds = &fd, .n_fds = 1, .memlock = -1, .dies_with_us = true };
        _exit(spawn_run(&s, 60000000, 100, NULL, NULL, NULL));
    }
    close(p[1]);
    assert(read(p[0], &c, 1) == 1);
    assert(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
    assert(read(p[0], &c, 1) == 0); /* would wait a minute */
    close(p[0]);
}

static void test_reap_takes_only_its_own(void)
{
    const char *argv[] = { "/bin/true", NULL };
    Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .memlock = -1 };
    PidRef a = PIDREF_NONE, b = PIDREF_NONE;

    assert(spawn_start(&s, &a, NULL));
    s.keep_zombie = true;
    assert(spawn_start(&s, &b, NULL));
    assert(pidref_wait(&a, 5000000, NULL) == 1);
    assert(pidref_wait(&b, 5000000, NULL) == 1);
    assert(!pidref_alive(&a) && !pidref_alive(&b)); /* zombies are gone */
    (void)spawn_reap(); /* or it had ended before spawn_start() returned */
    assert(spawn_reap() == 0);
    assert(waitpid(a.pid, NULL, 0) < 0);
    assert(waitpid(b.pid, NULL, 0) == b.pid);
    pidref_done(&a);
    pidref_done(&b);
}

static void test_recycled_pid_is_somebody_else(void)
{
    const char *argv[] = { "/bin/sleep", "60", NULL };
    Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .memlock = -1, .new_session = true };
    PidRef live = PIDREF_NONE, record, other, self = PIDREF_NONE;
    g_autoptr(GError) err = NULL;

    assert(spawn_start(&s, &live, NULL));
    assert(live.pid > 0 && live.start_time > 0 && live.fd >= 0);
    assert(getsid(live.pid) == live.pid);
    record = (PidRef){ live.pid, live.start_time, -1 };
    other = (PidRef){ live.pid, live.start_time - 1, -1 }; /* same number, another process */
    assert(pidref_alive(&record) && !pidref_alive(&other));
    assert(pidref_reopen(&other, NULL) == 0);
    assert(!pidref_kill(&other, SIGKILL, &err) && error_errno(err) == ESRCH);
    assert(pidref_alive(&live)); /* was not hit */

    assert(pidref_reopen(&record, NULL) == 1);
    assert(pidref_wait(&record, 10000, NULL) == 0);
    assert(pidref_kill(&record, SIGKILL, NULL));
    assert(pidref_wait(&record, 5000000, NULL) == 1);
    assert(spawn_reap() == 1);
    assert(pidref_reopen(&record, NULL) == 0);
    assert(pidref_from_pid(getpid(), &self, NULL) && pidref_alive(&self));
    pidref_done(&self);
    pidref_done(&record);
    pidref_done(&live);
}

int main(void)
{
    test_child_has_exactly_the_named_fds();
    test_child_has_default_signals();
    test_errors_tell_what_happened();
    test_a_left_over_helper_does_not_hold_us();
    test_who_stands_still_is_given_up();
    test_who_works_for_us_dies_with_us();
    test_reap_takes_only_its_own();
    test_recycled_pid_is_somebody_else();
    return 0;
}
