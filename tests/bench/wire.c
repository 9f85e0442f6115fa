/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames and connections of the benchmarks; one thread per process. */
#include "tests/bench/wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REMOTE_PROGRAM 0x20008086u

_Noreturn void die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void put32(uint8_t *p, uint32_t v)
{
    p[0] = v >> 24, p[1] = v >> 16, p[2] = v >> 8, p[3] = v;
}

uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

size_t make_frame(uint8_t *out, const Frame *f, const void *payload, size_t n)
{
    const uint32_t words[] = {
        HEAD + n, REMOTE_PROGRAM, 1, f->proc, f->type, f->serial, f->status
    };

    for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        put32(out + 4 * i, words[i]);
    if (payload)
        memcpy(out + HEAD, payload, n);
    return HEAD + n;
}

size_t make_call(uint8_t *out, uint32_t proc, const void *payload, size_t n)
{
    return make_frame(out, &(Frame){ .proc = proc, .type = TYPE_CALL, .serial = 1 }, payload, n);
}

size_t put_string(uint8_t *p, const char *s)
{
    size_t n = strlen(s), padded = (n + 3) / 4 * 4;

    put32(p, n);
    memset(p + 4, 0, padded);
    memcpy(p + 4, s, n);
    return 4 + padded;
}

void write_all(int fd, const void *data, size_t n)
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

bool read_all(int fd, void *data, size_t n)
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

bool read_frame(int fd, uint8_t *buf, Frame *ret)
{
    if (!read_all(fd, buf, 4))
        return false;
    ret->len = get32(buf);
    if (ret->len < HEAD || ret->len > FRAME_MAX) {
        errno = EPROTO;
        die("length of a frame");
    }
    if (!read_all(fd, buf + 4, ret->len - 4))
        die("read");
    ret->proc = get32(buf + 12);
    ret->type = get32(buf + 16);
    ret->serial = get32(buf + 20);
    ret->status = get32(buf + 24);
    return true;
}

static struct sockaddr_un address(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(a.sun_path, path);
    return a;
}

int connect_to(const char *path)
{
    struct sockaddr_un a = address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        die(path);
    return fd;
}

int listen_at(const char *path)
{
    struct sockaddr_un a = address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, 1024) < 0)
        die(path);
    return fd;
}

size_t call(int fd, const uint8_t *request, size_t n)
{
    static uint8_t reply[FRAME_MAX];
    Frame f;

    write_all(fd, request, n);
    do {
        if (!read_frame(fd, reply, &f)) {
            errno = ECONNRESET;
            die("the daemon closed the connection");
        }
    } while (f.type != TYPE_REPLY);
    if (f.status != STATUS_OK) {
        fprintf(stderr, "bench: procedure %u answered an error\n", f.proc);
        exit(1);
    }
    return f.len;
}

int open_session(const char *path, const char *uri)
{
    uint8_t request[256], open[128];
    int fd = connect_to(path);
    size_t n = 4;

    call(fd, request, make_call(request, PROC_AUTH_LIST, "", 0));
    put32(open, 1);
    n += put_string(open + n, uri);
    put32(open + n, 0);
    call(fd, request, make_call(request, PROC_OPEN, open, n + 4));
    return fd;
}

int peer_pid(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        die("SO_PEERCRED");
    return (int)peer.pid;
}

unsigned long peer_memory_kib(int fd)
{
    char path[64], line[256];
    unsigned long kib = 0;

    snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", peer_pid(fd));

    FILE *f = fopen(path, "re");

    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "Pss_Anon: %lu", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

uint64_t cpu_ns(int pid)
{
    struct timespec t;
    clockid_t clock;

    return clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &t) == 0 ? t.tv_sec * 1000000000u + t.tv_nsec : 0;
}
