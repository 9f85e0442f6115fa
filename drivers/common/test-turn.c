/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Turns, registry and state files without a daemon: the test takes the dispatcher's place (find,
 * begin, handler, end), and workers run at once. Faults: every durable step of a define is made to
 * fail once, and the world must be as it was before or as it should be after.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/common/emit.h"
#include "drivers/common/handlers.h"
#include "drivers/common/domains.h"
#include "protocols/remote_procs.h"
#include "util/error.h"
#include "util/paths.h"
#include "util/state.h"

/* What handlers ask of a call. */
struct Call {
    const ProcInfo *proc;
};
const ProcInfo *call_proc(const Call *c) { return c->proc; }
bool call_allows(Call *c, const AclObject *o, const char *perm)
{
    (void)c, (void)o, (void)perm;
    return true;
}

static void *attach(Domain *d) { (void)d; return g_malloc0(1); }
static void detach(void *p) { g_free(p); }
static void status_free(DriverStatus *s) { g_free(s); }
static DriverStatus *status_new(void)
{
    DriverStatus *s = g_new0(DriverStatus, 1);
    g_atomic_ref_count_init(&s->refs);
    s->free = status_free;
    return s;
}
static void status_format(const DriverStatus *s, GString *out) { (void)s; g_string_append(out, "    <fake/>\n"); }
static DriverStatus *status_parse(const xmlNode *n, GError **err) { (void)n; (void)err; return status_new(); }
static const ConfPolicy policy = { .name = "test" };
static const DomainDriver fake = { .attach = attach, .detach = detach, .status_format = status_format,
                                   .status_parse = status_parse, .policy = &policy, .subdir = "test" };
static void run_now(void (*fn)(void *), void *data) { fn(data); }
static const DriverContext ctx = { .daemon = "test", .run_on_worker = run_now };

static Call define_call, other_call;

static char *xml_of(const char *name, const char *uuid, int mib)
{
    g_autofree char *id = uuid ? g_strdup_printf("<uuid>%s</uuid>", uuid) : g_strdup("");
    return g_strdup_printf("<domain type='test'><name>%s</name>%s<memory unit='MiB'>%d</memory>"
                           "<os><type>hvm</type></os></domain>", name, id, mib);
}

/* As the dispatcher does it. */
static bool define(const char *name, const char *uuid, int mib, GError **err)
{
    const ObjectClass *oc = &object_class;
    g_autofree char *xml = xml_of(name, uuid, mib);
    remote_domain_define_xml_args a = { .xml = xml };
    remote_domain_define_xml_ret r = { 0 };
    void *o = oc->find_xml(&define_call, xml, true, err);

    if (!o)
        return false;
    bool ok = false;
    void *cap = oc->begin(o, &define_call, JOB_MODIFY, false, err);
    if (cap) {
        ok = common_domain_define_xml(&define_call, cap, &a, &r, err);
        ok = oc->end(o, cap, JOB_MODIFY, ok, ok ? err : NULL) && ok;
    }
    oc->unref(o);
    g_free(r.dom.name);
    return ok;
}

typedef void (*Change)(DomainTurn *t);
static bool change(const char *name, Change fn, GError **err)
{
    const ObjectClass *oc = &object_class;
    Domain *d = domains_find_name(name);

    assert(d);
    void *cap = oc->begin(d, &other_call, JOB_MODIFY, false, err);
    assert(cap);
    fn(cap);
    bool ok = oc->end(d, cap, JOB_MODIFY, true, err);
    oc->unref(d);
    return ok;
}

static DomainView *view_of(const char *name)
{
    g_autoptr(Domain) d = domains_find_name(name);
    return d ? domain_view(d) : NULL;
}

static void reload(void)
{
    g_autoptr(GPtrArray) live = NULL;
    g_autoptr(GError) err = NULL;

    domains_close();
    assert(domains_open(&fake, &ctx, &live, &err));
}

#define UUID1 "11111111-2222-3333-4444-555555555501"
#define UUID2 "11111111-2222-3333-4444-555555555502"

static void test_define_is_seen_and_survives(void)
{
    g_autoptr(GError) err = NULL;

    assert(define("one", UUID1, 64, &err));
    g_autoptr(DomainView) v = view_of("one");
    assert(v && v->persistent && v->id == -1 && view_config(v, NULL, NULL)->memory == 64 * 1024);
    reload();
    g_autoptr(DomainView) w = view_of("one");
    assert(w && w->persistent && uuid_equal(w->uuid, v->uuid) &&
           view_config(w, NULL, NULL)->memory == 64 * 1024);
}

