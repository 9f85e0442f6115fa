/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Round trips and rates of trivial calls, with 1, 8, 64 and 512 clients; and what a connection costs:
 * opened and closed, and idle.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "tests/bench/measures.h"

enum { CLIENTS_MAX = 512, SAMPLES_MAX = 4000000, IDLE_CLIENTS = 500 };

static const char uri[] = "qemu:///system";
static const unsigned counts[] = { 1, 8, 64, 512 };
enum { N_COUNTS = sizeof(counts) / sizeof(counts[0]) };

typedef struct Figures {
    double p50_us, p99_us, per_second[N_COUNTS];
} Figures;

/* One call at a time on one connection. */
static void measure_latency(int fd, const Exchange *x, double seconds, Figures *f)
{
    static uint32_t samples[SAMPLES_MAX];
    static uint8_t reply[FRAME_MAX];
    size_t n = 0;
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), t = start;

    while (t < end && n < SAMPLES_MAX) {
        uint64_t before = t;

        write_all(fd, x->request, x->request_len);
        if (!read_all(fd, reply, x->reply_len))
            die("the connection was closed");
        t = now_ns();
        samples[n++] = t - before;
    }
    Quantiles q = quantiles(samples, n);
    f->p50_us = q.p50 / 1e3;
    f->p99_us = q.p99 / 1e3;
}

/* Several connections, one call under way on each. */
static double measure_rate(const int *fds, size_t n_fds, const Exchange *x, double seconds)
{
    static uint8_t reply[FRAME_MAX];
    size_t got[CLIENTS_MAX] = { 0 };
    struct epoll_event events[64];
    uint64_t calls = 0, start, end, t;
    size_t under_way = n_fds;
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (size_t i = 0; i < n_fds; i++)
        epoll_ctl(ep, EPOLL_CTL_ADD, fds[i],
                  &(struct epoll_event){ .events = EPOLLIN, .data.u32 = i });
    start = t = now_ns();
    end = start + (uint64_t)(seconds * 1e9);
    for (size_t i = 0; i < n_fds; i++)
        write_all(fds[i], x->request, x->request_len);
    /* Past the end no new call is made, but those under way are waited for. */
    while (under_way > 0) {
        int n = epoll_wait(ep, events, 64, 10000);

        if (n <= 0) {
            errno = ETIMEDOUT;
            die("no answer within 10 s");
        }
        t = now_ns();
        for (int e = 0; e < n; e++) {
            size_t i = events[e].data.u32;
            ssize_t r = read(fds[i], reply, x->reply_len - got[i]);

            if (r <= 0)
                die("the connection was closed");
            got[i] += r;
            if (got[i] < x->reply_len)
                continue;
            got[i] = 0;
            calls++;
            if (t < end)
                write_all(fds[i], x->request, x->request_len);
            else
                under_way--;
        }
    }
    close(ep);
    return calls / ((t - start) / 1e9);
}

static Figures measure(const char *path, bool session, const Exchange *x, double seconds)
{
    int fds[CLIENTS_MAX];
    Figures f;

    for (size_t i = 0; i < CLIENTS_MAX; i++)
        fds[i] = session ? open_session(path, uri) : connect_to(path);
    measure_latency(fds[0], x, seconds / 4, &f); /* warms up */
    measure_latency(fds[0], x, seconds, &f);
    for (unsigned i = 0; i < N_COUNTS; i++)
        f.per_second[i] = measure_rate(fds, counts[i], x, seconds);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        close(fds[i]);
    return f;
}

static void print_rows(const char *path, const char *name, Figures f, Figures limit)
{
    printf("%-7s %-10s round trip p50 %26.1f us %10.1f us %8.2f x\n", path, name, f.p50_us,
           limit.p50_us, f.p50_us / limit.p50_us);
    printf("%-7s %-10s round trip p99 %26.1f us %10.1f us\n", path, name, f.p99_us, limit.p99_us);
    for (unsigned i = 0; i < N_COUNTS; i++)
        printf("%-7s %-10s calls, %3u clients %20.0f /s %11.0f /s %8.2f x\n", path, name, counts[i],
               f.per_second[i], limit.per_second[i], f.per_second[i] / limit.per_second[i]);
}

