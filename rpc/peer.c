/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Straight-line conversation with another daemon (see the header): one call at a time over a socket that does not
 * block, each wait bounded by the call's deadline and looked up from now and then for whether anybody still wants the
 * answer.
 *
 * The other daemon is not trusted further than necessary: a frame is bounded before memory is taken for it, what is
 * neither our reply nor something to be skipped ends the connection, and so does a deadline, so no reply can be
 * taken for another call's. Descriptors that it sends are dropped by the kernel. One thread per Peer.
 */
#define LOG_SOURCE "rpc.peer"
#include "rpc/peer.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "protocols/remote_client.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/dispatch-internal.h"
#include "rpc/forward-internal.h"
#include "rpc/identity_params.h"
#include "rpc/message-internal.h"
#include "rpc/session_daemon.h"
#include "rpc/system_token.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/paths.h"
#include "util/pool.h"

enum {
    REPLY_MAX = 4 << 20,        /* of any answer that a driver needs */
    LOOK_UP_MSEC = 200,         /* how soon a cancelled call is noticed */
    DIAL_PAUSE_USEC = 20000,
    BACK_USEC = 2 * 1000000,    /* a daemon that is being restarted has no socket for a moment */
    TIMEOUT_SEC = 10,
};

struct Peer {
    const char *daemon, *scheme; /* static */
    Call *call;     /* borrowed; NULL: our own affair */
    Identity *who;
    int fd;         /* -1: not connected */
    uint32_t serial;
    uint64_t usec;  /* bound of a call */
    ClientCall calls;
};

/* LOST: the connection has ended; the rest are failures that another try does not mend. */
typedef enum Talk { TALK_OK, TALK_LOST, TALK_FAILED } Talk;

static bool peer_call(void *self, const ProgramInfo *program, const ProcInfo *proc, const void *args, void *ret, GError **err);

Peer *peer_new(Route daemon, Call *c)
{
    Peer *p = g_new0(Peer, 1);

    p->daemon = forward_daemon_of_route(daemon);
    p->scheme = forward_scheme_of_route(daemon);
    g_assert(p->daemon);
    p->call = c;
    if (c && c->identity)
        p->who = identity_ref(c->identity);
    p->fd = -1;
    p->usec = (uint64_t)TIMEOUT_SEC * G_USEC_PER_SEC;
    p->calls = (ClientCall){ .call = peer_call, .self = p };
    return p;
}

Peer *peer_free(Peer *p)
{
    if (!p)
        return NULL;
    fd_close(&p->fd);
    identity_unref(p->who);
    g_free(p);
    return NULL;
}

void peer_set_timeout(Peer *p, unsigned sec)
{
    p->usec = (uint64_t)sec * G_USEC_PER_SEC;
}

ClientCall *peer_calls(Peer *p)
{
    return &p->calls;
}

const char *peer_daemon(const Peer *p)
{
    return p->daemon;
}

bool call_from_daemon(Call *c)
{
    g_autoptr(GError) error = NULL;
    bool known = !c->readonly && c->identity && system_token_is(c->identity->system_token, &error);

    if (error)
        log_warn("cannot tell whether another daemon asks: %s", error->message);
    return known;
}

/* --- bytes ------------------------------------------------------------------------------------------- */

static bool still_wanted(const Peer *p, uint64_t deadline, GError **err)
{
    if (p->call && call_cancelled(p->call))
        error_set(err, VIR_ERR_OPERATION_ABORTED, "%s is not asked any more: the call was cancelled", p->daemon);
    else if (now_usec() >= deadline)
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "%s did not answer within %u seconds; see 'systemctl status %s'", p->daemon,
                  (unsigned)(p->usec / G_USEC_PER_SEC), p->daemon);
    else
        return true;
    return false;
}

static Talk peer_wait(const Peer *p, short events, uint64_t deadline, GError **err)
{
    struct pollfd f = { .fd = p->fd, .events = events };

    while (still_wanted(p, deadline, err)) {
        int64_t left = ((int64_t)deadline - (int64_t)now_usec()) / 1000 + 1;
        int n = poll(&f, 1, (int)CLAMP(left, 1, LOOK_UP_MSEC));

        if (n > 0)
            return TALK_OK;
        if (n < 0 && errno != EINTR) {
            error_set_errno(err, errno, "cannot wait for %s", p->daemon);
            return TALK_FAILED;
        }
    }
    return TALK_FAILED;
}

/* After an attempt that moved nothing: whether to try again. */
static Talk peer_again(const Peer *p, ssize_t n, short events, uint64_t deadline, GError **err)
{
    if (n < 0 && errno == EINTR)
        return TALK_OK;
    if (n < 0 && errno == EAGAIN)
        return peer_wait(p, events, deadline, err);
    error_set(err, VIR_ERR_RPC, "%s closed the connection%s%s", p->daemon, n < 0 ? ": " : "", n < 0 ? g_strerror(errno) : "");
    return TALK_LOST;
}

