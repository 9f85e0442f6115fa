/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The servers that daemons are compared with. Each is as little as does the job with epoll. */
#include "tests/bench/limits.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FDS_MAX = 4096, EVENTS = 64, RELAY_CHUNK = 256 << 10 };

pid_t start_child(void (*serve)(int listener, const void *data), const char *path, const void *data)
{
    int listener = listen_at(path);
    pid_t pid = fork();

    if (pid < 0)
        die("fork");
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        signal(SIGPIPE, SIG_IGN);
        serve(listener, data);
        _exit(0);
    }
    close(listener);
    return pid;
}

void end_child(pid_t pid, const char *path)
{
    kill(pid, SIGKILL);
    (void)waitpid(pid, NULL, 0);
    unlink(path);
}

static void watch(int ep, int fd)
{
    if (fd < 0 || fd >= FDS_MAX)
        die("accept");
    epoll_ctl(ep, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.fd = fd });
}

void serve_echo(int listener, const void *data)
{
    static size_t got[FDS_MAX];
    const Exchange *x = data;
    uint8_t *reply = calloc(1, x->reply_len), in[4096];
    struct epoll_event events[EVENTS];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    watch(ep, listener);
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == listener) {
                fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                watch(ep, fd);
                got[fd] = 0;
                continue;
            }

            ssize_t r = read(fd, in, sizeof(in));

            if (r <= 0) {
                close(fd);
                continue;
            }
            for (got[fd] += r; got[fd] >= x->request_len; got[fd] -= x->request_len)
                write_all(fd, reply, x->reply_len);
        }
    }
}

void serve_relay(int listener, const void *data)
{
    static int other[FDS_MAX];
    static uint8_t buf[RELAY_CHUNK];
    struct epoll_event events[EVENTS];
    int ep = epoll_create1(EPOLL_CLOEXEC);

    watch(ep, listener);
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == listener) {
                int a = accept4(listener, NULL, NULL, SOCK_CLOEXEC), b = connect_to(data);

                watch(ep, a);
                watch(ep, b);
                other[a] = b;
                other[b] = a;
                continue;
            }
            if (!other[fd])
                continue;

            ssize_t r = read(fd, buf, sizeof(buf));

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

void serve_fan_out(int listener, const void *data)
{
    static int fds[FDS_MAX];
    uint8_t buf[4096];
    struct epoll_event events[EVENTS];
    int ep = epoll_create1(EPOLL_CLOEXEC), n_fds = 0;

    (void)data;
    watch(ep, listener);
    for (;;) {
        int n = epoll_wait(ep, events, EVENTS, -1);

        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;

            if (fd == listener) {
                fds[n_fds] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
                if (n_fds++ == 0)
                    watch(ep, fds[0]);
                continue;
            }

            ssize_t r = read(fd, buf, sizeof(buf));

            if (r <= 0)
                _exit(0);
            for (int k = 1; k < n_fds; k++)
                write_all(fds[k], buf, r);
        }
    }
}

static void answer(int fd, const Frame *to, const void *payload, size_t n)
{
    uint8_t out[64];
    const Frame f = { .proc = to->proc, .type = TYPE_REPLY, .serial = to->serial };

    write_all(fd, out, make_frame(out, &f, payload, n));
}

static void send_download(int fd, const Frame *to, size_t bytes)
{
    static uint8_t frame[HEAD + STREAM_DATA];
    Frame f = {
        .proc = to->proc, .type = TYPE_STREAM, .serial = to->serial, .status = STATUS_CONTINUE
    };

    while (bytes > 0) {
        size_t n = bytes < STREAM_DATA ? bytes : STREAM_DATA;

        write_all(fd, frame, make_frame(frame, &f, NULL, n));
        bytes -= n;
    }
    write_all(fd, frame, make_frame(frame, &f, NULL, 0)); /* no more data; the client finishes */
}

static void serve_one_streamer(int fd, size_t bytes)
{
    static uint8_t in[FRAME_MAX];
    uint8_t none[8] = { 0 };
    Frame f;

    put32(none, 1);
    while (read_frame(fd, in, &f)) {
        if (f.type == TYPE_CALL && f.proc == PROC_AUTH_LIST) {
            answer(fd, &f, none, sizeof(none));
        } else if (f.type == TYPE_CALL) {
            answer(fd, &f, "", 0);
            if (f.proc == PROC_VOL_DOWNLOAD)
                send_download(fd, &f, bytes);
        } else if (f.type == TYPE_STREAM && f.status == STATUS_OK) {
            uint8_t out[HEAD];

            write_all(fd, out, make_frame(out, &f, "", 0)); /* finished */
        }
    }
    close(fd);
}

void serve_streams(int listener, const void *data)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

        if (fd < 0)
            die("accept");
        serve_one_streamer(fd, *(const size_t *)data);
    }
}
