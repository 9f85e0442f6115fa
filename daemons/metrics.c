/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Figures for collectors: GET /metrics over HTTP/1.0 on a unix socket that the owner and the group of
 * the daemon's sockets may open. A request is small and answered at once; a client that takes its
 * time is dropped, and few are served at a time, so that a collector cannot hold anything. The text is
 * made when it is asked for: nothing is counted that is not there anyway. Loop thread.
 */
#define LOG_SOURCE "daemon.metrics"
#include "daemons/metrics.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rpc/forward.h"
#include "rpc/listen.h"
#include "rpc/metrics.h"
#include "util/counter.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"

enum { REQUEST_MAX = 4096, SCRAPERS_MAX = 8, PATIENCE_USEC = 5 * 1000000 };

/* The text ---------------------------------------------------------------------------------------- */

typedef struct Traffic {
    uint64_t in, out, queued;
} Traffic;

static void add_client(Client *c, void *data)
{
    Traffic *t = data;

    t->in += conn_bytes_in(c->conn);
    t->out += conn_bytes_out(c->conn);
    t->queued += conn_queued_bytes(c->conn);
}

static void render_servers(Daemon *d, GString *out)
{
    Server *all[] = { d->main, d->admin };
    Traffic t[G_N_ELEMENTS(all)] = { { 0 } };

    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)
        server_foreach_client(all[i], add_client, &t[i]);
#define EACH(name, type, help, value)                                                                                  \
    metrics_family(out, name, type, help);                                                                             \
    for (unsigned i = 0; i < G_N_ELEMENTS(all); i++)                                                                   \
        metrics_sample(out, name, "server", server_name(all[i]), value);
    EACH("modvirt_clients", "gauge", "Connected clients.", server_n_clients(all[i]))
    EACH("modvirt_clients_anonymous", "gauge", "Clients that have not authenticated.", server_n_anonymous(all[i]))
    EACH("modvirt_clients_max", "gauge", "Limit of connected clients.", server_limits(all[i])->max_clients)
    EACH("modvirt_client_received_bytes", "gauge", "Bytes from the clients that are connected now.", t[i].in)
    EACH("modvirt_client_sent_bytes", "gauge", "Bytes to the clients that are connected now.", t[i].out)
    EACH("modvirt_client_queued_bytes", "gauge", "Bytes that clients have not taken yet.", t[i].queued)
#undef EACH
}

static void render_pool(Daemon *d, GString *out)
{
    PoolStats s = { 0 };

    if (d->pool)
        pool_stats(d->pool, &s);
    metrics_family(out, "modvirt_workers", "gauge", "Worker threads, by state.");
    metrics_sample(out, "modvirt_workers", "state", "idle", s.idle);
    metrics_sample(out, "modvirt_workers", "state", "busy", s.current - s.idle);
    metrics_family(out, "modvirt_jobs_queued", "gauge", "Calls that wait for a worker.");
    metrics_sample(out, "modvirt_jobs_queued", NULL, NULL, s.queued);
}

static void render_counter(const Counter *c, void *data)
{
    g_autofree char *sample = g_strconcat(c->name, "_total", NULL);

    metrics_family(data, c->name, "counter", c->help);
    metrics_sample(data, sample, NULL, NULL, counter_value(c));
}

char *metrics_text(Daemon *d)
{
    GString *out = g_string_new(NULL);

    render_servers(d, out);
    render_pool(d, out);
    dispatcher_render_metrics(d->dispatcher, out);
    if (d->forwarder)
        forwarder_render_metrics(d->forwarder, out);
    counter_foreach(render_counter, out);
    if (d->driver_ready && d->driver->render_metrics)
        d->driver->render_metrics(out);
    g_string_append(out, "# EOF\n");
    return g_string_free(out, FALSE);
}

/* The socket -------------------------------------------------------------------------------------- */

struct MetricsSocket {
    Daemon *d;
    int fd;
    ListenAddress address;
    sd_event_source *io;
    GQueue scrapers;
};

typedef struct Scraper {
    MetricsSocket *s;
    GList link;
    int fd;
    sd_event_source *io, *patience;
    char request[REQUEST_MAX];
    size_t n_request;
    GString *answer; /* NULL: the request is not complete */
    size_t sent;
} Scraper;

static void scraper_free(Scraper *c)
{
    g_queue_unlink(&c->s->scrapers, &c->link);
    sd_event_source_disable_unref(c->io);
    sd_event_source_disable_unref(c->patience);
    fd_close(&c->fd);
    if (c->answer)
        g_string_free(c->answer, TRUE);
    g_free(c);
}