static void test_names_and_uuids_stay_unique(void)
{
    g_autoptr(GError) e1 = NULL, e2 = NULL, e3 = NULL;

    assert(!define("one", UUID2, 64, &e1) && error_is(e1, VIR_ERR_OPERATION_FAILED) && strstr(e1->message, UUID1));
    assert(!define("two", UUID1, 64, &e2) && error_is(e2, VIR_ERR_OPERATION_FAILED) && strstr(e2->message, "one"));
    assert(define("one", UUID1, 128, &e3)); /* the same one again: an update */
    g_autoptr(DomainView) v = view_of("one");
    assert(view_config(v, NULL, NULL)->memory == 128 * 1024);
}

static void test_a_refused_document_leaves_no_name_behind(void)
{
    g_autoptr(GError) e1 = NULL, e2 = NULL;
    g_autofree char *bad = g_strdup("<domain type='test'><name>three</name><memory unit='MiB'>many</memory></domain>");
    const ObjectClass *oc = &object_class;
    remote_domain_define_xml_args a = { .xml = bad };
    remote_domain_define_xml_ret r = { 0 };

    void *o = oc->find_xml(&define_call, bad, true, &e1);
    assert(o && !domains_find_name("three")); /* reserved, not visible */
    void *cap = oc->begin(o, &define_call, JOB_MODIFY, false, &e1);
    assert(!common_domain_define_xml(&define_call, cap, &a, &r, &e1));
    assert(oc->end(o, cap, JOB_MODIFY, false, NULL) || true);
    oc->unref(o);
    assert(!view_of("three"));
    assert(define("three", UUID2, 64, &e2)); /* another uuid: the name must be free */
}

static void test_a_denied_creation_leaves_no_name_behind(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *xml = xml_of("four", NULL, 64);

    /* Found, then refused before its turn (access rules). */
    object_class.unref(object_class.find_xml(&define_call, xml, true, &err));
    assert(define("four", "11111111-2222-3333-4444-555555555504", 64, &err));
}

static void test_every_failing_step_of_a_redefine(void)
{
    for (unsigned n = 1;; n++) {
        g_autoptr(GError) err = NULL;
        g_autoptr(DomainView) before = view_of("one");
        int mib = 200 + (int)n;

        state_fail_at(n, ENOSPC);
        bool ok = define("one", UUID1, mib, &err);
        state_fail_at(0, 0);
        g_autoptr(DomainView) after = view_of("one");
        if (ok) {
            assert(n > 3); /* write, sync, rename and sync of the directory can fail at least */
            break;
        }
        assert(err && error_errno(err) == ENOSPC);
        assert(after == before); /* the published view did not move */
        /* The file holds the old or the new definition, whole. */
        reload();
        g_autoptr(DomainView) disk = view_of("one");
        assert(disk &&
               (view_config(disk, NULL, NULL)->memory == view_config(before, NULL, NULL)->memory ||
                view_config(disk, NULL, NULL)->memory == (uint64_t)mib * 1024));
    }
}

static void test_every_failing_step_of_a_first_define(void)
{
    for (unsigned n = 1; n < 50; n++) {
        g_autoptr(GError) err = NULL;

        state_fail_at(n, EIO);
        bool ok = define("five", "11111111-2222-3333-4444-555555555505", 64, &err);
        state_fail_at(0, 0);
        g_autoptr(DomainView) v = view_of("five");
        assert((v != NULL) == ok);
        if (ok)
            return;
    }
    assert(!"never succeeded");
}

