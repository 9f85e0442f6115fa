/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The dispatcher between a raw client on a socket pair and a made-up driver with one domain. What a
 * client sees is asserted: replies, error codes, order.
 */
#include "rpc/test-daemon.h"

/* A driver ------------------------------------------------------------------------------------- */

typedef struct FakeDomain {
    TurnQueue queue;
    uint8_t uuid[16];
} FakeDomain;

static FakeDomain dom;
static Lock gate_lock = LOCK_INIT;
static pthread_cond_t gate_cond = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static atomic_int entered;

static void *fake_find(Call *c, const void *wire, GError **err)
{
    const remote_nonnull_domain *w = wire;
    (void)c;
    if (strcmp(w->name, "guest") != 0) {
        error_set(err, VIR_ERR_NO_DOMAIN, "no domain with matching name '%s'", w->name);
        return NULL;
    }
    return &dom;
}
static void fake_unref(void *o) { (void)o; }
static void fake_describe(void *o, AclObject *r) { *r = (AclObject){ OBJECT_DOMAIN, "guest", ((FakeDomain *)o)->uuid }; }
static struct TurnQueue *fake_queue(void *o) { return &((FakeDomain *)o)->queue; }
static void *fake_begin(void *o, Call *c, JobKind j, bool a, GError **err)
{
    (void)c; (void)j; (void)a; (void)err;
    return o;
}
static bool fake_end(void *o, void *cap, JobKind j, bool ok, GError **err)
{
    (void)o; (void)cap; (void)j; (void)ok; (void)err;
    return true;
}

/* Blocks a worker until the gate opens. */
static bool do_suspend(Call *c, DomainTurn *t, const remote_domain_suspend_args *a, GError **err)
{
    (void)c; (void)t; (void)a; (void)err;
    atomic_fetch_add(&entered, 1);
    lock_enter(&gate_lock);
    while (!gate_open)
        pthread_cond_wait(&gate_cond, &gate_lock.m);
    lock_leave(&gate_lock);
    return true;
}
static atomic_int destroyed, interrupts;
static bool do_destroy(Call *c, DomainTurn *t, const remote_domain_destroy_args *a, GError **err)
{
    (void)c; (void)t; (void)a; (void)err;
    atomic_fetch_add(&destroyed, 1);
    return true;
}
static void fake_interrupt(void *o, Call *c, JobKind j)
{
    (void)o; (void)c;
    assert(j == JOB_DESTROY);
    atomic_fetch_add(&interrupts, 1);
}
static bool do_state(Call *c, const DomainView *v, const remote_domain_get_state_args *a, remote_domain_get_state_ret *r, GError **err)
{
    (void)c; (void)v; (void)a; (void)err;
    r->state = VIR_DOMAIN_RUNNING;
    return true;
}
static bool do_resume(Call *c, DomainTurn *t, const remote_domain_resume_args *a, GError **err)
{
    (void)c; (void)t; (void)a; (void)err;
    return false; /* a handler that forgets its error */
}
static const ObjectClass fake_class = { fake_find, NULL, fake_unref, fake_describe, fake_queue, fake_begin, fake_end,
                                        fake_interrupt, NULL };
static const RemoteHandlers handlers = {
    .domain_destroy = { do_destroy }, .domain_suspend = { do_suspend }, .domain_resume = { do_resume }, .domain_get_state = { do_state },
};
static bool fake_open(Call *c, const char *uri, bool readonly, char **ret_uri, GError **err)
{
    (void)c; (void)uri; (void)readonly; (void)err;
    *ret_uri = g_strdup("qemu:///system");
    return true;
}

static const char *const schemes[] = { "qemu", NULL };
static const Driver fake = { .name = "FAKE", .schemes = schemes, .error_source = VIR_FROM_QEMU, .remote = &handlers,
                             .open = fake_open, .objects = { [OBJECT_DOMAIN] = &fake_class } };

static remote_domain_suspend_args guest = { .dom = { .name = (char *)"guest" } };
static remote_domain_suspend_args other = { .dom = { .name = (char *)"other" } };
#define XDR_DOM ((xdrproc_t)xdr_remote_domain_suspend_args)

