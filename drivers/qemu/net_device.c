/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of guests' interfaces (net_device.h). Taps by ioctl, macvtaps by rtnetlink: one request, one
 * answer. The character device of a macvtap is found by its numbers, not by its name: names are those of
 * one network namespace, /dev is everybody's.
 */
#define LOG_SOURCE "qemu.net"
#include "drivers/qemu/net_device.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/log.h"

enum { NAMES_MAX = 100000, REQUEST_MAX = 512, SCRIPT_SECONDS = 30 };

/* Settings by ioctl ----------------------------------------------------------------------------- */

static bool request(const char *name, unsigned long what, struct ifreq *req)
{
    auto_fd s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(req->ifr_name, name, IFNAMSIZ);
    return s >= 0 && ioctl(s, what, req) == 0;
}

static bool add_to_bridge(const char *tap, const char *bridge, GError **err)
{
    struct ifreq req = { .ifr_ifindex = (int)if_nametoindex(tap) };

    if (request(bridge, SIOCBRADDIF, &req))
        return true;
    error_set_errno(err, errno, "cannot add '%s' to the bridge '%s'", tap, bridge);
    return false;
}

bool net_device_move_bridge(const char *tap, const char *from, const char *to, GError **err)
{
    if (!tap || !from) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "the interface is on no bridge of this host");
        return false;
    }
    struct ifreq req = { .ifr_ifindex = (int)if_nametoindex(tap) };
    if (!request(from, SIOCBRDELIF, &req) && errno != EINVAL && errno != ENODEV) {
        error_set_errno(err, errno, "cannot take '%s' out of the bridge '%s'", tap, from);
        return false;
    }
    if (add_to_bridge(tap, to, err))
        return true;
    (void)add_to_bridge(tap, from, NULL);
    return false;
}

static bool interface_up(const char *name, GError **err)
{
    struct ifreq req = { 0 };

    if (request(name, SIOCGIFFLAGS, &req)) {
        req.ifr_flags |= IFF_UP;
        if (request(name, SIOCSIFFLAGS, &req))
            return true;
    }
    error_set_errno(err, errno, "cannot bring up '%s'", name);
    return false;
}

/* The host's end gets the guest's address with the first byte 0xfe, so that a bridge never takes its
 * own address from a guest's port. */
static bool set_tap_mac(const char *tap, const MacAddr *guest, GError **err)
{
    struct ifreq req = { .ifr_hwaddr.sa_family = 1 }; /* ARPHRD_ETHER */

    memcpy(req.ifr_hwaddr.sa_data, guest->b, 6);
    req.ifr_hwaddr.sa_data[0] = (char)0xfe;
    if (request(tap, SIOCSIFHWADDR, &req))
        return true;
    error_set_errno(err, errno, "cannot set the address of '%s'", tap);
    return false;
}

/* As wide as the document says, else as its bridge is. */
static bool set_mtu(const NetDef *net, GError **err)
{
    struct ifreq req = { .ifr_mtu = (int)net->mtu };

    if (!net->mtu && (net->type != NET_BRIDGE || !request(net->src.bridge, SIOCGIFMTU, &req)))
        return true;
    if (request(net->ifname, SIOCSIFMTU, &req))
        return true;
    error_set_errno(err, errno, "cannot set the MTU of '%s' to %d", net->ifname, req.ifr_mtu);
    return false;
}

static bool isolate(const char *tap, GError **err)
{
    g_autofree char *path = g_strdup_printf("/sys/class/net/%s/brport/isolated", tap);
    auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0 && fd_write_all(fd, "1", 1) == 0)
        return true;
    error_set_errno(err, errno, "cannot isolate '%s' from other ports of its bridge", tap);
    return false;
}

/* The administrator's program for an interface that is nobody's but the guest's. */
static bool run_script(const char *script, const char *ifname, GError **err)
{
    const char *const argv[] = { script, ifname, NULL };
    const Spawn s = {
        .argv = argv, .in = -1, .out = -1, .err = -1, .memlock = -1, .new_session = true
    };

    if (!g_path_is_absolute(script)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "the script '%s' of '%s' is not an absolute path", script, ifname);
        return false;
    }
    return spawn_run(&s, SCRIPT_SECONDS * G_USEC_PER_SEC, 4096, NULL, NULL, err);
}

/* Netlink --------------------------------------------------------------------------------------- */

typedef struct Request {
    struct nlmsghdr h;
    struct ifinfomsg i;
    char room[REQUEST_MAX];
} Request;

static struct rtattr *add(Request *q, unsigned short type, const void *data, size_t len)
{
    struct rtattr *a = (struct rtattr *)(void *)((char *)q + NLMSG_ALIGN(q->h.nlmsg_len));

    g_assert(q->h.nlmsg_len + RTA_SPACE(len) <= sizeof(*q));
    a->rta_type = type;
    a->rta_len = (unsigned short)RTA_LENGTH(len);
    if (len)
        memcpy(RTA_DATA(a), data, len);
    q->h.nlmsg_len = NLMSG_ALIGN(q->h.nlmsg_len) + RTA_ALIGN(a->rta_len);
    return a;
}

