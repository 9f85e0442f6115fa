/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making unix listeners. The socket is bound under a temporary name with mode 0600, gets its group
 * and mode, starts to listen, and only then is renamed to its path: whoever finds the path can
 * connect, and nobody else ever could. The rename replaces a stale socket in one step. That the old
 * one is stale is checked by connecting to it, under a lock on the directory, so that two
 * daemons starting at once do not both take it. Loop thread.
 */
#include "rpc/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

static bool unix_address(const char *path, struct sockaddr_un *ret, GError **err)
{
    *ret = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof(ret->sun_path)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "socket path '%s' has %zu bytes, at most %zu are possible", path,
                  strlen(path), sizeof(ret->sun_path) - 1);
        return false;
    }
    memcpy(ret->sun_path, path, strlen(path));
    return true;
}

/* True when path can be taken: nothing there, or a socket on which nobody listens. */
static bool path_is_free(const char *path, const struct sockaddr_un *addr, GError **err)
{
    struct stat st;

    if (lstat(path, &st) < 0) {
        if (errno == ENOENT)
            return true;
        error_set_errno(err, errno, "cannot look at socket path '%s'", path);
        return false;
    }
    if (!S_ISSOCK(st.st_mode)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "'%s' is in the way of a socket and is none itself", path);
        return false;
    }

    auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        error_set_errno(err, errno, "cannot make a socket");
        return false;
    }
    if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) < 0 && (errno == ECONNREFUSED || errno == ENOENT))
        return true;
    error_set(err, VIR_ERR_OPERATION_FAILED, "another process listens on '%s'", path);
    return false;
}

/* Binds to the temporary name and makes everything right before anybody can know it. */
static bool bind_private(int fd, const char *temp, unsigned mode, gid_t group, unsigned backlog, GError **err)
{
    struct sockaddr_un addr;

    if (!unix_address(temp, &addr, err))
        return false;
    (void)unlink(temp); /* of a predecessor with our pid that was killed; bind() tells what matters */
    /* The mode of the socket's own inode is what bind() gives to the file, less the umask. */
    if (fchmod(fd, 0600) < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
        error_set_errno(err, errno, "cannot bind a socket to '%s'", temp);
        return false;
    }
    if (group != (gid_t)-1 && lchown(temp, -1, group) < 0) {
        error_set_errno(err, errno, "cannot give socket '%s' to group %u", temp, (unsigned)group);
        return false;
    }
    if (chmod(temp, mode) < 0) {
        error_set_errno(err, errno, "cannot set mode %o of socket '%s'", mode, temp);
        return false;
    }
    if (listen(fd, backlog) < 0) {
        error_set_errno(err, errno, "cannot listen on socket '%s'", temp);
        return false;
    }
    return true;
}

int listen_unix(const char *path, unsigned mode, gid_t group, unsigned backlog, ListenAddress *ret, GError **err)
{
    struct sockaddr_un addr;
    g_autofree char *dir = g_path_get_dirname(path);
    g_autofree char *temp = g_strdup_printf("%s/.%d.sock", dir, (int)getpid());
    struct stat st;

    if (!unix_address(path, &addr, err))
        return -1;

    auto_fd dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (dir_fd < 0 || flock(dir_fd, LOCK_EX) < 0) {
        error_set_errno(err, errno, "cannot lock directory '%s' of a socket", dir);
        return -1;
    }
    if (!path_is_free(path, &addr, err))
        return -1;

    auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        error_set_errno(err, errno, "cannot make a socket");
        return -1;
    }
    if (!bind_private(fd, temp, mode, group, backlog, err)) {
        (void)unlink(temp);
        return -1;
    }
    if (lstat(temp, &st) < 0 || rename(temp, path) < 0) {
        error_set_errno(err, errno, "cannot put a socket at '%s'", path);
        (void)unlink(temp);
        return -1;
    }
    *ret = (ListenAddress){ g_strdup(path), st.st_dev, st.st_ino };
    return fd_take(&fd);
}

void listen_address_remove(ListenAddress *a)
{
    struct stat st;

    if (!a->path)
        return;
    if (lstat(a->path, &st) == 0 && st.st_dev == a->dev && st.st_ino == a->ino)
        (void)unlink(a->path); /* a stale socket is harmless: the next start replaces it */
    g_free(a->path);
    *a = (ListenAddress){ NULL, 0, 0 };
}

