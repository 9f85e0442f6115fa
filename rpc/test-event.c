/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Events as subscribers see them: who gets what, in which order, under which callback id; both families,
 * filters, patterns of monitor events; what becomes of a client that does not read.
 */
#include "protocols/qemu_types.h"
#include "rpc/test-daemon.h"

static const RemoteHandlers handlers;
static const char *const schemes[] = { "qemu", NULL };
static const Driver fake = { .name = "FAKE", .schemes = schemes, .error_source = VIR_FROM_QEMU, .remote = &handlers };
static uint32_t serial = 100;

static void publish(uint8_t who, int event)
{
    remote_domain_event_callback_lifecycle_msg m = { .msg = { .dom = { .name = (char *)"guest", .id = 7 }, .event = event } };

    memset(m.msg.dom.uuid, who, sizeof(m.msg.dom.uuid));
    event_publish(event_new(OBJECT_DOMAIN, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE, (uint8_t *)m.msg.dom.uuid, "guest",
                            (xdrproc_t)xdr_remote_domain_event_callback_lifecycle_msg, &m));
}

static void publish_monitor(const char *event)
{
    qemu_domain_monitor_event_msg m = { .dom = { .name = (char *)"guest" }, .event = (char *)event };

    event_publish(event_new_qemu_monitor((uint8_t *)m.dom.uuid, "guest", event, (xdrproc_t)xdr_qemu_domain_monitor_event_msg, &m));
}

static int subscribe(int fd, int event_id, const uint8_t *who, int expect_code)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_nonnull_domain dom = { .name = (char *)"guest" };
    remote_connect_domain_event_callback_register_any_args a = { .eventID = event_id, .dom = who ? &dom : NULL };
    remote_connect_domain_event_callback_register_any_ret ret;

    if (who)
        memset(dom.uuid, *who, sizeof(dom.uuid));
    put(fd, P, REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, ++serial,
        (xdrproc_t)xdr_remote_connect_domain_event_callback_register_any_args, &a);
    get(fd, r);
    assert(r->h.serial == serial && r->code == expect_code);
    if (expect_code)
        return -1;
    assert(proc_decode("ret", (xdrproc_t)xdr_remote_connect_domain_event_callback_register_any_ret, sizeof(ret), r->body, r->n,
                       &ret, NULL));
    return ret.callbackID;
}

static void unsubscribe(int fd, int id, int expect_code)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_connect_domain_event_callback_deregister_any_args a = { .callbackID = id };

    put(fd, P, REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_DEREGISTER_ANY, ++serial,
        (xdrproc_t)xdr_remote_connect_domain_event_callback_deregister_any_args, &a);
    get(fd, r);
    assert(r->h.serial == serial && r->code == expect_code);
}

static void expect_event(int fd, int id, uint8_t who, int event)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_domain_event_callback_lifecycle_msg m;

    get(fd, r);
    assert(r->h.type == MSG_EVENT && r->h.serial == 0 && r->h.status == MSG_OK);
    assert(r->h.proc == REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);
    assert(proc_decode("event", (xdrproc_t)xdr_remote_domain_event_callback_lifecycle_msg, sizeof(m), r->body, r->n, &m, NULL));
    assert(m.callbackID == id && m.msg.event == event && (uint8_t)m.msg.dom.uuid[3] == who && m.msg.dom.id == 7);
    assert(g_str_equal(m.msg.dom.name, "guest"));
    proc_free((xdrproc_t)xdr_remote_domain_event_callback_lifecycle_msg, &m);
}

static void test_subscribers_and_filters(void)
{
    auto_fd a = dial(td.path, true);
    auto_fd b = dial(td.ro_path, true);
    uint8_t two = 2;

    assert(!event_wanted(REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE));
    publish(1, 99); /* nobody is there */
    int a_all = subscribe(a, VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL, 0);
    int a_two = subscribe(a, VIR_DOMAIN_EVENT_ID_LIFECYCLE, &two, 0);
    int b_two = subscribe(b, VIR_DOMAIN_EVENT_ID_LIFECYCLE, &two, 0);
    assert(a_all != a_two && event_wanted(REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE));
    assert(!event_wanted(REMOTE_PROC_DOMAIN_EVENT_CALLBACK_REBOOT));
    (void)subscribe(a, 4711, NULL, VIR_ERR_INVALID_ARG);
    (void)subscribe(a, -1, NULL, VIR_ERR_INVALID_ARG);

    for (int i = 0; i < 100; i++) {
        publish(1, i);
        publish(2, i);
    }
    for (int i = 0; i < 100; i++) {
        expect_event(a, a_all, 1, i);
        expect_event(a, a_all, 2, i);
        expect_event(a, a_two, 2, i);
        expect_event(b, b_two, 2, i);
    }
    unsubscribe(a, a_all, 0);
    unsubscribe(a, a_all, VIR_ERR_INVALID_ARG);
    unsubscribe(b, a_two + 1000, VIR_ERR_INVALID_ARG); /* ids are each connection's own */
    publish(1, 5);
    publish(2, 6);
    expect_event(a, a_two, 2, 6);
    expect_event(b, b_two, 2, 6);
    assert_quiet(a);
    unsubscribe(a, a_two, 0);
    assert(event_wanted(REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE));
    close(fd_take(&b));
    for (int i = 0; i < 5000 && event_wanted(REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE); i++)
        g_usleep(1000);
    assert(!event_wanted(REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE));
}

