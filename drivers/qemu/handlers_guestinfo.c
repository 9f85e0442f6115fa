/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the guest's agent tells of its guest: users, system, time zone, file systems, disks, interfaces.
 * An element that lacks what it must have makes its answer an error; what else the guest may leave out
 * is left out. Workers.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "drivers/common/params.h"
#include "drivers/qemu/agent_ask.h"
#include "drivers/qemu/handlers.h"
#include "util/error.h"

enum { ELEMENTS_MAX = 1024, MEMBERS_MAX = 256 };

typedef struct Info {
    AgentAsk *k;
    const DomainDef *live;
    ParamList *l;
    bool lacks_ok;
} Info;

static const char *need_str(JsonObject *o, const char *member, const char *cmd, GError **err)
{
    const char *s = json_get_str(o, member);

    if (!s)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "'%s' missing in reply of %s", member, cmd);
    return s;
}

static JsonObject *at(JsonObject *list, size_t i)
{
    return json_object_array_get_idx(list, i);
}

/* Members of an element, at most so many; a list that is none or too long counts as empty. */
static JsonObject *members(JsonObject *o, const char *name, size_t max)
{
    JsonObject *list = json_get(o, name);
    return json_object_is_type(list, json_type_array) && json_len(list) <= max ? list : NULL;
}

/* Figures -------------------------------------------------------------------------------------- */

static bool add_users(const Info *f, GError **err)
{
    g_autoptr(JsonObject) list = NULL;

    if (!agent_ask_list(f->k, "guest-get-users", NULL, ELEMENTS_MAX, f->lacks_ok, &list, err))
        return false;
    if (!list)
        return true;
    params_add_uint(f->l, (unsigned)json_len(list), "user.count");
    for (unsigned i = 0; i < json_len(list); i++) {
        JsonObject *o = at(list, i), *login = json_get(o, "login-time");
        const char *name = need_str(o, "user", "guest-get-users", err);
        if (!name)
            return false;
        params_add_string(f->l, name, "user.%u.name", i);
        params_add_string(f->l, json_get_str(o, "domain"), "user.%u.domain", i);
        /* Seconds with a fraction become milliseconds. */
        double t = login ? json_object_get_double(login) * 1000 : 0;
        params_add_ullong(f->l, t > 0 && t < 1e18 ? (uint64_t)t : 0, "user.%u.login-time", i);
    }
    return true;
}

static bool add_os(const Info *f, GError **err)
{
    static const char *const names[] = {
        "id",      "name",    "pretty-name", "version",        "version-id",
        "machine", "variant", "variant-id",  "kernel-release", "kernel-version"
    };
    g_autoptr(JsonObject) o = NULL;

    if (!agent_ask_object(f->k, "guest-get-osinfo", f->lacks_ok, &o, err))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
        params_add_string(f->l, json_get_str(o, names[i]), "os.%s", names[i]);
    return true;
}

static bool add_timezone(const Info *f, GError **err)
{
    g_autoptr(JsonObject) o = NULL;

    if (!agent_ask_object(f->k, "guest-get-timezone", f->lacks_ok, &o, err))
        return false;
    if (!o)
        return true;
    JsonObject *offset = json_get(o, "offset");
    if (!json_object_is_type(offset, json_type_int)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "'offset' missing in reply of guest-get-timezone");
        return false;
    }
    params_add_string(f->l, json_get_str(o, "zone"), "timezone.name");
    params_add_int(f->l, json_object_get_int(offset), "timezone.offset");
    return true;
}

static bool add_hostname(const Info *f, GError **err)
{
    g_autoptr(JsonObject) o = NULL;

    if (!agent_ask_object(f->k, "guest-get-host-name", f->lacks_ok, &o, err))
        return false;
    params_add_string(f->l, json_get_str(o, "host-name"), "hostname");
    return true;
}