static void test_unknown_things_are_answered_and_the_connection_stays(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);

    put(fd, 0x12345, 1, 3, NULL, NULL);
    get(fd, r);
    assert(r->code == VIR_ERR_RPC && r->h.serial == 3 && r->h.prog == 0x12345);
    put(fd, P, 99999, 4, NULL, NULL);
    get(fd, r);
    assert(r->code == VIR_ERR_RPC && strstr(r->text, "99999"));
    put(fd, P, REMOTE_PROC_DOMAIN_EVENT_LIFECYCLE, 5, NULL, NULL);
    get(fd, r);
    assert(r->code == VIR_ERR_RPC);
    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 6, NULL, NULL); /* no arguments */
    get(fd, r);
    assert(r->code == VIR_ERR_RPC && strstr(r->text, "domain_suspend"));
    put(fd, P, REMOTE_PROC_DOMAIN_MIGRATE_PERFORM3, 7, NULL, NULL);
    get(fd, r);
    assert(r->code == VIR_ERR_NO_SUPPORT);
}

static void test_nothing_before_open(void)
{
    auto_fd fd = dial(td.path, false);
    g_autofree Reply *r = g_new0(Reply, 1);

    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    get(fd, r);
    assert(r->h.status == MSG_ERROR && atomic_load(&entered) == 0);
}

static void test_read_only_looks_and_does_not_touch(void)
{
    auto_fd fd = dial(td.ro_path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_domain_get_state_args a = { .dom = { .name = (char *)"guest" } };

    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    get(fd, r);
    assert(r->code == VIR_ERR_OPERATION_DENIED && atomic_load(&entered) == 0);
    put(fd, P, REMOTE_PROC_DOMAIN_GET_STATE, 4, (xdrproc_t)xdr_remote_domain_get_state_args, &a);
    get(fd, r);
    assert(r->h.status == MSG_OK);
}

static void test_checks_before_the_handler(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_domain_get_state_args a = { .dom = { .name = (char *)"guest" }, .flags = 0x80 };

    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &other);
    get(fd, r);
    assert(r->code == VIR_ERR_NO_DOMAIN && atomic_load(&entered) == 0);
    put(fd, P, REMOTE_PROC_DOMAIN_GET_STATE, 4, (xdrproc_t)xdr_remote_domain_get_state_args, &a);
    get(fd, r);
    assert(r->code == VIR_ERR_INVALID_ARG && strstr(r->text, "0x80"));
}

static void test_never_an_empty_error(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);

    put(fd, P, REMOTE_PROC_DOMAIN_RESUME, 3, XDR_DOM, &guest);
    get(fd, r);
    assert(r->code == VIR_ERR_INTERNAL_ERROR && strstr(r->text, "domain_resume"));
}

static void set_gate(bool open)
{
    lock_enter(&gate_lock);
    gate_open = open;
    pthread_cond_broadcast(&gate_cond);
    lock_leave(&gate_lock);
}

static void wait_for(atomic_int *counter, int n)
{
    for (int i = 0; i < 10000 && atomic_load(counter) < n; i++)
        g_usleep(1000);
    assert(atomic_load(counter) == n);
}

static atomic_int clients;

static void count_clients(void *unused)
{
    (void)unused;
    atomic_store(&clients, (int)server_n_clients(td.server));
}

/* As the loop sees it. */
static int clients_now(void)
{
    atomic_store(&clients, -1);
    loop_post(td.loop, count_clients, NULL);
    while (atomic_load(&clients) < 0)
        g_usleep(1000);
    return atomic_load(&clients);
}

static void wait_clients(int n)
{
    for (int i = 0; i < 10000 && clients_now() > n; i++)
        g_usleep(1000);
    assert(clients_now() == n);
}

