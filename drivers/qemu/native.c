/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A rehearsal of a start on paper (native.h): the same stages, with stand-ins for what only a start
 * has. Pure but for the firmware descriptors; any thread.
 */
#include "drivers/qemu/native.h"

#include <string.h>

#include "util/error.h"

enum { FIRST_FD = 3, FIRST_PORT = 5900 };

static int next_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    int *next = opaque;
    return (*next)++;
}

bool native_hidden_secret(void *opaque, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err)
{
    *ret_data = g_strdup("");
    *ret_iv = g_strdup("");
    return true;
}

static void number_ports(DomainDef *d)
{
    guint pos = 0;
    GraphicsDef *g;
    int32_t port = FIRST_PORT;
    while ((g = domain_next(d, DEVICE_GRAPHICS, &pos))) {
        if ((g->type == GRAPHICS_VNC || g->type == GRAPHICS_SPICE) && g->autoport != TRI_NO && (!g->port.set || g->port.v <= 0))
            g->port = (OptI32){ 1, port++ };
    }
}

static void append_quoted(GString *s, const char *word)
{
    bool plain = *word != '\0';
    for (const char *p = word; *p && plain; p++)
        plain = g_ascii_isalnum(*p) || strchr("-_=./:,+@%", *p);
    g_autofree char *quoted = plain ? g_strdup(word) : g_shell_quote(word);
    g_string_append(s, quoted);
}

static char *shell_text(const GPtrArray *env, const GPtrArray *argv, bool wrapped)
{
    const char *apart = wrapped ? " \\\n" : " ";
    GString *s = g_string_new(NULL);
    for (unsigned i = 0; i + 1 < env->len; i++) {
        const char *word = env->pdata[i], *value = strchr(word, '=') + 1;
        g_string_append_len(s, word, value - word); /* a quoted name would not be an assignment */
        append_quoted(s, value);
        g_string_append(s, apart);
    }
    bool option = false; /* the word before was one, and may have a value */
    for (unsigned i = 0; i + 1 < argv->len; i++) {
        const char *word = argv->pdata[i];
        if (i)
            g_string_append(s, option && *word != '-' ? " " : apart);
        append_quoted(s, word);
        option = *word == '-';
    }
    g_string_append_c(s, '\n');
    return g_string_free(s, FALSE);
}

char *qemu_native_argv(const char *xml, size_t len, const QemuPolicyData *policy, const QemuRun *run,
                       const QemuCmdlineContext *base, const char *lib, bool wrapped, GError **err)
{
    g_autoptr(DomainDef) d = domain_parse(xml, len, DOMAIN_PARSE_INACTIVE, &qemu_policy, (void *)policy, err);
    if (!d)
        return NULL;
    g_autoptr(QemuCaps) caps = policy->lookup_caps(policy->opaque, d->emulator, d->os.arch, enum_name(&virt_type_names, d->virt));
    if (!caps) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "emulator '%s' cannot be asked what it can do", d->emulator ? d->emulator : "(none)");
        return NULL;
    }
    if (!qemu_prepare_run(d, caps, run, err))
        return NULL;
    number_ports(d);

    int fd = FIRST_FD;
    g_autofree char *name = qemu_short_name(run->id, d->name), *leaf = g_strdup_printf("domain-%s", name);
    g_autofree char *dir = g_build_filename(lib, leaf, NULL), *monitor = g_build_filename(dir, "monitor.sock", NULL);
    g_autoptr(GPtrArray) argv = NULL, env = NULL;
    QemuCmdlineContext ctx = *base;
    ctx.id = run->id;
    ctx.lib_dir = dir;
    ctx.fd = next_fd;
    ctx.monitor_path = wrapped ? NULL : monitor;
    ctx.secret = native_hidden_secret;
    ctx.opaque = &fd;
    return qemu_cmdline_build(d, caps, &ctx, &argv, &env, err) ? shell_text(env, argv, wrapped) : NULL;
}