static bool add_filesystems(const Info *f, GError **err)
{
    static const char cmd[] = "guest-get-fsinfo";
    g_autoptr(JsonObject) list = NULL;

    if (!agent_ask_list(f->k, cmd, NULL, ELEMENTS_MAX, f->lacks_ok, &list, err))
        return false;
    if (json_len(list) == 0)
        return true;
    params_add_uint(f->l, (unsigned)json_len(list), "fs.count");
    for (unsigned i = 0; i < json_len(list); i++) {
        JsonObject *o = at(list, i), *disks = members(o, "disk", MEMBERS_MAX);
        const char *name = need_str(o, "name", cmd, err),
                   *mount = name ? need_str(o, "mountpoint", cmd, err) : NULL,
                   *type = mount ? need_str(o, "type", cmd, err) : NULL;
        if (!type)
            return false;
        params_add_string(f->l, name, "fs.%u.name", i);
        params_add_string(f->l, mount, "fs.%u.mountpoint", i);
        params_add_string(f->l, type, "fs.%u.fstype", i);
        int64_t total = json_get_i64(o, "total-bytes", -1),
                used = json_get_i64(o, "used-bytes", -1);
        if (total >= 0)
            params_add_ullong(f->l, (uint64_t)total, "fs.%u.total-bytes", i);
        if (used >= 0)
            params_add_ullong(f->l, (uint64_t)used, "fs.%u.used-bytes", i);
        params_add_uint(f->l, (unsigned)json_len(disks), "fs.%u.disk.count", i);
        for (unsigned j = 0; j < json_len(disks); j++) {
            JsonObject *d = at(disks, j);
            params_add_string(f->l, agent_disk_target(f->live, d), "fs.%u.disk.%u.alias", i, j);
            params_add_string(f->l, json_get_str(d, "serial"), "fs.%u.disk.%u.serial", i, j);
            params_add_string(f->l, json_get_str(d, "dev"), "fs.%u.disk.%u.device", i, j);
        }
    }
    return true;
}

static bool add_disks(const Info *f, GError **err)
{
    g_autoptr(JsonObject) list = NULL;

    if (!agent_ask_list(f->k, "guest-get-disks", NULL, ELEMENTS_MAX, f->lacks_ok, &list, err))
        return false;
    if (json_len(list) == 0)
        return true;
    params_add_uint(f->l, (unsigned)json_len(list), "disk.count");
    for (unsigned i = 0; i < json_len(list); i++) {
        JsonObject *o = at(list, i), *address = json_get(o, "address"),
                   *on = members(o, "dependencies", MEMBERS_MAX);
        const char *name = need_str(o, "name", "guest-get-disks", err);
        if (!name)
            return false;
        params_add_string(f->l, name, "disk.%u.name", i);
        params_add_bool(f->l, json_get_bool(o, "partition", false), "disk.%u.partition", i);
        if (on)
            params_add_uint(f->l, (unsigned)json_len(on), "disk.%u.dependency.count", i);
        for (unsigned j = 0; j < json_len(on); j++) {
            JsonObject *d = at(on, j);
            if (json_object_is_type(d, json_type_string))
                params_add_string(f->l, json_object_get_string(d), "disk.%u.dependency.%u.name", i,
                                  j);
        }
        params_add_string(f->l, json_get_str(address, "serial"), "disk.%u.serial", i);
        if (address)
            params_add_string(f->l, agent_disk_target(f->live, address), "disk.%u.alias", i);
        params_add_string(f->l, json_get_str(o, "alias"), "disk.%u.guest_alias", i);
        params_add_string(f->l, json_get_str(address, "bus-type"), "disk.%u.guest_bus", i);
    }
    return true;
}

static bool add_interfaces(const Info *f, GError **err)
{
    static const char cmd[] = "guest-network-get-interfaces";
    g_autoptr(JsonObject) list = NULL;

    if (!agent_ask_list(f->k, cmd, NULL, ELEMENTS_MAX, f->lacks_ok, &list, err))
        return false;
    if (!list)
        return true;
    params_add_uint(f->l, (unsigned)json_len(list), "if.count");
    for (unsigned i = 0; i < json_len(list); i++) {
        JsonObject *o = at(list, i), *addresses = members(o, "ip-addresses", MEMBERS_MAX);
        const char *name = need_str(o, "name", cmd, err);
        if (!name)
            return false;
        params_add_string(f->l, name, "if.%u.name", i);
        params_add_string(f->l, json_get_str(o, "hardware-address"), "if.%u.hwaddr", i);
        params_add_uint(f->l, (unsigned)json_len(addresses), "if.%u.addr.count", i);
        for (unsigned j = 0; j < json_len(addresses); j++) {
            JsonObject *a = at(addresses, j);
            params_add_string(f->l, json_get_str(a, "ip-address-type"), "if.%u.addr.%u.type", i, j);
            params_add_string(f->l, json_get_str(a, "ip-address"), "if.%u.addr.%u.addr", i, j);
            params_add_uint(f->l, (unsigned)CLAMP(json_get_i64(a, "prefix", 0), 0, 128),
                            "if.%u.addr.%u.prefix", i, j);
        }
    }
    return true;
}