static void go_live(DomainTurn *t)
{
    turn_set_live(t, domain_copy(view_config(turn_view(t), NULL, NULL)));
    turn_set_status(t, status_new());
    turn_set_id(t, domains_next_id());
    turn_set_state(t, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
}
static void go_live_or_fail(DomainTurn *t)
{
    turn_require_status(t, true);
    go_live(t);
}
static void pause_it(DomainTurn *t) { turn_set_state(t, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER); }
static void undefine_it(DomainTurn *t)
{
    turn_set_persistent(t, false);
    turn_set_config(t, NULL);
}
static void end_it(DomainTurn *t)
{
    turn_set_live(t, NULL);
    turn_set_status(t, NULL);
    turn_set_id(t, -1);
    turn_set_state(t, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_DESTROYED);
}

static void test_a_run_is_found_again(void)
{
    g_autoptr(GError) err = NULL;

    assert(change("one", go_live, &err) && change("one", pause_it, &err));
    assert(domains_count_active() == 1);
    reload();
    g_autoptr(DomainView) v = view_of("one");
    assert(v && view_active(v) && v->persistent && v->config && v->state == VIR_DOMAIN_PAUSED &&
           v->reason == VIR_DOMAIN_PAUSED_USER);
    assert(domains_next_id() > v->id); /* ids are not given twice */

    assert(change("one", undefine_it, &err)); /* transient from now on */
    reload();
    g_autoptr(DomainView) w = view_of("one");
    assert(w && view_active(w) && !w->persistent && !w->config);
    assert(change("one", end_it, &err));
    assert(!view_of("one") && domains_count_active() == 0);
    reload();
    assert(!view_of("one"));
}

static void test_a_start_that_cannot_be_recorded_fails(void)
{
    g_autoptr(GError) err = NULL;

    state_fail_at(1, ENOSPC);
    assert(!change("five", go_live_or_fail, &err));
    state_fail_at(0, 0);
    g_autoptr(DomainView) v = view_of("five");
    assert(v && !view_active(v));
}

static void test_files_that_cannot_be_read_are_left(void)
{
    g_autofree char *path = g_build_filename(paths()->etc, "test", "broken.xml", NULL);
    g_autofree char *text = NULL;

    assert(g_file_set_contents(path, "<domain", -1, NULL));
    reload();
    g_autoptr(DomainView) other = view_of("five");
    assert(!view_of("broken") && other);
    assert(g_file_get_contents(path, &text, NULL, NULL) && strcmp(text, "<domain") == 0);
}

/* What a definition says is read when it is first needed; then it must still be that domain's. */
static void test_definitions_are_read_late(void)
{
    g_autofree char *path = g_build_filename(paths()->etc, "test", "five.xml", NULL);
    g_autofree char *text = NULL, *bad = NULL;
    g_autoptr(GError) e1 = NULL, e2 = NULL, e3 = NULL;

    assert(g_file_get_contents(path, &text, NULL, NULL));
    const char *memory = strstr(text, "<memory");
    assert(memory);
    bad = g_strdup_printf("%.*s<memory", (int)(memory - text), text);
    assert(g_file_set_contents(path, bad, -1, NULL));
    reload();
    g_autoptr(DomainView) v = view_of("five");
    assert(v && v->persistent && !v->config->def);
    assert(!view_config(v, NULL, &e1) && strstr(e1->message, "five.xml"));

    /* Nothing is written in place of what cannot be read; a new definition is. */
    assert(g_file_set_contents(path, text, -1, NULL));
    const DomainDef *def = view_config(v, NULL, &e2);
    assert(def && def->memory == 64 * 1024 && view_config(v, NULL, NULL) == def);

    reload();
    g_autofree char *other = xml_of("five", UUID2, 64);
    assert(g_file_set_contents(path, other, -1, NULL));
    g_autoptr(DomainView) w = view_of("five");
    assert(w && !view_config(w, NULL, &e3) && strstr(e3->message, "another domain"));
    assert(g_file_set_contents(path, text, -1, NULL));
}

static char *document_of(const char *name)
{
    g_autoptr(DomainView) v = view_of(name);
    const remote_domain_get_xml_desc_args a = { .flags = 0 };
    remote_domain_get_xml_desc_ret r = { 0 };

    assert(common_domain_get_xml_desc(NULL, v, &a, &r, NULL));
    return r.xml;
}

/* However often it is asked for: what is shown is what was defined last. */
static void test_documents_are_remembered_not_mixed_up(void)
{
    for (int mib = 32; mib < 200; mib++) {
        g_autofree char *expected = g_strdup_printf(">%d</memory>", mib * 1024);

        assert(define("one", UUID1, mib, NULL));
        for (unsigned i = 0; i < 4; i++) {
            g_autofree char *xml = document_of("one");
            g_autofree char *other = document_of("five");

            assert(strstr(xml, expected) && !strstr(other, expected) == (mib != 64));
        }
    }
}

static bool rename_to(const char *name, const char *new, GError **err)
{
    const ObjectClass *oc = &object_class;
    remote_domain_rename_args a = { .new_name = (char *)new };
    remote_domain_rename_ret r;
    Domain *d = domains_find_name(name);

    assert(d);
    void *cap = oc->begin(d, &other_call, JOB_MODIFY, false, err);
    bool ok = common_domain_rename(&other_call, cap, &a, &r, err);
    ok = oc->end(d, cap, JOB_MODIFY, ok, ok ? err : NULL) && ok;
    oc->unref(d);
    return ok;
}

static void autostart_it(DomainTurn *t)
{
    turn_set_autostart(t, true);
    turn_set_autostart_once(t, true);
}

/* Whatever fails on the way: the domain is there under one of the names, and which one was told. */
static void test_every_failing_step_of_a_rename(void)
{
    static const char id[] = "11111111-2222-3333-4444-555555555509";
    g_autoptr(GError) err = NULL;

    assert(define("before", id, 64, &err) && change("before", autostart_it, &err));
    for (unsigned n = 1; n < 50; n++) {
        g_autoptr(GError) e = NULL;

        state_fail_at(n, ENOSPC);
        bool ok = rename_to("before", "after", &e);
        state_fail_at(0, 0);
        if (ok)
            break;
        g_autoptr(DomainView) old = view_of("before");
        assert(old && old->autostart && old->autostart_once && !view_of("after"));
        reload();
    }
    assert(!view_of("before"));
    reload();
    g_autoptr(DomainView) v = view_of("after");
    assert(v && v->autostart && v->autostart_once && !view_of("before") && g_str_equal(view_config(v, NULL, NULL)->name, "after"));
    assert(define("before", "11111111-2222-3333-4444-55555555550a", 64, &err));
}

/* Two domains want one name at the same time; a third that is being made under it waits for nobody. */
static void test_a_name_is_given_once(void)
{
    const ObjectClass *oc = &object_class;
    g_autoptr(GError) e1 = NULL, e2 = NULL, e3 = NULL, e4 = NULL;
    Domain *one = domains_find_name("one"), *five = domains_find_name("five");

    DomainTurn *a = oc->begin(one, &other_call, JOB_MODIFY, false, NULL);
    DomainTurn *b = oc->begin(five, &other_call, JOB_MODIFY, false, NULL);
    assert(turn_rename(a, "wanted", &e1));
    assert(!turn_rename(b, "wanted", &e2) && error_is(e2, VIR_ERR_OPERATION_INVALID));
    assert(!define("wanted", "11111111-2222-3333-4444-55555555550b", 64, &e3) && !view_of("wanted")); /* not before it is true */
    assert(oc->end(five, b, JOB_MODIFY, false, NULL) || true);
    assert(oc->end(one, a, JOB_MODIFY, false, NULL) || true); /* given up: the name is free */
    oc->unref(one);
    oc->unref(five);
    assert(rename_to("five", "wanted", &e4));
    reload();
    g_autoptr(DomainView) v = view_of("one"), w = view_of("wanted");
    assert(v && w && !view_of("five"));
}

int main(void)
{
    char root[] = "/tmp/test-turn-XXXXXX";
    g_autoptr(GError) err = NULL;

    assert(mkdtemp(root) && paths_init(root, false, &err));
    define_call.proc = &remote_program.procs[REMOTE_PROC_DOMAIN_DEFINE_XML];
    other_call.proc = &remote_program.procs[REMOTE_PROC_DOMAIN_SUSPEND];
    assert(domains_open(&fake, &ctx, NULL, &err));

    test_define_is_seen_and_survives();
    test_names_and_uuids_stay_unique();
    test_a_refused_document_leaves_no_name_behind();
    test_a_denied_creation_leaves_no_name_behind();
    test_every_failing_step_of_a_redefine();
    test_every_failing_step_of_a_first_define();
    test_a_run_is_found_again();
    test_a_start_that_cannot_be_recorded_fails();
    test_files_that_cannot_be_read_are_left();
    test_definitions_are_read_late();
    test_documents_are_remembered_not_mixed_up();
    test_every_failing_step_of_a_rename();
    test_a_name_is_given_once();

    domains_close();
    g_autofree char *rm = g_strdup_printf("rm -rf '%s'", root);
    return system(rm) == 0 ? 0 : 1;
}
