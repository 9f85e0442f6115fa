/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * modvirt doctor: looks at what must be there for the daemons to work and says, line by line, that it
 * is or what to do. It changes nothing and needs no daemon. A check is a function that reports one or
 * more lines; only "bad" lines make the exit status 1. One thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocols/modvirt_client.h"
#include "protocols/modvirt_types.h"
#include "protocols/xdr_buf.h"
#include "tools/modvirt/daemons.h"
#include "tools/modvirt/modvirt.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/paths.h"

typedef enum Verdict { GOOD, NOTE, BAD } Verdict;

typedef struct Line {
    const char *topic;
    Verdict verdict;
    char *text, *advice; /* advice NULL: none */
} Line;

static GArray *lines;

static void report(const char *topic, Verdict v, char *text, const char *advice)
{
    Line l = { topic, v, text, g_strdup(advice) };

    g_array_append_val(lines, l);
}

/* The text of a fact; NULL: it was not told. */
static const char *fact(const modvirt_about_ret *r, const char *name)
{
    for (u_int i = 0; i < r->facts.facts_len; i++)
        if (strcmp(r->facts.facts_val[i].name, name) == 0)
            return r->facts.facts_val[i].value;
    return NULL;
}

enum { SOON_DAYS = 30 };

/* The proxy has read the files with its own configuration and rights: what it found is what counts. */
static void check_tls(const modvirt_about_ret *r)
{
    const char *state = fact(r, "tls"), *trouble = fact(r, "tls_trouble"), *expires = fact(r, "tls_expires");

    if (!state)
        return;
    if (trouble)
        report("certificates", BAD, g_strdup_printf("TLS %s: %s", strcmp(state, "served") == 0 ? "goes on with older files" : "is off", trouble),
               "put the file right, then: virt-admin server-update-tls virtproxyd");
    if (!expires) {
        if (!trouble)
            report("certificates", NOTE, g_strdup_printf("TLS is %s", state),
                   "only needed for qemu+tls://: listen_tls in virtproxyd.conf, and --listen or virtproxyd-tls.socket");
        return;
    }

    gint64 at = g_ascii_strtoll(expires, NULL, 10), days = (at - g_get_real_time() / G_USEC_PER_SEC) / (24 * 3600);
    g_autoptr(GDateTime) when = g_date_time_new_from_unix_utc(at);
    g_autofree char *date = when ? g_date_time_format(when, "%Y-%m-%d") : g_strdup("?");

    report("certificates", days < 0 ? BAD : days < SOON_DAYS ? NOTE : GOOD,
           g_strdup_printf("TLS is served; the server's certificate is good until %s", date),
           days < SOON_DAYS ? "have a new one issued, then: virt-admin server-update-tls virtproxyd" : NULL);
}

static void check_daemon(const DaemonName *d)
{
    g_autofree char *path = NULL;
    g_autoptr(GError) err = NULL;
    modvirt_about_ret r = { 0 };
    bool wanted = strcmp(d->name, "virtproxyd") == 0 || strcmp(d->name, "virtqemud") == 0;

    if (!daemon_admin_path(d->name, &path))
        return;
    if (!daemon_is_there(d->name)) {
        g_autofree char *advice = g_strdup_printf("systemctl enable --now %s.socket", d->name);

        report("daemons", wanted ? BAD : NOTE, g_strdup_printf("%s (%s): no socket '%s'", d->name, d->what, path), advice);
        return;
    }
    g_autoptr(RpcClient) c = daemon_connect(d->name, &err);
    if (c)
        rpc_client_set_timeout(c, 5);
    if (!c) {
        bool rights = access(path, R_OK | W_OK) < 0;
        g_autofree char *advice = rights ? g_strdup("run this as root or as the daemon's own user")
                                         : g_strdup_printf("systemctl restart %s, and see journalctl -u %s", d->name, d->name);

        report("daemons", BAD, g_strdup_printf("%s does not answer: %s", d->name, err->message), advice);
        return;
    }
    if (!modvirt_client_about(rpc_client_calls(c), &r, &err)) {
        report("daemons", NOTE, g_strdup_printf("%s answers, but not as one of ours: %s", d->name, err->message),
               "another implementation has its sockets; stop it when ours is to serve");
        return;
    }
    const char *version = fact(&r, "version"), *access_drivers = fact(&r, "access"), *auth = fact(&r, "auth_unix_rw");
    bool same = g_strcmp0(version, MODVIRT_VERSION) == 0;

    check_tls(&r);
    report("daemons", same ? GOOD : NOTE,
           g_strdup_printf("%s %s answers; access control: %s, authentication: %s", d->name, version ? version : "?",
                           access_drivers ? access_drivers : "?", auth ? auth : "?"),
           same ? NULL : "versions differ: restart the daemons after an upgrade");
    proc_free((xdrproc_t)xdr_modvirt_about_ret, &r);
}

