/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The guest agent's protocol. It has no identities and no ends of messages but line feeds, and it
 * outlives whoever spoke to it before; so each command is preceded by a synchronization: a random
 * number with the byte 0xff before it, which the agent sends back with the byte 0xff before it. What
 * arrived up to that byte belongs to the past. The connection is made by the first call and stays.
 *
 * Straight-line code of one worker at a time ('busy'); the others wait for it in line, and share its
 * fate when the agent proves silent, so that a dead agent costs its time once and not once per caller.
 * Nobody reads while no call is under way: what a guest says unasked stays in its own channel.
 *
 * a->lock guards all fields; the socket is closed by the call that is under way, or under the lock
 * when there is none. Others only shut it down.
 */
#include "drivers/qemu/agent.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>

#include "drivers/qemu/unix_path.h"
#include "util/cond.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/loop.h"

enum {
    SEC = G_USEC_PER_SEC,
    SYNC_SECONDS = 5,
    IN_LINE_SECONDS = 30,
    IN_LINE_MAX = 8,
    LOOK_USEC = SEC / 2,  /* between looks whether the caller still cares */
    ENDING_SECONDS = 60,  /* of a command after which the guest is to go down */
    DOWN_USEC = 10 * SEC, /* from the end of the agent to that of its guest */
    DOWN_LOOK_USEC = SEC / 20,
    LINES_MAX = 1000, /* lines that are neither answer nor anything else we know */
    READ_SIZE = 64 * 1024,
};
#define FLAG 0xff

struct Agent {
    Lock lock;
    pthread_cond_t changed;
    int fd;
    bool busy, cut; /* cut: whoever is busy must let go of the socket */
    atomic_bool went_down;
    unsigned in_line;
    uint64_t failures;
    JsonLimits limits;
};

/* One conversation: who is busy has one. */
typedef struct Talk {
    Agent *a;
    const AgentCall *how;
    int fd;
    uint64_t deadline; /* of what is being waited for */
    GByteArray *in;
    size_t at;   /* bytes before it are done with */
    bool broken; /* the socket is not to be used again, and who waits for the agent need not */
} Talk;

typedef enum Outcome { GOT, LATE, GONE, CANCELLED, WENT_DOWN } Outcome;

Agent *agent_new(void)
{
    Agent *a = g_new0(Agent, 1);

    lock_init(&a->lock);
    cond_init(&a->changed);
    a->fd = -1;
    a->limits = (JsonLimits){ AGENT_ANSWER_MAX, 32, 400000 };
    return a;
}

void agent_free(Agent *a)
{
    if (!a)
        return;
    fd_close(&a->fd);
    pthread_cond_destroy(&a->changed);
    lock_done(&a->lock);
    g_free(a);
}

void agent_close(Agent *a)
{
    LOCK_SCOPE(&a->lock);

    if (!a->busy) {
        fd_close(&a->fd);
        return;
    }
    a->cut = true;
    if (a->fd >= 0)
        (void)shutdown(a->fd, SHUT_RDWR); /* wakes whoever waits for it */
}

void agent_guest_went_down(Agent *a)
{
    atomic_store(&a->went_down, true);
}

/* With the lock, or busy. False with *err: there is no such socket, or it has no room. */
static bool connect_to(Agent *a, const char *path, GError **err)
{
    if (a->fd >= 0)
        return true;
    int fd = unix_path_connect(path, err);
    if (fd == -2)
        error_set(err, VIR_ERR_AGENT_UNRESPONSIVE, "Guest agent not available for now");
    if (fd < 0)
        return false;
    a->fd = fd;
    return true;
}

bool agent_connect(Agent *a, const char *path, GError **err)
{
    LOCK_SCOPE(&a->lock);

    return a->busy || connect_to(a, path, err);
}

void agent_use_socket(Agent *a, int fd)
{
    LOCK_SCOPE(&a->lock);

    g_assert(!a->busy);
    fd_close(&a->fd);
    a->fd = fd;
    (void)fd_set_nonblock(fd, true);
}

/* Waiting in line ------------------------------------------------------------------------------ */

static bool unresponsive(GError **err)
{
    error_set(err, VIR_ERR_AGENT_UNRESPONSIVE, "Guest agent not available for now");
    return false;
}

