/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The domain's side of hotplug (plug_turn.h). The turn's own copy of the live definition is what changes; it
 * becomes the domain's at commit. When a call fails after the guest has changed all the same, the turn is
 * committed as far as it got, since the truth is told first. Workers, within the turn.
 */
#define LOG_SOURCE "qemu.plug"
#include "drivers/qemu/net_device.h"
#include "drivers/qemu/plug_turn.h"

#include <string.h>

#include "drivers/common/emit.h"
#include "drivers/qemu/bandwidth.h"
#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/image_chain.h"
#include "drivers/qemu/plug_live.h"
#include "drivers/qemu/plug_run.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/private_dev.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/resources.h"
#include "drivers/qemu/secrets.h"
#include "drivers/qemu/security.h"
#include "drivers/qemu/volumes.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum { GRACE = 5 * 1000000 };

typedef struct Change {
    PlugLive live;
    DomainTurn *t;
    QemuCaps *caps;
    Qmp *mon;
    QemuCmdlineContext ctx;
    Resources res;
    char *channels;
    unsigned node, first_node;
    int dev; /* the guest's own /dev; -1: it has the host's */
} Change;

/* ---- what the parts ask ---------------------------------------------------------------------------- */

/* Descriptors go over the monitor: what counts is ours, not the number in a child. */
static int open_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    Change *c = opaque;

    if (resources_fd(&c->res, role, dev, index, err) < 0)
        return -1;
    return g_array_index(c->res.fds, SpawnFd, c->res.fds->len - 1).fd;
}

static bool open_group(void *opaque, const char *name, GArray *fds, GError **err)
{
    Change *c = opaque;
    unsigned before = c->res.fds->len;

    if (!resources_fd_group(&c->res, name, fds, err))
        return false;
    for (unsigned i = 0; i < fds->len; i++)
        g_array_index(fds, int, i) = g_array_index(c->res.fds, SpawnFd, before + i).fd;
    return true;
}

static bool encrypt(void *opaque, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err)
{
    return secrets_encrypt(((Change *)opaque)->res.secrets, ref, alias, ret_data, ret_iv, err);
}

static bool next_fdset(void *opaque, unsigned *ret, GError **err)
{
    return plug_next_fdset(((Change *)opaque)->mon, ret, err);
}

static bool find(void *opaque, Device *dev, GError **err)
{
    Change *c = opaque;
    Creds as;

    if (dev->kind == DEVICE_DISK) {
        security_creds(c->live.def, &as);
        if (!volumes_find_disk((DiskDef *)dev, turn_call(c->t), err) || !images_resolve_disk((DiskDef *)dev, &as, err))
            return false;
    }
    return secrets_fetch_device(c->res.secrets, dev, err); /* a pool's among them */
}

/* On record is the guest with the device, or a medium beside the drive that it is for: whoever comes after us, when
 * we are killed, sees whether the emulator has it, and gives back what was lent for it. */
static bool lend(void *opaque, Device *dev, GError **err)
{
    Change *c = opaque;
    QemuStatus *s = qemu_status_copy(view_status(turn_view(c->t)));
    bool named;

    g_strfreev(s->lent);
    s->lent = security_files(c->live.def, dev, c->dev);
    s->last_node = MAX(s->last_node, c->node);
    g_free(s->medium);
    bool medium = !g_ptr_array_find(c->live.def->devices, dev, NULL);
    s->medium = medium ? device_format(dev, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_STATUS, err) : NULL;
    bool ok = (!medium || s->medium) && (dev->kind != DEVICE_INTERFACE || net_device_choose_name((NetDef *)dev, &named, err)) &&
              turn_note_status(c->t, &s->base, err) && security_lend_device(c->live.def, dev, c->dev, err);
    driver_status_unref(&s->base);
    return ok;
}

/* A file that another device of the guest uses as well stays the guest's. */
static bool used_elsewhere(const DomainDef *d, const Device *dev)
{
    const DiskDef *o;
    const char *path = dev->kind == DEVICE_DISK ? ((const DiskDef *)dev)->src.path : NULL;

    for (guint i = 0; path && (o = domain_next(d, DEVICE_DISK, &i));)
        for (const StorageSource *s = &o->src; s; s = s->backing)
            if (&o->dev != dev && g_strcmp0(o->dst, ((const DiskDef *)dev)->dst) != 0 && g_strcmp0(s->path, path) == 0)
                return true;
    return false;
}

