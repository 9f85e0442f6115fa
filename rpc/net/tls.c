/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The transport of a TLS connection, server side. GnuTLS does the reading and writing of the socket;
 * a record that the socket did not take stays with GnuTLS, and the next send finishes it.
 *
 * After the handshake the peer's certificate is judged, and one byte is sent: clients wait for it.
 * The byte says "go on" to refused clients, too: the first answer then tells them why, which a closed
 * connection could not. Nothing else is ever answered to them, see authn.c.
 *
 * Invariant: 'denied' is set before the byte leaves. Loop thread.
 */
#define LOG_SOURCE "rpc.tls"
#include "rpc/net/tls.h"

#include <errno.h>

#include "rpc/net/tls-internal.h"
#include "util/error.h"
#include "util/log.h"

enum { RECORD_MAX = 16384 };

typedef enum Phase { PHASE_HANDSHAKE, PHASE_BYTE, PHASE_OPEN, PHASE_DEAD } Phase;

typedef struct TlsTransport {
    ConnTransport base; /* first */
    TlsContext *ctx;
    gnutls_session_t session;
    Phase phase;
    bool unfinished; /* a record waits for the socket */
} TlsTransport;

/* -1 with errno for what GnuTLS returned; 0: again at once. */
static ssize_t tls_failed(TlsTransport *t, ssize_t r, const char *what)
{
    if (r == GNUTLS_E_INTERRUPTED)
        return 0;
    if (r == GNUTLS_E_AGAIN) {
        errno = EAGAIN;
        return -1;
    }
    if (!gnutls_error_is_fatal((int)r))
        return 0;
    log_debug("%s of a TLS connection: %s", what, gnutls_strerror((int)r));
    t->phase = PHASE_DEAD;
    errno = r == GNUTLS_E_PUSH_ERROR || r == GNUTLS_E_PULL_ERROR ? ECONNRESET : EPROTO;
    return -1;
}

static ssize_t tls_recv(ConnTransport *base, void *buf, size_t n)
{
    TlsTransport *t = (TlsTransport *)base;

    for (;;) {
        ssize_t r = gnutls_record_recv(t->session, buf, n);

        if (r >= 0)
            return r;
        if (r == GNUTLS_E_PREMATURE_TERMINATION)
            return 0; /* many clients just go */
        if (r == GNUTLS_E_REHANDSHAKE) { /* what was judged stays what it was */
            errno = EPROTO;
            return -1;
        }
        if (tls_failed(t, r, "reading") < 0)
            return -1;
    }
}

static ssize_t tls_send(ConnTransport *base, const struct iovec *iov, unsigned n_iov)
{
    TlsTransport *t = (TlsTransport *)base;
    char record[RECORD_MAX];
    const void *data = iov[0].iov_base;
    size_t n = iov[0].iov_len;

    if (t->phase == PHASE_DEAD) {
        errno = EPIPE;
        return -1;
    }
    if (n_iov > 1 && n < RECORD_MAX && !t->unfinished) {
        n = transport_gather(iov, n_iov, record, sizeof(record));
        data = record;
    }
    for (;;) {
        ssize_t r = t->unfinished ? gnutls_record_send(t->session, NULL, 0) : gnutls_record_send(t->session, data, n);

        t->unfinished = r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED;
        if (r >= 0)
            return r;
        if (tls_failed(t, r, "writing") < 0)
            return -1;
    }
}

static bool tls_say_go(TlsTransport *t, bool *again, GError **err)
{
    static const char go = 1;
    struct iovec iov = { (void *)&go, 1 };

    *again = false;
    if (tls_send(&t->base, &iov, 1) == 1)
        return true;
    *again = errno == EAGAIN;
    if (!*again)
        error_set_errno(err, errno, "cannot finish the TLS handshake");
    return false;
}

static void handshake_error(const TlsTransport *t, int r, GError **err)
{
    if (r == GNUTLS_E_FATAL_ALERT_RECEIVED)
        error_set(err, VIR_ERR_SYSTEM_ERROR, "TLS handshake: the client refuses: %s",
                  gnutls_alert_get_name(gnutls_alert_get(t->session)));
    else
        error_set(err, VIR_ERR_SYSTEM_ERROR, "TLS handshake: %s", gnutls_strerror(r));
}

static int tls_handshake(ConnTransport *base, bool *want_write, GError **err)
{
    TlsTransport *t = (TlsTransport *)base;
    bool again;

    if (t->phase == PHASE_HANDSHAKE) {
        int r;

        gnutls_transport_set_int(t->session, base->fd);
        do
            r = gnutls_handshake(t->session);
        while (r < 0 && r != GNUTLS_E_AGAIN && !gnutls_error_is_fatal(r));
        if (r == GNUTLS_E_AGAIN) {
            *want_write = gnutls_record_get_direction(t->session) == 1;
            return 0;
        }
        if (r < 0) {
            (void)gnutls_alert_send_appropriate(t->session, r); /* it helps the client, no more */
            t->phase = PHASE_DEAD;
            handshake_error(t, r, err);
            return -1;
        }
        base->ssf = (unsigned)gnutls_cipher_get_key_size(gnutls_cipher_get(t->session)) * 8;
        (void)tls_check_peer(t->ctx, t->session, &base->peer_name, &base->denied);
        t->phase = PHASE_BYTE;
    }
    if (tls_say_go(t, &again, err)) {
        t->phase = PHASE_OPEN;
        return 1;
    }
    *want_write = true;
    return again ? 0 : -1;
}

static void tls_free(ConnTransport *base)
{
    TlsTransport *t = (TlsTransport *)base;

    if (t->phase == PHASE_OPEN && !t->unfinished)
        (void)gnutls_bye(t->session, GNUTLS_SHUT_WR);
    gnutls_deinit(t->session);
    tls_context_unref(t->ctx);
    g_free(base->peer_name);
    g_clear_error(&base->denied);
    g_free(t);
}

static const ConnTransportOps tls_ops = {
    .handshake = tls_handshake,
    .recv = tls_recv,
    .send = tls_send,
    .free = tls_free,
};

ConnTransport *tls_transport_new(TlsContext *ctx, GError **err)
{
    TlsTransport *t = g_new0(TlsTransport, 1);
    int r = gnutls_init(&t->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);

    if (r == 0)
        r = tls_context_apply(ctx, t->session);
    if (r < 0) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "cannot make a TLS session: %s", gnutls_strerror(r));
        if (t->session)
            gnutls_deinit(t->session);
        g_free(t);
        return NULL;
    }
    t->base.ops = &tls_ops;
    t->ctx = tls_context_ref(ctx);
    return &t->base;
}
