/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What clients run on a host that they reach by ssh: it connects its standard input and output with
 * the socket that serves a URI, and passes bytes.
 *
 * usage: virt-ssh-helper [-r] URI
 *
 * The proxy's socket is preferred, since one connection has to serve all kinds of objects; the
 * daemon of the URI's hypervisor is taken when there is no proxy, or for "?mode=direct". "?socket=PATH"
 * names a socket outright. One thread; nothing is kept beyond one buffer in each direction.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "rpc/forward.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

enum { BUFFER = 64 << 10 };

/* One direction. */
typedef struct Flow {
    int from, to;
    bool end, closed; /* 'from' has ended; that was passed on */
    size_t pos, n;
    char buf[BUFFER];
} Flow;

static int connect_to(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(a.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(a.sun_path, path, strlen(path));
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
        return -1;
    return fd_take(&fd);
}

/* Value of a parameter of the URI's query, allocated; NULL: not there. */
static char *query_value(const char *query, const char *name)
{
    g_autoptr(GHashTable) all = query ? g_uri_parse_params(query, -1, "&;", G_URI_PARAMS_NONE, NULL) : NULL;

    return all ? g_strdup(g_hash_table_lookup(all, name)) : NULL;
}

static int open_socket(const char *text, bool readonly, GError **err)
{
    g_autoptr(GUri) uri = g_uri_parse(text, G_URI_FLAGS_NON_DNS, NULL);
    const char *path = uri ? g_uri_get_path(uri) : "", *daemon;
    const char *suffix = readonly ? "-ro" : "";

    if (!uri) {
        error_set(err, VIR_ERR_INVALID_ARG, "'%s' is no URI", text);
        return -1;
    }

    bool session = g_str_has_suffix(path, "/session") || (!g_str_has_suffix(path, "/system") && geteuid() != 0);
    g_autofree char *given = query_value(g_uri_get_query(uri), "socket"), *mode = query_value(g_uri_get_query(uri), "mode");
    g_autofree char *bare = g_strdup_printf("%s:///%s", g_uri_get_scheme(uri), session ? "session" : "system");

    if (!paths_init(NULL, session, err))
        return -1;

    g_autoptr(GPtrArray) tries = g_ptr_array_new_with_free_func(g_free);

    if (given) {
        g_ptr_array_add(tries, g_steal_pointer(&given));
    } else {
        if (g_strcmp0(mode, "direct") != 0)
            g_ptr_array_add(tries, g_strdup_printf("%s/libvirt-sock%s", paths()->run, session ? "" : suffix));
        daemon = g_strcmp0(mode, "legacy") != 0 ? forward_daemon_of_uri(bare, NULL) : NULL;
        if (daemon)
            g_ptr_array_add(tries, g_strdup_printf("%s/%s-sock%s", paths()->run, daemon, session ? "" : suffix));
    }

    int errnum = ENOENT;

    for (unsigned i = 0; i < tries->len; i++) {
        int fd = connect_to(tries->pdata[i]);

        if (fd >= 0)
            return fd;
        errnum = errno;
        if (errnum != ENOENT && errnum != ECONNREFUSED)
            tries->len = i + 1; /* it is there, and this is the reason to name */
    }
    error_set_errno(err, errnum, "cannot connect to '%s'", tries->len ? (char *)tries->pdata[tries->len - 1] : text);
    return -1;
}

static bool would_block(void)
{
    return errno == EAGAIN || errno == EINTR;
}

/* Moves what can be moved; false at an error. */
static bool flow_move(Flow *f, bool readable, bool writable)
{
    if (f->n == f->pos && !f->end && readable) {
        ssize_t r = read(f->from, f->buf, sizeof(f->buf));

        if (r < 0 && !would_block())
            return false;
        f->end = r == 0;
        f->pos = 0;
        f->n = r > 0 ? (size_t)r : 0;
        writable = f->n > 0; /* most likely; an empty try costs little */
    }
    if (f->n > f->pos && writable) {
        ssize_t r = write(f->to, f->buf + f->pos, f->n - f->pos);

        if (r < 0 && !would_block())
            return false;
        if (r > 0)
            f->pos += (size_t)r;
    }
    return true;
}

static bool pass(int sock)
{
    static Flow up, down;

    up = (Flow){ .from = STDIN_FILENO, .to = sock };
    down = (Flow){ .from = sock, .to = STDOUT_FILENO };
    while (!down.end || down.n > down.pos) {
        bool up_empty = up.n == up.pos, down_empty = down.n == down.pos;
        short sock_events = (short)((up_empty ? 0 : POLLOUT) | (down_empty && !down.end ? POLLIN : 0));
        struct pollfd p[3] = {
            { up_empty && !up.end ? STDIN_FILENO : -1, POLLIN, 0 },
            { down_empty ? -1 : STDOUT_FILENO, POLLOUT, 0 },
            { sock_events ? sock : -1, sock_events, 0 },
        };

        if (poll(p, 3, -1) < 0 && errno != EINTR)
            return false;
        if (!flow_move(&up, p[0].revents != 0, p[2].revents & (POLLOUT | POLLERR)) ||
            !flow_move(&down, p[2].revents & (POLLIN | POLLHUP | POLLERR), p[1].revents != 0))
            return false;
        if (up.end && up.n == up.pos && !up.closed) {
            (void)shutdown(sock, SHUT_WR); /* the daemon may have gone; its end is seen by reading */
            up.closed = true;
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    bool readonly = false;
    g_autoptr(GError) err = NULL;
    int c;

    while ((c = getopt(argc, argv, "hrV")) != -1) {
        switch (c) {
        case 'r':
            readonly = true;
            break;
        case 'V':
            printf("virt-ssh-helper (modvirt) %s\n", MODVIRT_VERSION);
            return EXIT_SUCCESS;
        case 'h':
            printf("usage: virt-ssh-helper [-r] URI\n\nConnects standard input and output with the daemon that serves URI.\n"
                   "  -r  read-only\n  -V  show the version\n");
            return EXIT_SUCCESS;
        default:
            return EXIT_FAILURE;
        }
    }
    if (argc - optind != 1) {
        fprintf(stderr, "usage: virt-ssh-helper [-r] URI\n");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);

    auto_fd sock = open_socket(argv[optind], readonly, &err);

    if (sock < 0) {
        g_autofree char *text = error_text(err);

        fprintf(stderr, "virt-ssh-helper: %s\n", text);
        return EXIT_FAILURE;
    }
    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
        (void)fd_set_nonblock(fd, true); /* without, a peer that stops reading only slows us */
    (void)fd_set_nonblock(sock, true);

    bool ok = pass(sock);

    for (int fd = STDIN_FILENO; fd <= STDOUT_FILENO; fd++)
        (void)fd_set_nonblock(fd, false); /* the descriptors may be shared with whoever started us */
    return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