static void give_back(void *opaque, const Device *dev)
{
    const Change *c = opaque;

    if (!used_elsewhere(c->live.def, dev))
        security_return_device(c->live.def, dev, c->dev);
    if (dev->kind == DEVICE_INTERFACE)
        net_device_remove((const NetDef *)dev);
    const ChrSource *src = qemu_chr_source(dev);

    if (src && src->type == CHR_UNIX && src->listen && src->path)
        resources_remove_socket(src->path);
}

static bool set_up(void *opaque, const Device *dev, GError **err)
{
    const NetDef *n = (const NetDef *)dev;

    return dev->kind != DEVICE_INTERFACE || !n->bandwidth || !n->ifname || !bandwidth_possible(n) ||
           bandwidth_set(n->ifname, n->bandwidth, err);
}

static void added(void *opaque, const Device *dev)
{
    if (dev->info.alias && dev->kind != DEVICE_LEASE)
        emit_device_added(((Change *)opaque)->t, dev->info.alias);
}

static void removed(void *opaque, const Device *dev)
{
    if (dev->info.alias && dev->kind != DEVICE_LEASE)
        emit_device_removed(((Change *)opaque)->t, dev->info.alias);
}

/* ---- the change ------------------------------------------------------------------------------------ */

/* Numbers of block nodes are not used twice in a run: a node whose removal failed may still be there. */
static unsigned last_node(const DomainView *v)
{
    unsigned last = view_status(v)->last_node;
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(v->live->def, DEVICE_DISK, &i));)
        for (const StorageSource *s = &disk->src; s; s = s->backing)
            last = MAX(last, s->index);
    return last;
}

static bool begin(Change *c, DomainTurn *t, GError **err)
{
    const DomainView *v = turn_view(t);

    *c = (Change){ .t = t, .dev = private_dev_open(view_status(v), err) };
    if (c->dev == -2)
        return false;
    c->mon = guest_qmp(turn_driver_data(t), err);
    c->caps = c->mon ? qemu_caps_get(v->live->def->emulator, err) : NULL;
    if (!c->caps) {
        g_clear_pointer(&c->mon, qmp_unref);
        fd_close(&c->dev);
        return false;
    }
    resources_init(&c->res, turn_driver_data(t));
    c->res.secrets = secrets_new(turn_call(t), view_status(v)->lib_dir);
    c->channels = g_build_filename(qemu.lib, "channel", "target", NULL);
    c->ctx = (QemuCmdlineContext){ .id = v->id,
                                   .lib_dir = view_status(v)->lib_dir,
                                   .fd = open_fd,
                                   .fd_group = open_group,
                                   .secret = encrypt,
                                   .next_fdset = next_fdset,
                                   .opaque = c };
    qemu_config_cmdline(qemu.config, &c->ctx);
    c->node = c->first_node = last_node(v);
    c->live = (PlugLive){ .def = turn_edit_live(t),
                          .caps = c->caps,
                          .mon = c->mon,
                          .ctx = &c->ctx,
                          .policy = &qemu_policy,
                          .policy_data = &qemu.stored_policy,
                          .channel_dir = c->channels,
                          .next_node = &c->node,
                          .grace = GRACE,
                          .find = find,
                          .lend = lend,
                          .set_up = set_up,
                          .give_back = give_back,
                          .set_rate = bandwidth_set,
                          .move_bridge = net_device_move_bridge,
                          .added = added,
                          .removed = removed,
                          .opaque = c };
    return true;
}

static bool end(Change *c, bool ok)
{
    if (c->node != c->first_node) {
        QemuStatus *s = qemu_status_copy(view_status(turn_view(c->t)));
        s->last_node = c->node;
        turn_set_status(c->t, &s->base);
    }
    /* At once: whether the definition for the next start can be written changes nothing about the guest. */
    if (ok || c->live.partial) {
        g_autoptr(GError) error = NULL;
        if (!turn_checkpoint(c->t, &error))
            log_error("a change of '%s' cannot be recorded: %s", turn_view(c->t)->name, error->message);
    }
    resources_release(&c->res);
    qemu_caps_unref(c->caps);
    qmp_unref(c->mon);
    fd_close(&c->dev);
    g_free(c->channels);
    return ok;
}

