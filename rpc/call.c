/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What drivers may ask of a Call. Thread that runs the handler, unless said otherwise. */
#include "protocols/xdr_buf.h"
#include "rpc/dispatch-internal.h"
#include "util/error.h"
#include "util/fd.h"

uint64_t call_id(const Call *c) { return c->id; }
const ProcInfo *call_proc(const Call *c) { return c->proc; }
bool call_readonly(const Call *c) { return c->readonly; }
uint64_t call_deadline(const Call *c) { return c->deadline; }
bool call_cancelled(const Call *c) { return atomic_load(&c->cancelled); }
int64_t call_uid(const Call *c) { return c->identity && c->identity->has_unix ? (int64_t)c->identity->uid : -1; }
char *call_user(const Call *c) { return identity_user(c->identity); }
void call_share_turn(Call *c) { turnqueue_share(c->oc->queue(c->object), &c->waiter); }
void call_set_waiting(Call *c, const char *what) { atomic_store(&c->waiting, what); }

void call_wait_begin(Call *c, const char *what)
{
    if (c->proc->job == JOB_QUERY)
        dispatch_leave_queue(c);
    call_set_waiting(c, what);
    pool_wait_begin();
}

void call_wait_end(Call *c)
{
    pool_wait_end();
    call_set_waiting(c, NULL);
}

Client *call_client(const Call *c) { return c->cs->client; }
Dispatcher *call_dispatcher(const Call *c) { return c->d; }
uint64_t call_client_id(const Call *c) { return c->cs->client->id; }

bool call_may_wait(Call *c)
{
    if (!loop_is_current(c->d->loop))
        return true;
    c->must_wait = true;
    return false;
}

bool call_answer_add(Call *c, xdrproc_t xdr, const void *part, GError **err)
{
    if (!c->body)
        c->body = g_byte_array_new();
    return proc_encode(c->proc->name, xdr, part, c->body, MESSAGE_MAX - MESSAGE_HEAD - c->body->len, err);
}

int call_take_fd(Call *c, unsigned i)
{
    return message_take_fd(c->msg, i);
}

bool call_add_reply_fd(Call *c, int fd, GError **err)
{
    auto_fd own = fd;

    if (!conn_can_fds(c->cs->client->conn)) {
        error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "file descriptors pass over unix sockets only");
        return false;
    }
    if (c->n_reply_fds == MESSAGE_FDS_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "more than %d file descriptors in one reply", MESSAGE_FDS_MAX);
        return false;
    }
    c->reply_fds[c->n_reply_fds++] = fd_take(&own);
    return true;
}

bool call_attach_stream(Call *c, int fd, StreamDir dir, const StreamOps *ops, void *data, GError **err)
{
    g_assert(c->proc->bits & (PROC_STREAM_IN | PROC_STREAM_OUT));
    g_assert(!c->stream);
    c->stream = stream_new(c, fd, dir, ops, data, err);
    return c->stream != NULL;
}

bool call_attach_stream_queue(Call *c, const StreamOps *ops, void *data, StreamQueue **ret, GError **err)
{
    if (!call_attach_stream(c, -1, STREAM_IN, ops, data, err))
        return false;
    *ret = stream_queue_ref(stream_queue_of(c->stream));
    return true;
}

bool call_watch_close(Call *c, void (*fn)(uint64_t client_id, void *data), void *data)
{
    ClientState *cs = c->cs;
    LOCK_SCOPE(&cs->lock);

    if (cs->closed)
        return false;
    if (!cs->watches)
        cs->watches = g_array_new(false, false, sizeof(CloseWatch));
    CloseWatch w = { fn, data };
    g_array_append_val(cs->watches, w);
    return true;
}
