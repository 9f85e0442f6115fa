/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QMP client. A Qmp is one monitor connection; commands carry an id and sit in a list until their
 * reply, their deadline or the end of the connection, whichever is first; each of the three takes the
 * call off the list under the lock, so a call ends exactly once.
 *
 * Who does what:
 *   - a caller writes its command itself when nothing is queued before it (one thread switch less),
 *     otherwise it queues it; then it waits on the Qmp's condition variable;
 *   - the monitor thread reads, writes what was queued, runs timers and all callbacks.
 * The descriptor is closed on the monitor thread, under the lock, so no caller writes to a stranger.
 *
 * Q.lock guards everything but 'in' and the event sources, which belong to the monitor thread.
 * It is a leaf: nothing else is locked and nothing is called out to while it is held.
 *
 * A guest costs no thread, the struct below and what it has in flight; the line buffer exists only
 * while half a line is waiting for its rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "drivers/qemu/qmp-internal.h"
#include "util/cond.h"
#include "util/counter.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/pool.h"

enum { MOMENT_USEC = 50 * 1000 };

/* Events. */

QmpEvent *qmp_event_ref(QmpEvent *e)
{
    g_atomic_int_inc(&e->refs);
    return e;
}

void qmp_event_unref(QmpEvent *e)
{
    if (!e || !g_atomic_int_dec_and_test(&e->refs))
        return;
    json_object_put(e->data);
    g_free(e->name);
    g_free(e);
}

/* The life of a Qmp: it closes when its last user leaves, it is freed when no post, no callback and
 * no user holds it any more. */

static void qmp_free(Qmp *q)
{
    for (QmpOut *o = q->out, *next; o; o = next) {
        next = o->next;
        qmp_out_free(o);
    }
    if (q->ops->release)
        q->ops->release(q->data);
    fd_close(&q->fd);
    g_clear_error(&q->why);
    if (q->in)
        g_byte_array_unref(q->in);
    pthread_cond_destroy(&q->changed);
    lock_done(&q->lock);
    g_free(q->path);
    g_free(q);
}

/* The event sources hold no reference; while the connection is open the monitor thread holds one. */
Qmp *qmp_hold(Qmp *q)
{
    g_atomic_int_inc(&q->refs);
    return q;
}

void qmp_drop(Qmp *q)
{
    if (q && g_atomic_int_dec_and_test(&q->refs))
        qmp_free(q);
}

Qmp *qmp_ref(Qmp *q)
{
    /* From 0 only inside a callback that runs while the last user leaves. */
    if (atomic_fetch_add(&q->users, 1) == 0)
        qmp_hold(q);
    return q;
}

void qmp_unref(Qmp *q)
{
    if (!q || atomic_fetch_sub(&q->users, 1) > 1)
        return;
    qmp_close(q);
    qmp_drop(q);
}

/* Ending calls. Under the lock; asynchronous ones come back as a list to run after it. */

static void call_run_async(void *p)
{
    QmpCall *c = p;

    if (c->fn)
        c->fn(c->reply, c->err, c->data);
    json_object_put(c->reply);
    g_clear_error(&c->err);
    g_free((char *)c->cmd);
    g_free(c);
}

void qmp_calls_run_async(Qmp *q, QmpCall *list)
{
    bool here = loop_is_current(q->loop);

    for (QmpCall *next; list; list = next) {
        next = list->next;
        if (here)
            call_run_async(list);
        else
            loop_post(q->loop, call_run_async, list);
    }
}

QmpCall *qmp_call_unlink_locked(Qmp *q, uint64_t id)
{
    for (QmpCall **p = &q->calls; *p; p = &(*p)->next)
        if ((*p)->id == id) {
            QmpCall *c = *p;
            *p = c->next;
            c->next = NULL;
            return c;
        }
    return NULL;
}

/* Returns the call when it is asynchronous, for qmp_calls_run_async(). */
QmpCall *qmp_call_finish_locked(Qmp *q, QmpCall *c)
{
    c->done = true;
    if (c->async)
        return c;
    pthread_cond_broadcast(&q->changed);
    return NULL;
}

