/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a call costs, beside what the same bytes cost with nobody looking at them. In one run it
 * measures a daemon directly, the same daemon through the proxy, an echo server that answers the
 * same number of bytes, and a relay in front of that echo server. Only the ratios are to be compared
 * between machines and days.
 *
 * Nothing of ours is linked in: raw frames over unix sockets, so that the client costs the same in
 * every row. One process measures; echo and relay are children of it. Single-threaded throughout.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REMOTE_PROGRAM 0x20008086u
#define FRAME_MAX (1u << 20)
#define CONNECTIONS_MAX 64
#define SAMPLES_MAX 4000000

enum { PROC_OPEN = 1, PROC_NODE_INFO = 6, PROC_AUTH_LIST = 66, PROC_LIB_VERSION = 157 };

/* A call as bytes, and the size of its answer, learnt from the daemon. */
typedef struct Exchange {
    const char *name;
    uint8_t request[512];
    size_t request_len;
    size_t reply_len;
} Exchange;

typedef struct Figures {
    double p50_us, p99_us;
    double per_second;
} Figures;

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = v >> 24, p[1] = v >> 16, p[2] = v >> 8, p[3] = v;
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static size_t make_call(uint8_t *out, uint32_t proc, const void *payload, size_t n)
{
    put32(out, 28 + n);
    put32(out + 4, REMOTE_PROGRAM);
    put32(out + 8, 1);
    put32(out + 12, proc);
    put32(out + 16, 0);
    put32(out + 20, 1);
    put32(out + 24, 0);
    memcpy(out + 28, payload, n);
    return 28 + n;
}

static void write_all(int fd, const void *data, size_t n)
{
    const uint8_t *p = data;

    while (n > 0) {
        ssize_t w = write(fd, p, n);

        if (w < 0 && errno == EINTR)
            continue;
        if (w <= 0)
            die("write");
        p += w;
        n -= w;
    }
}

/* false: end of stream before anything was read. */
static bool read_all(int fd, void *data, size_t n)
{
    uint8_t *p = data;
    size_t got = 0;

    while (got < n) {
        ssize_t r = read(fd, p + got, n - got);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            die("read");
        if (r == 0 && got == 0)
            return false;
        if (r == 0) {
            errno = ECONNRESET;
            die("read");
        }
        got += r;
    }
    return true;
}

static int connect_to(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        die("socket");
    if (strlen(path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(a.sun_path, path);
    if (connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        die(path);
    return fd;
}

static int listen_at(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, CONNECTIONS_MAX) < 0)
        die(path);
    return fd;
}

/* Sends one call and takes its answer; returns the length of the whole answer. */
static size_t call(int fd, const uint8_t *request, size_t n)
{
    static uint8_t reply[FRAME_MAX];
    uint32_t len;

    write_all(fd, request, n);
    if (!read_all(fd, reply, 4)) {
        errno = ECONNRESET;
        die("the daemon closed the connection");
    }
    len = get32(reply);
    if (len < 28 || len > sizeof(reply)) {
        errno = EPROTO;
        die("length of an answer");
    }
    if (!read_all(fd, reply + 4, len - 4))
        die("read");
    if (get32(reply + 24) != 0) {
        fprintf(stderr, "bench: procedure %u answered an error\n", get32(reply + 12));
        exit(1);
    }
    return len;
}

static int open_session(const char *path)
{
    static const char uri[] = "qemu:///system";
    uint8_t request[128], open[4 + 4 + 16 + 4] = { 0 };
    int fd = connect_to(path);

    call(fd, request, make_call(request, PROC_AUTH_LIST, "", 0));
    put32(open, 1);
    put32(open + 4, strlen(uri));
    memcpy(open + 8, uri, strlen(uri));
    call(fd, request, make_call(request, PROC_OPEN, open, sizeof(open)));
    return fd;
}

/* The limit: answers every request_len bytes with reply_len bytes. */
static _Noreturn void serve_echo(int listener, const Exchange *x)
{
    static struct { size_t got; } state[CONNECTIONS_MAX + 64];
    uint8_t *reply = calloc(1, x->reply_len), in[4096];
    struct epoll_event events[64];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &(struct epoll_event){ .events = EPOLLIN, .data.fd = listener });
    for (;;) {
        int n = epoll_wait(ep, events, 64, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t r;

            if (fd == listener) {
                fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0 || fd >= (int)(sizeof(state) / sizeof(state[0])))
                    die("accept");
                state[fd].got = 0;
                epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.fd = fd });
                continue;
            }
            r = read(fd, in, sizeof(in));
            if (r <= 0) {
                close(fd);
                continue;
            }
            for (state[fd].got += r; state[fd].got >= x->request_len; state[fd].got -= x->request_len)
                write_all(fd, reply, x->reply_len);
        }
    }
}

