/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The client of the guest agent against agents that behave and agents that do not. An agent here is a
 * thread with a script: it reads a line and answers with the next text, in which %d is the number of
 * the synchronization.
 */
#include "drivers/qemu/agent.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

typedef struct Peer {
    int fd;
    const char *const *script; /* NULL: closes */
    GString *seen;
    pthread_t thread;
} Peer;

static bool read_line(int fd, GString *line)
{
    char c;

    g_string_truncate(line, 0);
    while (read(fd, &c, 1) == 1) {
        if (c == '\n')
            return true;
        g_string_append_c(line, c);
    }
    return false;
}

static void substitute(GString *out, const char *number)
{
    g_autofree char *id = g_strndup(number, strspn(number, "0123456789"));
    g_string_replace(out, "%d", id, 0);
}

static void *peer_main(void *data)
{
    Peer *p = data;
    g_autoptr(GString) line = g_string_new(NULL);

    for (; *p->script && read_line(p->fd, line); p->script++) {
        const char *id = strstr(line->str, "\"id\":");
        g_string_append(p->seen, line->str);
        g_string_append_c(p->seen, '\n');
        g_autoptr(GString) out = g_string_new(*p->script);
        if (id)
            substitute(out, id + 5);
        (void)fd_write_all(p->fd, out->str, out->len);
    }
    if (!*p->script)
        fd_close(&p->fd);
    return NULL;
}

static Agent *agent_beside(Peer *p, const char *const *script)
{
    int pair[2];
    Agent *a = agent_new();

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    *p = (Peer){ .fd = pair[1], .script = script, .seen = g_string_new(NULL) };
    agent_use_socket(a, pair[0]);
    pthread_create(&p->thread, NULL, peer_main, p);
    return a;
}

static void end(Agent *a, Peer *p)
{
    agent_close(a);
    agent_free(a);
    pthread_join(p->thread, NULL);
    fd_close(&p->fd);
    g_string_free(p->seen, true);
}

#define SYNC   "\xff{\"return\": %d}\n"
#define HOW(s) (&(AgentCall){ .path = "/nonexistent/agent", .timeout = (s) })

static void expect_error(const char *const *script, int seconds, int code, const char *words)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) ret = NULL;
    Peer p;
    Agent *a = agent_beside(&p, script);

    g_assert_false(agent_call(a, HOW(seconds), "guest-x", NULL, &ret, &err));
    if (!error_is(err, code) || !strstr(err->message, words))
        g_error("%d '%s' instead of %d '%s'", err->code, err->message, code, words);
    g_assert_null(ret);
    end(a, &p);
}

static void test_answers(void)
{
    static const char *const script[] = {
        /* what others left behind, then ours */
        "{\"return\": {\"old\"\xff{\"return\": 4711}\n{\"return\": 1}\n" SYNC,
        "{\"return\": {\"n\": 3}}\n",
        SYNC,
        "\r\n{\"event\": \"X\"}\n{\"error\": {\"class\": \"GenericError\", \"desc\": \"no such thing\"}}\n",
        SYNC,
        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"gone\"}}\n",
        SYNC,
        "{\"return\": []}\n",
        NULL,
    };
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) ret = NULL;
    g_autofree char *raw = NULL;
    Peer p;
    Agent *a = agent_beside(&p, script);

    g_assert_true(agent_call(a, HOW(-2), "guest-x", json_make(J_INT("a", 1)), &ret, &err));
    g_assert_no_error(err);
    g_assert_cmpint(json_get_i64(ret, "n", 0), ==, 3);
    g_assert_nonnull(strstr(p.seen->str, "{\"execute\":\"guest-x\",\"arguments\":{\"a\":1}}\n"));
    g_assert_cmpint((uint8_t)p.seen->str[0], ==, 0xff);

    g_assert_false(agent_call(a, HOW(-2), "guest-y", NULL, NULL, &err));
    g_assert_true(error_is(err, VIR_ERR_INTERNAL_ERROR));
    g_assert_cmpstr(err->message, ==,
                    "unable to execute QEMU agent command 'guest-y': no such thing");
    g_clear_error(&err);

    AgentCall lax = { .timeout = -2, .may_lack = true };
    g_clear_pointer(&ret, json_object_put);
    g_assert_true(agent_call(a, &lax, "guest-z", NULL, &ret, &err));
    g_assert_null(ret);

    g_assert_true(agent_call_raw(a, HOW(-2), " {\"execute\" : \"guest-q\"}", &raw, &err));
    g_assert_cmpstr(raw, ==, "{\"return\":[]}");
    end(a, &p);
}

/* One that does not know the delimited synchronization. */
static void test_older(void)
{
    static const char *const script[] = {
        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"x\"}}\n",
        "{\"return\": %d}\n",
        "{\"return\": true}\n",
        NULL,
    };
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) ret = NULL;
    Peer p;
    Agent *a = agent_beside(&p, script);

    g_assert_true(agent_call(a, HOW(-2), "guest-x", NULL, &ret, &err));
    g_assert_true(json_object_get_boolean(ret));
    end(a, &p);
}