static void legacy(int fd, bool on, int expect_code)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_connect_domain_event_register_any_args a = { .eventID = VIR_DOMAIN_EVENT_ID_LIFECYCLE };

    put(fd, P, on ? REMOTE_PROC_CONNECT_DOMAIN_EVENT_REGISTER_ANY : REMOTE_PROC_CONNECT_DOMAIN_EVENT_DEREGISTER_ANY, ++serial,
        (xdrproc_t)xdr_remote_connect_domain_event_register_any_args, &a);
    get(fd, r);
    assert(r->h.serial == serial && r->code == expect_code);
}

static void test_older_family(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_domain_event_lifecycle_msg m;

    legacy(fd, false, VIR_ERR_INVALID_ARG);
    legacy(fd, true, 0);
    legacy(fd, true, VIR_ERR_INTERNAL_ERROR);
    publish(3, 1);
    get(fd, r);
    assert(r->h.type == MSG_EVENT && r->h.proc == REMOTE_PROC_DOMAIN_EVENT_LIFECYCLE);
    assert(proc_decode("event", (xdrproc_t)xdr_remote_domain_event_lifecycle_msg, sizeof(m), r->body, r->n, &m, NULL));
    assert(m.event == 1 && m.dom.id == 7 && (uint8_t)m.dom.uuid[0] == 3);
    proc_free((xdrproc_t)xdr_remote_domain_event_lifecycle_msg, &m);

    /* A message of the newer family that has a word more. */
    remote_connect_domain_event_register_any_args a = { .eventID = VIR_DOMAIN_EVENT_ID_PMWAKEUP };
    put(fd, P, REMOTE_PROC_CONNECT_DOMAIN_EVENT_REGISTER_ANY, ++serial,
        (xdrproc_t)xdr_remote_connect_domain_event_register_any_args, &a);
    get(fd, r);
    assert(r->h.status == MSG_OK);
    remote_domain_event_callback_pmwakeup_msg wake = { .msg = { .dom = { .name = (char *)"guest" } }, .reason = 9 };
    event_publish(event_new(OBJECT_DOMAIN, REMOTE_PROC_DOMAIN_EVENT_CALLBACK_PMWAKEUP, (uint8_t *)wake.msg.dom.uuid, "guest",
                            (xdrproc_t)xdr_remote_domain_event_callback_pmwakeup_msg, &wake));
    get(fd, r);
    remote_domain_event_pmwakeup_msg older;
    assert(r->h.type == MSG_EVENT && r->h.proc == REMOTE_PROC_DOMAIN_EVENT_PMWAKEUP);
    assert(proc_decode("event", (xdrproc_t)xdr_remote_domain_event_pmwakeup_msg, sizeof(older), r->body, r->n, &older, NULL));
    assert(g_str_equal(older.dom.name, "guest"));
    proc_free((xdrproc_t)xdr_remote_domain_event_pmwakeup_msg, &older);

    /* Both families on one connection. */
    int id = subscribe(fd, VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL, 0);
    legacy(fd, false, 0);
    publish(3, 2);
    expect_event(fd, id, 3, 2);
    assert_quiet(fd);
}

static int subscribe_monitor(int fd, const char *event, unsigned flags, int expect_code)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    qemu_connect_domain_monitor_event_register_args a = { .event = (char *)event, .flags = flags };
    qemu_connect_domain_monitor_event_register_ret ret;

    put(fd, (int32_t)qemu_program.number, QEMU_PROC_CONNECT_DOMAIN_MONITOR_EVENT_REGISTER, ++serial,
        (xdrproc_t)xdr_qemu_connect_domain_monitor_event_register_args, &a);
    get(fd, r);
    assert(r->h.serial == serial && r->code == expect_code);
    if (expect_code)
        return -1;
    assert(proc_decode("ret", (xdrproc_t)xdr_qemu_connect_domain_monitor_event_register_ret, sizeof(ret), r->body, r->n, &ret, NULL));
    return ret.callbackID;
}

static void expect_monitor(int fd, int id, const char *event)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    qemu_domain_monitor_event_msg m;

    get(fd, r);
    assert(r->h.type == MSG_EVENT && r->h.prog == qemu_program.number && r->h.proc == QEMU_PROC_DOMAIN_MONITOR_EVENT);
    assert(proc_decode("event", (xdrproc_t)xdr_qemu_domain_monitor_event_msg, sizeof(m), r->body, r->n, &m, NULL));
    assert(m.callbackID == id && g_str_equal(m.event, event));
    proc_free((xdrproc_t)xdr_qemu_domain_monitor_event_msg, &m);
}

