/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The monitor's socket: connecting, the handshake, cutting bytes into lines, routing a line to its
 * call or to the event callback, and writing. All on the monitor thread but what ends in _locked and
 * qmp_open(). The rule for input: anything that is not QMP, not asked for, or too large closes this
 * connection, and nothing that a guest sends can make another guest's monitor wait longer than
 * one read turn.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/qemu/qmp-internal.h"
#include "drivers/qemu/unix_path.h"
#include "util/cond.h"
#include "util/error.h"
#include "util/fd.h"

#define ID_PREFIX "libvirt-" /* tools that read the raw replies know it */
#define CONNECT_RETRY_USEC (20 * 1000)
#define READS_PER_TURN 8 /* then other monitors get theirs */
#define READ_SIZE (64 * 1024)

void qmp_out_free(QmpOut *o)
{
    fd_close(&o->fd);
    g_free(o->text);
    g_free(o);
}

/* Output. */

static ssize_t send_once(int sock, const char *p, size_t n, int fd)
{
    struct iovec iov = { (void *)p, n };
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = { 0 };
    struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };
    ssize_t r;

    if (fd >= 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *h = CMSG_FIRSTHDR(&m);
        h->cmsg_level = SOL_SOCKET;
        h->cmsg_type = SCM_RIGHTS;
        h->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(h), &fd, sizeof(int));
    }
    do
        r = sendmsg(sock, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (r < 0 && errno == EINTR);
    return r;
}

/* Writes what may be written now. A dead socket is left to the reader, which also sees it. */
void qmp_flush_locked(Qmp *q)
{
    while (q->out && q->fd >= 0) {
        QmpOut *o = q->out;

        if (q->state != QMP_READY && !(q->state == QMP_NEGOTIATING && o->id == q->handshake_id))
            return;
        ssize_t n = send_once(q->fd, o->text + o->off, o->len - o->off, o->off == 0 ? o->fd : -1);
        if (n < 0)
            return;
        o->off += n;
        if (o->off < o->len)
            return;
        q->out = o->next;
        if (!q->out)
            q->out_tail = &q->out;
        qmp_out_free(o);
    }
}

void qmp_post_service_locked(Qmp *q)
{
    if (q->service_posted || q->state == QMP_CLOSED)
        return;
    q->service_posted = true;
    loop_post(q->loop, qmp_service, qmp_hold(q));
}

QmpOut *qmp_out_new(uint64_t id, JsonObject *message, int fd)
{
    QmpOut *o = g_new0(QmpOut, 1);
    char name[40];

    g_snprintf(name, sizeof(name), ID_PREFIX "%" G_GUINT64_FORMAT, id);
    json_object_object_add(message, "id", json_object_new_string(name));
    g_autofree char *text = json_text(message);
    o->id = id;
    o->text = g_strconcat(text, "\n", NULL);
    o->len = strlen(o->text);
    o->fd = fd;
    return o;
}

/* Monitor thread: bring epoll interest and the timer in line with the state. */
static int on_timer(sd_event_source *s, uint64_t usec, void *data);

void qmp_service(void *p)
{
    g_autoptr(QmpHeld) q = p;
    uint64_t next = UINT64_MAX, now = now_usec();
    bool want_out;

    lock_enter(&q->lock);
    q->service_posted = false;
    qmp_flush_locked(q);
    want_out = q->out && q->out->off < q->out->len &&
               (q->state == QMP_READY || (q->state == QMP_NEGOTIATING && q->out->id == q->handshake_id));
    for (QmpCall *c = q->calls; c; c = c->next)
        if (c->async)
            next = MIN(next, c->deadline);
    if (q->state == QMP_CONNECTING)
        next = MIN(next, now + CONNECT_RETRY_USEC);
    lock_leave(&q->lock);

    if (q->io && want_out != q->armed_out) {
        q->armed_out = want_out;
        (void)sd_event_source_set_io_events(q->io, EPOLLIN | (want_out ? EPOLLOUT : 0));
    }
    if (next != UINT64_MAX && qmp_is_open(q))
        loop_timer_set(q->loop, &q->timer, next > now ? next - now : 0, on_timer, q);
}