static void close_nest(Request *q, struct rtattr *nest)
{
    nest->rta_len = (unsigned short)((char *)q + q->h.nlmsg_len - (char *)nest);
}

/* 0, or the kernel's errno. */
static int talk(Request *q)
{
    struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
    struct timeval wait = { .tv_sec = 5 };
    char answer[4096];
    auto_fd s = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);

    q->h.nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0 ||
        sendto(s, q, q->h.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
        return errno;
    ssize_t n = recv(s, answer, sizeof(answer), 0);
    const struct nlmsghdr *h = (const struct nlmsghdr *)(const void *)answer;
    if (n < 0)
        return errno;
    if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || h->nlmsg_type != NLMSG_ERROR)
        return EPROTO;
    return -((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

static int make_macvtap(const char *name, unsigned lower, const MacAddr *mac, uint32_t mode)
{
    Request q = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                         .nlmsg_type = RTM_NEWLINK,
                         .nlmsg_flags = NLM_F_CREATE | NLM_F_EXCL } };

    add(&q, IFLA_IFNAME, name, strlen(name) + 1);
    add(&q, IFLA_LINK, &lower, sizeof(lower));
    add(&q, IFLA_ADDRESS, mac->b, sizeof(mac->b));
    struct rtattr *info = add(&q, IFLA_LINKINFO, NULL, 0);
    add(&q, IFLA_INFO_KIND, "macvtap", 7);
    struct rtattr *data = add(&q, IFLA_INFO_DATA, NULL, 0);
    add(&q, IFLA_MACVLAN_MODE, &mode, sizeof(mode));
    close_nest(&q, data);
    close_nest(&q, info);
    return talk(&q);
}

static int remove_link(const char *name)
{
    Request q = { .h = { .nlmsg_len = NLMSG_LENGTH(sizeof(struct ifinfomsg)),
                         .nlmsg_type = RTM_DELLINK } };

    add(&q, IFLA_IFNAME, name, strlen(name) + 1);
    return talk(&q);
}

/* Descriptors ----------------------------------------------------------------------------------- */

static bool attach_queue(int fd, const char *name, bool many, struct ifreq *req, GError **err)
{
    *req = (struct ifreq){ .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
                                                (many ? IFF_MULTI_QUEUE : 0)) };
    g_strlcpy(req->ifr_name, name, IFNAMSIZ);
    if (ioctl(fd, TUNSETIFF, req) == 0)
        return true;
    error_set_errno(err, errno, "cannot make the tap interface '%s'", name);
    return false;
}

/* The node below /dev may be missing, or be that of another namespace's device of the same number. */
static int open_tap_node(const char *name, GError **err)
{
    g_autofree char *dir = g_strdup_printf("/sys/class/net/%s/macvtap", name);
    g_autofree char *path = g_strdup_printf("/dev/tap%u", if_nametoindex(name));
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    const char *leaf = d ? g_dir_read_name(d) : NULL;
    g_autofree char *numbers = leaf ? g_build_filename(dir, leaf, "dev", NULL) : NULL;
    g_autofree char *text = NULL;
    unsigned major, minor;
    struct stat st;

    auto_fd fd = open(path, O_RDWR | O_CLOEXEC);
    if (!numbers || !g_file_get_contents(numbers, &text, NULL, NULL) ||
        sscanf(text, "%u:%u", &major, &minor) != 2) {
        if (fd < 0)
            error_set_errno(err, errno, "cannot open '%s', the descriptor of '%s'", path, name);
        return fd_take(&fd);
    }
    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISCHR(st.st_mode) &&
        st.st_rdev == makedev(major, minor))
        return fd_take(&fd);
    fd_close(&fd);
    g_autofree char *own = g_strdup_printf("%s/%s.node", qemu.run, name);
    (void)unlink(own);
    if (mknod(own, S_IFCHR | 0600, makedev(major, minor)) == 0) {
        fd = open(own, O_RDWR | O_CLOEXEC);
        int why = errno;
        (void)unlink(own);
        errno = why;
    }
    if (fd < 0)
        error_set_errno(err, errno, "cannot open the descriptor of '%s'", name);
    return fd_take(&fd);
}

static int open_macvtap(const NetDef *net, unsigned queue, GError **err)
{
    static const uint32_t modes[_MACVTAP_N] = {
        [MACVTAP_DEFAULT] = MACVLAN_MODE_VEPA,         [MACVTAP_VEPA] = MACVLAN_MODE_VEPA,
        [MACVTAP_PRIVATE] = MACVLAN_MODE_PRIVATE,      [MACVTAP_BRIDGE] = MACVLAN_MODE_BRIDGE,
        [MACVTAP_PASSTHROUGH] = MACVLAN_MODE_PASSTHRU,
    };
    struct ifreq req;

    if (queue == 0) {
        unsigned lower = net->src.dev ? if_nametoindex(net->src.dev) : 0;
        if (!lower) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "the host has no device '%s'",
                      net->src.dev ? net->src.dev : "");
            return -1;
        }
        int why = make_macvtap(net->ifname, lower, &net->mac, modes[net->src.mode]);
        if (why) {
            error_set_errno(err, why, "error creating macvtap interface %s@%s", net->ifname,
                            net->src.dev);
            return -1;
        }
        if (!set_mtu(net, err) || !interface_up(net->ifname, err))
            return -1;
    }
    auto_fd fd = open_tap_node(net->ifname, err);
    return fd >= 0 && attach_queue(fd, net->ifname, net->queues > 1, &req, err) ? fd_take(&fd) : -1;
}