static int listen_one(const struct addrinfo *a, unsigned backlog)
{
    const int on = 1;
    auto_fd fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        (a->ai_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0) ||
        bind(fd, a->ai_addr, a->ai_addrlen) < 0 || listen(fd, (int)backlog) < 0)
        return -1;
    return fd_take(&fd);
}

unsigned listen_inet(const char *address, const char *service, unsigned backlog, int fds[LISTEN_INET_MAX], GError **err)
{
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    int r = getaddrinfo(address && *address ? address : NULL, service, &hints, &list), errnum = 0;
    unsigned n = 0;

    if (r != 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "cannot listen on address '%s', port '%s': %s", address ? address : "any", service,
                  gai_strerror(r));
        return 0;
    }
    for (const struct addrinfo *a = list; a && n < LISTEN_INET_MAX; a = a->ai_next) {
        if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
            continue;

        int fd = listen_one(a, backlog);

        if (fd >= 0)
            fds[n++] = fd;
        else if (errno != EAFNOSUPPORT && errno != EADDRNOTAVAIL)
            errnum = errno;
        else if (!errnum)
            errnum = -errno; /* forgiven when another one works */
    }
    freeaddrinfo(list);
    if (errnum > 0 || n == 0) {
        error_set_errno(err, errnum < 0 ? -errnum : errnum, "cannot listen on address '%s', port '%s'", address ? address : "any",
                        service);
        while (n)
            fd_close(&fds[--n]);
    }
    return n;
}

char *listen_peer_address(int fd, uint64_t *ret_origin)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage room;
    } a;
    socklen_t len = sizeof(a);
    char text[INET6_ADDRSTRLEN];

    *ret_origin = 0;
    if (getpeername(fd, &a.any, &len) == 0) {
        if (a.any.sa_family == AF_INET && inet_ntop(AF_INET, &a.in.sin_addr, text, sizeof(text))) {
            *ret_origin = a.in.sin_addr.s_addr;
            return g_strdup_printf("%s:%u", text, ntohs(a.in.sin_port));
        }
        if (a.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &a.in6.sin6_addr, text, sizeof(text))) {
            memcpy(ret_origin, &a.in6.sin6_addr, sizeof(*ret_origin));
            return g_strdup_printf("[%s]:%u", text, ntohs(a.in6.sin6_port));
        }
    }
    return g_strdup("an unknown address");
}

bool listen_is_unix(int fd)
{
    struct sockaddr_storage addr;
    socklen_t len = sizeof(addr);

    return getsockname(fd, (struct sockaddr *)&addr, &len) == 0 && addr.ss_family == AF_UNIX;
}

bool listen_has_pending(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) > 0 && p.revents & POLLIN;
}

static bool peer_in_group(const Identity *peer, int fd, gid_t group)
{
    gid_t *groups = NULL;
    socklen_t len = 0;
    bool found = peer->gid == group;

    /* With no room the kernel says how much it needs. */
    if (!found && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) < 0 && errno == ERANGE) {
        groups = g_malloc(len);
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
            for (unsigned i = 0; i < len / sizeof(gid_t) && !found; i++)
                found = groups[i] == group;
        g_free(groups);
    }
    return found;
}

bool listen_peer_allowed(const ListenAddress *a, int listen_fd, const Identity *peer, int fd)
{
    struct sockaddr_un addr;
    socklen_t len = sizeof(addr);
    struct stat st;

    if (a->path) {
        if (lstat(a->path, &st) < 0)
            return false;
    } else if (getsockname(listen_fd, (struct sockaddr *)&addr, &len) < 0 || len <= offsetof(struct sockaddr_un, sun_path) ||
               !addr.sun_path[0] || lstat(addr.sun_path, &st) < 0) {
        return false; /* no path, no mode: nobody but root and ourselves */
    }
    if (peer->uid == st.st_uid)
        return st.st_mode & S_IWUSR;
    if (peer_in_group(peer, fd, st.st_gid) && st.st_mode & S_IWGRP)
        return true;
    return st.st_mode & S_IWOTH;
}