/* *ret_begun: some of it may have been taken. */
static Talk peer_write(const Peer *p, const uint8_t *bytes, size_t n, uint64_t deadline, bool *ret_begun, GError **err)
{
    Talk t = TALK_OK;

    while (n && t == TALK_OK) {
        ssize_t r = send(p->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (r > 0) {
            *ret_begun = true;
            bytes += r;
            n -= (size_t)r;
        } else {
            t = peer_again(p, r, POLLOUT, deadline, err);
        }
    }
    return t;
}

static Talk peer_read(const Peer *p, uint8_t *bytes, size_t n, uint64_t deadline, GError **err)
{
    Talk t = TALK_OK;

    while (n && t == TALK_OK) {
        ssize_t r = recv(p->fd, bytes, n, MSG_DONTWAIT);

        if (r > 0) {
            bytes += r;
            n -= (size_t)r;
        } else {
            t = peer_again(p, r, POLLIN, deadline, err);
        }
    }
    return t;
}

/* --- messages ---------------------------------------------------------------------------------------- */

static Talk receive(const Peer *p, uint64_t deadline, Message **ret, GError **err)
{
    uint8_t head[MESSAGE_HEAD];
    uint32_t len;
    MsgHeader h;
    Talk t = peer_read(p, head, sizeof(head), deadline, err);

    if (t != TALK_OK)
        return t;
    if (!msg_header_decode(head, REPLY_MAX, &len, &h, err)) /* bounds what follows */
        return TALK_FAILED;

    Message *m = message_alloc(len, len);

    m->h = h;
    m->filled = len;
    m->wipe = true;
    memcpy(m->data, head, sizeof(head));
    memset(m->data + MESSAGE_HEAD, 0, len - MESSAGE_HEAD); /* wiping never looks at what was not set */
    t = peer_read(p, m->data + MESSAGE_HEAD, len - MESSAGE_HEAD, deadline, err);
    if (t == TALK_OK)
        *ret = m;
    else
        message_unref(m);
    return t;
}

/* Waits for the reply to the call that h heads. */
static Talk receive_reply(const Peer *p, const MsgHeader *h, uint64_t deadline, Message **ret, GError **err)
{
    for (;;) {
        g_autoptr(Message) m = NULL;
        Talk t = still_wanted(p, deadline, err) ? receive(p, deadline, &m, err) : TALK_FAILED;

        if (t != TALK_OK)
            return t;
        if (m->h.type == MSG_EVENT)
            continue; /* nobody asked for any */
        if (m->h.type == MSG_REPLY && m->h.prog == h->prog && m->h.vers == h->vers && m->h.proc == h->proc &&
            m->h.serial == h->serial && (m->h.status == MSG_OK || m->h.status == MSG_ERROR)) {
            *ret = g_steal_pointer(&m);
            return TALK_OK;
        }
        error_set(err, VIR_ERR_RPC, "unexpected message (type %u, procedure %d, serial %u) instead of the answer to procedure %d",
                  m->h.type, m->h.proc, m->h.serial, h->proc);
        return TALK_FAILED;
    }
}

static Talk exchange(Peer *p, const ProgramInfo *program, const ProcInfo *proc, const void *args, void *ret, uint64_t deadline,
                     bool *ret_begun, GError **err)
{
    const MsgHeader h = { program->number, program->version, proc->number, MSG_CALL, ++p->serial, MSG_OK };
    g_autoptr(Message) m = message_new_sensitive(&h, proc->args_xdr, args, err), reply = NULL;

    if (!m)
        return TALK_FAILED;
    Talk t = peer_write(p, m->data, m->len, deadline, ret_begun, err);
    if (t == TALK_OK)
        t = receive_reply(p, &h, deadline, &reply, err);
    if (t != TALK_OK) {
        fd_close(&p->fd); /* what comes now belongs to nobody */
        return t;
    }
    if (reply->h.status == MSG_ERROR) {
        message_decode_error(reply, err);
        return TALK_FAILED;
    }
    if (proc->ret_xdr && !proc_decode(proc->name, proc->ret_xdr, proc->ret_size, message_body(reply), message_body_len(reply),
                                      ret, err)) {
        fd_close(&p->fd);
        return TALK_FAILED;
    }
    return TALK_OK;
}

/* --- connecting -------------------------------------------------------------------------------------- */

static bool dial(Peer *p, uint64_t deadline, uint64_t patience, GError **err)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };
    int n = snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/%s-sock", paths()->run, p->daemon);
    auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (n < 0 || (size_t)n >= sizeof(addr.sun_path)) {
        error_set(err, VIR_ERR_NO_CONNECT, "the path of its socket in '%s' is too long", paths()->run);
        return false;
    }
    if (fd < 0) {
        error_set_errno(err, errno, "cannot make a socket");
        return false;
    }
    for (bool started = false; still_wanted(p, deadline, err);) {
        if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0) {
            p->fd = fd_take(&fd);
            return true;
        }

        int why = errno;
        bool missing = why == ENOENT || why == ECONNREFUSED;

        if (missing && !started && paths()->session) {
            started = true;
            if (session_daemon_start(p->daemon))
                patience = MAX(patience, now_usec() + SESSION_DAEMON_PATIENCE_USEC);
        }
        if (why != EAGAIN && why != EINTR && (!missing || now_usec() >= patience)) {
            if (missing)
                error_set(err, VIR_ERR_NO_CONNECT, "it %s; start %s.socket",
                          why == ENOENT ? "is not running and has no socket" : "does not listen on its socket", p->daemon);
            else
                error_set_errno(err, why, "cannot connect to '%s'", addr.sun_path);
            return false;
        }
        g_usleep(DIAL_PAUSE_USEC); /* its backlog is full, or it is coming back */
    }
    return false;
}