/* Input, all on the monitor thread. */

static void bad(Qmp *q, const char *text)
{
    GError *err = NULL;

    error_set(&err, VIR_ERR_INTERNAL_ERROR, "the guest's monitor was closed: %s", text);
    qmp_lost(q, err);
}

/* json-c counts references without atomics: what another thread gets is referenced from nowhere else. */
static JsonObject *take_member(JsonObject *o, const char *name)
{
    JsonObject *v = json_object_get(json_get(o, name));

    json_object_object_del(o, name);
    return v;
}

static void handle_event(Qmp *q, JsonObject *o, const char *name)
{
    g_autoptr(QmpEvent) e = g_new0(QmpEvent, 1);

    e->refs = 1;
    e->name = g_strdup(name);
    if (json_object_is_type(json_get(o, "data"), json_type_object))
        e->data = take_member(o, "data");
    e->seconds = MAX(json_get_i64(o, "timestamp/seconds", 0), 0);
    e->micros = CLAMP(json_get_i64(o, "timestamp/microseconds", 0), 0, 999999);

    lock_enter(&q->lock);
    for (QmpExpect *x = q->expects; x; x = x->next) {
        if (x->got || strcmp(x->event, e->name) != 0)
            continue;
        if (x->member && g_strcmp0(json_get_str(e->data, x->member), x->value) != 0)
            continue;
        e->awaited = true;
        x->got = qmp_event_ref(e);
    }
    pthread_cond_broadcast(&q->changed);
    lock_leave(&q->lock);

    if (q->ops->event && qmp_is_open(q))
        q->ops->event(q, e, q->data);
}

static GError *refusal(const char *cmd, JsonObject *error)
{
    const char *class = json_get_str(error, "class");
    const char *desc = json_get_str(error, "desc");
    int code = VIR_ERR_INTERNAL_ERROR;
    GError *err = NULL;

    if (g_strcmp0(class, "CommandNotFound") == 0)
        code = VIR_ERR_OPERATION_UNSUPPORTED;
    else if (g_strcmp0(class, "DeviceNotFound") == 0)
        code = VIR_ERR_DEVICE_MISSING;
    error_set(&err, code, "unable to execute QEMU command '%s': %s", cmd, desc ? desc : "no reason given");
    return err;
}

static void handshake_done(Qmp *q, JsonObject *o)
{
    JsonObject *error = json_get(o, "error");

    if (error) {
        g_autoptr(GError) err = refusal("qmp_capabilities", error);
        bad(q, err->message);
        return;
    }
    lock_enter(&q->lock);
    if (q->state == QMP_NEGOTIATING)
        q->state = QMP_READY;
    pthread_cond_broadcast(&q->changed);
    lock_leave(&q->lock);
    qmp_service(qmp_hold(q));
}

/* May take *whole. */
static void handle_reply(Qmp *q, JsonObject **whole)
{
    JsonObject *o = *whole;
    const char *name = json_get_str(o, "id");
    JsonObject *error = json_get(o, "error");
    QmpCall *c, *async = NULL;
    uint64_t id = 0;

    if (name && g_str_has_prefix(name, ID_PREFIX))
        id = g_ascii_strtoull(name + strlen(ID_PREFIX), NULL, 10);

    lock_enter(&q->lock);
    /* QEMU leaves the id out when it could not even parse the command: then it is the oldest one,
     * as commands are answered in order. */
    if (!name && error && q->calls)
        id = q->calls->id;
    uint64_t issued = q->next_id, handshake = q->handshake_id;
    atomic_store(&q->overdue_since, 0);
    c = id != handshake ? qmp_call_unlink_locked(q, id) : NULL;
    if (c) {
        if (c->raw)
            c->reply = g_steal_pointer(whole);
        else if (error)
            c->err = refusal(c->cmd, error);
        else
            c->reply = take_member(o, "return");
        async = qmp_call_finish_locked(q, c);
    }
    lock_leave(&q->lock);

    if (id == handshake && id != 0)
        handshake_done(q, o);
    else if (id == 0 || id >= issued)
        bad(q, "it answered a question that was not asked");
    /* else: the late reply of a call whose caller has left */
    qmp_calls_run_async(q, async);
}

