/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One user against another: 5000 connections are held, 512 of them call all the time, and one more user
 * waits for one call after the other. How long does that take when a third user floods the daemon from
 * 200 connections, without waiting for an answer? Needs root, to be three users, and a daemon that lets
 * them in and takes as many connections. The loads run at a low priority.
 *
 * A daemon that is never idle and the one who waits for it end up on the same processor, where one lets
 * the other wait for a turn of the kernel's, some milliseconds. So there are two rows: as the kernel
 * schedules it, and with the daemons on a processor of their own, which shows the daemon's order.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/bench/measures.h"

enum { HELD = 5000, ACTIVE = 512, FLOOD = 200, PIPELINED = 64, NICE = 10, SAMPLES = 2000000 };
enum { UID_ACTIVE = 20001, UID_WAITING = 20002, UID_HOSTILE = 20003 };

static const char uri[] = "qemu:///system";
static uint8_t ping[HEAD];

/* The daemon sees the effective user at the time of connect(). */
static int session_of(uid_t uid, const char *path)
{
    if (seteuid(uid) < 0)
        die("seteuid");

    int fd = open_session(path, uri);

    if (seteuid(0) < 0)
        die("seteuid");
    return fd;
}

static _Noreturn void run_active(const char *path, int ready)
{
    static uint8_t buf[65536];
    struct epoll_event events[64];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned i = 0; i < HELD; i++) {
        int fd = session_of(UID_ACTIVE, path);

        if (i < ACTIVE)
            epoll_ctl(ep, EPOLL_CTL_ADD, fd,
                      &(struct epoll_event){ .events = EPOLLIN, .data.fd = fd });
        if (i < ACTIVE)
            write_all(fd, ping, sizeof(ping));
    }
    write_all(ready, "r", 1);
    for (;;) {
        int n = epoll_wait(ep, events, 64, -1);

        for (int i = 0; i < n; i++) {
            if (read(events[i].data.fd, buf, sizeof(buf)) <=
                0) /* answers of a ping are small: whole ones */
                die("an active client was disconnected");
            write_all(events[i].data.fd, ping, sizeof(ping));
        }
    }
}

static _Noreturn void run_hostile(const char *path, int ready)
{
    static uint8_t in[65536], out[PIPELINED * HEAD];
    static size_t at[65536];
    struct epoll_event events[64];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (unsigned i = 0; i < PIPELINED; i++)
        memcpy(out + i * HEAD, ping, HEAD);
    for (unsigned i = 0; i < FLOOD; i++) {
        int fd = session_of(UID_HOSTILE, path);

        (void)fcntl(fd, F_SETFL, O_NONBLOCK);
        epoll_ctl(ep, EPOLL_CTL_ADD, fd,
                  &(struct epoll_event){ .events = EPOLLIN | EPOLLOUT, .data.fd = fd });
    }
    write_all(ready, "r", 1);
    for (;;) {
        int n = epoll_wait(ep, events, 64, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (events[i].events & EPOLLIN)
                (void)!read(fd, in, sizeof(in));
            ssize_t w = write(fd, out + at[fd], sizeof(out) - at[fd]);
            if (w > 0)
                at[fd] = (at[fd] + (size_t)w) % sizeof(out);
        }
    }
}

static pid_t start(void (*run)(const char *path, int ready), const char *path)
{
    int ready[2];
    char c;

    if (pipe(ready) < 0)
        die("pipe");

    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        (void)setpriority(PRIO_PROCESS, 0, NICE);
        run(path, ready[1]);
    }
    close(ready[1]);
    if (!read_all(ready[0], &c, 1)) {
        errno = ECONNREFUSED;
        die("a load of the fairness test (are users let in, and as many connections?)");
    }
    close(ready[0]);
    return pid;
}

static double p99_us(int fd, double seconds)
{
    static uint32_t samples[SAMPLES];
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), t;
    size_t n = 0;

    while ((t = now_ns()) < end && n < SAMPLES) {
        call(fd, ping, sizeof(ping));
        samples[n++] = now_ns() - t;
    }
    return quantiles(samples, n).p99 / 1e3;
}

typedef enum Where { ANYWHERE, FIRST, NOT_FIRST } Where;

/* Of the processors that this process had when it began. */
static void settle(int pid, Where where)
{
    static cpu_set_t all;
    cpu_set_t want;

    if (CPU_COUNT(&all) == 0 && sched_getaffinity(0, sizeof(all), &all) < 0)
        die("sched_getaffinity");
    CPU_ZERO(&want);
    for (int i = 0, n = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &all) && (where == ANYWHERE || (n++ == 0) == (where == FIRST)))
            CPU_SET(i, &want);
    if (sched_setaffinity(pid, sizeof(want), &want) < 0)
        die("sched_setaffinity");
}

/* The daemons, then ourselves and all loads to come. */
static void settle_all(const Targets *t, Where daemons, Where rest)
{
    const char *paths[] = { t->daemon, t->proxy };

    for (unsigned i = 0; i < 2 && paths[i]; i++) {
        int fd = connect_to(paths[i]);

        settle(peer_pid(fd), daemons);
        close(fd);
    }
    settle(0, rest);
}

static void row(const char *label, const char *path, const char *how, double seconds)
{
    pid_t active = start(run_active, path);
    int fd = session_of(UID_WAITING, path);

    (void)p99_us(fd, seconds / 4);
    double quiet = p99_us(fd, seconds);
    pid_t hostile = start(run_hostile, path);

    usleep(100000);
    double flooded = p99_us(fd, seconds);

    printf(
        "%-7s %-10s another user floods: p99 %15.1f us %10.1f us %8.2f x   (%s; %d held, %d active, %d flooding)\n",
        label, "fairness", flooded, quiet, flooded / quiet, how, HELD, ACTIVE, FLOOD);
    close(fd);
    kill(hostile, SIGKILL);
    kill(active, SIGKILL);
    while (wait(NULL) > 0)
        ;
    usleep(500000); /* thousands of ends are noticed */
}

void bench_fairness(const Targets *t)
{
    struct rlimit r;

    if (geteuid() != 0 || getrlimit(RLIMIT_NOFILE, &r) < 0 || r.rlim_cur < HELD + 100) {
        printf("%-7s %-10s not measured: needs root and %d descriptors\n", "", "fairness",
               HELD + 100);
        return;
    }
    (void)make_call(ping, PROC_LIB_VERSION, "", 0);
    for (unsigned apart = 0; apart < (sysconf(_SC_NPROCESSORS_ONLN) > 1 ? 2 : 1); apart++) {
        const char *how = apart ? "processors apart" : "as scheduled";

        if (apart)
            settle_all(t, FIRST, NOT_FIRST);
        row("direct", t->daemon, how, 2 * t->seconds);
        if (t->proxy)
            row("proxy", t->proxy, how, 2 * t->seconds);
        if (apart)
            settle_all(t, ANYWHERE, ANYWHERE);
    }
}