static bool uncared_for(const AgentCall *how, GError **err)
{
    if (!how->cancelled || !how->cancelled(how->data))
        return false;
    error_set(err, VIR_ERR_OPERATION_ABORTED,
              "the call was cancelled while it waited for the guest agent");
    return true;
}

static bool take(Agent *a, const AgentCall *how, GError **err)
{
    LOCK_SCOPE(&a->lock);
    uint64_t end = now_usec() + IN_LINE_SECONDS * SEC, failures = a->failures;

    if (a->busy && a->in_line >= IN_LINE_MAX) {
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "%d calls wait for the guest agent already",
                  IN_LINE_MAX);
        return false;
    }
    a->in_line++;
    bool left = false;
    while (a->busy && a->failures == failures && now_usec() < end && !left) {
        (void)cond_wait_until(&a->changed, &a->lock, MIN(end, now_usec() + LOOK_USEC));
        left = uncared_for(how, err);
    }
    a->in_line--;
    if (left)
        return false;
    if (a->failures != failures)
        return unresponsive(err);
    if (a->busy) {
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "the guest agent is busy with another command");
        return false;
    }
    a->busy = true;
    a->cut = false;
    atomic_store(&a->went_down, false);
    return true;
}

static void give_back(Agent *a, bool broken)
{
    LOCK_SCOPE(&a->lock);

    a->busy = false;
    if (broken)
        a->failures++;
    if (broken || a->cut)
        fd_close(&a->fd);
    pthread_cond_broadcast(&a->changed);
}

/* Bytes ---------------------------------------------------------------------------------------- */

static void deadline_in(Talk *t, int seconds)
{
    t->deadline = seconds < 0 ? UINT64_MAX : now_usec() + (uint64_t)seconds * SEC;
}

/* Until the socket is ready for events, in looks of half a second. */
static Outcome wait_ready(Talk *t, short events)
{
    for (;;) {
        uint64_t now = now_usec();
        uint64_t left = t->deadline > now ? MIN(t->deadline - now, LOOK_USEC) : 0;
        struct pollfd p = { .fd = t->fd, .events = events };
        int n = poll(&p, 1, (int)((left + 999) / 1000));

        if (n > 0)
            return GOT; /* an error shows when it is read or written */
        if (n < 0 && errno != EINTR)
            return GONE;
        if (now >= t->deadline)
            return LATE;
        if (t->how->cancelled && t->how->cancelled(t->how->data))
            return CANCELLED;
        if (t->how->no_answer && atomic_load(&t->a->went_down))
            return WENT_DOWN;
    }
}