void bench_calls(const Targets *t)
{
    Exchange calls[] = { { .name = "ping" }, { .name = "node-info" } };
    const uint32_t procs[] = { PROC_LIB_VERSION, PROC_NODE_INFO };
    char echo[128], relay[128];

    snprintf(echo, sizeof(echo), "%s/echo", t->dir);
    snprintf(relay, sizeof(relay), "%s/relay", t->dir);
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        Exchange *x = &calls[i];
        int fd = open_session(t->daemon, uri);

        x->request_len = make_call(x->request, procs[i], "", 0);
        x->reply_len = call(fd, x->request, x->request_len);
        close(fd);

        pid_t echo_pid = start_child(serve_echo, echo, x),
              relay_pid = start_child(serve_relay, relay, echo);
        Figures limit = measure(echo, false, x, t->seconds);

        print_rows("direct", x->name, measure(t->daemon, true, x, t->seconds), limit);
        if (t->proxy) {
            limit = measure(relay, false, x, t->seconds);
            print_rows("proxy", x->name, measure(t->proxy, true, x, t->seconds), limit);
        }
        end_child(relay_pid, relay);
        end_child(echo_pid, echo);
    }
}

/* Connect, three small round trips (authentication, open, a call), close, one after the other. */
static double open_rate(const char *path, bool session, const Exchange *x, double seconds)
{
    uint64_t start = now_ns(), end = start + (uint64_t)(seconds * 1e9), n = 0;
    uint8_t reply[512];

    while (now_ns() < end) {
        int fd = session ? open_session(path, uri) : connect_to(path);

        for (unsigned i = session ? 2 : 0; i < 3; i++) {
            write_all(fd, x->request, x->request_len);
            (void)read_all(fd, reply, x->reply_len);
        }
        close(fd);
        n++;
    }
    return n / ((now_ns() - start) / 1e9);
}

static double idle_cost_kib(const char *path)
{
    int fds[IDLE_CLIENTS], first = open_session(path, uri);
    unsigned long before = peer_memory_kib(first), after;

    for (unsigned i = 0; i < IDLE_CLIENTS; i++)
        fds[i] = open_session(path, uri);
    after = peer_memory_kib(first);
    for (unsigned i = 0; i < IDLE_CLIENTS; i++)
        close(fds[i]);
    close(first);
    return after > before ? (double)(after - before) / IDLE_CLIENTS : 0;
}

void bench_connections(const Targets *t)
{
    Exchange x = { .name = "ping" };
    char echo[128], relay[128];
    int fd = open_session(t->daemon, uri);

    snprintf(echo, sizeof(echo), "%s/echo", t->dir);
    snprintf(relay, sizeof(relay), "%s/relay", t->dir);
    x.request_len = make_call(x.request, PROC_LIB_VERSION, "", 0);
    x.reply_len = call(fd, x.request, x.request_len);
    close(fd);

    pid_t echo_pid = start_child(serve_echo, echo, &x),
          relay_pid = start_child(serve_relay, relay, echo);

    for (unsigned i = 0; i < 2; i++) {
        const char *path = i ? t->proxy : t->daemon, *name = i ? "proxy" : "direct";

        if (!path)
            continue;
        /* Memory first: what earlier load has left free would hide it. */
        double kib = idle_cost_kib(path),
               limit = open_rate(i ? relay : echo, false, &x, t->seconds),
               rate = open_rate(path, true, &x, t->seconds);

        printf("%-7s %-10s open, call, close %20.0f /s %11.0f /s %8.2f x\n", name, "connection",
               rate, limit, rate / limit);
        printf("%-7s %-10s memory of an idle client %12.1f KiB\n", name, "connection", kib);
    }
    end_child(relay_pid, relay);
    end_child(echo_pid, echo);
}
