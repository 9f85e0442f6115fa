/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool: plugs devices into recorded guests against a peer that plays the emulator by a script, for
 * tests/conformance/run. One request per line on standard input, "key=value" fields separated by tabs:
 * op=attach|detach|update|put, domain=FILE (a running guest's document; "kept" is the guest as the last
 * request left it), device=FILE, script=FILE (JSON: command, reply, command, reply, ...), arch=, flags=.
 * op=vcpus takes count=N, or
 * vcpus=LIST and on=0|1, and recorded=FILE, an exchange as it was recorded, and answers with the running guest's document and that
 * of its next start, a line "====" between them. "put" only makes the device part of the guest, as if it had been attached before. The answer is "ok LENGTH" or
 * "refused CODE LENGTH", then that many bytes: the guest's document after it, or the error. What the exchange
 * was wrong in (a command that the script has not, or one that did not come) is refused as well.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "conf/domain.h"
#include "drivers/qemu/alias.h"
#include "drivers/qemu/defaults.h"
#include "drivers/qemu/plug_live.h"
#include "drivers/qemu/plug_run.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/recorded.h"
#include "drivers/qemu/vcpus.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"

enum { GRACE = 100 * 1000 };

/* ---- the emulator ------------------------------------------------------------------------------------ */

typedef struct Peer {
    int fd;
    JsonObject *script; /* NULL: everything is accepted */
    bool jumps;         /* a command is looked for from here on, then before: recordings have more questions than we ask */
    size_t at;
    char *wrong;
    pthread_t thread;
} Peer;

static void say(Peer *p, const char *text)
{
    (void)fd_write_all(p->fd, text, strlen(text));
    (void)fd_write_all(p->fd, "\r\n", 2);
}

/* Lines of a recorded reply; the one that answers gets the number of the command. */
static void reply(Peer *p, const char *text, const char *id)
{
    g_auto(GStrv) lines = g_strsplit(text, "\r\n", -1);

    for (char **l = lines; *l; l++) {
        g_autoptr(JsonObject) o = **l ? json_parse("script", *l, strlen(*l), NULL, NULL) : NULL;
        if (!o)
            continue;
        if (json_object_object_get_ex(o, "return", NULL) || json_object_object_get_ex(o, "error", NULL))
            json_object_object_add(o, "id", json_object_new_string(id));
        g_autofree char *line = json_text(o);
        say(p, line);
    }
}

/* Where the script has the command, from here on or else the last one before. A question is answered as things
 * are: no change lies between. */
static void jump(Peer *p, const char *name)
{
    size_t n = json_len(p->script), found = n;
    bool asks = g_str_has_prefix(name, "query-");

    for (size_t i = 0; i + 1 < n && (found == n || found < p->at); i += 2) {
        const char *there = json_object_get_string(json_object_array_get_idx(p->script, i));
        if (strcmp(there, name) == 0)
            found = i;
        else if (asks && i >= p->at && !g_str_has_prefix(there, "query-"))
            break;
    }
    p->at = found < n ? found : p->at;
}

static void handle(Peer *p, JsonObject *command)
{
    const char *name = json_get_str(command, "execute"), *id = json_get_str(command, "id");
    if (p->jumps && g_strcmp0(name, "qmp_capabilities") != 0)
        jump(p, name);
    JsonObject *next = p->script && p->at < json_len(p->script) ? json_object_array_get_idx(p->script, p->at) : NULL;

    if (g_strcmp0(name, "qmp_capabilities") == 0 || (!p->script && g_strcmp0(name, "query-fdsets") != 0)) {
        reply(p, "{\"return\": {}}", id);
    } else if (!p->script) {
        reply(p, "{\"return\": []}", id);
    } else if (next && g_strcmp0(json_object_get_string(next), name) == 0) {
        p->at += 2;
        reply(p, p->at <= json_len(p->script) ? json_object_get_string(json_object_array_get_idx(p->script, p->at - 1)) : "", id);
    } else {
        if (!p->wrong)
            p->wrong = g_strdup_printf("command '%s' came where '%s' is in the script", name, next ? json_object_get_string(next) : "nothing");
        reply(p, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"not in the script\"}}", id);
    }
}

static void *peer_main(void *arg)
{
    Peer *p = arg;
    g_autoptr(GString) line = g_string_new(NULL);
    char c;

    say(p, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}}, \"capabilities\": []}}");
    while (recv(p->fd, &c, 1, 0) == 1) {
        if (c != '\n') {
            g_string_append_c(line, c);
            continue;
        }
        g_autoptr(JsonObject) o = json_parse("command", line->str, line->len, NULL, NULL);
        if (o)
            handle(p, o);
        g_string_truncate(line, 0);
    }
    return NULL;
}

static void no_event(Qmp *q, QmpEvent *e, void *data) {}
static void no_close(Qmp *q, const GError *why, void *data) {}
static const QmpOps ops = { .event = no_event, .closed = no_close };

