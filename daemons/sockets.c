/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A daemon has three local sockets: main, read-only (system daemons only) and administration; the
 * proxy may be passed two of the network, too (net.c makes those). When systemd passes any local
 * ones, those are used and no other is made: the units decide what exists. They are
 * known by the name of their unit, and when that says nothing (other activators) by their path.
 * The main server gets the first two, the admin server the third.
 */
#define LOG_SOURCE "daemon.sockets"
#include "daemons/sockets.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"

enum { TCP_PORT = 16509, TLS_PORT = 16514 };

typedef enum SocketKind {
    SOCKET_MAIN, SOCKET_RO, SOCKET_ADMIN,
    _SOCKET_N, /* of the local ones */
    SOCKET_TCP = _SOCKET_N, SOCKET_TLS,
    _PASSED_N,
} SocketKind;

typedef struct SocketInfo {
    const char *unit_suffix, *path_suffix;
} SocketInfo;

static const SocketInfo infos[_PASSED_N] = {
    [SOCKET_MAIN] = { ".socket", "-sock" },
    [SOCKET_RO] = { "-ro.socket", "-sock-ro" },
    [SOCKET_ADMIN] = { "-admin.socket", "-admin-sock" },
    [SOCKET_TCP] = { "-tcp.socket", NULL },
    [SOCKET_TLS] = { "-tls.socket", NULL },
};

struct Sockets {
    char *path[_SOCKET_N];   /* bound by us; NULL: not */
    char *hidden[_SOCKET_N]; /* where it is while hidden */
    char *admin_link;        /* NULL: none */
    bool is_hidden;
};

static unsigned mode_of(const DaemonConf *c, SocketKind k)
{
    return k == SOCKET_MAIN ? c->rw_mode : k == SOCKET_RO ? c->ro_mode : c->admin_mode;
}

static char *path_of(const Daemon *d, SocketKind k)
{
    const char *dir = d->conf->unix_sock_dir ? d->conf->unix_sock_dir : paths()->run;

    return g_strdup_printf("%s/%s%s", dir, d->spec->socket_prefix, infos[k].path_suffix);
}

/* Path of a listening unix socket; NULL: something else. */
static char *path_of_fd(int fd)
{
    struct sockaddr_un a = { 0 };
    socklen_t len = sizeof(a);

    if (getsockname(fd, (struct sockaddr *)&a, &len) < 0 || a.sun_family != AF_UNIX ||
        len <= offsetof(struct sockaddr_un, sun_path) || a.sun_path[0] != '/')
        return NULL;
    return g_strndup(a.sun_path, sizeof(a.sun_path));
}

/* Port of a listening socket of the network; 0: something else. */
static unsigned port_of_fd(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_storage room;
    } a;
    socklen_t len = sizeof(a);

    if (getsockname(fd, &a.any, &len) < 0)
        return 0;
    return a.any.sa_family == AF_INET ? ntohs(a.in.sin_port) : a.any.sa_family == AF_INET6 ? ntohs(a.in6.sin6_port) : 0;
}

/* Which of our sockets a passed one is; _PASSED_N: none. port: 0 for local ones. */
static SocketKind kind_of(const Daemon *d, const char *unit, const char *path, unsigned port)
{
    for (SocketKind k = 0; k < _PASSED_N; k++) {
        g_autofree char *name = g_strconcat(d->spec->name, infos[k].unit_suffix, NULL);

        if (unit && strcmp(unit, name) == 0 && (k < _SOCKET_N) == (port == 0))
            return k;
    }
    for (SocketKind k = 0; path && k < _SOCKET_N; k++) {
        g_autofree char *base = g_path_get_basename(path),
                        *name = g_strconcat(d->spec->socket_prefix, infos[k].path_suffix, NULL);

        if (strcmp(base, name) == 0)
            return k;
    }
    return port == TCP_PORT ? SOCKET_TCP : port == TLS_PORT ? SOCKET_TLS : _PASSED_N;
}

/* Units made for daemons with more authentication open the main socket to everybody. */
static void restrict_passed(const Daemon *d, SocketKind k, const char *path)
{
    struct stat st;

    if (!path || k == SOCKET_RO || stat(path, &st) < 0 || !(st.st_mode & 0007 & ~mode_of(d->conf, k)))
        return;
    log_warn(
        "socket '%s' was passed with mode %04o; without authentication everybody could use it, so it gets %04o",
        path, (unsigned)st.st_mode & 0777, (unsigned)st.st_mode & 0770);
    if (chmod(path, st.st_mode & 0770) < 0)
        log_error("cannot restrict socket '%s': %s", path, g_strerror(errno));
}