static const struct {
    unsigned type;
    bool (*add)(const Info *f, GError **err);
} kinds[] = {
    { VIR_DOMAIN_GUEST_INFO_USERS, add_users },
    { VIR_DOMAIN_GUEST_INFO_OS, add_os },
    { VIR_DOMAIN_GUEST_INFO_TIMEZONE, add_timezone },
    { VIR_DOMAIN_GUEST_INFO_HOSTNAME, add_hostname },
    { VIR_DOMAIN_GUEST_INFO_FILESYSTEM, add_filesystems },
    { VIR_DOMAIN_GUEST_INFO_DISKS, add_disks },
    { VIR_DOMAIN_GUEST_INFO_INTERFACES, add_interfaces },
};

bool qemu_domain_get_guest_info(Call *c, DomainQuery *q, const remote_domain_get_guest_info_args *a,
                                remote_domain_get_guest_info_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    g_auto(ParamList) l = { 0 };
    unsigned known = 0;
    (void)c;

    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        known |= kinds[i].type;
    if (a->types & ~known) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported guest information types '0x%x'",
                  a->types & ~known);
        return false;
    }
    if (!agent_ask_begin(&k, q->call, q->view, err))
        return false;
    /* Who asks for everything gets what this agent has. */
    Info f = { .k = &k, .live = q->view->live->def, .l = &l, .lacks_ok = a->types == 0 };
    for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++)
        if ((a->types == 0 || (a->types & kinds[i].type)) && !kinds[i].add(&f, err))
            return false;
    if (l.len > REMOTE_DOMAIN_GUEST_INFO_PARAMS_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR,
                  "the guest reports %u figures, more than the %d that can be passed on; ask for "
                  "some kinds only",
                  l.len, REMOTE_DOMAIN_GUEST_INFO_PARAMS_MAX);
        return false;
    }
    params_give(&l, &r->params);
    return true;
}

/* File systems --------------------------------------------------------------------------------- */

bool qemu_domain_get_fsinfo(Call *c, DomainQuery *q, const remote_domain_get_fsinfo_args *a,
                            remote_domain_get_fsinfo_ret *r, GError **err)
{
    static const char cmd[] = "guest-get-fsinfo";
    g_auto(AgentAsk) k = { 0 };
    g_autoptr(JsonObject) list = NULL;
    (void)c;
    (void)a;

    if (!agent_ask_begin(&k, q->call, q->view, err) ||
        !agent_ask_list(&k, cmd, NULL, REMOTE_DOMAIN_FSINFO_MAX, false, &list, err))
        return false;
    r->info.info_val = g_new0(remote_domain_fsinfo, json_len(list) + 1);
    for (size_t i = 0; i < json_len(list); i++) {
        JsonObject *o = at(list, i), *disks = members(o, "disk", REMOTE_DOMAIN_FSINFO_DISKS_MAX);
        const char *name = need_str(o, "name", cmd, err),
                   *mount = name ? need_str(o, "mountpoint", cmd, err) : NULL,
                   *type = mount ? need_str(o, "type", cmd, err) : NULL;
        if (!type)
            return false;
        remote_domain_fsinfo *fs = &r->info.info_val[r->info.info_len++];
        *fs = (remote_domain_fsinfo){ .mountpoint = g_strdup(mount),
                                      .name = g_strdup(name),
                                      .fstype = g_strdup(type) };
        fs->dev_aliases.dev_aliases_val = g_new0(char *, json_len(disks) + 1);
        for (size_t j = 0; j < json_len(disks); j++) {
            const char *target = agent_disk_target(q->view->live->def, at(disks, j));
            if (target)
                fs->dev_aliases.dev_aliases_val[fs->dev_aliases.dev_aliases_len++] =
                    g_strdup(target);
        }
    }
    r->ret = r->info.info_len;
    return true;
}

/* Addresses ------------------------------------------------------------------------------------ */

static remote_domain_interface *add_iface(remote_domain_interface_addresses_ret *r,
                                          const char *name, const char *hwaddr)
{
    for (u_int i = 0; i < r->ifaces.ifaces_len; i++)
        if (strcmp(r->ifaces.ifaces_val[i].name, name) == 0)
            return &r->ifaces.ifaces_val[i];
    if (r->ifaces.ifaces_len == REMOTE_DOMAIN_INTERFACE_MAX)
        return NULL;
    r->ifaces.ifaces_val =
        g_renew(remote_domain_interface, r->ifaces.ifaces_val, r->ifaces.ifaces_len + 1);
    remote_domain_interface *i = &r->ifaces.ifaces_val[r->ifaces.ifaces_len++];
    *i = (remote_domain_interface){ .name = g_strdup(name), .hwaddr = g_strdup(hwaddr) };
    return i;
}

