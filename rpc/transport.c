/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What all transports share. Loop thread. */
#include "rpc/transport.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "rpc/conn.h"

ssize_t transport_lower_recv(ConnTransport *t, void *buf, size_t n)
{
    ssize_t r;

    if (t->lower)
        return t->lower->ops->recv(t->lower, buf, n);
    do
        r = recv(t->fd, buf, n, MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    return r;
}

ssize_t transport_lower_send(ConnTransport *t, const void *buf, size_t n)
{
    struct iovec iov = { (void *)buf, n };
    ssize_t r;

    if (t->lower)
        return t->lower->ops->send(t->lower, &iov, 1);
    do
        r = send(t->fd, buf, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (r < 0 && errno == EINTR);
    return r;
}

size_t transport_gather(const struct iovec *iov, unsigned n_iov, void *buf, size_t n)
{
    size_t done = 0;

    for (unsigned i = 0; i < n_iov && done < n; i++) {
        size_t k = MIN(iov[i].iov_len, n - done);

        memcpy((char *)buf + done, iov[i].iov_base, k);
        done += k;
    }
    return done;
}

ConnTransport *conn_transport_free(ConnTransport *t)
{
    while (t) {
        ConnTransport *lower = t->lower;

        t->ops->free(t);
        t = lower;
    }
    return NULL;
}