static void test_failures(void)
{
    g_autofree char *deep = g_strnfill(1000, '['), *line = g_strconcat(deep, "\n", NULL);

    expect_error((const char *const[]){ "", "", NULL }, 1, VIR_ERR_AGENT_UNRESPONSIVE,
                 "Guest agent not available for now");
    expect_error((const char *const[]){ "{\"return\": 1}\n", "", NULL }, 1,
                 VIR_ERR_AGENT_UNRESPONSIVE, "not available");
    expect_error((const char *const[]){ NULL }, 1, VIR_ERR_AGENT_UNRESPONSIVE,
                 "Guest agent disappeared");
    expect_error((const char *const[]){ SYNC, NULL }, -2, VIR_ERR_AGENT_UNRESPONSIVE,
                 "Guest agent disappeared");
    expect_error((const char *const[]){ SYNC, "", "", NULL }, 1, VIR_ERR_AGENT_UNRESPONSIVE,
                 "not available");
    expect_error((const char *const[]){ SYNC, "[1]\n", "", NULL }, -2, VIR_ERR_INTERNAL_ERROR,
                 "cannot be understood");
    expect_error((const char *const[]){ SYNC, "{\"x\": 1}\n", "", NULL }, -2,
                 VIR_ERR_INTERNAL_ERROR, "cannot be understood");
    expect_error((const char *const[]){ SYNC, line, "", NULL }, -2, VIR_ERR_INTERNAL_ERROR,
                 "cannot be understood");
}

/* A line without end is cut off at the bound, and one who talks on and on is late. */
static void *flood_main(void *data)
{
    Peer *p = data;
    g_autofree char *much = g_strnfill(1 << 20, 'x');

    while (write(p->fd, much, 1 << 20) > 0)
        ;
    return NULL;
}

static void test_flood(void)
{
    g_autoptr(GError) err = NULL;
    Peer p = { 0 };
    Agent *a = agent_new();
    int pair[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
    p.fd = pair[1];
    agent_use_socket(a, pair[0]);
    pthread_create(&p.thread, NULL, flood_main, &p);
    g_assert_false(agent_call(a, HOW(2), "guest-x", NULL, NULL, &err));
    g_assert_true(error_is(err, VIR_ERR_AGENT_UNRESPONSIVE));
    agent_free(a); /* its end is closed: the writer ends */
    pthread_join(p.thread, NULL);
    fd_close(&p.fd);
}

/* Others wait for their turn, and share the fate of the one whose agent is silent. */
static void *caller_main(void *data)
{
    GError *err = NULL;

    g_assert_false(agent_call(data, HOW(-2), "guest-x", NULL, NULL, &err));
    return err;
}

static void test_line(void)
{
    static const char *const script[] = { "", "", NULL };
    pthread_t callers[4];
    Peer p;
    Agent *a = agent_beside(&p, script);

    for (unsigned i = 0; i < G_N_ELEMENTS(callers); i++)
        pthread_create(&callers[i], NULL, caller_main, a);
    for (unsigned i = 0; i < G_N_ELEMENTS(callers); i++) {
        void *err;
        pthread_join(callers[i], &err);
        g_assert_nonnull(err);
        g_error_free(err);
    }
    end(a, &p);
}

/* Closing from elsewhere ends a call that would wait for ever. */
static void *closer_main(void *data)
{
    g_usleep(100000);
    agent_close(data);
    return NULL;
}

static void test_close(void)
{
    static const char *const script[] = { SYNC, "", "", NULL };
    g_autoptr(GError) err = NULL;
    pthread_t closer;
    Peer p;
    Agent *a = agent_beside(&p, script);

    pthread_create(&closer, NULL, closer_main, a);
    g_assert_false(agent_call(a, HOW(-2), "guest-x", NULL, NULL, &err));
    g_assert_true(error_is(err, VIR_ERR_AGENT_UNRESPONSIVE));
    pthread_join(closer, NULL);
    end(a, &p);
}

static void *downer_main(void *data)
{
    g_usleep(300000);
    agent_guest_went_down(data);
    return NULL;
}

static bool yes(const void *unused)
{
    (void)unused;
    return true;
}

static void test_cancel_and_silence(void)
{
    static const char *const script[] = { SYNC, "", "", NULL };
    static const char *const ends[] = { SYNC, NULL };
    g_autoptr(GError) err = NULL;
    AgentCall how = { .timeout = -2, .cancelled = yes },
              down = { .timeout = -2, .no_answer = true };
    pthread_t downer;
    Peer p;
    Agent *a = agent_beside(&p, script);

    g_assert_false(agent_call(a, &how, "guest-x", NULL, NULL, &err));
    g_assert_true(error_is(err, VIR_ERR_OPERATION_ABORTED));
    end(a, &p);

    a = agent_beside(&p, ends);
    pthread_create(&downer, NULL, downer_main, a);
    g_assert_true(agent_call(a, &down, "guest-shutdown", NULL, NULL, NULL));
    pthread_join(downer, NULL);
    end(a, &p);
}

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN); /* agents write to callers that left */
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/agent/answers", test_answers);
    g_test_add_func("/agent/older", test_older);
    g_test_add_func("/agent/failures", test_failures);
    g_test_add_func("/agent/flood", test_flood);
    g_test_add_func("/agent/line", test_line);
    g_test_add_func("/agent/close", test_close);
    g_test_add_func("/agent/cancel-and-silence", test_cancel_and_silence);
    return g_test_run();
}
