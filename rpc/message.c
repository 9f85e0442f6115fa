/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages. One is made by whoever fills it (the frame reader, or a sender that encodes), and is
 * not changed afterwards, save for descriptors, which the one who handles the message may take.
 * So it is shared by reference: between threads, and between input and output in the proxy.
 *
 * Invariant: data holds exactly the bytes of the wire, length word first, and h agrees with them.
 * Any thread may ref and unref; a message under construction belongs to its maker.
 */
#include "rpc/message.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "protocols/lxc_procs.h"
#include "protocols/net_types.h"
#include "protocols/qemu_procs.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "rpc/message-internal.h"
#include "util/error.h"
#include "util/fd.h"

enum { INLINE_MAX = 512 };

Message *message_alloc(uint32_t len, uint32_t cap)
{
    bool small = cap <= INLINE_MAX;
    Message *m = g_malloc(sizeof(*m) + (small ? cap : 0));

    *m = (Message){ .len = len, .body = MESSAGE_HEAD };
    atomic_init(&m->refs, 1);
    m->data = small ? (uint8_t *)(m + 1) : g_malloc(cap);
    return m;
}

bool message_resize(Message *m, uint32_t cap)
{
    bool move = message_is_inline(m) || m->wipe; /* the system's way of growing leaves what was there */
    uint8_t *d = move ? g_try_malloc(cap) : g_try_realloc(m->data, cap);

    if (!d)
        return false;
    if (move)
        memcpy(d, m->data, MIN(m->filled, cap));
    if (m->wipe)
        explicit_bzero(m->data, m->filled);
    if (move && !message_is_inline(m))
        g_free(m->data);
    m->data = d;
    return true;
}

Message *message_ref(Message *m)
{
    if (m)
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

Message *message_unref(Message *m)
{
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return NULL;

    for (unsigned i = 0; i < m->n_fds; i++)
        fd_close(&m->fds[i]);
    g_free(m->fds);
    charge_release(&m->bytes_charge);
    charge_release(&m->fds_charge);
    if (m->wipe)
        explicit_bzero(m->data, m->filled);
    if (!message_is_inline(m))
        g_free(m->data);
    g_free(m);
    return NULL;
}

const ProgramInfo *msg_program(const MsgHeader *h)
{
    switch (h->prog) {
    case REMOTE_PROGRAM:
        return &remote_program;
    case QEMU_PROGRAM:
        return &qemu_program;
    case LXC_PROGRAM:
        return &lxc_program;
    }
    return NULL;
}

const ProcInfo *msg_proc(const MsgHeader *h)
{
    const ProgramInfo *p = msg_program(h);

    return p ? program_find(p, h->proc) : NULL;
}

bool msg_len_check(uint32_t len, uint32_t max, GError **err)
{
    if (len < MESSAGE_HEAD || len > max) {
        error_set(err, VIR_ERR_RPC, "message of %u bytes, expected %d to %u", len, MESSAGE_HEAD, max);
        return false;
    }
    return true;
}

bool msg_header_decode(const uint8_t head[MESSAGE_HEAD], uint32_t max, uint32_t *ret_len, MsgHeader *ret, GError **err)
{
    uint32_t len = be32_get(head);
    uint32_t type = be32_get(head + 16);

    if (!msg_len_check(len, max, err))
        return false;
    if (type >= _MSG_N) {
        error_set(err, VIR_ERR_RPC, "message of unknown type %u, expected 0 to %d", type, _MSG_N - 1);
        return false;
    }
    *ret_len = len;
    *ret = (MsgHeader){
        .prog = be32_get(head + 4),
        .vers = be32_get(head + 8),
        .proc = (int32_t)be32_get(head + 12),
        .type = type,
        .serial = be32_get(head + 20),
        .status = be32_get(head + 24),
    };
    return true;
}

void msg_header_encode(const MsgHeader *h, uint32_t len, uint8_t head[MESSAGE_HEAD])
{
    be32_put(head, len);
    be32_put(head + 4, h->prog);
    be32_put(head + 8, h->vers);
    be32_put(head + 12, (uint32_t)h->proc);
    be32_put(head + 16, h->type);
    be32_put(head + 20, h->serial);
    be32_put(head + 24, h->status);
}

Message *message_new_bytes(const MsgHeader *h, const void *bytes, size_t n)
{
    g_assert(n <= MESSAGE_MAX - MESSAGE_HEAD);

    Message *m = message_alloc(MESSAGE_HEAD + n, MESSAGE_HEAD + n);

    m->h = *h;
    m->filled = m->len;
    msg_header_encode(h, m->len, m->data);
    if (n)
        memcpy(m->data + MESSAGE_HEAD, bytes, n);
    return m;
}

Message *message_new_read(const MsgHeader *h, int fd, size_t max, ssize_t *ret_n)
{
    g_autoptr(Message) m = message_alloc(MESSAGE_HEAD, MESSAGE_HEAD + max);

    m->h = *h;
    *ret_n = read(fd, m->data + MESSAGE_HEAD, max);
    if (*ret_n <= 0) {
        int saved = errno;
        g_clear_pointer(&m, message_unref);
        errno = saved;
        return NULL;
    }
    m->len = m->filled = MESSAGE_HEAD + (uint32_t)*ret_n;
    msg_header_encode(h, m->len, m->data);
    /* It may wait long for its client. */
    if ((size_t)*ret_n < max / 2)
        (void)message_resize(m, m->len);
    return g_steal_pointer(&m);
}

bool message_add_fd(Message *m, int fd, GError **err)
{
    auto_fd own = fd;

    if (m->n_fds == MESSAGE_FDS_MAX) {
        error_set(err, VIR_ERR_RPC, "more than %d file descriptors in one message", MESSAGE_FDS_MAX);
        return false;
    }
    if (!msg_has_fds(m->h.type)) {
        if (m->h.type != MSG_CALL && m->h.type != MSG_REPLY) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "message type %u cannot carry file descriptors", m->h.type);
            return false;
        }
        if (m->len > MESSAGE_MAX - 4 || !message_resize(m, m->len + 4)) {
            error_set(err, VIR_ERR_RPC, "message of %u bytes has no room for file descriptors", m->len);
            return false;
        }
        /* The count goes between header and payload. */
        memmove(m->data + MESSAGE_HEAD + 4, m->data + MESSAGE_HEAD, m->len - MESSAGE_HEAD);
        m->len += 4;
        m->filled = m->len;
        m->body = MESSAGE_HEAD + 4;
        m->h.type = m->h.type == MSG_CALL ? MSG_CALL_FDS : MSG_REPLY_FDS;
        msg_header_encode(&m->h, m->len, m->data);
        m->fds = g_new(int, MESSAGE_FDS_MAX);
    }
    m->fds[m->n_fds++] = fd_take(&own);
    m->want_fds = m->n_fds;
    be32_put(m->data + MESSAGE_HEAD, m->n_fds);
    return true;
}