static bool adopt(Daemon *d, int fd, const char *unit, GError **err)
{
    g_autofree char *path = path_of_fd(fd);
    unsigned port = port_of_fd(fd);
    SocketKind k = kind_of(d, unit, path, port);

    if (k == _PASSED_N || (k >= _SOCKET_N && !d->spec->proxy)) {
        log_warn("socket %s (%s) that was passed is none of ours; it is closed", unit ? unit : "",
                 path ? path : "no unix socket");
        close(fd);
        return true;
    }
    if (k >= _SOCKET_N) {
        log_debug("listening on passed port %u (%s)", port, unit ? unit : "");
        return server_listen_inet_fd(d->main, k == SOCKET_TCP ? LISTEN_TCP : LISTEN_TLS, fd, err);
    }
    restrict_passed(d, k, path);
    log_debug("listening on passed socket %s (%s)", path ? path : "", unit ? unit : "");
    return server_listen_fd(k == SOCKET_ADMIN ? d->admin : d->main, fd, k == SOCKET_RO, err);
}

/* virt-admin derives the socket's name from that of the daemon, which for virtproxyd is another: a
 * link serves those who ask by that name. Only a convenience, so it fails silently. */
static void link_admin(const Daemon *d, Sockets *s)
{
    const char *suffix = infos[SOCKET_ADMIN].path_suffix;
    struct stat st;
    g_autofree char *dir = g_path_get_dirname(s->path[SOCKET_ADMIN]);
    g_autofree char *target = g_path_get_basename(s->path[SOCKET_ADMIN]);

    if (strcmp(d->spec->name, d->spec->socket_prefix) == 0)
        return;
    s->admin_link = g_strdup_printf("%s/%s%s", dir, d->spec->name, suffix);
    if (lstat(s->admin_link, &st) == 0 && S_ISLNK(st.st_mode))
        (void)unlink(s->admin_link); /* of one that was killed */
    if (symlink(target, s->admin_link) < 0)
        g_clear_pointer(&s->admin_link, g_free);
}

static bool bind_all(Daemon *d, Sockets *s, GError **err)
{
    const char *dir = d->conf->unix_sock_dir ? d->conf->unix_sock_dir : paths()->run;

    if (!path_make_dir(dir, paths()->session ? 0700 : 0755, err))
        return false;
    for (SocketKind k = 0; k < _SOCKET_N; k++) {
        g_autofree char *path = path_of(d, k);

        if (k == SOCKET_RO && paths()->session && !paths()->root)
            continue;
        if (!server_listen_unix(k == SOCKET_ADMIN ? d->admin : d->main, path, mode_of(d->conf, k),
                                d->conf->group, k == SOCKET_RO, err))
            return false;
        s->path[k] = g_steal_pointer(&path);
    }
    link_admin(d, s);
    return true;
}

Sockets *sockets_open(Daemon *d, GError **err)
{
    Sockets *s = g_new0(Sockets, 1);
    g_auto(GStrv) names = NULL;
    int n = sd_listen_fds_with_names(1, &names);
    bool ok = true;

    if (n < 0) {
        error_set_errno(err, -n, "cannot take the sockets that were passed");
        return sockets_free(s);
    }
    for (int i = 0; i < n; i++) {
        if (ok)
            ok = adopt(d, SD_LISTEN_FDS_START + i, names ? names[i] : NULL, err);
        else
            close(SD_LISTEN_FDS_START + i);
    }
    if (n == 0)
        ok = bind_all(d, s, err);
    return ok ? s : sockets_free(s);
}

void sockets_hide(Sockets *s, bool hide)
{
    for (SocketKind k = 0; k < _SOCKET_N && hide != s->is_hidden; k++) {
        if (!s->path[k])
            continue;
        if (!s->hidden[k])
            s->hidden[k] = g_strconcat(s->path[k], ".closing", NULL);
        if (rename(hide ? s->path[k] : s->hidden[k], hide ? s->hidden[k] : s->path[k]) < 0)
            log_warn("cannot %s socket '%s': %s", hide ? "hide" : "show", s->path[k],
                     g_strerror(errno));
    }
    s->is_hidden = hide;
}

/* The files themselves are removed by their server, unless they are hidden from it. */
Sockets *sockets_free(Sockets *s)
{
    if (!s)
        return NULL;
    for (SocketKind k = 0; k < _SOCKET_N; k++) {
        if (s->is_hidden && s->hidden[k])
            (void)unlink(s->hidden[k]);
        g_free(s->path[k]);
        g_free(s->hidden[k]);
    }
    if (s->admin_link)
        (void)unlink(s->admin_link); /* left over, it would only point nowhere */
    g_free(s->admin_link);
    g_free(s);
    return NULL;
}