static void test_slow_calls_do_not_silence_a_client(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_domain_get_state_args a = { .dom = { .name = (char *)"guest" } };

    /* Two run (one in the handler, one waiting for its turn), three wait for a slot. */
    for (uint32_t i = 0; i < 5; i++)
        put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 10 + i, XDR_DOM, &guest);
    while (atomic_load(&entered) == 0)
        g_usleep(1000);
    put(fd, P, REMOTE_PROC_DOMAIN_GET_STATE, 20, (xdrproc_t)xdr_remote_domain_get_state_args, &a);
    get(fd, r);
    assert(r->h.serial == 20 && r->h.status == MSG_OK);
    assert(atomic_load(&entered) == 1); /* turns are exclusive */

    lock_enter(&gate_lock);
    gate_open = true;
    pthread_cond_broadcast(&gate_cond);
    lock_leave(&gate_lock);
    /* The first two may change places: who does not wait for an answer has no claim to an order. */
    unsigned seen = 0;
    for (uint32_t i = 0; i < 5; i++) {
        get(fd, r);
        assert(r->h.status == MSG_OK && r->h.serial >= 10 && r->h.serial < 15);
        seen |= 1u << (r->h.serial - 10);
    }
    assert(seen == 0x1f);
    assert(atomic_load(&entered) == 5);
}

static void test_a_client_that_leaves_takes_its_waiting_calls_along(void)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    int before = atomic_load(&entered);

    lock_enter(&gate_lock);
    gate_open = false;
    lock_leave(&gate_lock);
    auto_fd holder = dial(td.path, true);
    put(holder, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    while (atomic_load(&entered) == before)
        g_usleep(1000);
    int leaver = dial(td.path, true), there = clients_now();
    put(leaver, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    g_usleep(50000);
    close(leaver);
    wait_clients(there - 1);
    lock_enter(&gate_lock);
    gate_open = true;
    pthread_cond_broadcast(&gate_cond);
    lock_leave(&gate_lock);
    get(holder, r);
    assert(r->h.status == MSG_OK);
    put(holder, P, REMOTE_PROC_DOMAIN_SUSPEND, 4, XDR_DOM, &guest);
    get(holder, r);
    assert(atomic_load(&entered) == before + 2); /* not the one that left */
}

/* A call that holds the turn until the gate opens. */
static int hold(void)
{
    int before = atomic_load(&entered), fd = dial(td.path, true);

    set_gate(false);
    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 3, XDR_DOM, &guest);
    wait_for(&entered, before + 1);
    return fd;
}

static void test_a_destroy_that_interrupted_is_carried_out(void)
{
    auto_fd holder = hold();
    int leaver = dial(td.path, true);

    put(leaver, P, REMOTE_PROC_DOMAIN_DESTROY, 3, XDR_DOM, &guest);
    wait_for(&interrupts, 1);
    g_usleep(20000);
    close(leaver);
    g_usleep(50000);
    assert(atomic_load(&destroyed) == 0);
    set_gate(true);
    wait_for(&destroyed, 1);
}

/* However many come, the daemon keeps a few of them in its queues and the others as bytes. */
static void test_priority_calls_are_bounded(void)
{
    enum { N = PRIORITY_MAX + 50 };
    auto_fd holder = hold();
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    int before = atomic_load(&interrupts);

    for (uint32_t i = 0; i < N; i++)
        put(fd, P, REMOTE_PROC_DOMAIN_DESTROY, 10 + i, XDR_DOM, &guest);
    wait_for(&interrupts, before + PRIORITY_MAX + 2); /* 2: the ordinary share */
    assert_quiet(fd);
    g_usleep(20000);
    assert(atomic_load(&interrupts) == before + PRIORITY_MAX + 2);
    set_gate(true);
    for (uint32_t i = 0; i < N; i++) {
        get(fd, r);
        assert(r->h.status == MSG_OK);
    }
    assert(atomic_load(&interrupts) == before + N);
}

