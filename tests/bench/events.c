/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events to 1, 50 and 1000 subscribers: one client defines and undefines a guest, all others take the
 * events that it causes. The limit is a server that copies as many bytes to as many sockets.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/bench/measures.h"

enum { SUBSCRIBERS_MAX = 1000, EVENT_BYTES = 84 };

static const char uri[] = "qemu:///system", name[] = "modvirt-bench-events";
static const uint8_t uuid[16] = { 0x6d, 0x6f, 0x64, 0x76, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };
static const char xml[] =
    "<domain type='qemu'><name>modvirt-bench-events</name>"
    "<uuid>6d6f6476-0102-0304-0506-0708090a0b0c</uuid>"
    "<memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os></domain>";

static void drain(int ep, uint64_t *bytes)
{
    static uint8_t buf[65536];
    struct epoll_event events[64];
    int n;

    while ((n = epoll_wait(ep, events, 64, 0)) > 0) {
        for (int i = 0; i < n; i++) {
            ssize_t r = recv(events[i].data.fd, buf, sizeof(buf), MSG_DONTWAIT);

            if (r == 0 || (r < 0 && errno != EAGAIN))
                die("a subscriber was disconnected");
            *bytes += r > 0 ? (uint64_t)r : 0;
        }
    }
}

typedef struct Fanned {
    double deliveries, changes; /* per second */
} Fanned;

/* change: makes one event on fd. Bytes of one event to one subscriber are learnt from the first. */
static Fanned fan_out(int source, void (*change)(int fd), const int *fds, unsigned n,
                      double seconds)
{
    int ep = epoll_create1(EPOLL_CLOEXEC);
    uint64_t bytes = 0, changes = 0, start, end;
    size_t one = EVENT_BYTES;

    for (unsigned i = 0; i < n; i++)
        epoll_ctl(ep, EPOLL_CTL_ADD, fds[i],
                  &(struct epoll_event){ .events = EPOLLIN, .data.fd = fds[i] });
    start = now_ns();
    end = start + (uint64_t)(seconds * 1e9);
    while (now_ns() < end) {
        change(source);
        changes++;
        drain(ep, &bytes);
    }
    for (uint64_t wait = now_ns() + 200000000u; now_ns() < wait && bytes < changes * n * one;)
        drain(ep, &bytes);

    double s = (now_ns() - start) / 1e9;

    close(ep);
    return (Fanned){ bytes / one / s, changes / s };
}

static void define_or_undefine(int fd)
{
    static bool defined;
    uint8_t request[512], args[384];
    size_t n = defined ? put_string(args, name) : put_string(args, xml);

    if (defined) {
        memcpy(args + n, uuid, 16);
        put32(args + n + 16, (uint32_t)-1);
        n += 20;
    }
    call(fd, request, make_call(request, defined ? PROC_UNDEFINE : PROC_DEFINE, args, n));
    defined = !defined;
}

static void write_one(int fd)
{
    static const uint8_t bytes[EVENT_BYTES];

    write_all(fd, bytes, sizeof(bytes));
}

static int subscribe(const char *path)
{
    uint8_t request[64], args[8] = { 0 }; /* lifecycle, of all domains */
    int fd = open_session(path, uri);

    call(fd, request, make_call(request, PROC_EVENT_REGISTER, args, sizeof(args)));
    return fd;
}

static void row(const Targets *t, const char *label, const char *path, unsigned n)
{
    static int fds[SUBSCRIBERS_MAX];
    char bare[128];

    snprintf(bare, sizeof(bare), "%s/fan", t->dir);
    pid_t pid = start_child(serve_fan_out, bare, NULL);
    int source = connect_to(bare);

    for (unsigned i = 0; i < n; i++)
        fds[i] = connect_to(bare);
    usleep(50000);
    Fanned limit = fan_out(source, write_one, fds, n, t->seconds);
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    close(source);
    end_child(pid, bare);

    source = open_session(path, uri);
    double alone = fan_out(source, define_or_undefine, fds, 0, t->seconds).changes;

    for (unsigned i = 0; i < n; i++)
        fds[i] = subscribe(path);
    Fanned f = fan_out(source, define_or_undefine, fds, n, t->seconds);

    printf(
        "%-7s %-10s to %4u subscribers %19.0f /s %11.0f /s %8.2f x   (%.0f changes/s, %.0f without subscribers)\n",
        label, "event", n, f.deliveries, limit.deliveries, f.deliveries / limit.deliveries,
        f.changes, alone);
    for (unsigned i = 0; i < n; i++)
        close(fds[i]);
    close(source);
}

void bench_events(const Targets *t)
{
    static const unsigned subscribers[] = { 1, 50, 1000 };

    for (unsigned i = 0; i < sizeof(subscribers) / sizeof(subscribers[0]); i++) {
        row(t, "direct", t->daemon, subscribers[i]);
        if (t->proxy)
            row(t, "proxy", t->proxy, subscribers[i]);
    }
}