int message_take_fd(Message *m, unsigned i)
{
    return i < m->n_fds ? fd_take(&m->fds[i]) : -1;
}

static Message *encode(const MsgHeader *h, xdrproc_t xdr, const void *payload, unsigned room, bool wipe, GError **err)
{
    if (!xdr)
        return message_new_bytes(h, NULL, 0);

    GByteArray *bytes = g_byte_array_sized_new(room);

    g_byte_array_set_size(bytes, MESSAGE_HEAD);
    if (!proc_encode("message", xdr, payload, bytes, MESSAGE_MAX - MESSAGE_HEAD, err)) {
        g_byte_array_unref(bytes);
        return NULL;
    }

    gsize len;
    uint8_t *data = g_byte_array_steal(bytes, &len);
    Message *m;

    g_byte_array_unref(bytes);
    if (len <= INLINE_MAX) {
        m = message_alloc(len, len);
        memcpy(m->data, data, len);
        if (wipe)
            explicit_bzero(data, len);
        g_free(data);
    } else {
        m = message_alloc(len, 0);
        m->data = data;
    }
    m->h = *h;
    m->filled = len;
    m->wipe = wipe;
    msg_header_encode(h, len, m->data);
    return m;
}

Message *message_new(const MsgHeader *h, xdrproc_t xdr, const void *payload, GError **err)
{
    return encode(h, xdr, payload, 256, false, err);
}

/* With room for the longest value at once: what grows leaves its smaller self behind. */
Message *message_new_sensitive(const MsgHeader *h, xdrproc_t xdr, const void *payload, GError **err)
{
    return encode(h, xdr, payload, 80 << 10, true, err);
}

/* The longest prefix of s that is valid for an XDR string and at most max bytes. */
static char *error_string(const char *s, size_t max)
{
    size_t n = strnlen(s, max);
    const char *end;

    (void)g_utf8_validate(s, n, &end); /* sets end to where it stops being text */
    return g_strndup(s, end - s);
}

Message *message_new_error(const MsgHeader *call, MsgType type, const GError *error, int fallback_source)
{
    enum { TEXT_MAX = 64 << 10, LEVEL_ERROR = 2 };
    g_autofree char *full = error_text(error);
    g_autofree char *text = error_string(full, TEXT_MAX);
    g_autofree char *detail = error_string(error->message, TEXT_MAX);
    char *template = (char *)error_template(error_code(error));
    int source = error_source(error);
    net_error e = {
        .code = error_code(error),
        .domain = source ? source : fallback_source,
        .message = text,
        .level = LEVEL_ERROR,
        .str1 = template,
        .str2 = detail,
        .int1 = error_errno(error),
        .int2 = -1,
    };
    MsgHeader h = *call;
    g_autoptr(GError) failure = NULL;

    h.type = type;
    h.status = MSG_ERROR;

    Message *m = message_new(&h, (xdrproc_t)xdr_net_error, &e, &failure);

    g_assert(m); /* bounded strings always fit */
    return m;
}

/* The text of an error without the template of its code, which is joined again when it is shown. */
static const char *error_detail(const net_error *e)
{
    const char *t = error_template(e->code), *hole = strstr(t, "%s");

    if (!e->message)
        return e->str2 ? e->str2 : "no text";
    if (hole && hole > t && strncmp(e->message, t, hole - t) == 0)
        return e->message + (hole - t);
    return e->message;
}

void message_decode_error(const Message *m, GError **err)
{
    net_error e;

    if (!proc_decode("error", (xdrproc_t)xdr_net_error, sizeof(e), message_body(m), message_body_len(m), &e, err))
        return;
    error_set(err, e.code, "%s", error_detail(&e));
    if (err && *err)
        error_set_source(*err, e.domain);
    proc_free((xdrproc_t)xdr_net_error, &e);
}