static int on_patience(sd_event_source *src, uint64_t usec, void *data)
{
    (void)src;
    (void)usec;
    scraper_free(data);
    return 0;
}

static bool is_get_of(const char *request, const char *path)
{
    size_t n = strlen(path);

    return strncmp(request, "GET ", 4) == 0 && strncmp(request + 4, path, n) == 0 &&
           (request[4 + n] == ' ' || request[4 + n] == '?');
}

static void make_answer(Scraper *c)
{
    static const char type[] = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    if (is_get_of(c->request, "/metrics")) {
        g_autofree char *text = metrics_text(c->s->d);

        c->answer = g_string_new(NULL);
        g_string_printf(c->answer, "HTTP/1.0 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                                   "Connection: close\r\n\r\n%s", type, strlen(text), text);
    } else {
        static const char body[] = "There is GET /metrics and nothing else.\n";
        bool get = strncmp(c->request, "GET ", 4) == 0;

        c->answer = g_string_new(NULL);
        g_string_printf(c->answer, "HTTP/1.0 %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                                   "Connection: close\r\n\r\n%s",
                        get ? "404 Not Found" : "405 Method Not Allowed", strlen(body), body);
    }
}

/* False: it is gone. */
static bool read_request(Scraper *c)
{
    ssize_t n = recv(c->fd, c->request + c->n_request, REQUEST_MAX - 1 - c->n_request, 0);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n <= 0)
        return false;
    c->n_request += (size_t)n;
    c->request[c->n_request] = '\0';
    if (strstr(c->request, "\r\n\r\n") || strstr(c->request, "\n\n")) {
        make_answer(c);
        (void)sd_event_source_set_io_events(c->io, EPOLLOUT);
    }
    return c->answer || c->n_request < REQUEST_MAX - 1;
}

static int on_scraper(sd_event_source *src, int fd, uint32_t revents, void *data)
{
    Scraper *c = data;
    (void)src;
    (void)revents;

    if (!c->answer) {
        if (!read_request(c))
            scraper_free(c);
        return 0;
    }
    ssize_t n = send(fd, c->answer->str + c->sent, c->answer->len - c->sent, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n > 0)
        c->sent += (size_t)n;
    if (n < 0 || c->sent == c->answer->len)
        scraper_free(c);
    return 0;
}

static int on_listener(sd_event_source *src, int fd, uint32_t revents, void *data)
{
    MetricsSocket *s = data;
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    (void)src;
    (void)revents;

    if (client < 0)
        return 0;
    if (s->scrapers.length >= SCRAPERS_MAX) {
        close(client);
        return 0;
    }
    Scraper *c = g_new0(Scraper, 1);

    c->s = s;
    c->fd = client;
    c->link.data = c;
    g_queue_push_tail_link(&s->scrapers, &c->link);
    if (sd_event_add_io(loop_event(s->d->loop), &c->io, client, EPOLLIN, on_scraper, c) < 0) {
        scraper_free(c);
        return 0;
    }
    loop_timer_set(s->d->loop, &c->patience, PATIENCE_USEC, on_patience, c);
    return 0;
}

MetricsSocket *metrics_socket_open(Daemon *d)
{
    const char *dir = d->conf->unix_sock_dir ? d->conf->unix_sock_dir : paths()->run;
    g_autofree char *path = g_strdup_printf("%s/%s-metrics-sock", dir, d->spec->name);
    g_autoptr(GError) err = NULL;
    MetricsSocket *s = g_new0(MetricsSocket, 1);

    s->d = d;
    s->fd = listen_unix(path, 0660, d->conf->group, SCRAPERS_MAX, &s->address, &err);
    if (s->fd < 0) {
        log_warn("%s: no figures for collectors: %s", d->spec->name, err->message);
        g_free(s);
        return NULL;
    }
    if (!fd_set_nonblock(s->fd, true) ||
        sd_event_add_io(loop_event(d->loop), &s->io, s->fd, EPOLLIN, on_listener, s) < 0) {
        log_warn("%s: no figures for collectors: the socket cannot be watched", d->spec->name);
        return metrics_socket_free(s);
    }
    return s;
}

MetricsSocket *metrics_socket_free(MetricsSocket *s)
{
    if (!s)
        return NULL;
    while (s->scrapers.head)
        scraper_free(s->scrapers.head->data);
    sd_event_source_disable_unref(s->io);
    listen_address_remove(&s->address);
    fd_close(&s->fd);
    g_free(s);
    return NULL;
}
