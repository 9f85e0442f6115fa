/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the tests beside rpc: a loop that runs until something is true, raw frames on a socket. */
#pragma once

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/message-internal.h"
#include "util/fd.h"
#include "util/loop.h"

/* Runs the loop until cond holds; fails the test after ten seconds. */
#define RUN_UNTIL(loop, cond)                                                                      \
    do {                                                                                           \
        uint64_t give_up_ = now_usec() + 10 * G_USEC_PER_SEC;                                      \
        while (!(cond)) {                                                                          \
            assert(now_usec() < give_up_);                                                         \
            assert(loop_turn(loop, 10000) >= 0);                                    \
        }                                                                                          \
    } while (0)

/* Lets everything happen that is due now. */
static inline void run_ready(Loop *loop)
{
    while (loop_turn(loop, 0) > 0)
        ;
}

static inline void raw_send(int fd, const Message *m)
{
    assert(fd_write_all(fd, m->data, m->len) == 0);
    for (unsigned i = 0; i < m->n_fds; i++) {
        char byte = 0;
        struct iovec iov = { &byte, 1 };
        union {
            struct cmsghdr h;
            char buf[CMSG_SPACE(sizeof(int))];
        } control;
        struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
                             .msg_controllen = CMSG_LEN(sizeof(int)) };

        memset(&control, 0, sizeof(control));
        control.h = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int)) };
        memcpy(CMSG_DATA(&control.h), &m->fds[i], sizeof(int));
        assert(sendmsg(fd, &mh, MSG_NOSIGNAL) == 1);
    }
}

/* True when fd becomes readable (or ends) within the time. */
static inline bool raw_readable(int fd, int msec)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, msec) > 0;
}

/* Reads one frame from a non-blocking or blocking fd while the loop runs; NULL at the end. */
static inline Message *raw_recv(Loop *loop, int fd)
{
    uint8_t head[MESSAGE_HEAD];
    uint32_t len = 0;
    MsgHeader h;
    Message *m = NULL;
    uint8_t *p = head;
    size_t want = sizeof(head), got = 0;
    uint64_t give_up = now_usec() + 10 * G_USEC_PER_SEC;

    for (;;) {
        ssize_t r = recv(fd, p + got, want - got, MSG_DONTWAIT);

        if (r == 0 || (r < 0 && errno == ECONNRESET)) {
            assert(got == 0 && !m);
            return NULL;
        }
        if (r < 0) {
            assert(errno == EAGAIN && now_usec() < give_up);
            assert(loop_turn(loop, 1000) >= 0);
            continue;
        }
        got += r;
        if (got < want)
            continue;
        if (!m) {
            assert(msg_header_decode(head, MESSAGE_MAX, &len, &h, NULL));
            m = message_alloc(len, len);
            m->h = h;
            memcpy(m->data, head, sizeof(head));
            m->filled = len;
            p = m->data;
            want = len;
            if (len > MESSAGE_HEAD)
                continue;
        }
        break;
    }
    if (msg_has_fds(m->h.type)) {
        m->body += 4;
        m->want_fds = be32_get(m->data + MESSAGE_HEAD);
        m->fds = g_new(int, m->want_fds);
        while (m->n_fds < m->want_fds) {
            char byte;
            struct iovec iov = { &byte, 1 };
            union {
                struct cmsghdr h;
                char buf[CMSG_SPACE(sizeof(int))];
            } control;
            struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };

            if (recvmsg(fd, &mh, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) != 1) {
                assert(errno == EAGAIN && now_usec() < give_up);
                assert(loop_turn(loop, 1000) >= 0);
                continue;
            }
            assert(mh.msg_controllen == CMSG_LEN(sizeof(int)) || mh.msg_controllen == CMSG_SPACE(sizeof(int)));
            memcpy(&m->fds[m->n_fds++], CMSG_DATA(&control.h), sizeof(int));
        }
    }
    return m;
}

static inline unsigned count_fds(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}
