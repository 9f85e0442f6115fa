/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Authentication of clients, in one place for daemons and the proxy: what a client of each kind of
 * listener must pass, how far it is, and who decides (SASL, polkit: an AuthBackend each).
 *
 * A server has one AuthPolicy. A client's method is fixed when it connects; the list that it asks for
 * names that method, or "none" when nothing is to be passed, and then it is authenticated. A method
 * without a backend lets nobody in. At most one authentication call of a client runs at a time; after
 * AUTH_FAILURES_MAX refused ones the client is closed. Loop thread only.
 */
#pragma once

#include <rpc/rpc.h>

#include "rpc/identity.h"
#include "rpc/message.h"

typedef struct Client Client;
typedef struct ConnTransport ConnTransport;

/* The numbers of the wire. */
typedef enum AuthMethod { AUTH_BY_NONE = 0, AUTH_BY_SASL = 1, AUTH_BY_POLKIT = 2, _AUTH_N } AuthMethod;

/* How a client came in. */
typedef enum ListenKind { LISTEN_UNIX_RW, LISTEN_UNIX_RO, LISTEN_TCP, LISTEN_TLS, _LISTEN_N } ListenKind;

enum { AUTH_FAILURES_MAX = 3 };

/* One authentication procedure that a client called. */
typedef struct AuthCall {
    Client *client; /* a reference */
    Message *m;     /* a reference; its body are the procedure's arguments */
} AuthCall;

typedef struct AuthBackend {
    /* This client need not pass (polkit and root). NULL: all must. */
    bool (*exempt)(Client *c, void *data);
    /* REMOTE_PROC_AUTH_SASL_* or _POLKIT. Takes the call over and answers it, at once or later, with
     * exactly one of auth_call_continue/passed/failed, on the loop thread. The client may be gone by
     * then: its answer goes nowhere. What it keeps between calls is c->auth.state. */
    void (*call)(AuthCall *a, void *data);
    /* The client is gone, and no call of it is with the backend: frees c->auth.state. May be NULL. */
    void (*forget)(void *state, void *data);
} AuthBackend;

typedef struct AuthPolicy {
    AuthMethod method[_LISTEN_N];
    const AuthBackend *backend[_AUTH_N];
    void *data[_AUTH_N];
} AuthPolicy;

/* The part of a Client that belongs to this file. */
typedef struct AuthState {
    AuthMethod method;
    bool busy;        /* a call is with the backend */
    bool gone;        /* the client is closed */
    bool seen;        /* it has called anything of these */
    uint8_t failures;
    const AuthBackend *backend; /* of 'state' */
    void *backend_data, *state;
    char named[64];   /* the user that a failed attempt was about: for the log, not for the client */
    GError *denied;   /* nothing will help: the answer to its first call, then it is closed */
} AuthState;

/* For server.c: a client arrives, is closed, is freed. */
void auth_client_opened(Client *c, const AuthPolicy *p, ListenKind kind);
void auth_client_closed(Client *c);
void auth_client_freed(Client *c);

/* Whether h is a procedure of authentication (REMOTE_PROC_AUTH_*) and so auth_call()'s. */
bool auth_is_call(const MsgHeader *h);
/* Answers it. m is borrowed. */
void auth_call(Client *c, Message *m);

/* Answers of a backend; each frees the call. */
/* The exchange goes on. */
void auth_call_continue(AuthCall *a, xdrproc_t xdr, const void *ret);
/* The client is in. identity: who it is from now on (taken; NULL: as before). layer: protects all
 * that comes after this answer (taken; NULL: none). */
void auth_call_passed(AuthCall *a, xdrproc_t xdr, const void *ret, Identity *identity, ConnTransport *layer);
/* It is not; error is taken. One line goes to the log, with the reason. */
void auth_call_failed(AuthCall *a, GError *error);