static QmpCall *fail_all_locked(Qmp *q)
{
    QmpCall *async = NULL, **tail = &async;

    while (q->calls) {
        QmpCall *c = q->calls;

        q->calls = c->next;
        c->next = NULL;
        error_set(&c->err, q->why->code, "%s (during command '%s')", q->why->message, c->cmd);
        *tail = qmp_call_finish_locked(q, c);
        if (*tail)
            tail = &(*tail)->next;
    }
    pthread_cond_broadcast(&q->changed); /* waiters for events and for the handshake look, too */
    return async;
}

/* Drops a command that was not sent at all, so that it is not carried out after its caller left. */
static bool out_withdraw_locked(Qmp *q, uint64_t id)
{
    for (QmpOut **p = &q->out; *p; p = &(*p)->next) {
        QmpOut *o = *p;

        if (o->id != id || o->off > 0)
            continue;
        *p = o->next;
        if (!o->next)
            q->out_tail = p;
        qmp_out_free(o);
        return true;
    }
    return false;
}

static Counter deadlines_missed =
    COUNTER("modvirt_monitor_deadlines_missed", "Monitor commands that were not answered in time.");

static void overdue(Qmp *q, QmpCall *c, bool unsent)
{
    counter_add(&deadlines_missed, 1);
    uint64_t now = now_usec(), none = 0;

    atomic_compare_exchange_strong(&q->overdue_since, &none, now);
    error_set(&c->err, VIR_ERR_OPERATION_TIMEOUT,
              "the guest's monitor does not answer: no reply to command '%s' within %" G_GUINT64_FORMAT
              " seconds%s",
              c->cmd, (now - c->began + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC,
              unsent ? "; it was not sent" : "");
}

QmpCall *qmp_calls_expire_locked(Qmp *q)
{
    QmpCall *late = NULL;
    uint64_t now = now_usec();

    for (QmpCall **p = &q->calls; *p;) {
        QmpCall *c = *p;

        if (!c->async || c->deadline > now) {
            p = &c->next;
            continue;
        }
        *p = c->next;
        overdue(q, c, out_withdraw_locked(q, c->id));
        c->next = late;
        late = c;
    }
    return late;
}

/* Closing. */

static void unwatch(Qmp *q)
{
    q->io = sd_event_source_disable_unref(q->io);
    q->timer = sd_event_source_disable_unref(q->timer);
}

/* Monitor thread, once per Qmp; gives back the monitor thread's reference. */
static void shut(void *p)
{
    Qmp *q = p;

    unwatch(q);
    lock_enter(&q->lock);
    fd_close(&q->fd);
    lock_leave(&q->lock);
    qmp_drop(q);
}

/* True for the one who closed it. */
static bool close_with(Qmp *q, int code, const char *text)
{
    QmpCall *async = NULL;
    bool mine;

    lock_enter(&q->lock);
    mine = q->state != QMP_CLOSED;
    if (mine) {
        q->state = QMP_CLOSED;
        if (!q->why)
            error_set(&q->why, code, "%s", text);
        async = fail_all_locked(q);
    }
    lock_leave(&q->lock);

    qmp_calls_run_async(q, async);
    return mine;
}

void qmp_close(Qmp *q)
{
    if (close_with(q, VIR_ERR_OPERATION_FAILED, "the monitor was closed"))
        loop_post(q->loop, shut, q); /* takes over the monitor thread's reference */
}

/* Monitor thread: the peer hung up (why NULL) or misbehaved (why is taken). */
void qmp_lost(Qmp *q, GError *why)
{
    g_autoptr(GError) cause = why;

    if (!close_with(q, VIR_ERR_OPERATION_FAILED,
                    cause ? cause->message : "the monitor is gone: the guest's emulator hung up"))
        return;
    if (q->ops->closed)
        q->ops->closed(q, cause, q->data);
    shut(q);
}

void qmp_abort(Qmp *q, const char *reason)
{
    QmpCall *async;

    lock_enter(&q->lock);
    if (!q->why)
        error_set(&q->why, VIR_ERR_OPERATION_ABORTED, "%s", reason);
    async = fail_all_locked(q);
    lock_leave(&q->lock);
    qmp_calls_run_async(q, async);
}

bool qmp_is_open(Qmp *q)
{
    LOCK_SCOPE(&q->lock);

    return q->state != QMP_CLOSED;
}

bool qmp_wait_hangup(Qmp *q, uint64_t until)
{
    LOCK_SCOPE(&q->lock);

    while (q->state != QMP_CLOSED && cond_wait_until(&q->changed, &q->lock, until))
        ;
    return q->state == QMP_CLOSED;
}

uint64_t qmp_unresponsive_since(Qmp *q)
{
    return atomic_load(&q->overdue_since);
}

unsigned qmp_in_flight(Qmp *q)
{
    LOCK_SCOPE(&q->lock);
    unsigned n = 0;

    for (QmpCall *c = q->calls; c; c = c->next)
        n++;
    return n;
}

/* Calls. */

/* Takes message and call_fd. Puts c on the list and sends or queues it; false when the monitor is gone. */
static bool submit(Qmp *q, QmpCall *c, JsonObject *message, int call_fd)
{
    LOCK_SCOPE(&q->lock);
    g_autoptr(JsonObject) m = message;
    auto_fd fd = call_fd;

    if (q->why) {
        error_set(&c->err, q->why->code, "%s", q->why->message);
        return false;
    }
    c->id = q->next_id++;

    QmpCall **last = &q->calls; /* oldest first */
    while (*last)
        last = &(*last)->next;
    *last = c;

    QmpOut *o = qmp_out_new(c->id, m, fd_take(&fd));
    bool first = !q->out;
    *q->out_tail = o;
    q->out_tail = &o->next;
    if (first)
        qmp_flush_locked(q);
    if (q->out || c->async)
        qmp_post_service_locked(q);
    return true;
}

bool qmp_wait_locked(Qmp *q, QmpWait *w)
{
    uint64_t until = w->aside ? w->deadline : MIN(w->deadline, now_usec() + MOMENT_USEC);

    if (cond_wait_until(&q->changed, &q->lock, until))
        return true;
    if (until == w->deadline)
        return false;
    lock_leave(&q->lock);
    pool_wait_begin();
    w->aside = true;
    lock_enter(&q->lock);
    return true;
}

void qmp_wait_done(QmpWait *w)
{
    if (w->aside)
        pool_wait_end();
}

/* Takes message and call_fd. */
static bool call_and_wait(Qmp *q, QmpCall *c, JsonObject *message, int call_fd, GError **err)
{
    g_assert(!loop_is_current(q->loop));
    c->began = now_usec();
    if (c->deadline == 0)
        c->deadline = c->began + QMP_DEADLINE_DEFAULT_USEC;
    if (!submit(q, c, message, call_fd)) {
        g_propagate_error(err, c->err);
        return false;
    }

    QmpWait wait = { .deadline = c->deadline };
    lock_enter(&q->lock);
    while (!c->done && qmp_wait_locked(q, &wait))
        ;
    if (!c->done) {
        (void)qmp_call_unlink_locked(q, c->id);
        overdue(q, c, out_withdraw_locked(q, c->id));
    }
    lock_leave(&q->lock);
    qmp_wait_done(&wait);

    if (c->err) {
        g_propagate_error(err, c->err);
        return false;
    }
    return true;
}

static JsonObject *command(const char *cmd, JsonObject *args)
{
    return json_make(J_STR("execute", cmd), J_OBJ("arguments", args));
}

bool qmp_call_with_fd(Qmp *q, const char *cmd, JsonObject *args, int fd, JsonObject **ret, uint64_t deadline,
                      GError **err)
{
    QmpCall c = { .cmd = cmd, .deadline = deadline };
    auto_fd copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

    if (fd >= 0 && copy < 0) {
        json_object_put(args);
        error_set_errno(err, errno, "cannot pass a descriptor to QEMU");
        return false;
    }
    if (!call_and_wait(q, &c, command(cmd, args), fd_take(&copy), err))
        return false;
    if (ret)
        *ret = c.reply;
    else
        json_object_put(c.reply);
    return true;
}

bool qmp_call(Qmp *q, const char *cmd, JsonObject *args, JsonObject **ret, uint64_t deadline, GError **err)
{
    return qmp_call_with_fd(q, cmd, args, -1, ret, deadline, err);
}

bool qmp_call_raw(Qmp *q, const char *text, char **ret, uint64_t deadline, GError **err)
{
    g_autoptr(JsonObject) m = json_parse("the command", text, strlen(text), NULL, err);
    if (!m)
        return false;
    if (!json_object_is_type(m, json_type_object)) {
        error_set(err, VIR_ERR_INVALID_ARG, "the command is not a JSON object");
        return false;
    }

    const char *named = json_get_str(m, "execute");
    g_autofree char *cmd = g_strdup(named ? named : "(none)"); /* m goes away before the reply comes */
    QmpCall c = { .cmd = cmd, .deadline = deadline, .raw = true };
    json_object_object_del(m, "id");
    if (!call_and_wait(q, &c, g_steal_pointer(&m), -1, err))
        return false;
    *ret = json_text(c.reply);
    json_object_put(c.reply);
    return true;
}

void qmp_call_async(Qmp *q, const char *cmd, JsonObject *args, uint64_t deadline,
                    void (*done)(JsonObject *ret, const GError *err, void *data), void *data)
{
    QmpCall *c = g_new0(QmpCall, 1);

    c->cmd = g_strdup(cmd);
    c->began = now_usec();
    c->deadline = deadline ? deadline : c->began + QMP_DEADLINE_DEFAULT_USEC;
    c->async = true;
    c->fn = done;
    c->data = data;
    if (!submit(q, c, command(cmd, args), -1))
        loop_post(q->loop, call_run_async, c);
}

/* Waiting for events. */

QmpExpect *qmp_expect(Qmp *q, const char *event, const char *member, const char *value)
{
    QmpExpect *x = g_new0(QmpExpect, 1);

    x->q = qmp_ref(q);
    x->event = g_strdup(event);
    x->member = g_strdup(member);
    x->value = g_strdup(value);
    LOCK_SCOPE(&q->lock);
    x->next = q->expects;
    q->expects = x;
    return x;
}

bool qmp_expect_wait(QmpExpect *x, uint64_t deadline, QmpEvent **ret, GError **err)
{
    Qmp *q = x->q;
    QmpWait wait = { .deadline = deadline ? deadline : now_usec() + QMP_DEADLINE_DEFAULT_USEC };

    g_assert(!loop_is_current(q->loop));
    lock_enter(&q->lock);
    while (!x->got && !q->why && qmp_wait_locked(q, &wait))
        ;
    lock_leave(&q->lock);
    qmp_wait_done(&wait);
    LOCK_SCOPE(&q->lock);
    if (x->got) {
        if (ret)
            *ret = qmp_event_ref(x->got);
        return true;
    }
    if (q->why)
        error_set(err, q->why->code, "%s (waiting for event %s)", q->why->message, x->event);
    else
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "the guest's monitor did not send event %s in time", x->event);
    return false;
}

void qmp_expect_free(QmpExpect *x)
{
    if (!x)
        return;
    lock_enter(&x->q->lock);
    for (QmpExpect **p = &x->q->expects; *p; p = &(*p)->next)
        if (*p == x) {
            *p = x->next;
            break;
        }
    lock_leave(&x->q->lock);
    qmp_event_unref(x->got);
    qmp_unref(x->q);
    g_free(x->event);
    g_free(x->member);
    g_free(x->value);
    g_free(x);
}
