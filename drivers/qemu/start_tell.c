/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What `modvirt plan` says of the steps: what each would do, and what on this host would make it fail.
 * Nothing is made, opened for writing or reserved. One thread.
 */
#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/fd_groups.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/memlock.h"
#include "drivers/qemu/native.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/security.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

static void say(GPtrArray *lines, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
static void say(GPtrArray *lines, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_ptr_array_add(lines, g_strdup_vprintf(fmt, ap));
    va_end(ap);
}

/* Can files be made here, or, where it is missing, in the first directory above that is there? */
static bool check_writable(const char *dir, GError **err)
{
    g_autofree char *at = g_strdup(dir), *why = NULL;
    Creds self = { .self = true, .uid = geteuid(), .gid = getegid() };

    while (access(at, F_OK) < 0 && errno == ENOENT && strcmp(at, "/") != 0) {
        char *up = g_path_get_dirname(at);
        g_free(at);
        at = up;
    }
    int errnum = access_as(&self, at, W_OK, &why);
    if (errnum == 0)
        return true;
    error_set_errno(err, errnum, "cannot make files in '%s'", at);
    return false;
}

void start_tell_definition(const Start *s, GPtrArray *lines)
{
    Creds creds;

    security_creds(s->def, &creds);
    say(lines, "run %s for a guest of type '%s', machine '%s'", s->def->emulator,
        enum_name(&virt_type_names, s->def->virt),
        s->def->os.machine ? s->def->os.machine : "none");
    say(lines, "as user %u, group %u", (unsigned)creds.uid, (unsigned)creds.gid);
}

void start_tell_images(const Start *s, GPtrArray *lines)
{
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(s->def, DEVICE_DISK, &i));) {
        g_autoptr(GString) t = g_string_new(NULL);
        for (const StorageSource *l = &disk->src; l && l->path; l = l->backing)
            g_string_append_printf(t, "%s'%s' (%s)", t->len ? " on " : "", l->path,
                                   l->format ? enum_name(&storage_format_names, l->format) : "raw");
        say(lines, "disk %s: %s", disk->dst,
            t->len                              ? t->str
            : disk->src.type == STORAGE_NETWORK ? "over the network"
            : disk->src.type == STORAGE_VOLUME  ? "not known"
                                                : "empty");
    }
}

void start_tell_record(const Start *s, GPtrArray *lines)
{
    say(lines,
        "write '%s/%s.xml' and a marker, so that a daemon that is killed leaves nothing behind",
        qemu.run, s->def->name);
}

bool start_check_record(const Start *s, GError **err)
{
    (void)s;
    return check_writable(qemu.run, err);
}

void start_tell_directories(const Start *s, GPtrArray *lines)
{
    say(lines,
        "make a private directory below '%s', with the monitor's socket and a key for secrets",
        qemu.lib);
    if (s->def->backing && s->def->backing->source == MEM_SOURCE_FILE)
        say(lines, "and one for memory below '%s'", qemu.config->memory_backing_dir);
}

bool start_check_directories(const Start *s, GError **err)
{
    (void)s;
    return check_writable(qemu.lib, err);
}

void start_tell_nvram(const Start *s, GPtrArray *lines)
{
    if (!qemu_firmware_needs_nvram(s->def))
        return;
    g_autofree char *templ = qemu_firmware_template(s->def);
    say(lines, "make '%s' from '%s'", s->def->os.nvram->path, templ ? templ : "nothing");
}

bool start_check_nvram(const Start *s, GError **err)
{
    if (!qemu_firmware_needs_nvram(s->def))
        return true;
    g_autofree char *templ = qemu_firmware_template(s->def),
                    *dir = g_path_get_dirname(s->def->os.nvram->path);
    if (!templ || access(templ, R_OK) < 0) {
        error_set(err, VIR_ERR_OPERATION_FAILED,
                  "os/nvram: '%s' does not exist, and its template '%s' cannot be read",
                  s->def->os.nvram->path, templ ? templ : "(none)");
        return false;
    }
    return check_writable(dir, err);
}

/* Displays with a port that the document fixes, in turn. */
static const GraphicsDef *next_port(const Start *s, guint *pos, bool *fixed)
{
    const GraphicsDef *g;

    while ((g = domain_next(s->def, DEVICE_GRAPHICS, pos))) {
        const GraphicsListen *l = list_len(g->listens) ? list_at(g->listens, 0) : NULL;
        *fixed = g->port.set && g->port.v > 0;
        if ((g->type == GRAPHICS_VNC || g->type == GRAPHICS_SPICE) &&
            (!l || l->type == LISTEN_ADDRESS || l->type == LISTEN_NETWORK))
            return g;
    }
    return NULL;
}

