/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Host resources of a start. Descriptor numbers in the child begin at 20, far from those that the
 * launcher uses itself. A port is reserved in our table before it is tried with bind(), so that two
 * starts at once never choose the same; the emulator binds it again a moment later.
 */
#include "drivers/qemu/resources.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/fd_groups.h"
#include "drivers/qemu/net_device.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/secrets.h"
#include "drivers/qemu/unix_path.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/paths.h"

enum { FIRST_TARGET = 20, CHILD_FDS_MAX = 256, LISTEN_BACKLOG = 1 };

static struct {
    Lock lock;
    int owner[65536]; /* id of the run, plus 1 */
} ports = { .lock = LOCK_INIT };

typedef struct KeptFd {
    const Device *dev;
    int fd;
} KeptFd;

void resources_init(Resources *r, Guest *guest)
{
    *r = (Resources){ .monitor_fd = -1, .next_target = FIRST_TARGET, .guest = guest };
    r->fds = g_array_new(false, true, sizeof(SpawnFd));
    r->kept = g_array_new(false, true, sizeof(KeptFd));
}

bool resources_secret(void *opaque, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err)
{
    return secrets_encrypt(((Resources *)opaque)->secrets, ref, alias, ret_data, ret_iv, err);
}

void resources_keep_fd(Resources *r, const Device *dev, int fd)
{
    KeptFd k = { dev, fd };

    g_array_append_val(r->kept, k);
}

static int take_kept(Resources *r, const Device *dev, GError **err)
{
    for (unsigned i = 0; i < r->kept->len; i++) {
        KeptFd *k = &g_array_index(r->kept, KeptFd, i);
        if (k->dev == dev && k->fd >= 0)
            return fd_take(&k->fd);
    }
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "the helper of '%s' can be started with its guest only", dev->info.alias);
    return -1;
}

static int give(Resources *r, int fd)
{
    SpawnFd s = { .fd = fd, .target = r->next_target++ };

    g_array_append_val(r->fds, s);
    return s.target;
}

static bool room_for(const Resources *r, unsigned n, GError **err)
{
    if (r->fds->len + n <= CHILD_FDS_MAX)
        return true;
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "the guest needs more than %d descriptors", CHILD_FDS_MAX);
    return false;
}

bool resources_fd_group(void *opaque, const char *name, GArray *fds, GError **err)
{
    Resources *r = opaque;

    if (!fd_groups_copy(r->guest, name, fds, err))
        return false;
    /* Those are in no other hands yet. */
    for (unsigned i = 0; i < fds->len; i++)
        g_array_index(fds, int, i) = give(r, g_array_index(fds, int, i));
    return room_for(r, 0, err);
}

/* Descriptors by role ------------------------------------------------------------------------ */

static int open_log(const char *path, bool append, GError **err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0600);

    if (fd < 0)
        error_set_errno(err, errno, "cannot open '%s' for the output of a character device", path);
    return fd;
}

/* Sockets of channels are in a directory of their own per run, below ours. */
static bool make_parent(const char *path, GError **err)
{
    g_autofree char *dir = path ? g_path_get_dirname(path) : NULL;
    return !dir || !g_str_has_prefix(dir, qemu.lib) || path_make_dir(dir, 0755, err);
}

bool resources_can(QemuFdRole role)
{
    static const bool can[_QEMU_FD_ROLE_N] = {
        [QEMU_FD_MONITOR] = true, [QEMU_FD_CHR_FILE] = true, [QEMU_FD_CHR_LOG] = true,
        [QEMU_FD_CHR_LISTEN] = true, [QEMU_FD_TAP] = true, [QEMU_FD_VHOST_NET] = true,
        [QEMU_FD_SLIRP] = true,
    };
    return role < _QEMU_FD_ROLE_N && can[role];
}

int resources_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    Resources *r = opaque;
    const ChrSource *src = dev ? qemu_chr_source(dev) : NULL;
    int fd = -1;

    if (!resources_can(role)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "a <%s> of this kind cannot be started yet",
                  dev ? device_kind_element(dev->kind) : "device");
        return -1;
    }
    if (!room_for(r, 1, err))
        return -1;
    switch (role) {
    case QEMU_FD_MONITOR:
        fd = fcntl(r->monitor_fd, F_DUPFD_CLOEXEC, 3);
        if (fd < 0)
            error_set_errno(err, errno, "cannot duplicate the monitor's socket");
        break;
    case QEMU_FD_CHR_FILE:
        fd = open_log(src->path, src->append == TRI_YES, err);
        break;
    case QEMU_FD_CHR_LOG:
        fd = open_log(src->log_file, src->log_append == TRI_YES, err);
        break;
    case QEMU_FD_CHR_LISTEN:
        if (!make_parent(src->path, err))
            return -1;
        fd = unix_path_listen(src->path, 0666, LISTEN_BACKLOG, err);
        break;
    case QEMU_FD_TAP:
        fd = net_device_open((NetDef *)dev, index, err); /* the definition is this start's own copy */
        break;
    case QEMU_FD_VHOST_NET:
        fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
        if (fd < 0)
            error_set_errno(err, errno, "cannot open '/dev/vhost-net'");
        break;
    case QEMU_FD_SLIRP:
        fd = take_kept(r, dev, err);
        break;
    default:
        break; /* refused above */
    }
    return fd < 0 ? -1 : give(r, fd);
}