static void check_rights(void)
{
    g_autofree char *path = g_strdup_printf("%s/libvirt-sock", paths()->run);

    if (access(path, F_OK) < 0)
        return; /* said above */
    if (access(path, R_OK | W_OK) == 0)
        report("rights", GOOD, g_strdup_printf("this user may connect to '%s'", path), NULL);
    else
        report("rights", BAD, g_strdup_printf("this user may not connect to '%s'", path),
               "become a member of the socket's group (unix_sock_group), or set auth_unix_rw = \"polkit\"");
}

static void check_kvm(void)
{
    auto_fd fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

    if (fd >= 0)
        report("kvm", GOOD, g_strdup("/dev/kvm can be opened"), NULL);
    else
        report("kvm", NOTE, g_strdup_printf("/dev/kvm: %s; guests of type 'kvm' will not start", g_strerror(errno)),
               errno == ENOENT ? "load kvm_intel or kvm_amd, or enable virtualization in the firmware"
                               : "become a member of group kvm");
}

static void check_cgroups(void)
{
    g_autofree char *controllers = NULL;

    if (g_file_get_contents("/sys/fs/cgroup/cgroup.controllers", &controllers, NULL, NULL)) {
        g_strchomp(controllers);
        bool all = strstr(controllers, "cpu") && strstr(controllers, "memory") && strstr(controllers, "io");
        report("cgroups", all ? GOOD : NOTE, g_strdup_printf("unified hierarchy with: %s", controllers),
               all ? NULL : "limits of guests need cpu, memory and io");
    } else {
        report("cgroups", NOTE, g_strdup("no unified control group hierarchy"),
               "boot with systemd.unified_cgroup_hierarchy=1; limits of guests do not work without");
    }
}

static void check_programs(void)
{
    static const struct {
        const char *topic, *program, *advice;
        Verdict missing;
    } rows[] = {
        { "emulator", "qemu-system-x86_64", "install QEMU for the guests' architecture", NOTE },
        { "emulator", "qemu-img", "install the image tools of QEMU", NOTE },
        { "firewall", "nft", "install nftables: virtual networks with NAT need it", NOTE },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autofree char *at = g_find_program_in_path(rows[i].program);

        if (at)
            report(rows[i].topic, GOOD, g_strdup_printf("%s is '%s'", rows[i].program, at), NULL);
        else
            report(rows[i].topic, rows[i].missing, g_strdup_printf("%s is not in the path", rows[i].program), rows[i].advice);
    }
}

static const char *const verdict_names[] = { "ok", "note", "bad" };

static void print_json(void)
{
    json_object *all = json_object_new_array();

    for (unsigned i = 0; i < lines->len; i++) {
        const Line *l = &g_array_index(lines, Line, i);
        json_object *o = json_object_new_object();

        json_object_object_add(o, "topic", json_object_new_string(l->topic));
        json_object_object_add(o, "verdict", json_object_new_string(verdict_names[l->verdict]));
        json_object_object_add(o, "text", json_object_new_string(l->text));
        json_object_object_add(o, "advice", l->advice ? json_object_new_string(l->advice) : NULL);
        json_object_array_add(all, o);
    }
    printf("%s\n", json_object_to_json_string_ext(all, JSON_C_TO_STRING_PRETTY));
    json_object_put(all);
}

int cmd_doctor(int argc, char **argv)
{
    bool json = argc == 2 && strcmp(argv[1], "--json") == 0;
    g_autoptr(GError) err = NULL;
    int status = EXIT_OK;

    if (argc > 2 || (argc == 2 && !json))
        return usage_error(command_find(argv[0]));
    if (!paths_init(g_getenv("MODVIRT_ROOT"), geteuid() != 0, &err))
        return trouble(argv[0], "%s", err->message);
    lines = g_array_new(FALSE, FALSE, sizeof(Line));
    for (const DaemonName *d = daemon_names; d->name; d++)
        check_daemon(d);
    check_rights();
    check_kvm();
    check_cgroups();
    check_programs();
    if (json)
        print_json();
    for (unsigned i = 0; i < lines->len; i++) {
        Line *l = &g_array_index(lines, Line, i);

        if (!json) {
            printf("%-5s %-13s %s\n", verdict_names[l->verdict], l->topic, l->text);
            if (l->advice && l->verdict != GOOD)
                printf("                    -> %s\n", l->advice);
        }
        if (l->verdict == BAD)
            status = EXIT_NO;
        g_free(l->text);
        g_free(l->advice);
    }
    g_array_unref(lines);
    return status;
}
