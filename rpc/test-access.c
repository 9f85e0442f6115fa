/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file of rules: what it says, what it refuses to be, and questions about groups. */
#undef NDEBUG
#include <assert.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <string.h>
#include <unistd.h>

#include "rpc/access.h"
#include "util/error.h"

static char *file;
static Loop *loop;
static Pool *pool;

static Access *make(const char *text, GError **err)
{
    static const char *const drivers[] = { "nop", "rules", "rules", NULL };

    assert(g_file_set_contents(file, text, -1, NULL));
    return access_new(loop, pool, &(AccessConfig){ drivers, file, NULL }, err);
}

static Identity *somebody(uid_t uid, gid_t gid)
{
    Identity *id = identity_new();

    id->has_unix = true;
    id->uid = uid;
    id->gid = gid;
    return id;
}

static AccessAnswer may(Access *a, const Identity *who, const char *object, const char *perm, const char *name)
{
    AccessQuestion q = { .who = who, .driver = "QEMU", .object = object, .perm = perm,
                         .on = { .kind = strcmp(object, "domain") == 0 ? OBJECT_DOMAIN : OBJECT_NONE, .name = name } };
    g_autofree char *why = NULL;
    AccessAnswer r = access_check(a, &q, &why);

    assert((r == ACCESS_NO) == (why != NULL));
    return r;
}

static void test_first_match_decides(void)
{
    g_autoptr(GError) err = NULL;
    Access *a = make("# comment\n"
                     "\n"
                     "deny  user 4001  domain:read_secure,read-secure\n"
                     "allow user 4001  domain:*              name=web-* driver=QEMU\n"
                     "deny  user 4001  domain:stop\n"
                     "allow user 4001  domain:start,stop,connect:getattr\n"
                     "allow sasl '*@EXAMPLE.ORG' connect:search_*\n", &err);
    g_autoptr(Identity) alice = somebody(4001, 4001), other = somebody(4002, 4002), root = somebody(0, 0),
                        far = identity_new();

    g_assert_no_error(err);
    far->sasl_user = g_strdup("bob@EXAMPLE.ORG");
    assert(may(a, alice, "domain", "read_secure", "web-1") == ACCESS_NO);
    assert(may(a, alice, "domain", "suspend", "web-1") == ACCESS_YES);
    assert(may(a, alice, "domain", "suspend", "db") == ACCESS_NO);
    assert(may(a, alice, "domain", "stop", "web-1") == ACCESS_YES);
    assert(may(a, alice, "domain", "stop", "db") == ACCESS_NO);
    assert(may(a, alice, "domain", "start", "db") == ACCESS_YES);
    assert(may(a, alice, "connect", "getattr", NULL) == ACCESS_YES);
    assert(may(a, other, "connect", "getattr", NULL) == ACCESS_NO);
    assert(may(a, root, "domain", "stop", "db") == ACCESS_YES);
    assert(may(a, far, "connect", "search_domains", NULL) == ACCESS_YES);
    assert(may(a, far, "connect", "getattr", NULL) == ACCESS_NO);
    access_free(a);
}

static void assert_user(const Identity *id, const char *words)
{
    g_autofree char *said = identity_user(id);

    assert(g_strcmp0(said, words) == 0);
}

static void test_users_have_names(void)
{
    g_autoptr(Identity) alice = somebody(4001, 4001), root = somebody(0, 0), own = somebody(geteuid(), 4001), far = identity_new();

    alice->sasl_user = g_strdup("bob"); /* which would be a second share */
    assert_user(alice, "uid 4001");
    assert_user(root, NULL);
    assert_user(own, NULL);
    assert_user(NULL, "users without a name");
    assert_user(far, "users without a name");
    far->x509_dname = g_strdup("CN=carol");
    assert_user(far, "certificate 'CN=carol'");
    far->sasl_user = g_strdup("bob");
    assert_user(far, "SASL user 'bob'");
}

