/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every procedure of every program that drivers serve, called with the least valid arguments: on a
 * read-only connection, as somebody whom the rules deny everything, and as somebody whom they allow it.
 * Whether the handler is reached must be what the procedure's row says and nothing else. A row
 * without rules must be one of those named here.
 */
#include <glib/gstdio.h>

#include "protocols/admin_procs.h"
#include "protocols/lxc_handlers.h"
#include "protocols/lxc_procs.h"
#include "protocols/modvirt_procs.h"
#include "rpc/test-daemon.h"

static atomic_uint reached;

/* Stands in every slot. The arguments differ by procedure and are not looked at. */
static bool any_handler(void)
{
    atomic_fetch_add(&reached, 1);
    return true;
}

static int the_object;
static TurnQueue the_queue;

static void *fake_find(Call *c, const void *wire, GError **err)
{
    (void)c; (void)wire; (void)err;
    return &the_object;
}
static void *fake_find_xml(Call *c, const char *xml, bool creates, GError **err)
{
    (void)c; (void)xml; (void)creates; (void)err;
    return &the_object;
}
static void fake_unref(void *o) { (void)o; }
static void fake_describe(void *o, AclObject *ret) { (void)o; ret->name = "thing"; }
static TurnQueue *fake_queue(void *o) { (void)o; return &the_queue; }
static void *fake_begin(void *o, Call *c, JobKind j, bool active, GError **err)
{
    (void)c; (void)j; (void)active; (void)err;
    return o;
}
static bool fake_end(void *o, void *cap, JobKind j, bool ok, GError **err)
{
    (void)o; (void)cap; (void)j; (void)ok; (void)err;
    return true;
}
static const ObjectClass fake_class = { fake_find, fake_find_xml, fake_unref, fake_describe, fake_queue, fake_begin,
                                        fake_end, NULL, NULL };

static bool fake_open(Call *c, const char *uri, bool readonly, char **ret_uri, GError **err)
{
    (void)c; (void)uri; (void)readonly; (void)err;
    *ret_uri = g_strdup("qemu:///system");
    return true;
}

static const char *const schemes[] = { "qemu", NULL };
static RemoteHandlers remote_slots;
static QemuHandlers qemu_slots;
static LxcHandlers lxc_slots;
static Driver fake = { .name = "FAKE", .schemes = schemes, .error_source = VIR_FROM_QEMU, .remote = &remote_slots,
                       .qemu = &qemu_slots, .open = fake_open };

/* These need no permission. What is new here must be put down by hand. */
static const char *const free_for_all[] = { "connect_close", "auth_list", "auth_sasl_init", "auth_sasl_start",
                                            "auth_sasl_step", "auth_polkit", "connect_is_secure", NULL };
/* Answered by the core and changing what the following calls meet. */
static const char *const not_called[] = { "connect_open", "connect_close", "connect_set_identity", "auth_list",
                                          "auth_sasl_init", "auth_sasl_start", "auth_sasl_step", "auth_polkit",
                                          "connect_get_type", NULL };

static void fill(void *table, const ProgramInfo *p)
{
    for (uint32_t i = 0; i < p->n_procs; i++) {
        const ProcInfo *pi = &p->procs[i];
        if (!pi->name || pi->bits & PROC_EVENT)
            continue;
        HandlerSlot *s = (HandlerSlot *)((char *)table + pi->handler_off);
        s->fn = (void (*)(void))any_handler;
        s->flags = UINT32_MAX;
    }
}