static Qmp *start(Peer *p, GError **err)
{
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
        error_set_errno(err, errno, "socketpair");
        return NULL;
    }
    p->fd = fds[0];
    pthread_create(&p->thread, NULL, peer_main, p);
    return qmp_open(NULL, fds[1], 0, 0, &ops, NULL, err);
}

static bool stop(Peer *p, Qmp *q, GError **err)
{
    if (q) {
        qmp_close(q);
        qmp_unref(q);
    }
    (void)shutdown(p->fd, SHUT_RDWR);
    pthread_join(p->thread, NULL);
    fd_close(&p->fd);
    if (!p->wrong && !p->jumps && p->script && p->at < json_len(p->script) && json_object_array_get_idx(p->script, p->at))
        p->wrong = g_strdup_printf("command '%s' of the script did not come", json_object_get_string(json_object_array_get_idx(p->script, p->at)));
    bool ok = !p->wrong;
    if (!ok) {
        g_clear_error(err);
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s", p->wrong);
    }
    g_free(p->wrong);
    return ok;
}

/* ---- the guest ----------------------------------------------------------------------------------------- */

static struct {
    QemuCaps *caps;
    DomainDef *kept;
    unsigned node;
} now;

/* What documents are read with. Nothing was known of emulators for s390x where the recordings were made. */
static QemuCaps *lookup_caps(void *opaque, const char *emulator, const char *arch, const char *virt_type)
{
    return g_str_equal(now.caps->arch, "s390x") ? NULL : qemu_caps_ref(now.caps);
}

static const QemuPolicyData policy = { .lookup_caps = lookup_caps, .emulator = recorded_emulator_path, .host_arch = "x86_64",
                                       .spice_tls = true, .keep_hardware = true };

static int fake_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    return 0; /* any that is open */
}

static bool fake_secret(void *opaque, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err)
{
    *ret_data = g_strdup("AAAA");
    *ret_iv = g_strdup("AAAA");
    return true;
}

static char *fake_scsi(void *opaque, const HostdevDef *h, GError **err)
{
    return g_strdup("/dev/sg0");
}

static bool next_fdset(void *opaque, unsigned *ret, GError **err)
{
    return plug_next_fdset(opaque, ret, err);
}

static bool read_text(const char *path, char **ret, gsize *len, GError **err)
{
    return g_file_get_contents(path ? path : "", ret, len, err);
}

static DomainDef *guest_of(const char *path, GError **err)
{
    g_autofree char *xml = NULL;
    gsize len;

    if (g_strcmp0(path, "kept") == 0 && now.kept)
        return g_steal_pointer(&now.kept);
    if (!read_text(path, &xml, &len, err))
        return NULL;
    now.node = 0;
    return domain_parse(xml, len, 0, &qemu_policy, (void *)&policy, err);
}

static bool change(PlugLive *l, const char *op, Device *take, GError **err)
{
    g_autoptr(Device) dev = take;

    if (g_str_equal(op, "attach") || g_str_equal(op, "put"))
        return plug_live_attach(l, g_steal_pointer(&dev), err);
    if (g_str_equal(op, "detach"))
        return plug_live_detach(l, dev, err);
    return plug_live_update(l, g_steal_pointer(&dev), false, err);
}

/* ---- vCPUs --------------------------------------------------------------------------------------------- */

/* A recording is pairs of objects, command and reply, with white space between. */
static JsonObject *read_recording(const char *path, GError **err)
{
    g_autofree char *text = NULL;
    gsize len;

    if (!read_text(path, &text, &len, err))
        return NULL;
    g_autoptr(JsonObject) script = json_object_new_array();
    json_tokener *tok = json_tokener_new();
    for (gsize at = 0; at < len;) {
        JsonObject *o = json_tokener_parse_ex(tok, text + at, (int)(len - at));
        if (!o)
            break;
        at += json_tokener_get_parse_end(tok);
        const char *command = json_get_str(o, "execute");
        json_object_array_add(script, command ? json_object_new_string(command) : json_object_new_string(json_object_to_json_string(o)));
        json_object_put(o);
    }
    json_tokener_free(tok);
    return g_steal_pointer(&script);
}

static bool change_vcpus(DomainDef *live, DomainDef *config, Qmp *q, GHashTable *f, GError **err)
{
    const char *count = g_hash_table_lookup(f, "count"), *list = g_hash_table_lookup(f, "vcpus");
    bool on = g_strcmp0(g_hash_table_lookup(f, "on"), "1") == 0;

    if (!vcpus_follow(live, q, err))
        return false;
    if (count) {
        unsigned n = (unsigned)strtoul(count, NULL, 10);
        return vcpus_set_count(config, n, true, err) && vcpus_plug_count(live, q, n, err);
    }
    g_autoptr(Bitmap) ids = bitmap_parse(list ? list : "", err);
    return ids && vcpus_set(config, ids, on, err) && vcpus_plug(live, q, ids, on, err);
}