void start_tell_ports(const Start *s, GPtrArray *lines)
{
    const GraphicsDef *g;
    bool fixed;

    for (guint i = 0; (g = next_port(s, &i, &fixed));) {
        const char *type = g->type == GRAPHICS_VNC ? "vnc" : "spice";
        if (fixed)
            say(lines, "%s: port %d", type, g->port.v);
        else
            say(lines, "%s: the first free port from %d on", type,
                (int)qemu.config->remote_display_port_min);
    }
}

bool start_check_ports(const Start *s, GError **err)
{
    const GraphicsDef *g;
    bool fixed;

    for (guint i = 0; (g = next_port(s, &i, &fixed));) {
        if (!fixed || resources_port_free((uint32_t)g->port.v, s->status->id))
            continue;
        error_set(err, VIR_ERR_OPERATION_FAILED, "display port %d is taken", g->port.v);
        return false;
    }
    return true;
}

typedef struct Counter {
    int next;
    Guest *guest;
} Counter;

/* Numbers instead of descriptors; what a start cannot open is refused here as there. */
static int count_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    Counter *c = opaque;
    (void)index;

    if (resources_can(role))
        return c->next++;
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "a <%s> of this kind cannot be started yet",
              dev ? device_kind_element(dev->kind) : "device");
    return -1;
}

static bool count_group(void *opaque, const char *name, GArray *fds, GError **err)
{
    Counter *c = opaque;

    if (!c->guest) /* nobody can have given any */
        c->next++;
    else if (!fd_groups_copy(c->guest, name, fds, err))
        return false;
    for (unsigned i = 0; i < fds->len; i++) {
        fd_close(&g_array_index(fds, int, i));
        g_array_index(fds, int, i) = c->next++;
    }
    return true;
}

static bool rehearse(const Start *s, GPtrArray **ret_argv, int *ret_fds, GError **err)
{
    g_autoptr(GPtrArray) env = NULL;
    QemuCmdlineContext ctx = s->ctx;
    Counter counter = { .guest = s->g };

    qemu_config_cmdline(qemu.config, &ctx);
    ctx.id = s->status->id;
    ctx.lib_dir = s->status->lib_dir;
    ctx.fd = count_fd;
    ctx.fd_group = count_group;
    ctx.secret = native_hidden_secret;
    ctx.opaque = &counter;
    bool ok = qemu_cmdline_build(s->def, s->caps, &ctx, ret_argv, &env, err);
    *ret_fds = counter.next;
    return ok;
}

void start_tell_command_line(const Start *s, GPtrArray *lines)
{
    g_autoptr(GPtrArray) argv = NULL;
    const NetDef *net;
    int fds;

    if (!rehearse(s, &argv, &fds, NULL))
        return;
    say(lines,
        "hand over %d descriptors and %u arguments (modvirt convert --to qemu-argv shows them)",
        fds, argv->len - 1);
    for (guint i = 0; (net = domain_next(s->def, DEVICE_INTERFACE, &i));)
        if (net->type == NET_BRIDGE)
            say(lines, "make a tap interface on bridge '%s'", net->src.bridge);
    for (unsigned i = 0; i < list_len(s->def->devices); i++) {
        const ChrSource *src = qemu_chr_source(list_at(s->def->devices, i));
        if (src && src->type == CHR_UNIX && src->listen && src->path)
            say(lines, "listen on '%s'", src->path);
    }
}

bool start_check_command_line(const Start *s, GError **err)
{
    g_autoptr(GPtrArray) argv = NULL;
    const NetDef *net;
    int fds;

    for (guint i = 0; (net = domain_next(s->def, DEVICE_INTERFACE, &i));) {
        if (net->type != NET_BRIDGE || if_nametoindex(net->src.bridge) != 0)
            continue;
        error_set(err, VIR_ERR_OPERATION_FAILED, "there is no bridge '%s'", net->src.bridge);
        return false;
    }
    return rehearse(s, &argv, &fds, err);
}

void start_tell_launch(const Start *s, GPtrArray *lines)
{
    uint64_t lock = qemu_memlock_limit(s->def);

    if (!paths()->session && qemu.config->clear_emulator_capabilities)
        say(lines, "without capabilities");
    if (qemu.config->seccomp_sandbox != 0)
        say(lines, "under the emulator's filter of system calls");
    if (lock)
        say(lines, "with %" G_GUINT64_FORMAT " KiB of memory that may be locked",
            (guint64)lock / 1024);
}

bool start_check_launch(const Start *s, GError **err)
{
    g_autofree char *why = NULL;
    Creds creds;

    security_creds(s->def, &creds);
    int errnum = access_as(&creds, s->def->emulator, X_OK, &why);
    if (errnum == 0)
        return true;
    error_set_errno(err, errnum, "cannot execute '%s'", s->def->emulator);
    access_explain(err, why);
    return false;
}
