/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The .conf file: defaults, derived modes, and what is refused. */
#undef NDEBUG
#include <assert.h>
#include <glib/gstdio.h>
#include <string.h>

#include "daemons/config.h"
#include "util/error.h"
#include "util/paths.h"

static const DaemonSpec qemu = { .name = "virtqemud", .socket_prefix = "virtqemud" };
static const DaemonSpec proxy = { .name = "virtproxyd", .socket_prefix = "libvirt", .proxy = true };
static char *file;

static DaemonConf *load(const DaemonSpec *spec, const char *text, GError **err)
{
    assert(g_file_set_contents(file, text, -1, NULL));
    return config_load(spec, file, err);
}

static void test_defaults(void)
{
    g_autoptr(DaemonConf) c = load(&qemu, "", NULL);

    assert(c && c->max_workers == 20 && c->max_client_requests == 5 && c->group == (gid_t)-1);
    assert(c->ro_mode == 0777 && c->admin_mode == 0700);
    assert(c->rw_mode == 0770); /* nobody authenticates others, so they stay out */
    assert(!config_missing_features(c) && !config_wants_access_control(c));
}

static void test_only_polkit_and_an_explicit_none_open_the_main_socket(void)
{
    g_autoptr(DaemonConf) none =
        load(&qemu, "auth_unix_rw = \"none\"\nunix_sock_rw_perms = \"0777\"\n", NULL);
    g_autoptr(DaemonConf) polkit =
        load(&qemu, "auth_unix_rw = \"polkit\"\nunix_sock_rw_perms = \"0777\"\n", NULL);
    g_autoptr(DaemonConf) unsaid = load(&qemu, "unix_sock_rw_perms = \"0777\"\n", NULL);

    assert(none->rw_mode == 0777 && polkit->rw_mode == 0777 && unsaid->rw_mode == 0770);
    assert(!config_missing_features(polkit));
}

static void test_access_control_is_not_ignored(void)
{
    g_autoptr(DaemonConf) nop = load(&qemu, "access_drivers = [ \"nop\" ]\nmax_workers = 2\n", NULL);
    g_autoptr(DaemonConf) polkit = load(&qemu, "access_drivers = [ \"nop\", \"polkit\" ]\n", NULL);

    assert(!config_wants_access_control(nop) && config_wants_access_control(polkit));
    assert(nop->max_workers == 2 && nop->min_workers == 2); /* the maximum alone is enough to say */
}

static void test_network_keys_belong_to_the_proxy(void)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DaemonConf) c =
        load(&proxy, "listen_tcp = 1\ntls_allowed_dn_list = [\"a\"]\nauth_tcp = \"none\"\n", NULL);

    assert(c && c->listen_tcp && !c->listen_tls && !config_missing_features(c));
    g_autoptr(DaemonConf) q = load(&qemu, "listen_tcp = 1\n", NULL);
    assert(q && !q->listen_tcp);
}

static void test_nonsense_is_refused(void)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "unix_sock_rw_perms = \"0999\"", "octal" },
        { "unix_sock_group = \"no-such-group-here\"", "no-such-group-here" },
        { "auth_unix_rw = \"kerberos\"", "none, sasl, polkit" },
        { "auth_unix_group = \"no-such-group-here\"", "auth_unix_group" },
        { "access_drivers = [ \"nop\", \"acl\" ]", "polkit, rules, nop" },
        { "max_workers = 0", "max_workers" },
        { "max_clients = 0", "max_clients" },
        { "log_level = 9", "log_level" },
        { "host_uuid = \"00000000-0000-0000-0000-000000000000\"", "host_uuid" },
        { "max_cleints = 1", "did you mean 'max_clients'" },
        { "acces_drivers = [ \"polkit\" ]", "did you mean 'access_drivers'" },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GError) err = NULL;

        assert(!load(&qemu, bad[i].text, &err));
        if (!strstr(err->message, bad[i].words) || !strstr(err->message, file))
            g_error("'%s' says '%s'", bad[i].text, err->message);
    }
    assert(!config_load(&qemu, "/nonexistent.conf", NULL));
}

int main(void)
{
    g_autofree char *dir = g_dir_make_tmp("test-config-XXXXXX", NULL);

    assert(paths_init(dir, false, NULL));
    file = g_build_filename(dir, "t.conf", NULL);
    test_defaults();
    test_only_polkit_and_an_explicit_none_open_the_main_socket();
    test_access_control_is_not_ignored();
    test_network_keys_belong_to_the_proxy();
    test_nonsense_is_refused();
    g_unlink(file);
    g_rmdir(dir);
    g_free(file);
    return 0;
}
