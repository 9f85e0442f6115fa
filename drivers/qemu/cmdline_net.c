/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Interfaces: host side (-netdev) and guest side (-device). Descriptors of taps and vhost come from
 * the context, one for each queue.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

static bool is_virtio(const NetDef *n)
{
    return n->model && g_str_has_prefix(n->model, "virtio");
}

static const char *net_alias(const NetDef *n) { return n->dev.info.alias; }

/* "3:4:5", or "3" for one queue. */
static char *fd_list(Cmd *c, QemuFdRole role, const NetDef *n, unsigned queues, GError **err)
{
    GString *s = g_string_new(NULL);
    for (unsigned i = 0; i < queues; i++) {
        g_autofree char *fd = cmd_fd_word(c, role, &n->dev, i, err);
        if (!fd) {
            g_string_free(s, TRUE);
            return NULL;
        }
        g_string_append_printf(s, "%s%s", i ? ":" : "", fd);
    }
    return g_string_free(s, FALSE);
}

static JsonObject *tap_props(Cmd *c, const NetDef *n, GError **err)
{
    unsigned queues = n->queues ? n->queues : 1;
    bool vhost = is_virtio(n) && (n->driver == NET_DRIVER_VHOST ||
                                  (n->driver == NET_DRIVER_DEFAULT && c->def->virt == VIRT_KVM && c->ctx->vhost_net));
    g_autofree char *fds = fd_list(c, QEMU_FD_TAP, n, queues, err);
    if (!fds)
        return NULL;
    JsonObject *o = props_new(P_STR("type", "tap"), P_STR(queues > 1 ? "fds" : "fd", fds));
    if (vhost) {
        g_autofree char *vhosts = fd_list(c, QEMU_FD_VHOST_NET, n, queues, err);
        if (!vhosts) {
            json_put_(o);
            return NULL;
        }
        props_add(o, P_BOOL("vhost", true), P_STR(queues > 1 ? "vhostfds" : "vhostfd", vhosts));
    }
    props_add(o, P_UINT_NZ("sndbuf", n->sndbuf));
    return o;
}

static JsonObject *user_props(const NetDef *n)
{
    JsonObject *o = props_new(P_STR("type", "user"));
    for (unsigned i = 0; i < list_len(n->ips); i++) {
        const NetIp *ip = list_at(n->ips, i);
        if (ip->family == IP_FAMILY_IPV6) {
            props_add(o, P_STR("ipv6-prefix", ip->address), P_OPT("ipv6-prefixlen", ip->prefix));
        } else {
            g_autofree char *net = ip->prefix.set ? g_strdup_printf("%s/%u", ip->address, ip->prefix.v) : g_strdup(ip->address);
            props_add(o, P_STR("net", net));
        }
    }
    return o;
}

/* The emulator's end of a pair of sockets. */
static JsonObject *passt_props(Cmd *c, const NetDef *n, GError **err)
{
    g_autofree char *fd = cmd_fd_word(c, QEMU_FD_SLIRP, &n->dev, 0, err);

    if (!fd)
        return NULL;
    return props_new(P_STR("type", "stream"), P_BOOL("server", false),
                     P_OBJ("addr", props_new(P_STR("type", "fd"), P_STR("str", fd))));
}

static JsonObject *netdev_props(Cmd *c, const NetDef *n, GError **err)
{
    g_autofree char *at = g_strdup_printf("%s:%u", n->src.address ? n->src.address : "", n->src.port);
    switch (n->type) {
    case NET_USER:
        if (n->backend == NET_BACKEND_PASST)
            return passt_props(c, n, err);
        if (list_len(n->port_forwards)) {
            (void)qemu_refuse(err, "interface '%s': portForward needs the passt backend", net_alias(n));
            return NULL;
        }
        return user_props(n);
    case NET_ETHERNET: case NET_BRIDGE: case NET_NETWORK: case NET_DIRECT:
        return tap_props(c, n, err);
    case NET_SERVER: return props_new(P_STR("type", "socket"), P_STR("listen", at));
    case NET_CLIENT: return props_new(P_STR("type", "socket"), P_STR("connect", at));
    case NET_MCAST: return props_new(P_STR("type", "socket"), P_STR("mcast", at));
    case NET_UDP: {
        g_autofree char *local = g_strdup_printf("%s:%u", n->src.local_address ? n->src.local_address : "", n->src.local_port);
        return props_new(P_STR("type", "socket"), P_STR("udp", at), P_STR("localaddr", local));
    }
    case NET_VHOSTUSER: {
        g_autofree char *chr = g_strdup_printf("char%s", net_alias(n));
        return props_new(P_STR("type", "vhost-user"), P_STR("chardev", chr), P_UINT_IF("queues", n->queues > 1, n->queues));
    }
    case NET_VDPA: {
        g_autofree char *opaque = g_strdup_printf("%s-vdpa", net_alias(n));
        g_autofree char *path = cmd_fd_set(c, QEMU_FD_VDPA, &n->dev, opaque, err);
        if (!path)
            return NULL;
        return props_new(P_STR("type", "vhost-vdpa"), P_STR("vhostdev", path), P_UINT_IF("queues", n->queues > 1, n->queues));
    }
    case NET_INTERNAL: case NET_HOSTDEV: case NET_NULL: case NET_VDS: case _NET_TYPE_N:
        break;
    }
    (void)qemu_refuse(err, "interface '%s': type '%s' is not supported", net_alias(n), enum_name(&net_type_names, n->type));
    return NULL;
}