static Talk handshake_call(Peer *p, int32_t proc, const void *args, void *ret, uint64_t deadline, GError **err)
{
    bool begun = false;

    return exchange(p, &remote_program, program_find(&remote_program, proc), args, ret, deadline, &begun, err);
}

static Talk authenticate(Peer *p, uint64_t deadline, GError **err)
{
    remote_auth_list_ret list;
    remote_auth_polkit_ret done;
    bool none = false, polkit = false;
    Talk t = handshake_call(p, REMOTE_PROC_AUTH_LIST, NULL, &list, deadline, err);

    if (t != TALK_OK)
        return t;
    for (unsigned i = 0; i < list.types.types_len; i++) {
        none = none || list.types.types_val[i] == REMOTE_AUTH_NONE;
        polkit = polkit || list.types.types_val[i] == REMOTE_AUTH_POLKIT;
    }
    proc_free((xdrproc_t)xdr_remote_auth_list_ret, &list);
    if (none)
        return TALK_OK;
    if (polkit)
        return handshake_call(p, REMOTE_PROC_AUTH_POLKIT, NULL, &done, deadline, err);
    error_set(err, VIR_ERR_AUTH_FAILED, "it asks for an authentication that a daemon cannot give");
    return TALK_FAILED;
}

/* For whom we ask, and that we are one of the host's daemons. */
static Talk introduce(Peer *p, uint64_t deadline, GError **err)
{
    g_autoptr(Identity) id = p->who ? identity_copy(p->who) : identity_of_process();
    remote_typed_param params[IDENTITY_PARAMS_MAX];

    system_token_free(id->system_token);
    id->system_token = system_token(err);
    if (!id->system_token)
        return TALK_FAILED;

    remote_connect_set_identity_args a = { .params = { identity_to_params(id, params), params } };

    return handshake_call(p, REMOTE_PROC_CONNECT_SET_IDENTITY, &a, NULL, deadline, err);
}

/* Opened before it is told who asks: today's daemons take it in this order only. */
static Talk open_peer(Peer *p, uint64_t deadline, uint64_t patience, GError **err)
{
    g_autofree char *uri = g_strdup_printf("%s:///%s", p->scheme, paths()->session ? "session" : "system");
    remote_connect_open_args a = { .name = uri };
    Talk t = dial(p, deadline, patience, err) ? TALK_OK : TALK_FAILED;

    if (t == TALK_OK)
        t = authenticate(p, deadline, err);
    if (t == TALK_OK)
        t = handshake_call(p, REMOTE_PROC_CONNECT_OPEN, &a, NULL, deadline, err);
    if (t == TALK_OK)
        t = introduce(p, deadline, err);
    if (t != TALK_OK)
        fd_close(&p->fd);
    return t;
}

/* --- calls ------------------------------------------------------------------------------------------- */

static bool peer_call(void *self, const ProgramInfo *program, const ProcInfo *proc, const void *args, void *ret, GError **err)
{
    Peer *p = self;
    uint64_t deadline = now_usec() + p->usec;
    g_autoptr(GError) why = NULL;
    Talk t = TALK_OK;

    if (p->call)
        call_set_waiting(p->call, p->daemon);
    pool_wait_begin();
    for (bool again = false;; again = true) {
        bool begun = false;

        if (p->fd < 0)
            t = open_peer(p, deadline, again ? now_usec() + BACK_USEC : 0, &why);
        if (p->fd >= 0)
            t = exchange(p, program, proc, args, ret, deadline, &begun, &why);
        if (t != TALK_LOST || again || (begun && proc->job != JOB_NONE))
            break;
        g_clear_error(&why);
    }
    pool_wait_end();
    if (p->call)
        call_set_waiting(p->call, NULL);
    if (t == TALK_OK)
        return true;
    if (!g_str_has_prefix(why->message, p->daemon)) /* some say it already */
        g_prefix_error(&why, "%s: ", p->daemon);
    g_propagate_error(err, g_steal_pointer(&why));
    return false;
}