static void handle_greeting(Qmp *q, JsonObject *o)
{
    lock_enter(&q->lock);
    bool due = q->state == QMP_GREETING;
    if (due) {
        g_autoptr(JsonObject) m = json_make(J_STR("execute", "qmp_capabilities"));

        q->state = QMP_NEGOTIATING;
        q->handshake_id = q->next_id++;
        QmpOut *out = qmp_out_new(q->handshake_id, m, -1);
        out->next = q->out;
        q->out = out;
        if (!out->next)
            q->out_tail = &out->next;
    }
    lock_leave(&q->lock);

    if (due)
        qmp_service(qmp_hold(q));
    else
        bad(q, "it sent a second greeting");
}

static void handle_line(Qmp *q, const char *line, size_t len)
{
    /* Deep, because query-block nests a chain of images. */
    static const JsonLimits limits = { QMP_LINE_MAX, 256, 400000 };
    g_autoptr(GError) err = NULL;

    while (len && strchr(" \t\r", line[len - 1]))
        len--;
    if (len == 0)
        return;

    g_autoptr(JsonObject) o = json_parse("what it sent", line, len, &limits, &err);
    const char *event;
    if (!o)
        bad(q, err->message);
    else if ((event = json_get_str(o, "event")))
        handle_event(q, o, event);
    else if (json_get(o, "QMP"))
        handle_greeting(q, o);
    else if (json_object_is_type(o, json_type_object) &&
             (json_object_object_get_ex(o, "return", NULL) || json_get(o, "error")))
        handle_reply(q, &o);
    else
        bad(q, "it sent something that is neither event nor reply");
}

/* Cuts bytes into lines. Half a line is kept for the next time. */
static void feed(Qmp *q, const char *p, size_t n)
{
    while (n > 0 && qmp_is_open(q)) {
        const char *end = memchr(p, '\n', n);
        size_t take = end ? (size_t)(end - p) : n;
        size_t have = q->in ? q->in->len : 0;

        if (have + take > QMP_LINE_MAX) {
            bad(q, "it sent a line that is too long");
            return;
        }
        if (!end || have) {
            if (!q->in)
                q->in = g_byte_array_new();
            g_byte_array_append(q->in, (const guint8 *)p, take);
        }
        if (!end)
            return;
        if (have) {
            GByteArray *line = g_steal_pointer(&q->in);
            handle_line(q, (const char *)line->data, line->len);
            g_byte_array_unref(line);
        } else {
            handle_line(q, p, take);
        }
        p += take + 1;
        n -= take + 1;
    }
}

static int on_io(sd_event_source *s, int fd, uint32_t revents, void *data)
{
    static char buffer[READ_SIZE]; /* one monitor thread */
    g_autoptr(QmpHeld) q = qmp_hold(data);

    if (revents & EPOLLOUT)
        qmp_service(qmp_hold(q));
    for (unsigned i = 0; i < READS_PER_TURN && qmp_is_open(q); i++) {
        ssize_t n = recv(fd, buffer, sizeof(buffer), MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n <= 0) {
            qmp_lost(q, NULL);
            break;
        }
        feed(q, buffer, n);
        if (n < (ssize_t)sizeof(buffer))
            break;
    }
    return 0;
}

/* Opening. */

/* Monitor thread: starts to listen to the socket, which is connected. */
static void watch(Qmp *q)
{
    lock_enter(&q->lock);
    if (q->state == QMP_CONNECTING)
        q->state = QMP_GREETING;
    int fd = q->state == QMP_CLOSED ? -1 : q->fd;
    lock_leave(&q->lock);
    if (fd < 0)
        return;

    int r = sd_event_add_io(loop_event(q->loop), &q->io, fd, EPOLLIN, on_io, q);
    if (r < 0) {
        g_autofree char *text = g_strdup_printf("cannot watch its socket: %s", g_strerror(-r));
        bad(q, text);
    }
}