static void test_identities(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_typed_param p[2] = {
        { .field = (char *)VIR_CONNECT_IDENTITY_UNIX_USER_ID, .value = { .type = VIR_TYPED_PARAM_ULLONG, .u.ul = 12345 } },
        { .field = (char *)VIR_CONNECT_IDENTITY_USER_NAME, .value = { .type = VIR_TYPED_PARAM_STRING, .u.s = (char *)"joe" } },
    };
    remote_connect_set_identity_args a = { .params = { 2, p } };

    put(fd, P, REMOTE_PROC_CONNECT_SET_IDENTITY, 3, (xdrproc_t)xdr_remote_connect_set_identity_args, &a);
    get(fd, r);
    assert(r->h.status == MSG_OK);
    p[0] = p[1]; /* the same twice */
    put(fd, P, REMOTE_PROC_CONNECT_SET_IDENTITY, 4, (xdrproc_t)xdr_remote_connect_set_identity_args, &a);
    get(fd, r);
    assert(r->code == VIR_ERR_INVALID_ARG && strstr(r->text, "twice"));
    p[0] = (remote_typed_param){ .field = (char *)VIR_CONNECT_IDENTITY_UNIX_USER_ID,
                                 .value = { .type = VIR_TYPED_PARAM_ULLONG, .u.ul = 1ull << 32 } }; /* not root */
    put(fd, P, REMOTE_PROC_CONNECT_SET_IDENTITY, 5, (xdrproc_t)xdr_remote_connect_set_identity_args, &a);
    get(fd, r);
    assert(r->code == VIR_ERR_INVALID_ARG);
}

/* Closed and opened again on one socket; the leak checker looks, too. */
static void test_opening_again(void)
{
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    remote_connect_open_args a = { .name = (char *)"qemu:///system", .flags = VIR_CONNECT_RO };

    put(fd, P, REMOTE_PROC_CONNECT_CLOSE, 3, NULL, NULL);
    get(fd, r);
    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 4, XDR_DOM, &guest);
    get(fd, r);
    assert(r->h.status == MSG_ERROR);
    put(fd, P, REMOTE_PROC_CONNECT_OPEN, 5, (xdrproc_t)xdr_remote_connect_open_args, &a);
    get(fd, r);
    assert(r->h.status == MSG_OK);
    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 6, XDR_DOM, &guest);
    get(fd, r);
    assert(r->code == VIR_ERR_OPERATION_DENIED);
}

static atomic_int told;

static void exit_and_tell(void *unused)
{
    td_exit(unused);
    atomic_store(&told, 1);
}

static void test_a_stopping_daemon_starts_nothing(void)
{
    auto_fd holder = hold();
    auto_fd fd = dial(td.path, true);
    g_autofree Reply *r = g_new0(Reply, 1);
    int before = atomic_load(&entered);

    for (uint32_t i = 0; i < 6; i++) /* one waits for its turn, one more runs, four for a slot */
        put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 10 + i, XDR_DOM, &guest);
    assert_quiet(fd);
    loop_post(td.loop, exit_and_tell, NULL);
    wait_for(&told, 1);
    g_usleep(100000);
    put(fd, P, REMOTE_PROC_DOMAIN_SUSPEND, 20, XDR_DOM, &guest);
    /* How many of the six had begun to wait for the turn, and are told, is up to the scheduler. */
    do {
        get(fd, r);
        assert(r->code == VIR_ERR_OPERATION_ABORTED);
    } while (r->h.serial != 20);
    set_gate(true);
    td_join();
    while (try_get(fd, r))
        assert(r->code == VIR_ERR_OPERATION_ABORTED);
    assert(atomic_load(&entered) == before);
}

int main(void)
{
    turnqueue_init(&dom.queue);
    td_start("dispatch", &fake, 2);

    test_unknown_things_are_answered_and_the_connection_stays();
    test_nothing_before_open();
    test_read_only_looks_and_does_not_touch();
    test_checks_before_the_handler();
    test_never_an_empty_error();
    test_slow_calls_do_not_silence_a_client();
    test_a_client_that_leaves_takes_its_waiting_calls_along();

    test_a_destroy_that_interrupted_is_carried_out();
    test_priority_calls_are_bounded();
    test_identities();
    test_opening_again();
    test_a_stopping_daemon_starts_nothing();

    turnqueue_done(&dom.queue);
    return 0;
}
