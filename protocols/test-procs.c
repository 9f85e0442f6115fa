/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The generated tables and thunks: every row reaches the slot of its own name, offsets point at
 * what they claim, and the two reply shapes cut what the client did not ask for.
 */
#undef NDEBUG
#include <assert.h>
#include <string.h>

#include "protocols/admin_procs.h"
#include "protocols/keepalive_procs.h"
#include "protocols/lock_handlers.h"
#include "protocols/lock_procs.h"
#include "protocols/log_procs.h"
#include "protocols/lxc_monitor_procs.h"
#include "protocols/lxc_procs.h"
#include "protocols/qemu_procs.h"
#include "protocols/remote_client.h"
#include "protocols/remote_handlers.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"
#include "util/api.h"
#include "util/error.h"

static const ProgramInfo *const programs[] = {
    &remote_program, &qemu_program, &lxc_program,         &admin_program,
    &lock_program,   &log_program,  &lxc_monitor_program, &keepalive_program,
};

static const ProcInfo *proc(int32_t number)
{
    const ProcInfo *p = program_find(&remote_program, number);

    assert(p);
    return p;
}

static void test_rows_are_consistent(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(programs); i++) {
        const ProgramInfo *program = programs[i];

        assert(!program_find(program, 0) && !program_find(program, -1));
        assert(!program_find(program, (int32_t)program->n_procs) && !program_find(program, INT32_MAX));
        for (uint32_t n = 1; n < program->n_procs; n++) {
            const ProcInfo *p = program_find(program, (int32_t)n);

            if (!p)
                continue;
            assert(p->number == (int32_t)n);
            assert(!p->args_xdr == !p->args_size && !p->ret_xdr == !p->ret_size);
            if (p->bits & PROC_EVENT) {
                assert(!p->thunk && p->args_xdr && !p->ret_xdr && !(p->bits & PROC_RO_OK));
                continue;
            }
            assert(p->thunk);
            assert(p->handler_off % sizeof(HandlerSlot) == 0);
            assert(p->lane != LANE_INLINE || p->job == JOB_NONE);
            assert(p->job == JOB_NONE || p->object != OBJECT_NONE);
            assert(p->object == OBJECT_NONE || p->object_off < p->args_size);
            assert(p->flags_off < 0 ? p->flags_size == 0 : p->flags_off + p->flags_size <= (int64_t)p->args_size);
            for (const AclRule *rule = p->acl; rule && rule->perm; rule++) {
                assert(rule->object_name && rule->object != OBJECT_NONE);
                assert(!(rule->if_all_flags | rule->if_none_of_flags) || p->flags_off >= 0);
                assert(rule->if_param_off + rule->if_param_size <= p->args_size);
            }
        }
    }
}