static int open_tap(NetDef *net, unsigned queue, GError **err)
{
    struct ifreq req;
    auto_fd fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    if (fd < 0) {
        error_set_errno(err, errno, "cannot open '/dev/net/tun'");
        return -1;
    }
    if (!attach_queue(fd, net->ifname ? net->ifname : "vnet%d", net->queues > 1, &req, err))
        return -1;
    if (queue > 0)
        return fd_take(&fd);
    g_free(net->ifname);
    net->ifname = g_strdup(req.ifr_name);
    if (!set_tap_mac(net->ifname, &net->mac, err) ||
        (net->type == NET_BRIDGE && !add_to_bridge(net->ifname, net->src.bridge, err)) ||
        !set_mtu(net, err) ||
        (net->type == NET_BRIDGE && net->isolated == TRI_YES && !isolate(net->ifname, err)) ||
        !interface_up(net->ifname, err) ||
        (net->type == NET_ETHERNET && net->script && !run_script(net->script, net->ifname, err)))
        return -1;
    return fd_take(&fd);
}

/* Somebody else made it and set it up: it is used as it is. */
static int open_given(const NetDef *net, GError **err)
{
    struct ifreq req;
    g_autofree char *macvtap = g_strdup_printf("/sys/class/net/%s/macvtap", net->ifname);

    if (!if_nametoindex(net->ifname)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "target managed='no' but specified dev '%s' doesn't exist", net->ifname);
        return -1;
    }
    auto_fd fd = g_file_test(macvtap, G_FILE_TEST_IS_DIR)
                     ? open_tap_node(net->ifname, err)
                     : open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        if (err && !*err)
            error_set_errno(err, errno, "cannot open '/dev/net/tun'");
        return -1;
    }
    return attach_queue(fd, net->ifname, net->queues > 1, &req, err) ? fd_take(&fd) : -1;
}

/* Names ----------------------------------------------------------------------------------------- */

/* The next "macvtap0", "macvtap1", … that nobody has: two starts never get the same. */
static char *next_name(GError **err)
{
    static Lock lock = LOCK_INIT;
    static unsigned next;
    LOCK_SCOPE(&lock);

    for (unsigned tried = 0; tried < NAMES_MAX; tried++) {
        char name[IFNAMSIZ];
        g_snprintf(name, sizeof(name), "macvtap%u", next);
        next = (next + 1) % NAMES_MAX;
        if (!if_nametoindex(name))
            return g_strdup(name);
    }
    error_set(err, VIR_ERR_OPERATION_FAILED, "no name for another macvtap is free");
    return NULL;
}

int net_device_open(NetDef *net, unsigned queue, GError **err)
{
    if (net->ifname && strlen(net->ifname) >= IFNAMSIZ) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "interface name '%s' is longer than %d characters", net->ifname, IFNAMSIZ - 1);
        return -1;
    }
    if (net->type == NET_DIRECT)
        return open_macvtap(net, queue, err);
    if (net->type == NET_ETHERNET && net->target_managed == TRI_NO && net->ifname)
        return open_given(net, err);
    return open_tap(net, queue, err);
}

/* Only a device with the guest's own address is the guest's. */
static bool is_ours(const NetDef *net)
{
    struct ifreq req = { 0 };

    return request(net->ifname, SIOCGIFHWADDR, &req) &&
           memcmp(req.ifr_hwaddr.sa_data, net->mac.b, 6) == 0;
}

void net_device_remove(const NetDef *net)
{
    g_autoptr(GError) error = NULL;

    if (!net->ifname)
        return;
    if (net->type == NET_ETHERNET && net->downscript &&
        !run_script(net->downscript, net->ifname, &error))
        log_warn("the script for the end of '%s' failed: %s", net->ifname, error->message);
    if (net->type != NET_DIRECT || !is_ours(net))
        return;
    int why = remove_link(net->ifname);
    if (why && why != ENODEV)
        log_warn("cannot remove '%s': %s", net->ifname, g_strerror(why));
}

bool net_device_choose_name(NetDef *net, bool *ret_named, GError **err)
{
    if (net->type != NET_DIRECT || net->ifname)
        return true;
    *ret_named = true;
    return (net->ifname = next_name(err)) != NULL;
}

bool start_net_names(struct Start *s, GError **err)
{
    NetDef *net;
    bool named = false;

    for (guint i = 0; (net = domain_next(s->def, DEVICE_INTERFACE, &i));)
        if (!net_device_choose_name(net, &named, err))
            return false;
    return !named || start_note(s, err);
}

void start_undo_net_devices(const struct Run *r)
{
    NetDef *net;

    for (guint i = 0; (net = domain_next(r->def, DEVICE_INTERFACE, &i));)
        net_device_remove(net);
}