static void add_address(remote_domain_interface *i, int type, const char *text, unsigned prefix)
{
    if (i->addrs.addrs_len == REMOTE_DOMAIN_IP_ADDR_MAX)
        return;
    i->addrs.addrs_val = g_renew(remote_domain_ip_addr, i->addrs.addrs_val, i->addrs.addrs_len + 1);
    i->addrs.addrs_val[i->addrs.addrs_len++] =
        (remote_domain_ip_addr){ type, g_strdup(text), prefix };
}

static bool addresses_from_agent(AgentAsk *k, remote_domain_interface_addresses_ret *r,
                                 GError **err)
{
    static const char cmd[] = "guest-network-get-interfaces";
    g_autoptr(JsonObject) list = NULL;

    if (!agent_ask_list(k, cmd, NULL, REMOTE_DOMAIN_INTERFACE_MAX, false, &list, err))
        return false;
    for (size_t i = 0; i < json_len(list); i++) {
        JsonObject *o = at(list, i), *addresses = members(o, "ip-addresses", MEMBERS_MAX);
        const char *name = need_str(o, "name", cmd, err);
        if (!name)
            return false;
        /* "eth0:1" is another address of eth0. */
        g_autofree char *plain = g_strndup(name, strcspn(name, ":"));
        remote_domain_interface *iface = add_iface(r, plain, json_get_str(o, "hardware-address"));
        for (size_t j = 0; iface && j < json_len(addresses); j++) {
            JsonObject *a = at(addresses, j);
            const char *type = need_str(a, "ip-address-type", cmd, err),
                       *text = type ? need_str(a, "ip-address", cmd, err) : NULL;
            int64_t prefix = json_get_i64(a, "prefix", -1);
            bool v4 = g_strcmp0(type, "ipv4") == 0;
            if (!text)
                return false;
            if ((!v4 && strcmp(type, "ipv6") != 0) || prefix < 0 || prefix > (v4 ? 32 : 128)) {
                error_set(err, VIR_ERR_INTERNAL_ERROR,
                          "unknown address of type '%s' in reply of %s", type, cmd);
                return false;
            }
            add_address(iface, v4 ? VIR_IP_ADDR_TYPE_IPV4 : VIR_IP_ADDR_TYPE_IPV6, text,
                        (unsigned)prefix);
        }
    }
    return true;
}

/* What the host's kernel has learnt of the guest's addresses: proc_net(5), "arp". */
static bool addresses_from_arp(const DomainDef *live, remote_domain_interface_addresses_ret *r,
                               GError **err)
{
    g_autofree char *text = NULL;
    NetDef *net;

    if (!g_file_get_contents("/proc/net/arp", &text, NULL, NULL)) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "cannot read '/proc/net/arp'");
        return false;
    }
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; (net = domain_next(live, DEVICE_INTERFACE, &i));) {
        char mac[18];
        g_snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", net->mac.b[0], net->mac.b[1],
                   net->mac.b[2], net->mac.b[3], net->mac.b[4], net->mac.b[5]);
        for (char **l = lines + 1; lines[0] && *l; l++) {
            char ip[64], hw[64];
            unsigned flags;
            if (sscanf(*l, "%63s %*s %x %63s", ip, &flags, hw) != 3 || !flags ||
                g_ascii_strcasecmp(hw, mac) != 0)
                continue;
            remote_domain_interface *iface = add_iface(r, net->ifname ? net->ifname : "", mac);
            if (iface)
                add_address(iface, VIR_IP_ADDR_TYPE_IPV4, ip, 0);
        }
    }
    return true;
}

bool qemu_domain_interface_addresses(Call *c, DomainQuery *q,
                                     const remote_domain_interface_addresses_args *a,
                                     remote_domain_interface_addresses_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    const DomainDef *live = q->view->live->def;
    NetDef *net;
    (void)c;

    switch (a->source) {
    case VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT:
        return agent_ask_begin(&k, q->call, q->view, err) && addresses_from_agent(&k, r, err);
    case VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP:
        return addresses_from_arp(live, r, err);
    case VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE:
        /* Leases are the network driver's, and other interfaces have none that we know of. */
        for (guint i = 0; (net = domain_next(live, DEVICE_INTERFACE, &i));)
            if (net->type == NET_NETWORK) {
                error_set(err, VIR_ERR_OPERATION_UNSUPPORTED,
                          "leases of virtual networks are not known here");
                return false;
            }
        return true;
    default:
        error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "Unknown IP address data source %u",
                  a->source);
        return false;
    }
}