static void test_rows_that_everything_hangs_on(void)
{
    const ProcInfo *p = proc(REMOTE_PROC_DOMAIN_GET_XML_DESC);
    const AclRule *rule = p->acl;

    assert(strcmp(p->name, "domain_get_xml_desc") == 0);
    assert(p->object == OBJECT_DOMAIN && p->object_off == 0);
    assert(p->flags_off == offsetof(remote_domain_get_xml_desc_args, flags) && p->flags_size == 4);
    assert(p->lane == LANE_INLINE && p->job == JOB_NONE && p->bits == PROC_RO_OK);
    assert(rule[0].object == OBJECT_DOMAIN && strcmp(rule[0].perm, "read") == 0 && !rule[0].if_all_flags);
    assert(strcmp(rule[1].perm, "read_secure") == 0 && rule[1].if_all_flags == VIR_DOMAIN_XML_SECURE);
    assert(strcmp(rule[2].perm, "read_secure") == 0 && rule[2].if_all_flags == VIR_DOMAIN_XML_MIGRATABLE);
    assert(!rule[3].perm);

    p = proc(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS);
    assert(p->acl->object == ACL_CONNECT && strcmp(p->acl->perm, "search_domains") == 0);
    assert(p->acl_filter->object == OBJECT_DOMAIN && strcmp(p->acl_filter->perm, "getattr") == 0);

    p = proc(REMOTE_PROC_DOMAIN_DEFINE_XML);
    assert(p->bits == (PROC_OBJECT_XML | PROC_CREATES) && p->job == JOB_MODIFY);
    assert(p->object_off == offsetof(remote_domain_define_xml_args, xml));

    p = proc(REMOTE_PROC_DOMAIN_SNAPSHOT_DELETE);
    assert(p->object == OBJECT_DOMAIN && p->object_off == offsetof(remote_domain_snapshot_delete_args, snap.dom));

    p = proc(REMOTE_PROC_DOMAIN_MIGRATE_PERFORM);
    assert(p->flags_size == 8);

    p = proc(REMOTE_PROC_DOMAIN_INTERFACE_ADDRESSES);
    assert(p->acl[1].if_param_size == 4 && p->acl[1].if_value == VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT);
    assert(p->acl[1].if_param_off == offsetof(remote_domain_interface_addresses_args, source));

    assert(proc(REMOTE_PROC_AUTH_LIST)->bits & PROC_AUTH);
    assert(!(proc(REMOTE_PROC_CONNECT_OPEN)->bits & PROC_AUTH));
    assert(proc(REMOTE_PROC_CONNECT_OPEN)->bits & PROC_PREOPEN);
    assert(proc(REMOTE_PROC_CONNECT_SUPPORTS_FEATURE)->bits & PROC_PREOPEN);
    assert(proc(REMOTE_PROC_CONNECT_SET_IDENTITY)->bits & PROC_RO_OK);
    assert(!(proc(REMOTE_PROC_DOMAIN_SET_SCHEDULER_PARAMETERS)->bits & PROC_RO_OK));
    assert(proc(REMOTE_PROC_DOMAIN_DESTROY)->job == JOB_DESTROY);
    assert(proc(REMOTE_PROC_DOMAIN_ABORT_JOB)->job == JOB_ABORT);
    assert(proc(REMOTE_PROC_DOMAIN_OPEN_GRAPHICS)->bits & PROC_FDS_IN);
    assert(proc(REMOTE_PROC_DOMAIN_OPEN_GRAPHICS_FD)->bits & PROC_FDS_OUT);
    assert((proc(REMOTE_PROC_DOMAIN_OPEN_CONSOLE)->bits & (PROC_STREAM_IN | PROC_STREAM_OUT)) ==
           (PROC_STREAM_IN | PROC_STREAM_OUT));
    assert(proc(REMOTE_PROC_STORAGE_VOL_DOWNLOAD)->bits & PROC_STREAM_OUT);
    assert(proc(REMOTE_PROC_DOMAIN_EVENT_LIFECYCLE)->bits == PROC_EVENT);
}

static void test_routes(void)
{
    assert(remote_route[REMOTE_PROC_CONNECT_OPEN] == ROUTE_LOCAL);
    assert(remote_route[REMOTE_PROC_AUTH_LIST] == ROUTE_LOCAL);
    assert(remote_route[REMOTE_PROC_DOMAIN_SUSPEND] == ROUTE_PRIMARY);
    assert(remote_route[REMOTE_PROC_CONNECT_LIST_ALL_NETWORKS] == ROUTE_NETWORK);
    assert(remote_route[REMOTE_PROC_CONNECT_NETWORK_EVENT_REGISTER_ANY] == ROUTE_NETWORK);
    assert(remote_route[REMOTE_PROC_STORAGE_VOL_DOWNLOAD] == ROUTE_STORAGE);
    assert(remote_route[REMOTE_PROC_SECRET_GET_VALUE] == ROUTE_SECRET);
    assert(remote_route[REMOTE_PROC_NWFILTER_LOOKUP_BY_NAME] == ROUTE_NWFILTER);
    assert(remote_route[REMOTE_PROC_INTERFACE_CREATE] == ROUTE_INTERFACE);
    assert(remote_route[REMOTE_PROC_NODE_DEVICE_CREATE_XML] == ROUTE_NODEDEV);
    for (uint32_t n = 1; n < remote_program.n_procs; n++)
        assert(!remote_program.procs[n].name || remote_program.procs[n].route == remote_route[n]);
}

static void test_events_are_sorted_and_complete(void)
{
    size_t messages = 0, rows = 0;

    for (size_t i = 0; i < remote_n_events; i++) {
        const EventInfo *e = &remote_events[i];

        assert(e->legacy_proc || e->callback_proc);
        for (int k = 0; k < 2; k++) {
            int32_t number = k ? e->callback_proc : e->legacy_proc;

            if (number) {
                assert(proc(number)->bits & PROC_EVENT);
                messages++;
            }
        }
        if (i > 0) {
            assert(e[-1].object < e->object || (e[-1].object == e->object && e[-1].event_id < e->event_id));
        }
    }
    for (uint32_t n = 1; n < remote_program.n_procs; n++)
        rows += (remote_program.procs[n].bits & PROC_EVENT) != 0;
    assert(rows == messages + 1); /* connect_event_connection_closed is not subscribed to */
    assert(remote_events[0].event_id == VIR_DOMAIN_EVENT_ID_LIFECYCLE);
    assert(remote_events[0].legacy_proc == REMOTE_PROC_DOMAIN_EVENT_LIFECYCLE);
    assert(remote_events[0].callback_proc == REMOTE_PROC_DOMAIN_EVENT_CALLBACK_LIFECYCLE);
}