/* Ports -------------------------------------------------------------------------------------- */

static bool port_take(uint32_t port, int id)
{
    LOCK_SCOPE(&ports.lock);
    bool is_free = ports.owner[port] == 0;

    if (is_free)
        ports.owner[port] = id + 1;
    return is_free;
}

static void port_free(uint32_t port, int id)
{
    LOCK_SCOPE(&ports.lock);
    if (ports.owner[port] == id + 1)
        ports.owner[port] = 0;
}

static bool port_bindable(uint32_t port)
{
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    auto_fd s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;

    if (s < 0)
        return false;
    (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    return bind(s, (struct sockaddr *)&a, sizeof(a)) == 0;
}

bool resources_port_free(uint32_t port, int id)
{
    if (port == 0 || port >= 65536 || !port_take(port, id))
        return false;
    bool ok = port_bindable(port);
    port_free(port, id);
    return ok;
}

static bool reserve_port(int id, uint32_t *ret, GError **err)
{
    uint32_t min = (uint32_t)qemu.config->remote_display_port_min,
             max = (uint32_t)qemu.config->remote_display_port_max;

    for (uint32_t p = min; p <= max && p < 65536; p++) {
        if (!port_take(p, id))
            continue;
        if (port_bindable(p)) {
            *ret = p;
            return true;
        }
        port_free(p, id);
    }
    error_set(err, VIR_ERR_INTERNAL_ERROR, "no free display port between %u and %u", min, max);
    return false;
}

static bool listens_on_address(const GraphicsDef *g)
{
    if (!g->listens || !g->listens->len)
        return true;
    const GraphicsListen *l = g->listens->pdata[0];
    return l->type == LISTEN_ADDRESS || l->type == LISTEN_NETWORK;
}

/* Who looks at a running guest sees where its display is. */
static void listen_where_configured(GraphicsDef *g)
{
    GraphicsListen *l = list_len(g->listens) ? list_at(g->listens, 0) : NULL;

    if (!l || l->type != LISTEN_ADDRESS || l->address)
        return;
    l->address =
        g_strdup(g->type == GRAPHICS_VNC ? qemu.config->vnc_listen : qemu.config->spice_listen);
    l->auto_address = 1;
}

/* A port that the document names is the guest's while nobody else has it: then the emulator says that
 * it is taken. */
static void mark_ports(const DomainDef *def, int id, bool on)
{
    GraphicsDef *g;

    for (guint i = 0; (g = domain_next(def, DEVICE_GRAPHICS, &i));) {
        if (!g->port.set || g->port.v <= 0 || g->port.v >= 65536)
            continue;
        if (on)
            (void)port_take((uint32_t)g->port.v, id);
        else
            port_free((uint32_t)g->port.v, id);
    }
}

void resources_free_ports(const DomainDef *def, int id)
{
    mark_ports(def, id, false);
}
void resources_note_ports(const DomainDef *def, int id)
{
    mark_ports(def, id, true);
}

bool resources_assign_ports(DomainDef *def, int id, GError **err)
{
    GraphicsDef *g;
    uint32_t port;

    for (guint i = 0; (g = domain_next(def, DEVICE_GRAPHICS, &i));) {
        if ((g->type != GRAPHICS_VNC && g->type != GRAPHICS_SPICE) || !listens_on_address(g))
            continue;
        listen_where_configured(g);
        if (g->autoport != TRI_NO && (!g->port.set || g->port.v <= 0)) {
            if (!reserve_port(id, &port, err))
                return false;
            g->port.v = (int32_t)port;
            g->port.set = 1;
        }
    }
    resources_note_ports(def, id);
    return true;
}

void resources_close_fds(Resources *r)
{
    for (unsigned i = 0; i < r->fds->len; i++)
        fd_close(&g_array_index(r->fds, SpawnFd, i).fd);
}

void resources_remove_socket(const char *path)
{
    g_autofree char *dir = g_path_get_dirname(path),
                    *channels = g_build_filename(qemu.lib, "channel", "target", "", NULL);

    (void)unlink(path);
    if (g_str_has_prefix(dir, channels))
        (void)rmdir(dir); /* not while others are in it */
}

void resources_release(Resources *r)
{
    resources_close_fds(r);
    r->secrets = secrets_free(r->secrets);
    g_array_unref(r->fds);
    for (unsigned i = 0; i < r->kept->len; i++)
        fd_close(&g_array_index(r->kept, KeptFd, i).fd);
    g_array_unref(r->kept);
}