/* The limit through the proxy: moves bytes between two sockets, both ways. */
static _Noreturn void serve_relay(int listener, const char *upstream)
{
    static int other[2 * CONNECTIONS_MAX + 64];
    static uint8_t buf[65536];
    struct epoll_event events[64];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &(struct epoll_event){ .events = EPOLLIN, .data.fd = listener });
    for (;;) {
        int n = epoll_wait(ep, events, 64, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t r;

            if (fd == listener) {
                int a = accept4(listener, NULL, NULL, SOCK_CLOEXEC), b = connect_to(upstream);

                if (a < 0 || a >= (int)(sizeof(other) / sizeof(int)) || b >= (int)(sizeof(other) / sizeof(int)))
                    die("accept");
                other[a] = b;
                other[b] = a;
                epoll_ctl(ep, EPOLL_CTL_ADD, a, &(struct epoll_event){ .events = EPOLLIN, .data.fd = a });
                epoll_ctl(ep, EPOLL_CTL_ADD, b, &(struct epoll_event){ .events = EPOLLIN, .data.fd = b });
                continue;
            }
            if (other[fd] == 0)
                continue;
            r = read(fd, buf, sizeof(buf));
            if (r > 0) {
                write_all(other[fd], buf, r);
                continue;
            }
            close(other[fd]);
            other[other[fd]] = 0;
            close(fd);
            other[fd] = 0;
        }
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

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
    qsort(samples, n, sizeof(samples[0]), compare);
    f->p50_us = samples[n / 2] / 1e3;
    f->p99_us = samples[n * 99 / 100] / 1e3;
}

/* Several connections, one call under way on each. */
static void measure_throughput(const int *fds, size_t n_fds, const Exchange *x, double seconds, Figures *f)
{
    static uint8_t reply[FRAME_MAX];
    size_t got[CONNECTIONS_MAX] = { 0 };
    struct epoll_event events[CONNECTIONS_MAX];
    uint64_t calls = 0, start, end, t;
    size_t under_way = n_fds;
    int ep = epoll_create1(EPOLL_CLOEXEC);

    for (size_t i = 0; i < n_fds; i++)
        epoll_ctl(ep, EPOLL_CTL_ADD, fds[i], &(struct epoll_event){ .events = EPOLLIN, .data.u32 = i });
    start = t = now_ns();
    end = start + (uint64_t)(seconds * 1e9);
    for (size_t i = 0; i < n_fds; i++)
        write_all(fds[i], x->request, x->request_len);
    /* Past the end no new call is made, but those under way are waited for. */
    while (under_way > 0) {
        int n = epoll_wait(ep, events, CONNECTIONS_MAX, 10000);

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
    f->per_second = calls / ((t - start) / 1e9);
    close(ep);
}

static Figures measure(const char *path, bool session, const Exchange *x, size_t connections, double seconds)
{
    int fds[CONNECTIONS_MAX] = { 0 };
    Figures f;

    for (size_t i = 0; i < connections; i++)
        fds[i] = session ? open_session(path) : connect_to(path);
    measure_latency(fds[0], x, seconds / 4, &f); /* warms up */
    measure_latency(fds[0], x, seconds, &f);
    measure_throughput(fds, connections, x, seconds, &f);
    for (size_t i = 0; i < connections; i++)
        close(fds[i]);
    return f;
}

static pid_t child(const char *path, const Exchange *x, const char *upstream)
{
    int listener = listen_at(path);
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        if (upstream)
            serve_relay(listener, upstream);
        serve_echo(listener, x);
    }
    close(listener);
    return pid;
}

static void print_row(const char *what, const char *call_name, Figures f, Figures limit)
{
    printf("%-10s %-12s %9.1f %9.1f %7.1fx %9.1f %11.0f %11.0f %7.2fx\n", call_name, what, f.p50_us, limit.p50_us,
           f.p50_us / limit.p50_us, f.p99_us, f.per_second, limit.per_second, f.per_second / limit.per_second);
}

int main(int argc, char **argv)
{
    Exchange calls[] = { { .name = "ping" }, { .name = "node-info" } };
    double seconds = 1;
    size_t connections = 8;
    char dir[] = "/tmp/modvirt-bench-XXXXXX", echo[64], relay[64];
    int c;

    while ((c = getopt(argc, argv, "s:c:")) != -1) {
        if (c == 's')
            seconds = atof(optarg);
        else if (c == 'c')
            connections = strtoul(optarg, NULL, 10);
        else
            return 2;
    }
    if (argc - optind != 2 || connections < 1 || connections > CONNECTIONS_MAX || seconds <= 0) {
        fprintf(stderr, "usage: bench [-s SECONDS] [-c CONNECTIONS] DAEMON-SOCKET PROXY-SOCKET\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    if (!mkdtemp(dir))
        die(dir);
    snprintf(echo, sizeof(echo), "%s/echo", dir);
    snprintf(relay, sizeof(relay), "%s/relay", dir);

    calls[0].request_len = make_call(calls[0].request, PROC_LIB_VERSION, "", 0);
    calls[1].request_len = make_call(calls[1].request, PROC_NODE_INFO, "", 0);
    printf("%zu connections for the rates; %.1f s per figure; times in microseconds\n", connections, seconds);
    printf("%-10s %-12s %9s %9s %8s %9s %11s %11s %8s\n", "call", "path", "p50", "limit", "ratio", "p99", "calls/s",
           "limit", "ratio");
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        Exchange *x = &calls[i];
        int fd = open_session(argv[optind]);
        pid_t echo_pid, relay_pid;
        Figures limit, limit2, direct, proxied;

        x->reply_len = call(fd, x->request, x->request_len);
        close(fd);
        echo_pid = child(echo, x, NULL);
        relay_pid = child(relay, x, echo);
        limit = measure(echo, false, x, connections, seconds);
        direct = measure(argv[optind], true, x, connections, seconds);
        limit2 = measure(relay, false, x, connections, seconds);
        proxied = measure(argv[optind + 1], true, x, connections, seconds);
        print_row("direct", x->name, direct, limit);
        print_row("proxy", x->name, proxied, limit2);
        kill(echo_pid, SIGKILL);
        kill(relay_pid, SIGKILL);
        while (wait(NULL) > 0)
            ;
        unlink(echo);
        unlink(relay);
    }
    rmdir(dir);
    return 0;
}