static void test_some_object_is_not_the_named_one(void)
{
    Access *a = make("deny user 4001 domain:start name=secret\nallow user 4001 domain:write name=web\n"
                     "allow user 4001 domain:*\n", NULL);
    g_autoptr(Identity) alice = somebody(4001, 4001);
    AccessQuestion q = { .who = alice, .driver = "QEMU", .object = "domain", .perm = "start",
                         .on = { .kind = OBJECT_DOMAIN }, .unnamed = true };

    assert(access_check(a, &q, NULL) == ACCESS_NO); /* it may be the secret one */
    q.perm = "write";
    assert(access_check(a, &q, NULL) == ACCESS_YES);
    q.perm = "start";
    q.on.name = "web";
    q.unnamed = false;
    assert(access_check(a, &q, NULL) == ACCESS_YES);
    access_free(a);
}

static void test_errors_name_the_line(void)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "\npermit anyone *", ":2: 'permit' is neither allow nor deny" },
        { "allow", ":1: whom" },
        { "allow everyone *", "none of anyone" },
        { "allow user", "which user" },
        { "allow user no-such-user-here domain:start", "there is no user 'no-such-user-here'" },
        { "allow group no-such-group-here domain:start", "there is no group" },
        { "allow anyone", "permissions are missing" },
        { "allow anyone domain:fly", "no permission 'domain:fly'" },
        { "allow anyone domian:*", "no permission 'domian:*'" },
        { "allow anyone start", "'start' is not OBJECT:PERMISSION" },
        { "allow anyone * nmae=x", "'nmae=x' is none of" },
        { "allow anyone * name=a name=b", "'name' is given twice" },
        { "# fine\nallow anyone * 'name=a", ":2:" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        assert(!make(bad[i].text, &err));
        if (!strstr(err->message, bad[i].words) || !strstr(err->message, file))
            g_error("'%s' says '%s'", bad[i].text, err->message);
    }
}

static void test_a_bad_reload_changes_nothing(void)
{
    g_autoptr(GError) err = NULL;
    Access *a = make("allow user 4001 *\n", NULL);
    g_autoptr(Identity) alice = somebody(4001, 4001);

    assert(g_file_set_contents(file, "allow user 4001 *\nnonsense\n", -1, NULL));
    assert(!access_reload(a, &err) && strstr(err->message, ":2:"));
    assert(may(a, alice, "domain", "start", "x") == ACCESS_YES);
    assert(g_file_set_contents(file, "deny user 4001 *\n", -1, NULL));
    assert(access_reload(a, NULL));
    assert(may(a, alice, "domain", "start", "x") == ACCESS_NO);
    access_free(a);
}

typedef struct Asked {
    bool done, allowed;
} Asked;

static void on_answer(bool allowed, const char *why, void *data)
{
    assert(allowed == !why);
    *(Asked *)data = (Asked){ true, allowed };
    loop_exit(loop, 0);
}

static void test_groups_are_looked_up_aside(void)
{
    g_autoptr(GError) err = NULL;
    Access *a = make("allow group 0 domain:start\n", &err);
    g_autoptr(Identity) primary = somebody(4001, 0), other = somebody(65534, 65534);
    AccessQuestion q = { .who = other, .driver = "", .object = "domain", .perm = "start",
                         .on = { .kind = OBJECT_DOMAIN, .name = "x" } };
    Asked asked = { false, false };

    g_assert_no_error(err);
    assert(may(a, primary, "domain", "start", "x") == ACCESS_YES);
    assert(may(a, other, "domain", "stop", "x") == ACCESS_NO);
    assert(may(a, other, "domain", "start", "x") == ACCESS_ASK);
    access_ask(a, &q, on_answer, &asked);
    loop_run(loop);
    assert(asked.done && !asked.allowed);
    assert(may(a, other, "domain", "start", "x") == ACCESS_NO); /* known by now */
    access_free(a);
}

int main(void)
{
    file = g_strdup_printf("/tmp/test-access-%d.rules", (int)getpid());
    loop = loop_new(NULL);
    pool = pool_new("test", 0, 2, 1);
    test_first_match_decides();
    test_users_have_names();
    test_some_object_is_not_the_named_one();
    test_errors_name_the_line();
    test_a_bad_reload_changes_nothing();
    test_groups_are_looked_up_aside();
    pool_free(pool);
    loop_free(loop);
    g_unlink(file);
    g_free(file);
    return 0;
}
