/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The security layer that a SASL mechanism gives: bytes are wrapped in packets on the way out and
 * unwrapped on the way in. It stands over a plain socket or over TLS.
 *
 * Invariant: 'packet' is what the library made of 'taken' bytes of the Conn and the level below has
 * not taken yet; until it is gone nothing else is wrapped. 'plain' belongs to the library and is
 * handed out before the library is asked again. Loop thread.
 */
#include <errno.h>

#include "rpc/net/sasl-internal.h"

enum { READ_MAX = 16 << 10, WRAP_MAX = 64 << 10 };

typedef struct SaslLayer {
    ConnTransport base; /* first */
    sasl_conn_t *sasl;  /* owned */
    size_t wrap_max;    /* bytes that may become one packet */
    const char *plain, *packet;
    unsigned n_plain, n_packet;
    size_t taken;
} SaslLayer;

static ssize_t layer_recv(ConnTransport *base, void *buf, size_t n)
{
    SaslLayer *l = (SaslLayer *)base;
    char in[READ_MAX];

    while (!l->n_plain) {
        ssize_t r = transport_lower_recv(base, in, sizeof(in));

        if (r <= 0)
            return r;
        /* No output is no error: a packet is not complete. */
        if (sasl_decode(l->sasl, in, (unsigned)r, &l->plain, &l->n_plain) != SASL_OK) {
            l->n_plain = 0;
            errno = EPROTO;
            return -1;
        }
    }

    size_t k = MIN(n, l->n_plain);

    memcpy(buf, l->plain, k);
    l->plain += k;
    l->n_plain -= (unsigned)k;
    return (ssize_t)k;
}

static ssize_t layer_send(ConnTransport *base, const struct iovec *iov, unsigned n_iov)
{
    SaslLayer *l = (SaslLayer *)base;

    if (!l->n_packet) {
        char gathered[READ_MAX];
        const char *data = iov[0].iov_base;
        size_t n = MIN(iov[0].iov_len, l->wrap_max);

        if (n_iov > 1 && n < MIN(sizeof(gathered), l->wrap_max)) {
            n = transport_gather(iov, n_iov, gathered, MIN(sizeof(gathered), l->wrap_max));
            data = gathered;
        }
        if (sasl_encode(l->sasl, data, (unsigned)n, &l->packet, &l->n_packet) != SASL_OK) {
            l->n_packet = 0;
            errno = EPROTO;
            return -1;
        }
        l->taken = n;
    }
    while (l->n_packet) {
        ssize_t r = transport_lower_send(base, l->packet, l->n_packet);

        if (r < 0)
            return -1;
        l->packet += r;
        l->n_packet -= (unsigned)r;
    }
    return (ssize_t)l->taken;
}

static void layer_free(ConnTransport *base)
{
    SaslLayer *l = (SaslLayer *)base;

    sasl_dispose(&l->sasl);
    g_free(l);
}

static const ConnTransportOps layer_ops = { .recv = layer_recv, .send = layer_send, .free = layer_free };

ConnTransport *sasl_layer_new(sasl_conn_t *sasl)
{
    SaslLayer *l = g_new0(SaslLayer, 1);
    const void *max = NULL;

    l->base.ops = &layer_ops;
    l->sasl = sasl;
    l->wrap_max = WRAP_MAX;
    if (sasl_getprop(sasl, SASL_MAXOUTBUF, &max) == SASL_OK && max && *(const unsigned *)max)
        l->wrap_max = MIN((size_t)*(const unsigned *)max, (size_t)WRAP_MAX);
    return &l->base;
}