void qmp_start(void *p)
{
    g_autoptr(QmpHeld) q = p;

    lock_enter(&q->lock);
    bool connected = q->fd >= 0;
    lock_leave(&q->lock);
    if (connected)
        watch(q);
    qmp_service(qmp_hold(q));
}

/* The backlog of a stopped emulator is full. There is nothing to poll for: ask again in a moment. */
static void connect_again(Qmp *q)
{
    g_autoptr(GError) err = NULL;
    int fd = unix_path_connect(q->path, &err);

    if (fd == -1) {
        bad(q, err->message);
        return;
    }
    if (fd < 0)
        return;
    lock_enter(&q->lock);
    q->fd = fd;
    lock_leave(&q->lock);
    watch(q);
}

static int on_timer(sd_event_source *s, uint64_t usec, void *data)
{
    g_autoptr(QmpHeld) q = qmp_hold(data);

    lock_enter(&q->lock);
    bool connecting = q->state == QMP_CONNECTING;
    QmpCall *late = qmp_calls_expire_locked(q);
    lock_leave(&q->lock);

    qmp_calls_run_async(q, late);
    if (connecting)
        connect_again(q);
    qmp_service(qmp_hold(q));
    return 0;
}

static bool wait_ready(Qmp *q, uint64_t deadline, GError **err)
{
    QmpWait wait = { .deadline = deadline };
    uint64_t began = now_usec();

    lock_enter(&q->lock);
    while (q->state != QMP_READY && !q->why && qmp_wait_locked(q, &wait))
        ;
    lock_leave(&q->lock);
    qmp_wait_done(&wait);
    LOCK_SCOPE(&q->lock);
    if (q->why) {
        error_set(err, q->why->code, "%s", q->why->message);
        return false;
    }
    if (q->state != QMP_READY) {
        error_set(err, VIR_ERR_OPERATION_TIMEOUT,
                  "the guest's monitor did not greet within %" G_GUINT64_FORMAT " seconds",
                  (now_usec() - began + G_USEC_PER_SEC / 2) / G_USEC_PER_SEC);
        return false;
    }
    return true;
}

Qmp *qmp_new_detached(Loop *loop, const QmpOps *ops, void *data)
{
    Qmp *q = g_new0(Qmp, 1);

    cond_init(&q->changed);
    lock_init(&q->lock);
    q->users = 1;
    q->refs = 2; /* the users' and the monitor thread's */
    q->loop = loop;
    q->ops = ops;
    q->data = data;
    q->fd = -1;
    q->next_id = 1;
    q->out_tail = &q->out;
    return q;
}

void qmp_feed(Qmp *q, const char *bytes, size_t n)
{
    g_autoptr(QmpHeld) held = qmp_hold(q);

    lock_enter(&q->lock);
    if (q->state == QMP_CONNECTING)
        q->state = QMP_GREETING;
    lock_leave(&q->lock);
    feed(held, bytes, n);
}

static bool open_socket(const char *path, int *sock, GError **err)
{
    if (path) {
        *sock = unix_path_connect(path, err);
        return *sock != -1;
    }
    if (!fd_set_nonblock(*sock, true)) {
        error_set_errno(err, errno, "cannot use the monitor's socket");
        return false;
    }
    return true;
}

Qmp *qmp_open(const char *path, int fd, unsigned flags, uint64_t deadline, const QmpOps *ops, void *data,
              GError **err)
{
    auto_fd sock = fd;
    Loop *loop = qmp_loop(err);

    g_assert(!loop || !loop_is_current(loop));
    if (!loop || !open_socket(path, &sock, err)) {
        if (ops->release)
            ops->release(data); /* data is ours in any case */
        return NULL;
    }

    Qmp *q = qmp_new_detached(loop, ops, data);
    q->path = g_strdup(path);
    q->fd = fd_take(&sock);
    loop_post(loop, qmp_start, qmp_hold(q));

    if (deadline == 0)
        deadline = now_usec() + QMP_DEADLINE_DEFAULT_USEC;
    if (!(flags & QMP_OPEN_LAZY) && !wait_ready(q, deadline, err)) {
        qmp_close(q);
        qmp_unref(q);
        return NULL;
    }
    return q;
}