static void test_slots_are_distinct(void)
{
    g_autofree bool *seen = g_new0(bool, sizeof(RemoteHandlers) / sizeof(HandlerSlot));

    for (uint32_t n = 1; n < remote_program.n_procs; n++) {
        const ProcInfo *p = &remote_program.procs[n];

        if (!p->name || (p->bits & PROC_EVENT))
            continue;
        assert(p->handler_off < sizeof(RemoteHandlers));
        assert(!seen[p->handler_off / sizeof(HandlerSlot)]);
        seen[p->handler_off / sizeof(HandlerSlot)] = true;
    }
    for (size_t i = 0; i < sizeof(RemoteHandlers) / sizeof(HandlerSlot); i++)
        assert(seen[i]);
}

/* handlers of the shapes */

static u_int handler_makes;
static bool handler_fails, handler_ran;

static bool list_all(Call *c, const remote_connect_list_all_domains_args *a,
                     remote_connect_list_all_domains_ret *r, GError **err)
{
    handler_ran = true;
    r->domains.domains_val = g_new0(remote_nonnull_domain, handler_makes);
    r->domains.domains_len = handler_makes;
    for (u_int i = 0; i < handler_makes; i++)
        r->domains.domains_val[i].name = g_strdup_printf("guest%u", i);
    if (handler_fails)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "on purpose");
    return !handler_fails;
}

static bool list_names(Call *c, const remote_connect_list_defined_domains_args *a,
                       remote_connect_list_defined_domains_ret *r, GError **err)
{
    handler_ran = true;
    r->names.names_val = g_new0(char *, handler_makes);
    r->names.names_len = handler_makes;
    for (u_int i = 0; i < handler_makes; i++)
        r->names.names_val[i] = g_strdup_printf("guest%u", i);
    return true;
}

static bool list_ids(Call *c, const remote_connect_list_domains_args *a, remote_connect_list_domains_ret *r,
                     GError **err)
{
    r->ids.ids_val = g_new0(int, handler_makes);
    r->ids.ids_len = handler_makes;
    return true;
}

static bool memory_parameters(Call *c, DomainQuery *q, const remote_domain_get_memory_parameters_args *a,
                              remote_domain_get_memory_parameters_ret *r, GError **err)
{
    assert(q == (void *)0x1234);
    handler_ran = true;
    r->params.params_val = g_new0(remote_typed_param, handler_makes);
    r->params.params_len = handler_makes;
    for (u_int i = 0; i < handler_makes; i++) {
        r->params.params_val[i].field = g_strdup_printf("param%u", i);
        r->params.params_val[i].value.type = VIR_TYPED_PARAM_STRING;
        r->params.params_val[i].value.u.s = g_strdup("value");
    }
    return true;
}

static const RemoteHandlers handlers = {
    .connect_list_all_domains = { list_all, 0 },
    .connect_list_defined_domains = { list_names, 0 },
    .connect_list_domains = { list_ids, 0 },
    .domain_get_memory_parameters = { memory_parameters, VIR_DOMAIN_AFFECT_LIVE },
};

static bool run(int32_t number, void *args, void *ret, GError **err)
{
    const ProcInfo *p = proc(number);
    const HandlerSlot *slot = (const void *)((const char *)&handlers + p->handler_off);

    handler_ran = false;
    memset(ret, 0, p->ret_size);
    assert(slot->fn);
    return p->thunk(slot, NULL, (void *)0x1234, args, ret, err);
}

static void test_list_with_need_results(void)
{
    remote_connect_list_all_domains_args a = { .need_results = 1 };
    remote_connect_list_all_domains_ret r;
    g_autoptr(GError) err = NULL;

    handler_makes = 3;
    assert(run(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, &a, &r, NULL));
    assert(r.ret == 3 && r.domains.domains_len == 3);
    proc_free((xdrproc_t)xdr_remote_connect_list_all_domains_ret, &r);

    a.need_results = 0;
    assert(run(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, &a, &r, NULL));
    assert(r.ret == 3 && r.domains.domains_len == 0 && !r.domains.domains_val);

    handler_fails = true;
    assert(!run(REMOTE_PROC_CONNECT_LIST_ALL_DOMAINS, &a, &r, &err));
    assert(error_is(err, VIR_ERR_INTERNAL_ERROR));
    proc_free((xdrproc_t)xdr_remote_connect_list_all_domains_ret, &r);
    handler_fails = false;
}

