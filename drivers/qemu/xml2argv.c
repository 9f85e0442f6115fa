/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool: takes domain documents through the QEMU driver's stages with a recorded emulator, for
 * tests/conformance/run. One request per line on standard input, "key=value" fields separated by
 * tabs: xml=FILE (required), to=xml|active|argv|memlock, caps=FILE, keep_aliases=1, define=1, and settings of the
 * driver's configuration (see settings[]). One answer per request: "ok LENGTH" or
 * "refused CODE LENGTH", then that many bytes: the document, or argv and env as JSON, or the error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"
#include "drivers/qemu/cmdline.h"
#include "drivers/qemu/defaults.h"
#include "drivers/qemu/memlock.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/recorded.h"
#include "util/api.h"
#include "util/error.h"
#include "util/json.h"

typedef struct Request {
    GHashTable *fields;
    QemuCaps *caps;
} Request;

static const char *field(const Request *r, const char *key)
{
    return g_hash_table_lookup(r->fields, key);
}

static QemuCaps *lookup_caps(void *opaque, const char *emulator, const char *arch, const char *virt_type)
{
    Request *r = opaque;
    return r->caps ? qemu_caps_ref(r->caps) : NULL;
}

/* The numbers that the recorded command lines have. */
static int fake_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    static unsigned files;
    switch (role) {
    case QEMU_FD_MONITOR: files = 0; return 1729;
    case QEMU_FD_CHR_LISTEN: case QEMU_FD_GPU: return 1729;
    case QEMU_FD_CHR_FILE: case QEMU_FD_CHR_LOG: return 1750 + (int)files++;
    case QEMU_FD_TAP: return 3 + (int)index;
    case QEMU_FD_VHOST_NET: return 44 + (int)index;
    case QEMU_FD_VHOST_VSOCK: return 6789;
    case QEMU_FD_VHOST_SCSI: return 3;
    case QEMU_FD_VDPA: return 1732;
    case QEMU_FD_TPM: return 1730;
    case QEMU_FD_TPM_CANCEL: return 1731;
    case QEMU_FD_SLIRP: case QEMU_FD_VIRTIOFS: case _QEMU_FD_ROLE_N: break;
    }
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "no descriptor of role %d", (int)role);
    return -1;
}

static bool fake_secret(void *opaque, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err)
{
    *ret_data = g_strdup("9eao5F8qtkGt+seB1HYivWIxbtwUu6MQtg1zpj/oDtUsPr1q8wBYM91uEHCn6j/1");
    *ret_iv = g_strdup("AAECAwQFBgcICQoLDA0ODw==");
    return true;
}

static char *fake_scsi(void *opaque, const HostdevDef *h, GError **err)
{
    return g_strdup("/dev/sg0");
}

/* The host of the recordings has eight. */
static bool fake_node(unsigned node)
{
    return node < 8;
}

static bool fake_cdrom(void *opaque, const char *path)
{
    return strcmp(path, "/dev/cdrom") == 0;
}

static void strip_machine_aliases(QemuCaps *c)
{
    for (unsigned a = 0; a < QEMU_ACCEL_N_; a++) {
        for (unsigned i = 0; c->accel[a].machines && i < c->accel[a].machines->len; i++) {
            QemuMachine *m = g_ptr_array_index(c->accel[a].machines, i);
            if (m->alias) { /* the alias is then the name, as for an emulator that has no other */
                g_free(m->name);
                m->name = g_steal_pointer(&m->alias);
            }
        }
    }
}

static char *json_answer(GPtrArray *argv, GPtrArray *env)
{
    g_autoptr(JsonObject) o = json_object_new_object();
    const char *const names[] = { "argv", "env" };
    GPtrArray *lists[] = { argv, env };
    for (unsigned k = 0; k < 2; k++) {
        JsonObject *a = json_object_new_array();
        for (unsigned i = 0; i + 1 < lists[k]->len; i++)
            json_object_array_add(a, json_object_new_string(g_ptr_array_index(lists[k], i)));
        json_object_object_add(o, names[k], a);
    }
    return json_text(o);
}