static Outcome send_all(Talk *t, const char *text, size_t len)
{
    while (len > 0) {
        ssize_t n = send(t->fd, text, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n > 0) {
            text += n;
            len -= (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return GONE;
        Outcome o = wait_ready(t, POLLOUT);
        if (o != GOT)
            return o;
    }
    return GOT;
}

/* Some more bytes behind those that are there; what is done with goes. */
static Outcome read_more(Talk *t)
{
    if (t->at > 0) {
        g_byte_array_remove_range(t->in, 0, (guint)t->at);
        t->at = 0;
    }
    for (;;) {
        guint have = t->in->len;

        g_byte_array_set_size(t->in, have + READ_SIZE);
        ssize_t n = recv(t->fd, t->in->data + have, READ_SIZE, MSG_DONTWAIT);
        int e = errno;
        g_byte_array_set_size(t->in, have + (guint)MAX(n, 0));

        if (n > 0)
            return now_usec() < t->deadline ? GOT
                                            : LATE; /* one that never stops talking is late, too */
        if (n == 0 || (e != EAGAIN && e != EINTR))
            return GONE;
        Outcome o = e == EINTR ? GOT : wait_ready(t, POLLIN);
        if (o != GOT)
            return o;
    }
}

/* The next line that is not empty, from its last flag on, as an object: no text has that byte in it.
 * GOT with *ret NULL: it was something else; *why (may be NULL) says what. */
static Outcome next_object(Talk *t, JsonObject **ret, GError **why)
{
    size_t looked = 0;

    *ret = NULL;
    for (;;) {
        const uint8_t *from = t->in->data + t->at;
        size_t have = t->in->len - t->at;
        const uint8_t *end = have > looked ? memchr(from + looked, '\n', have - looked) : NULL;

        if (end) {
            size_t len = (size_t)(end - from);
            const uint8_t *flag = memrchr(from, FLAG, len);

            t->at += len + 1;
            looked = 0;
            if (flag) {
                len = (size_t)(end - flag) - 1;
                from = flag + 1;
            }
            while (len > 0 && strchr(" \t\r", from[len - 1]))
                len--;
            if (len == 0)
                continue;
            *ret = json_parse("what it said", (const char *)from, len, &t->a->limits, why);
            if (*ret && !json_object_is_type(*ret, json_type_object)) {
                g_clear_pointer(ret, json_object_put);
                error_set(why, VIR_ERR_INTERNAL_ERROR, "what it said is not an object");
            }
            return GOT;
        }
        looked = have;
        if (have > AGENT_ANSWER_MAX) {
            error_set(why, VIR_ERR_INTERNAL_ERROR, "its answer is longer than %d bytes",
                      AGENT_ANSWER_MAX);
            return GOT;
        }
        Outcome o = read_more(t);
        if (o != GOT)
            return o;
    }
}

/* The conversation ----------------------------------------------------------------------------- */

static bool failed(Talk *t, Outcome o, GError **err)
{
    if (o == CANCELLED && uncared_for(t->how, err))
        return false;
    if (o == GONE) {
        t->broken = true;
        error_set(err, VIR_ERR_AGENT_UNRESPONSIVE,
                  "Guest agent disappeared while executing command");
        return false;
    }
    return unresponsive(err);
}

static bool send_command(Talk *t, JsonObject *command, bool flag, Outcome *ret)
{
    g_autofree char *text = json_text(command);
    g_autofree char *line = g_strdup_printf("%s%s\n", flag ? "\xff" : "", text);

    *ret = send_all(t, line, strlen(line));
    return *ret == GOT;
}

/* One exchange of a random number. delimited: with flags. *ret_unknown: it does not know that command. */
static Outcome exchange(Talk *t, bool delimited, bool *ret_unknown)
{
    int64_t id = g_random_int_range(1, INT32_MAX);
    g_autoptr(JsonObject) m =
        json_make(J_STR("execute", delimited ? "guest-sync-delimited" : "guest-sync"),
                  J_OBJ("arguments", json_make(J_INT("id", id))));
    Outcome o;

    *ret_unknown = false;
    if (!send_command(t, m, delimited, &o))
        return o;
    for (unsigned lines = 0; lines < LINES_MAX; lines++) {
        g_autoptr(JsonObject) got = NULL;

        o = next_object(t, &got, NULL);
        if (o != GOT)
            return o;
        if (got && json_get_i64(got, "return", -1) == id)
            return GOT;
        if (got && g_strcmp0(json_get_str(got, "error/class"), "CommandNotFound") == 0) {
            *ret_unknown = true;
            return GOT;
        }
    }
    return LATE;
}

static bool synchronize(Talk *t, GError **err)
{
    bool unknown = false;

    deadline_in(t, t->how->timeout >= 0 ? MIN(t->how->timeout, SYNC_SECONDS) : SYNC_SECONDS);
    Outcome o = exchange(t, true, &unknown);
    if (o == GOT && unknown)
        o = exchange(t, false, &unknown);
    if (o == GOT && !unknown)
        return true;
    t->broken = o != CANCELLED;
    return failed(t, o == GOT ? LATE : o, err);
}

/* The answer: an object with "return" or "error". */
static Outcome read_answer(Talk *t, const char *cmd, JsonObject **ret, GError **err)
{
    g_autoptr(GError) why = NULL;

    for (unsigned lines = 0; lines < LINES_MAX; lines++) {
        g_autoptr(JsonObject) got = NULL;
        Outcome o = next_object(t, &got, &why);

        if (o != GOT)
            return o;
        if (got && (json_object_object_get_ex(got, "return", NULL) || json_get(got, "error"))) {
            *ret = g_steal_pointer(&got);
            return GOT;
        }
        if (!got || !json_get(got, "event")) {
            error_set(err, VIR_ERR_INTERNAL_ERROR,
                      "the guest agent's answer to '%s' cannot be understood: %s", cmd,
                      why ? why->message : "it is neither a result nor an error");
            return GOT;
        }
    }
    return LATE;
}

static int command_seconds(const AgentCall *how)
{
    return how->no_answer                  ? ENDING_SECONDS
           : how->timeout == AGENT_DEFAULT ? SYNC_SECONDS
           : how->timeout == AGENT_NOWAIT  ? 0
                                           : how->timeout;
}

/* A guest that goes to sleep closes its channel first. */
static void wait_down(const Talk *t)
{
    uint64_t end = now_usec() + DOWN_USEC;

    while (!atomic_load(&t->a->went_down) && now_usec() < end &&
           !(t->how->cancelled && t->how->cancelled(t->how->data)))
        g_usleep(DOWN_LOOK_USEC);
}

/* *ret stays NULL when there was no answer and none is needed. */
static bool converse(Talk *t, const char *cmd, JsonObject *command, JsonObject **ret, GError **err)
{
    Outcome o;

    if (!synchronize(t, err))
        return false;
    deadline_in(t, command_seconds(t->how));
    GError *why = NULL;
    o = GOT;
    if (send_command(t, command, false, &o))
        o = read_answer(t, cmd, ret, &why);
    if (why) {
        t->broken = true;
        g_propagate_error(err, why);
        return false;
    }
    if (t->how->no_answer && o == GONE)
        wait_down(t);
    if (o == GOT || (t->how->no_answer && (o == GONE || o == WENT_DOWN)))
        return true;
    return failed(t, o, err);
}

static bool exchange_command(Agent *a, const AgentCall *how, const char *cmd, JsonObject *command,
                             JsonObject **ret, GError **err)
{
    Talk t = { .a = a, .how = how };

    if (!take(a, how, err))
        return false;
    lock_enter(&a->lock);
    bool ok = connect_to(a, how->path, err);
    t.fd = a->fd;
    t.broken = !ok;
    lock_leave(&a->lock);
    if (ok) {
        t.in = g_byte_array_new();
        ok = converse(&t, cmd, command, ret, err);
        g_byte_array_unref(t.in);
    }
    give_back(a, t.broken);
    return ok;
}

static bool refused(const AgentCall *how, const char *cmd, JsonObject *error, GError **err)
{
    const char *class = json_get_str(error, "class"), *desc = json_get_str(error, "desc");

    if (how->may_lack &&
        (g_strcmp0(class, "CommandNotFound") == 0 || g_strcmp0(class, "CommandDisabled") == 0))
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "unable to execute QEMU agent command '%s': %s", cmd,
              desc ? desc : "no reason given");
    return false;
}

bool agent_call(Agent *a, const AgentCall *how, const char *cmd, JsonObject *args, JsonObject **ret,
                GError **err)
{
    g_autoptr(JsonObject) m = json_make(J_STR("execute", cmd), J_OBJ("arguments", args));
    g_autoptr(JsonObject) answer = NULL;

    if (!exchange_command(a, how, cmd, m, &answer, err))
        return false;
    if (ret)
        *ret = NULL;
    JsonObject *error = answer ? json_get(answer, "error") : NULL;
    if (error)
        return refused(how, cmd, error, err);
    if (ret && answer)
        *ret = json_object_get(json_get(answer, "return"));
    return true;
}

bool agent_call_raw(Agent *a, const AgentCall *how, const char *text, char **ret, GError **err)
{
    g_autoptr(JsonObject) m = json_parse("the command", text, strlen(text), NULL, err);
    g_autoptr(JsonObject) answer = NULL;

    if (!m)
        return false;
    if (!json_object_is_type(m, json_type_object)) {
        error_set(err, VIR_ERR_INVALID_ARG, "the command is not a JSON object");
        return false;
    }
    const char *cmd = json_get_str(m, "execute");
    if (!exchange_command(a, how, cmd ? cmd : "(none)", m, &answer, err))
        return false;
    JsonObject *error = json_get(answer, "error");
    if (error)
        return refused(how, cmd ? cmd : "(none)", error, err);
    *ret = json_text(answer);
    return true;
}