static void test_list_with_maximum(void)
{
    remote_connect_list_defined_domains_args a = { .maxnames = 2 };
    remote_connect_list_defined_domains_ret r;
    static const int bad[] = { -1, G_MININT, REMOTE_DOMAIN_LIST_MAX + 1, G_MAXINT };

    handler_makes = 3;
    assert(run(REMOTE_PROC_CONNECT_LIST_DEFINED_DOMAINS, &a, &r, NULL));
    assert(r.names.names_len == 2 && strcmp(r.names.names_val[1], "guest1") == 0);
    proc_free((xdrproc_t)xdr_remote_connect_list_defined_domains_ret, &r);

    a.maxnames = 0;
    assert(run(REMOTE_PROC_CONNECT_LIST_DEFINED_DOMAINS, &a, &r, NULL));
    assert(r.names.names_len == 0 && !r.names.names_val);

    for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        a.maxnames = bad[i];
        assert(!run(REMOTE_PROC_CONNECT_LIST_DEFINED_DOMAINS, &a, &r, &err));
        assert(error_is(err, VIR_ERR_RPC) && !handler_ran);
    }

    remote_connect_list_domains_args ids = { .maxids = 1 };
    remote_connect_list_domains_ret ids_ret;

    assert(run(REMOTE_PROC_CONNECT_LIST_DOMAINS, &ids, &ids_ret, NULL));
    assert(ids_ret.ids.ids_len == 1);
    proc_free((xdrproc_t)xdr_remote_connect_list_domains_ret, &ids_ret);
}

static void test_params(void)
{
    remote_domain_get_memory_parameters_args a = { .nparams = 0 };
    remote_domain_get_memory_parameters_ret r;
    g_autoptr(GError) err = NULL;

    handler_makes = 4;
    assert(run(REMOTE_PROC_DOMAIN_GET_MEMORY_PARAMETERS, &a, &r, NULL));
    assert(r.nparams == 4 && r.params.params_len == 0 && !r.params.params_val);

    a.nparams = 3;
    assert(run(REMOTE_PROC_DOMAIN_GET_MEMORY_PARAMETERS, &a, &r, NULL));
    assert(r.nparams == 3 && r.params.params_len == 3);
    proc_free((xdrproc_t)xdr_remote_domain_get_memory_parameters_ret, &r);

    a.nparams = REMOTE_DOMAIN_MEMORY_PARAMETERS_MAX + 1;
    assert(!run(REMOTE_PROC_DOMAIN_GET_MEMORY_PARAMETERS, &a, &r, &err));
    assert(error_is(err, VIR_ERR_RPC) && !handler_ran);
}

static bool lock_register(Call *c, const lock_register_args *a, GError **err)
{
    handler_ran = true;
    return true;
}

static void test_keyword_names(void)
{
    const LockHandlers lock = { .register_ = { lock_register, 0 } };
    const ProcInfo *p = program_find(&lock_program, LOCK_PROC_REGISTER);
    lock_register_args a = { 0 };

    handler_ran = false;
    assert(p->thunk((const void *)((const char *)&lock + p->handler_off), NULL, NULL, &a, NULL, NULL));
    assert(handler_ran);
}

/* client stubs */

static bool fake_call(void *self, const ProgramInfo *program, const ProcInfo *p, const void *args, void *ret,
                      GError **err)
{
    assert(self == (void *)0x77 && program == &remote_program && p->number == REMOTE_PROC_DOMAIN_LOOKUP_BY_ID);
    ((remote_domain_lookup_by_id_ret *)ret)->dom.id = ((const remote_domain_lookup_by_id_args *)args)->id;
    return true;
}

static void test_client_stub(void)
{
    ClientCall cc = { fake_call, (void *)0x77 };
    remote_domain_lookup_by_id_args a = { .id = 5 };
    remote_domain_lookup_by_id_ret r;

    memset(&r, 0xff, sizeof(r));
    assert(remote_client_domain_lookup_by_id(&cc, &a, &r, NULL));
    assert(r.dom.id == 5 && !r.dom.name);
}

int main(void)
{
    test_rows_are_consistent();
    test_rows_that_everything_hangs_on();
    test_routes();
    test_events_are_sorted_and_complete();
    test_slots_are_distinct();
    test_list_with_need_results();
    test_list_with_maximum();
    test_params();
    test_keyword_names();
    test_client_stub();
    return 0;
}