static void test_monitor_patterns(void)
{
    enum { REGEX = VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_REGEX,
           NOCASE = VIR_CONNECT_DOMAIN_QEMU_MONITOR_EVENT_REGISTER_NOCASE };
    auto_fd fd = dial(td.path, true);
    g_autofree char *name = g_strnfill(200, 'A'), *big = g_strnfill(100000, 'A');

    assert(!event_wanted_qemu_monitor());
    int all = subscribe_monitor(fd, NULL, 0, 0);
    int dot = subscribe_monitor(fd, "S.OP", 0, 0);
    int regex = subscribe_monitor(fd, "^S.OP$", REGEX, 0);
    int nocase = subscribe_monitor(fd, "stop", NOCASE, 0);
    (void)subscribe_monitor(fd, "(", REGEX, VIR_ERR_INVALID_ARG);
    (void)subscribe_monitor(fd, big, REGEX, VIR_ERR_INVALID_ARG);
    (void)subscribe_monitor(fd, big, 0, VIR_ERR_INVALID_ARG);
    (void)subscribe_monitor(fd, "x", 0x40, VIR_ERR_INVALID_ARG);
    publish_monitor("STOP");
    expect_monitor(fd, all, "STOP");
    expect_monitor(fd, regex, "STOP");
    expect_monitor(fd, nocase, "STOP");
    publish_monitor("STOP\n");
    expect_monitor(fd, all, "STOP\n");
    expect_monitor(fd, regex, "STOP\n"); /* what $ means is the client's business */
    publish_monitor("S.OP");
    expect_monitor(fd, all, "S.OP");
    expect_monitor(fd, dot, "S.OP");
    expect_monitor(fd, regex, "S.OP");
    assert_quiet(fd);

    /* A pattern that would take for ever, and one that asks for more than its share. */
    uint64_t began = now_usec();
    (void)subscribe_monitor(fd, "^(A+)+(A+)+[!?]$", REGEX, 0);
    (void)subscribe_monitor(fd, "(*LIMIT_MATCH=9000000)^(A+)+(A+)+[!?]$", REGEX, VIR_ERR_INVALID_ARG);
    for (int i = 0; i < 10; i++)
        publish_monitor(name);
    for (int i = 0; i < 10; i++)
        expect_monitor(fd, all, name);
    assert_quiet(fd);
    assert(now_usec() - began < 20 * G_USEC_PER_SEC);
}

/* A client that takes nothing is closed at its quota; others do not notice. */
static void test_quota(void)
{
    auto_fd deaf = dial(td.path, true);
    auto_fd fd = dial(td.path, true);
    int id = subscribe(fd, VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL, 0);
    (void)subscribe_monitor(deaf, NULL, 0, 0);
    g_autofree char *big = g_strnfill(1 << 20, 'x');
    qemu_domain_monitor_event_msg m = { .dom = { .name = (char *)"guest" }, .event = (char *)"E", .details = big };

    for (int i = 0; i < (EVENT_QUOTA >> 20) + 2; i++) {
        event_publish(event_new_qemu_monitor((uint8_t *)m.dom.uuid, "guest", "E", (xdrproc_t)xdr_qemu_domain_monitor_event_msg, &m));
        publish(1, i);
        expect_event(fd, id, 1, i);
    }
    for (int i = 0; i < 5000 && event_wanted_qemu_monitor(); i++)
        g_usleep(1000);
    assert(!event_wanted_qemu_monitor());
    /* It finds what had reached its socket, then the end. */
    size_t got = 0;
    ssize_t n;
    while ((n = read(deaf, big, 1 << 20)) > 0)
        got += (size_t)n;
    assert(got > 0 && got < EVENT_QUOTA);
    assert_quiet(fd);
}

/* Publishing from several threads while clients come and go. */
static void *publisher(void *unused)
{
    (void)unused;
    for (int i = 0; i < 2000; i++) {
        publish(1, i);
        if (i % 10 == 0)
            publish_monitor("STOP");
    }
    return NULL;
}

static void test_coming_and_going(void)
{
    pthread_t t[2];

    for (int i = 0; i < 2; i++)
        assert(pthread_create(&t[i], NULL, publisher, NULL) == 0);
    for (int i = 0; i < 20; i++) {
        auto_fd fd = dial(td.path, true);
        remote_connect_domain_event_callback_register_any_args a = { .eventID = VIR_DOMAIN_EVENT_ID_LIFECYCLE };
        put(fd, P, REMOTE_PROC_CONNECT_DOMAIN_EVENT_CALLBACK_REGISTER_ANY, 5,
            (xdrproc_t)xdr_remote_connect_domain_event_callback_register_any_args, &a);
        assert(readable(fd, 5000));
    }
    for (int i = 0; i < 2; i++)
        pthread_join(t[i], NULL);
}

int main(void)
{
    publish(1, 1); /* before there is a hub, and below after it */
    td_start("event", &fake, 5);
    test_subscribers_and_filters();
    test_older_family();
    for (int i = 0; i < 5000 && event_wanted_qemu_monitor(); i++)
        g_usleep(1000);
    test_monitor_patterns();
    test_quota();
    test_coming_and_going();
    auto_fd fd = dial(td.path, true);
    (void)subscribe(fd, VIR_DOMAIN_EVENT_ID_LIFECYCLE, NULL, 0);
    td_stop();
    publish(1, 1);
    return 0;
}