static char *run_vcpus(GHashTable *f, GError **err)
{
    g_autofree char *xml = NULL;
    gsize len;
    Peer peer = { .fd = -1, .jumps = true };

    if (!read_text(g_hash_table_lookup(f, "domain"), &xml, &len, err))
        return NULL;
    g_autoptr(DomainDef) live = domain_parse(xml, len, 0, &qemu_policy, (void *)&policy, err);
    g_autoptr(DomainDef) config = live ? domain_parse(xml, len, DOMAIN_PARSE_INACTIVE, &qemu_policy, (void *)&policy, err) : NULL;
    if (!config || !(peer.script = read_recording(g_hash_table_lookup(f, "recorded"), err)))
        return NULL;
    qemu_assign_aliases(live);
    Qmp *q = start(&peer, err);
    bool ok = q && change_vcpus(live, config, q, f, err);
    (void)stop(&peer, q, NULL);
    json_object_put(peer.script);
    if (!ok)
        return NULL;
    DomainFormatContext form = { .id = 7 };
    g_autofree char *a = domain_format(live, DOMAIN_FORMAT_SECURE, &form, err);
    g_autofree char *b = a ? domain_format(config, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_INACTIVE, NULL, err) : NULL;
    return b ? g_strconcat(a, "====\n", b, NULL) : NULL;
}

static char *run(GHashTable *f, GError **err)
{
    const char *op = g_hash_table_lookup(f, "op"), *script = g_hash_table_lookup(f, "script"), *arch = g_hash_table_lookup(f, "arch");
    const char *flags = g_hash_table_lookup(f, "flags");
    g_autofree char *text = NULL, *xml = NULL;
    gsize len;
    Peer peer = { .fd = -1 };

    qemu_caps_unref(now.caps);
    now.caps = recorded_caps_of_flags(arch ? arch : "x86_64", flags ? flags : "");
    if (g_strcmp0(op, "vcpus") == 0)
        return run_vcpus(f, err);
    g_autoptr(DomainDef) d = guest_of(g_hash_table_lookup(f, "domain"), err);
    if (!d || !op || !read_text(g_hash_table_lookup(f, "device"), &xml, &len, err))
        return NULL;
    bool new = g_str_equal(op, "attach") || g_str_equal(op, "put");
    Device *dev = device_parse(xml, len, new ? DOMAIN_PARSE_INACTIVE : 0, NULL, NULL, NULL, err);
    if (!dev)
        return NULL;
    if (script) {
        if (!read_text(script, &text, &len, err) || !(peer.script = json_parse("script", text, len, NULL, err)))
            return NULL;
    }
    int id = d->document_id > 0 ? d->document_id : 7;
    Qmp *q = start(&peer, err);
    g_autofree char *name = qemu_short_name(id, d->name), *lib = g_strdup_printf("/tmp/lib/domain-%s", name);
    g_autofree char *helper = g_build_filename(lib, "pr-helper0.sock", NULL);
    QemuCmdlineContext ctx = { .id = id, .lib_dir = lib, .fd = fake_fd, .secret = fake_secret, .scsi_device = fake_scsi,
                               .next_fdset = next_fdset, .pr_socket = helper, .opaque = q };
    PlugLive l = { .def = d, .caps = now.caps, .mon = q, .ctx = &ctx, .policy = &qemu_policy, .policy_data = &policy,
                   .channel_dir = "/tmp/channel", .next_node = &now.node, .grace = GRACE };
    GError *why = NULL;
    bool ok = q && change(&l, op, dev, &why);
    bool followed = stop(&peer, q, ok ? err : &why);
    json_object_put(peer.script);
    DomainFormatContext form = { .id = id };
    char *out = ok && followed ? domain_format(d, DOMAIN_FORMAT_SECURE, &form, err) : NULL;
    if (why)
        g_propagate_error(err, why);
    domain_free(now.kept);
    now.kept = g_steal_pointer(&d);
    return out;
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;

    while (getline(&line, &room, stdin) > 0) {
        line[strcspn(line, "\n")] = '\0';
        g_autoptr(GHashTable) fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_auto(GStrv) parts = g_strsplit(line, "\t", -1);
        for (char **p = parts; *p; p++) {
            char *eq = strchr(*p, '=');
            if (eq)
                g_hash_table_insert(fields, g_strndup(*p, (gsize)(eq - *p)), g_strdup(eq + 1));
        }
        g_autoptr(GError) err = NULL;
        g_autofree char *out = run(fields, &err);
        if (out) {
            printf("ok %zu\n%s", strlen(out), out);
        } else {
            g_autofree char *text = error_text(err);
            printf("refused %d %zu\n%s", error_code(err), strlen(text), text);
        }
        fflush(stdout);
    }
    free(line);
    domain_free(now.kept);
    qemu_caps_unref(now.caps);
    qmp_loop_stop();
    return 0;
}