static char *build_argv(const Request *r, DomainDef *d, GError **err)
{
    static const char *const pages[] = { "2048:/dev/hugepages2M", "1048576:/dev/hugepages1G", NULL };
    g_autoptr(GPtrArray) argv = NULL, env = NULL;
    g_autofree char *name = qemu_short_name(-1, d->name), *lib = g_strdup_printf("/tmp/lib/domain-%s", name);
    QemuCmdlineContext ctx = {
        .id = -1, .lib_dir = lib, .memory_backing_dir = "/var/lib/libvirt/qemu/ram", .log_timestamp = true,
        .hugepage_dirs = pages, .default_hugepage_kib = 2048, .fd = fake_fd, .secret = fake_secret, .is_cdrom = fake_cdrom, .host_node = fake_node, .scsi_device = fake_scsi,
        .vnc_tls = field(r, "vnc_tls"), .vnc_tls_verify = field(r, "vnc_tls_verify"), .vnc_sasl = field(r, "vnc_sasl"),
        .vnc_tls_dir = field(r, "vnc_tls_dir") ? field(r, "vnc_tls_dir") : "/etc/pki/libvirt-vnc",
        .vnc_tls_secret = field(r, "vnc_tls_secret"),
        .spice_tls = true, .spice_password = true, .spice_tls_dir = "/etc/pki/libvirt-spice",
        .spice_sasl = field(r, "spice_sasl"),
        .chardev_tls = field(r, "chardev_tls"), .chardev_tls_verify = field(r, "chardev_tls_verify"),
        .chardev_tls_dir = "/etc/pki/libvirt-chardev", .chardev_tls_secret = field(r, "chardev_tls_secret"),
        .nbd_tls_dir = "/etc/pki/libvirt-nbd/dummy,path", .nbd_tls_secret = field(r, "nbd_tls_secret"), .vhost_net = true,
        .vnc_listen = "127.0.0.1", .spice_listen = "127.0.0.1", .opaque = (void *)r,
        .incoming_uri = field(r, "incoming"), .rendernode = "/dev/dri/foo", .tpm_socket = "/dev/test",
        .vnc_sasl_dir = field(r, "vnc_sasl_dir"), .vnc_auto_unix_socket = field(r, "vnc_auto_socket"),
        .spice_auto_unix_socket = field(r, "spice_auto_socket"),
    };
    guint pos = 0;
    GraphicsDef *g;
    while ((g = domain_next(d, DEVICE_GRAPHICS, &pos))) {
        if (g->type == GRAPHICS_SPICE && tri_is_yes(g->autoport)) {
            g->port = (OptI32){ 1, 5901 };
            g->tls_port = (OptI32){ 1, 5902 };
        }
    }
    static const char *const firmware[] = { "common/qemufirmwaredata/etc/qemu/firmware", "common/qemufirmwaredata/usr/share/qemu/firmware",
                                            NULL };
    QemuRun run = { .id = -1, .channel_dir = "/tmp/channel", .firmware_dirs = firmware };
    if (!qemu_prepare_run(d, r->caps, &run, err) || !qemu_cmdline_build(d, r->caps, &ctx, &argv, &env, err))
        return NULL;
    return json_answer(argv, env);
}

/* The number that the document of a running guest has. */
static int id_of(const char *xml)
{
    const char *root = strstr(xml, "<domain"), *end = root ? strchr(root, '>') : NULL, *id = root ? strstr(root, " id='") : NULL;
    return id && id < end ? atoi(id + strlen(" id='")) : 0;
}

static void set_gic(QemuCaps *c, const char *versions)
{
    if (!c->gic)
        c->gic = g_array_new(FALSE, TRUE, sizeof(QemuGic));
    for (unsigned v = 2; v <= 3; v++) {
        QemuGic g = { .version = v, .kernel = true };
        if (strchr(versions, (int)('0' + v)))
            g_array_append_val(c->gic, g);
    }
}

static char *convert(Request *r, GError **err)
{
    g_autofree char *xml = NULL;
    gsize len;
    const char *to = field(r, "to") ? field(r, "to") : "argv", *caps = field(r, "caps");
    QemuPolicyData data = {
        .lookup_caps = lookup_caps, .emulator = recorded_emulator_path, .opaque = r, .host_arch = "x86_64", .channel_dir = field(r, "define") ? NULL : "/tmp/channel", .spice_tls = !field(r, "no_spice_tls"),
        .host_audio = field(r, "host_audio"), .vnc_host_audio = field(r, "vnc_host_audio"),
        .nographics_host_audio = field(r, "nographics_host_audio"), .keep_hardware = !field(r, "define") && !field(r, "abi_update"),
    };
    if (!field(r, "xml") || !g_file_get_contents(field(r, "xml"), &xml, &len, err))
        return NULL;
    if (caps) {
        if (!(r->caps = qemu_caps_load_xml(caps, err)))
            return NULL;
        if (field(r, "flags"))
            recorded_set_flags(r->caps, field(r, "flags"));
        if (!field(r, "keep_aliases"))
            strip_machine_aliases(r->caps);
    } else if (field(r, "flags")) {
        r->caps = recorded_caps_of_flags(field(r, "arch") ? field(r, "arch") : "x86_64", field(r, "flags"));
    }
    if (r->caps && field(r, "gic"))
        set_gic(r->caps, field(r, "gic"));
    bool active = strcmp(to, "xml") != 0;
    g_autoptr(DomainDef) d = domain_parse(xml, len, active ? 0 : DOMAIN_PARSE_INACTIVE, &qemu_policy, &data, err);
    if (!d)
        return NULL;
    if (strcmp(to, "argv") == 0)
        return build_argv(r, d, err);
    if (strcmp(to, "memlock") == 0) {
        uint64_t limit = qemu_memlock_limit(d);
        return limit == MEMLOCK_UNLIMITED ? g_strdup("VIR_DOMAIN_MEMORY_PARAM_UNLIMITED") : g_strdup_printf("%" G_GUINT64_FORMAT, limit);
    }
    DomainFormatContext ctx = { .id = active ? id_of(xml) : 0 };
    return domain_format(d, (active ? 0 : DOMAIN_FORMAT_INACTIVE) | DOMAIN_FORMAT_SECURE, &ctx, err);
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    while ((n = getline(&line, &room, stdin)) > 0) {
        line[strcspn(line, "\n")] = '\0';
        Request r = { .fields = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free) };
        g_auto(GStrv) parts = g_strsplit(line, "\t", -1);
        for (char **p = parts; *p; p++) {
            char *eq = strchr(*p, '=');
            if (eq)
                g_hash_table_insert(r.fields, g_strndup(*p, (gsize)(eq - *p)), g_strdup(eq + 1));
        }
        g_autoptr(GError) err = NULL;
        g_autofree char *out = convert(&r, &err);
        if (out) {
            printf("ok %zu\n%s", strlen(out), out);
        } else {
            g_autofree char *text = error_text(err);
            printf("refused %d %zu\n%s", error_code(err), strlen(text), text);
        }
        fflush(stdout);
        g_clear_pointer(&r.caps, qemu_caps_unref);
        g_hash_table_unref(r.fields);
    }
    free(line);
    return 0;
}