/* The least arguments: all zero where that is valid, strings empty. */
static void call_least(int fd, const ProgramInfo *prog, const ProcInfo *p, uint32_t serial, uint64_t flags, Reply *r)
{
    uint8_t zeros[8192] = { 0 };
    g_autofree uint8_t *args = NULL;

    /* Zeros decode as empty strings and lists and absent optionals: of as many as the decoder takes. */
    if (p->args_xdr) {
        XDR x;
        args = g_malloc0(p->args_size);
        xdr_decoder_init(&x, zeros, sizeof(zeros));
        bool ok = ((bool_t(*)(XDR *, void *))(void *)p->args_xdr)(&x, args);
        assert(ok);
        if (p->flags_off >= 0 && flags) {
            if (p->flags_size == 8)
                *(uint64_t *)(args + p->flags_off) = flags;
            else
                *(uint32_t *)(args + p->flags_off) = (uint32_t)flags;
        }
        MsgHeader h = { prog->number, prog->version, p->number, MSG_CALL, serial, MSG_OK };
        g_autoptr(Message) m = message_new(&h, p->args_xdr, args, NULL);
        assert(m && fd_write_all(fd, m->data, m->len) == 0);
        proc_free(p->args_xdr, args);
    } else {
        put_frame(fd, (int32_t)prog->number, p->number, MSG_CALL, serial, MSG_OK, zeros, 0);
    }
    /* Calls that succeed may open streams, whose packets are not the reply. */
    do
        get(fd, r);
    while (r->h.type != MSG_REPLY && r->h.type != MSG_REPLY_FDS);
    assert(r->h.serial == serial && r->h.proc == p->number);
}

static bool reads(const char *perm)
{
    return strcmp(perm, "getattr") == 0 || strcmp(perm, "read") == 0 || strncmp(perm, "search_", 7) == 0;
}

static bool applies(const AclRule *r, uint64_t flags)
{
    return (flags & r->if_all_flags) == r->if_all_flags && !(flags & r->if_none_of_flags) &&
           (!r->if_param_size || r->if_value == 0);
}

typedef enum Outcome { REACHED, READONLY, DENIED, LEFT_OUT } Outcome;

static Outcome expected(const ProcInfo *p, uint64_t flags, bool ro, bool denied, bool granted)
{
    bool asks_itself = false;

    if (ro && !(p->bits & PROC_RO_OK))
        return READONLY;
    for (const AclRule *r = p->acl; r && r->perm; r++) {
        if (!applies(r, flags))
            continue;
        bool conditional = r->if_all_flags || r->if_none_of_flags || r->if_param_size;
        if (ro && conditional && !reads(r->perm))
            return READONLY;
        if (r->object != ACL_CONNECT && r->object != p->object && p->job == JOB_NONE && !strcmp(r->perm, "getattr"))
            asks_itself = true;
        else if (denied)
            return DENIED;
    }
    /* The stand-in does not ask, and is found out. */
    return asks_itself && (denied || granted) ? LEFT_OUT : REACHED;
}

static unsigned call_all(int fd, const ProgramInfo *prog, bool ro, bool denied, bool granted)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    uint32_t serial = 100;
    unsigned n = 0;

    for (uint32_t i = 0; i < prog->n_procs; i++) {
        const ProcInfo *p = &prog->procs[i];
        if (!p->name || p->bits & PROC_EVENT || g_strv_contains(not_called, p->name))
            continue;

        uint64_t all_flags[8] = { 0 };
        unsigned n_flags = 1;
        for (const AclRule *a = p->acl; a && a->perm && n_flags < 8; a++)
            if (a->if_all_flags || a->if_none_of_flags)
                all_flags[n_flags++] = a->if_all_flags | a->if_none_of_flags;
        for (unsigned f = 0; f < n_flags; f++) {
            unsigned before = atomic_load(&reached);
            Outcome want = expected(p, all_flags[f], ro, denied, granted), got;

            call_least(fd, prog, p, ++serial, all_flags[f], r);
            bool ran = atomic_load(&reached) != before;
            got = r->code == VIR_ERR_OPERATION_DENIED ? READONLY
                  : r->code == VIR_ERR_ACCESS_DENIED  ? (ran ? LEFT_OUT : DENIED)
                                                      : REACHED;
            /* A stand-in fills no reply, which for some is not valid; what counts is that it ran. */
            if (got != want || (want == REACHED && !ran))
                g_error("%s with flags 0x%llx (%s%s): outcome %d, expected %d: %s", p->name,
                        (unsigned long long)all_flags[f], ro ? "read-only " : "", denied ? "denied" : "", got, want,
                        r->text);
            if (want == DENIED)
                assert(strstr(r->text, "permission") && strstr(r->text, p->name));
            n++;
        }
    }
    return n;
}