static JsonObject *device_props(Cmd *c, const NetDef *n, GError **err)
{
    g_autoptr(JsonObject) o = NULL;
    bool virtio = is_virtio(n);
    if (virtio) {
        VirtioModel model = strcmp(n->model, "virtio-transitional") == 0 ? VIRTIO_MODEL_TRANSITIONAL
                            : strcmp(n->model, "virtio-non-transitional") == 0 ? VIRTIO_MODEL_NON_TRANSITIONAL : VIRTIO_MODEL_DEFAULT;
        o = cmd_virtio(c, "virtio-net", &n->dev.info, model, &n->virtio, err);
    } else {
        o = props_new(P_STR("driver", n->model && strcmp(n->model, "netfront") == 0 ? "xen" : n->model));
    }
    if (!o)
        return NULL;
    if (virtio) {
        bool mq = n->queues > 1;
        bool ccw = n->dev.info.address.type == ADDRESS_CCW;
        props_add(o, P_STR("tx", n->txmode == NET_TX_IOTHREAD ? "bh" : n->txmode == NET_TX_TIMER ? "timer" : NULL),
                  P_TRI("ioeventfd", n->ioeventfd), P_TRI("event_idx", n->event_idx), P_TRI("csum", n->host.csum),
                  P_TRI("gso", n->host.gso), P_TRI("host_tso4", n->host.tso4), P_TRI("host_tso6", n->host.tso6),
                  P_TRI("host_ecn", n->host.ecn), P_TRI("host_ufo", n->host.ufo), P_TRI("mrg_rxbuf", n->host.mrg_rxbuf),
                  P_TRI("guest_csum", n->guest.csum), P_TRI("guest_tso4", n->guest.tso4), P_TRI("guest_tso6", n->guest.tso6),
                  P_TRI("guest_ecn", n->guest.ecn), P_TRI("guest_ufo", n->guest.ufo), P_YES("mq", mq),
                  P_UINT_IF("vectors", mq && !ccw, 2 * n->queues + 2), P_UINT_NZ("rx_queue_size", n->rx_queue_size),
                  P_UINT_NZ("tx_queue_size", n->tx_queue_size), P_UINT_NZ("host_mtu", n->mtu),
                  P_YES("failover", n->teaming == TEAMING_PERSISTENT), P_TRI("rss", n->rss), P_TRI("hash", n->rss_hash_report));
    }
    char mac[18];
    mac_format(&n->mac, mac);
    g_autofree char *host = g_strdup_printf("host%s", net_alias(n));
    props_add(o, P_STR("netdev", host), P_STR("id", net_alias(n)), P_STR("mac", mac),
              P_UINT_NZ("bootindex", cmd_boot_index(c, &n->dev)));
    if (!cmd_address(c, &n->dev.info, o, err))
        return NULL;
    cmd_rom(&n->dev.info, o);
    return g_steal_pointer(&o);
}

static void vhostuser_chardev(Cmd *c, const NetDef *n)
{
    bool server = g_strcmp0(n->src.socket_mode, "server") == 0;
    const Reconnect *r = &n->src.reconnect;
    g_autofree char *id = g_strdup_printf("char%s", net_alias(n));
    int64_t reconnect = server || r->enabled == TRI_ABSENT ? -1 : tri_is_yes(r->enabled) ? (int64_t)r->timeout.v : 0;
    cmd_chardev_socket(c, id, n->src.path, server, reconnect);
}

bool cmd_net(Cmd *c, const NetDef *n, GError **err)
{
    bool tap = n->type == NET_ETHERNET || n->type == NET_BRIDGE || n->type == NET_NETWORK || n->type == NET_DIRECT;
    if (n->backend_tap && !tap)
        return qemu_refuse(err, "interface '%s': type '%s' has no tap device", net_alias(n), enum_name(&net_type_names, n->type));
    if (n->type == NET_HOSTDEV)
        return !c->plug || cmd_net_hostdev(c, n, err); /* of the command line it is among the host devices */
    if (!n->model)
        return qemu_refuse(err, "interface '%s' has no model", net_alias(n));
    if (n->type == NET_VHOSTUSER)
        vhostuser_chardev(c, n);
    JsonObject *o = netdev_props(c, n, err);
    if (!o)
        return false;
    g_autofree char *id = g_strdup_printf("host%s", net_alias(n));
    props_add(o, P_STR("id", id));
    cmd_json(c, "-netdev", o);
    return cmd_device(c, net_alias(n), device_props(c, n, err), err);
}

bool cmd_nets(Cmd *c, GError **err)
{
    guint pos = 0;
    const NetDef *n;
    while ((n = domain_next(c->def, DEVICE_INTERFACE, &pos))) {
        if (!cmd_net(c, n, err))
            return false;
    }
    return true;
}