bool plug_turn_attach(DomainTurn *t, Device *take, GError **err)
{
    g_autoptr(Device) raw = take;
    Change c;

    return begin(&c, t, err) && end(&c, plug_live_attach(&c.live, g_steal_pointer(&raw), err));
}

bool plug_turn_detach(DomainTurn *t, const Device *like, GError **err)
{
    Change c;

    return begin(&c, t, err) && end(&c, plug_live_detach(&c.live, like, err));
}

bool plug_turn_detach_alias(DomainTurn *t, const char *alias, GError **err)
{
    Change c;

    return begin(&c, t, err) && end(&c, plug_live_detach_alias(&c.live, alias, err));
}

bool plug_turn_update(DomainTurn *t, Device *take, bool force, GError **err)
{
    g_autoptr(Device) raw = take;
    Change c;

    return begin(&c, t, err) && end(&c, plug_live_update(&c.live, g_steal_pointer(&raw), force, err));
}

/* ---- what the emulator tells ----------------------------------------------------------------------- */

/* The emulator is asked first, so that a name that is in use again is left alone, and a guest that lost nothing
 * costs one question and no change of its record. */
static bool look(DomainTurn *t, const char *alias, GError **err)
{
    static char *const nothing[] = { NULL };
    const DomainDef *def = turn_view(t)->live->def;
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    g_auto(GStrv) there = NULL;
    Change c;

    if (!plug_live_misses(def, nothing))
        return true; /* it has nothing that it could lose */
    if (!q || !qmp_device_list(q, &there, err))
        return false;
    if (!plug_live_misses(def, there))
        return true;
    if (!begin(&c, t, err))
        return false;
    plug_live_gone(&c.live, alias, there);
    return end(&c, true);
}

static void gone(DomainTurn *t, const char *alias)
{
    g_autoptr(GError) error = NULL;

    if (alias && !domain_find_alias(turn_view(t)->live->def, alias))
        return; /* the call that asked for it was there first */
    if (!look(t, alias, &error))
        log_warn("cannot see which devices '%s' still has: %s", turn_view(t)->name, error->message);
}

void plug_turn_event(DomainTurn *t, const MonEvent *e)
{
    switch (e->kind) {
    case MON_DEVICE_DELETED:
        if (e->device.alias)
            gone(t, e->device.alias);
        break;
    case MON_DEVICE_UNPLUG_ERROR:
        if (e->device.alias)
            emit_device_removal_failed(t, e->device.alias);
        break;
    default:
        break;
    }
}

static bool look_at_media(DomainTurn *t, GError **err)
{
    const DomainView *v = turn_view(t);
    const char *medium = view_status(v)->medium;
    g_autoptr(Device) coming = NULL;
    Change c;

    if (!plug_media_possible(v->live->def))
        return true;
    if (medium && !(coming = device_parse(medium, strlen(medium), DOMAIN_PARSE_STATUS | DOMAIN_PARSE_NO_DEFAULTS | DOMAIN_PARSE_NO_VALIDATE,
                                          NULL, NULL, NULL, err)))
        return false;
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    g_autoptr(GArray) blocks = q ? qmp_query_block(q, err) : NULL;
    if (!blocks)
        return false;
    if (!coming && !plug_media_differ(v->live->def, blocks))
        return true;
    if (!begin(&c, t, err))
        return false;
    plug_media_settle(&c.live, blocks, coming);
    QemuStatus *s = qemu_status_copy(view_status(turn_view(t)));
    g_clear_pointer(&s->medium, g_free);
    turn_set_status(t, &s->base);
    return end(&c, true);
}

void plug_turn_look(DomainTurn *t)
{
    g_autoptr(GError) error = NULL;

    gone(t, NULL);
    if (!look_at_media(t, &error))
        log_warn("cannot see what is in the drives of '%s': %s", turn_view(t)->name, error->message);
}