static void test_every_row_has_its_permission(const ProgramInfo *prog)
{
    for (uint32_t i = 0; i < prog->n_procs; i++) {
        const ProcInfo *p = &prog->procs[i];
        if (p->name && !(p->bits & PROC_EVENT) && !p->acl && !g_strv_contains(free_for_all, p->name))
            g_error("procedure %s needs no permission; is that right?", p->name);
    }
}

/* Who administers a daemon is decided by the mode of the admin socket, which has no read-only sister; on
 * no other socket these programs exist. */
static unsigned call_administration(int fd, const ProgramInfo *prog)
{
    g_autofree Reply *r = g_new0(Reply, 1);
    uint32_t serial = 100;

    for (uint32_t i = 0; i < prog->n_procs; i++) {
        const ProcInfo *p = &prog->procs[i];
        if (!p->name || p->bits & PROC_EVENT)
            continue;
        assert(!p->acl);
        call_least(fd, prog, p, ++serial, 0, r);
        assert(r->code == VIR_ERR_RPC && strstr(r->text, "program"));
    }
    return serial - 100;
}

static char *rules_file;

typedef struct Swap {
    Access *new;
    atomic_bool done;
} Swap;

static Access *in_force;

static void on_swap(void *data)
{
    Swap *s = data;

    dispatcher_set_access(td.d, s->new);
    access_free(in_force);
    in_force = s->new;
    atomic_store(&s->done, true);
}

static void use_rules(const char *text)
{
    static const char *const drivers[] = { "rules", NULL };
    AccessConfig cfg = { text ? drivers : NULL, rules_file, NULL };
    g_autoptr(GError) err = NULL;
    Swap s = { NULL, false };

    if (text)
        assert(g_file_set_contents(rules_file, text, -1, NULL));
    s.new = access_new(td.loop, td.d->pool, &cfg, &err);
    g_assert_no_error(err);
    assert(!text == !s.new);
    loop_post(td.loop, on_swap, &s);
    while (!atomic_load(&s.done))
        g_usleep(500);
}

int main(void)
{
    for (unsigned i = 1; i < _OBJECT_N; i++)
        fake.objects[i] = &fake_class;
    turnqueue_init(&the_queue);
    fill(&remote_slots, &remote_program);
    fill(&qemu_slots, &qemu_program);
    fill(&lxc_slots, &lxc_program);
    td.third = (ProgramBinding){ &lxc_program, &lxc_slots, NULL };
    /* What the core answers stays its own. */
    remote_slots.connect_open.fn = NULL;
    remote_slots.connect_close.fn = NULL;
    remote_slots.connect_get_type.fn = NULL;
    rules_file = g_strdup_printf("/tmp/test-acl-%d.rules", (int)getpid());
    test_every_row_has_its_permission(&remote_program);
    test_every_row_has_its_permission(&qemu_program);
    test_every_row_has_its_permission(&lxc_program);
    td_start("acl", &fake, 5);

    unsigned n = 0;
    auto_fd rw = dial(td.path, true), ro = dial(td.ro_path, true);
    n += call_all(ro, &remote_program, true, false, false);
    n += call_all(ro, &qemu_program, true, false, false);
    n += call_all(ro, &lxc_program, true, false, false);
    n += call_all(rw, &remote_program, false, false, false);
    n += call_all(rw, &lxc_program, false, false, false);
    n += call_administration(ro, &admin_program) + call_administration(rw, &admin_program);
    n += call_administration(ro, &modvirt_program) + call_administration(rw, &modvirt_program);
    use_rules("deny anyone domain:*,network*:*,storage*:*,interface:*,node_device:*,secret:*,nwfilter*:*\n"
              "deny anyone connect:*\n");
    n += call_all(rw, &remote_program, false, true, false);
    n += call_all(rw, &qemu_program, false, true, false);
    n += call_all(rw, &lxc_program, false, true, false);
    n += call_all(ro, &qemu_program, true, true, false);
    n += call_all(ro, &remote_program, true, true, false);
    use_rules("allow anyone *\n");
    n += call_all(ro, &remote_program, true, false, true);
    n += call_all(rw, &remote_program, false, false, true);
    use_rules(NULL);
    assert(n > 2000);
    td_stop();
    turnqueue_done(&the_queue);
    g_unlink(rules_file);
    g_free(rules_file);
    return 0;
}
