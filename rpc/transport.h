/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What may stand between a Conn and its socket: TLS (tls.c), the security layer of SASL (sasl.c), the
 * latter over either. A plain connection has none and pays one test of a pointer.
 *
 * recv and send are those of a non-blocking socket: bytes, 0 at the end, -1 with errno; EAGAIN when the socket
 * is empty or full. One difference: after EAGAIN a send may have taken bytes without saying so. The
 * next send begins with the same bytes, and then it says how many. Loop thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

typedef struct ConnTransport ConnTransport;

typedef struct ConnTransportOps {
    /* 1 done, 0 the socket has to be readable (or writable: *want_write) first, -1 with *err.
     * NULL: there is none. */
    int (*handshake)(ConnTransport *t, bool *want_write, GError **err);
    ssize_t (*recv)(ConnTransport *t, void *buf, size_t n);
    ssize_t (*send)(ConnTransport *t, const struct iovec *iov, unsigned n_iov);
    void (*free)(ConnTransport *t); /* not the one below */
} ConnTransportOps;

struct ConnTransport {
    const ConnTransportOps *ops;
    int fd;               /* of the Conn, set by it */
    ConnTransport *lower; /* owned; NULL: the socket itself */
    /* Known after the handshake, freed by the implementation. */
    char *peer_name;      /* of the peer's certificate, NULL: it showed none */
    GError *denied;       /* why the peer may not be served; NULL: it may */
    unsigned ssf;         /* bits of the cipher's key */
};

/* For implementations: the next level below. */
ssize_t transport_lower_recv(ConnTransport *t, void *buf, size_t n);
ssize_t transport_lower_send(ConnTransport *t, const void *buf, size_t n);
/* Copies the first bytes of iov, at most n; returns how many. */
size_t transport_gather(const struct iovec *iov, unsigned n_iov, void *buf, size_t n);
