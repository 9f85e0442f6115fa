/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a daemon. Everything up to READY is quick: configuration, sockets, the driver's
 * tables; what may take time (finding guests again) the driver does on a worker afterwards. Stopping
 * goes the other way round: nothing new, calls in flight end or are given up, then everything is
 * freed in order. Should calls hang, the process leaves without the freeing: starting again is the
 * same code as starting after a crash, so nothing is lost by that.
 *
 * The main thread is the loop thread; workers are made when the first call needs one.
 */
#define LOG_SOURCE "daemon.main"
#include "daemons/main.h"

#include <errno.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemons/access.h"
#include "daemons/admin.h"
#include "daemons/daemon.h"
#include "daemons/hook.h"
#include "daemons/idle.h"
#include "daemons/metrics.h"
#include "daemons/modvirt.h"
#include "daemons/net.h"
#include "daemons/process.h"
#include "daemons/sockets.h"
#include "protocols/admin_procs.h"
#include "protocols/lxc_procs.h"
#include "protocols/modvirt_procs.h"
#include "protocols/qemu_procs.h"
#include "protocols/remote_procs.h"
#include "rpc/journal.h"
#include "rpc/system_token.h"
#include "util/error.h"
#include "util/log.h"
#include "util/module.h"
#include "util/paths.h"
#include "util/spawn.h"

enum {
    DRAIN_USEC = 5 * 1000 * 1000,
    UPSTREAM_OPEN_SEC = 30,
};

/* What one uid may make us keep; far above what honest clients need. */
static const AccountLimits user_limits = { .max = {
    [ACCOUNT_BYTES] = (uint64_t)1 << 30,
    [ACCOUNT_FDS] = 16384,
    [ACCOUNT_OBJECTS] = 1 << 20,
} };

static Daemon *the; /* for the callbacks of DriverContext, which carry no pointer */
static Uuid host_uuid; /* of the first configuration: it does not change while we run */

/* --- logging and limits, also when the configuration is read again ---------------------------------- */

/* Where lines go when nobody said: to the journal when systemd started us or there is no terminal
 * to write to; otherwise to stderr. */
static char *default_outputs(const Daemon *d, int level)
{
    bool journal = access("/run/systemd/journal/socket", W_OK) == 0;

    if (journal && (d->options.background || g_getenv("JOURNAL_STREAM")))
        return g_strdup_printf("%d:journald", level);
    if (d->options.background)
        return g_strdup_printf("%d:file:%s/%s.log", level, paths()->log, d->spec->name);
    return g_strdup_printf("%d:stderr", level);
}

static bool apply_logging(const Daemon *d, GError **err)
{
    const DaemonConf *c = d->conf;
    const char *env_filters = g_getenv("LIBVIRT_LOG_FILTERS"),
               *env_outputs = g_getenv("LIBVIRT_LOG_OUTPUTS");
    const char *filters = env_filters ? env_filters : c->log_filters ? c->log_filters : "";
    const char *outputs = env_outputs ? env_outputs : c->log_outputs;
    int level = c->log_level ? (int)c->log_level : d->options.verbose ? 2 : 3;
    g_autofree char *fallback = default_outputs(d, level);

    return log_set_level(level, err) && log_set_filters(filters, err) &&
           log_set_outputs(outputs && outputs[0] ? outputs : fallback, err);
}

static ServerLimits main_limits(const DaemonConf *c)
{
    return (ServerLimits){
        .max_clients = (unsigned)c->max_clients,
        .max_queued_clients = (unsigned)c->max_queued_clients,
        .max_anonymous_clients = (unsigned)MIN(c->max_anonymous_clients, c->max_clients),
        .max_client_requests = (unsigned)c->max_client_requests,
        .keepalive_interval = (unsigned)MAX(c->keepalive_interval, 0),
        .keepalive_count = (unsigned)c->keepalive_count,
    };
}

static ServerLimits admin_limits(const DaemonConf *c)
{
    return (ServerLimits){
        .max_clients = (unsigned)c->admin_max_clients,
        .max_queued_clients = (unsigned)c->admin_max_queued_clients,
        .max_anonymous_clients = 0,
        .max_client_requests = (unsigned)c->admin_max_client_requests,
        .keepalive_interval = (unsigned)MAX(c->admin_keepalive_interval, 0),
        .keepalive_count = (unsigned)c->admin_keepalive_count,
    };
}

void daemon_apply_limits(Daemon *d)
{
    const DaemonConf *c = d->conf;

    *server_limits(d->main) = main_limits(c);
    *server_limits(d->admin) = admin_limits(c);
    server_apply_limits(d->main);
    server_apply_limits(d->admin);
    server_set_owner_only(d->main, d->spec->proxy && config_wants_access_control(c));
    if (d->pool) /* the values were checked with the file */
        (void)pool_set_limits(d->pool, (unsigned)c->min_workers, (unsigned)c->max_workers,
                              (unsigned)c->prio_workers, NULL);
}

static void say_what_is_missing(const Daemon *d)
{
    g_autofree char *missing = config_missing_features(d->conf);

    if (missing)
        log_warn(
            "%s: the configuration asks for what this version does not have: %s. The local sockets are served, "
            "for their owner and group only where a check is missing",
            d->spec->name, missing);
}

static void reload(Daemon *d)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(DaemonConf) old = d->conf;
    DaemonConf *new = config_load(d->spec, d->options.config, &err);

    if (!new) {
        old = NULL; /* stays in force */
        log_error("%s: configuration is not changed: %s", d->spec->name, err->message);
        return;
    }
    d->conf = new;
    if (!apply_logging(d, &err))
        log_error("%s: logging is not changed: %s", d->spec->name, err->message);
    daemon_apply_limits(d);
    access_reread(d);
    net_reload(d->net);
    say_what_is_missing(d);
    log_info("%s: configuration is read again", d->spec->name);
}

/* --- signals ------------------------------------------------------------------------------------------ */

void daemon_stop(Daemon *d)
{
    if (d->stopping)
        return;
    d->stopping = true;
    (void)sd_notify(0, "STOPPING=1");
    loop_exit(d->loop, EXIT_SUCCESS);
}

static int on_signal(sd_event_source *s, const struct signalfd_siginfo *si, void *data)
{
    Daemon *d = data;

    switch (si->ssi_signo) {
    case SIGTERM:
    case SIGINT:
        log_info("%s: stopping at signal %u", d->spec->name, si->ssi_signo);
        daemon_stop(d);
        break;
    case SIGHUP:
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" G_GUINT64_FORMAT, (guint64)now_usec());
        reload(d);
        daemon_hook("reload", "begin", "SIGHUP");
        (void)sd_notify(0, "READY=1");
        break;
    case SIGCHLD:
        (void)spawn_reap();
        break;
    case SIGUSR2:
        crash_dump_now();
        break;
    }
    return 0;
}

static const int handled_signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, SIGUSR2 };

/* Blocked before there are threads, so that only the loop's signalfd sees them. */
static void block_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    for (unsigned i = 0; i < G_N_ELEMENTS(handled_signals); i++)
        sigaddset(&set, handled_signals[i]);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, SIG_IGN);
}

static bool watch_signals(Daemon *d, GError **err)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(handled_signals); i++) {
        int r = sd_event_add_signal(loop_event(d->loop), NULL, handled_signals[i], on_signal, d);

        if (r < 0) {
            error_set_errno(err, -r, "cannot watch signals");
            return false;
        }
    }
    return true;
}

/* --- starting ------------------------------------------------------------------------------------------ */

static void run_on_worker(void (*fn)(void *data), void *data)
{
    pool_push(the->pool, fn, data, false);
}

static void on_clients(void *data)
{
    Daemon *d = data;

    if (d->idle) /* not while everything is being taken down */
        idle_update(d->idle);
}

static void start_driver(void *data)
{
    ((const Driver *)data)->start();
}

static bool open_main_server(Daemon *d, GError **err)
{
    ServerLimits limits = main_limits(d->conf);

    if (d->spec->proxy || forward_is_hypervisor(d->spec->name)) {
        ForwarderConfig cfg = { .run_dir = paths()->run, .open_timeout_sec = UPSTREAM_OPEN_SEC,
                                .session = paths()->session, .metrics = dispatcher_metrics(d->dispatcher) };

        d->forwarder = forwarder_new(d->loop, &cfg);
    }
    if (d->spec->proxy) {
        d->main = forwarder_serve(d->forwarder, d->spec->name, &limits, d->users);
        return true;
    }

    ProgramBinding programs[3] = { { &remote_program, d->driver->remote, &core_remote_handlers } };
    unsigned n = 1;

    if (d->driver->qemu)
        programs[n++] = (ProgramBinding){ &qemu_program, d->driver->qemu, &core_qemu_handlers };
    if (d->driver->lxc)
        programs[n++] = (ProgramBinding){ &lxc_program, d->driver->lxc, NULL };
    d->main = dispatcher_serve(d->dispatcher, d->spec->name, &limits, d->users, programs, n);
    dispatcher_set_siblings(d->dispatcher, d->forwarder);
    return true;
}

static void open_admin_server(Daemon *d)
{
    ServerLimits limits = admin_limits(d->conf);
    ProgramBinding programs[] = { { &admin_program, &admin_handlers, &core_admin_handlers },
                                  { &modvirt_program, &modvirt_handlers, NULL } };

    d->admin = dispatcher_serve(d->dispatcher, "admin", &limits, d->users, programs, G_N_ELEMENTS(programs));
    admin_init(d);
    modvirt_init(d);
}

/* Without a journal nothing else is missing. */
static void open_journal(const Daemon *d)
{
    g_autofree char *dir = g_build_filename(paths()->lib, "events", NULL);
    g_autofree char *path = g_strdup_printf("%s/%s", dir, d->spec->name);
    g_autoptr(GError) error = NULL;

    if (!d->driver)
        return;
    if (path_make_dir(dir, 0700, &error))
        event_set_journal(journal_open(path, JOURNAL_FILE_MAX, &error));
    if (!event_journal())
        log_warn("%s: events are not kept: %s", d->spec->name, error->message);
}

/* Daemons that ask one another need it; others serve all the same. */
static void make_token(const Daemon *d)
{
    g_autoptr(GError) error = NULL;

    if (!d->driver)
        return;
    system_token_free(system_token(&error));
    if (error)
        log_warn("%s: %s; other daemons will not know it as one of theirs", d->spec->name, error->message);
}

static void close_journal(void)
{
    Journal *j = event_journal();

    event_set_journal(NULL);
    (void)journal_close(j, true);
}

/* Listening comes last: by then everything that a client can ask for is there. */
static bool start(Daemon *d, GError **err)
{
    const DaemonConf *c = d->conf;
    static DriverContext context; /* drivers keep the pointer */

    memcpy(host_uuid, c->uuid, sizeof(host_uuid));
    context = (DriverContext){ .daemon = d->spec->name,
                               .run_on_worker = run_on_worker,
                               .host_uuid = c->have_uuid ? host_uuid : NULL };
    d->loop = loop_new(err);
    if (!d->loop || !watch_signals(d, err))
        return false;
    d->users = user_registry_new(&user_limits);
    if (!d->spec->proxy)
        d->pool = pool_new(d->spec->name, (unsigned)c->min_workers, (unsigned)c->max_workers,
                           (unsigned)c->prio_workers);
    d->dispatcher = dispatcher_new(d->loop, d->pool, d->driver, err);
    if (!d->dispatcher || !open_main_server(d, err))
        return false;
    open_admin_server(d);
    d->idle = idle_new(d, d->options.timeout_sec);
    server_set_on_count(d->main, on_clients, d);
    server_set_on_count(d->admin, on_clients, d);
    server_set_owner_only(d->main, d->spec->proxy && config_wants_access_control(c));
    if (!access_open(d, err))
        return false;
    open_journal(d);
    make_token(d);
    if (d->driver && !d->driver->init(&context, err))
        return false;
    d->driver_ready = d->driver != NULL;
    d->sockets = sockets_open(d, err);
    if (!d->sockets)
        return false;
    d->net = net_start(d);
    d->metrics = metrics_socket_open(d);
    return true;
}

static bool take_pid_file(Daemon *d, GError **err)
{
    bool in_run = paths()->session && !paths()->root;
    g_autofree char *dir = in_run ? g_strdup(paths()->run) : g_path_get_dirname(paths()->run);

    d->pid_file = d->options.pid_file ? g_strdup(d->options.pid_file)
                                      : g_strdup_printf("%s/%s.pid", dir, d->spec->name);
    return path_make_dir(paths()->run, paths()->session ? 0700 : 0755, err) &&
           pid_file_take(d->spec->name, d->pid_file, &d->pid_fd, err);
}

/* From the command line to READY. */
static bool set_up(Daemon *d, GError **err)
{
    g_autofree char *crash = NULL;

    umask(geteuid() == 0 ? 022 : 077);
    if (!paths_init(d->options.root, geteuid() != 0, err))
        return false;
    d->conf = config_load(d->spec, d->options.config, err);
    if (!d->conf || (d->options.background && !background_start(&d->ready_fd, err)))
        return false;
    block_signals();
    raise_fd_limit();
    if (!path_make_dir(paths()->log, 0700, err) || !apply_logging(d, err) || !take_pid_file(d, err))
        return false;
    crash = g_strdup_printf("%s/%s-debug.txt", paths()->log, d->spec->name);
    crash_dump_install(crash);

    if (d->spec->builtin)
        d->driver = d->spec->builtin;
    else if (d->spec->module && !(d->driver = module_symbol(d->spec->module, DRIVER_SYMBOL, err)))
        return false;
    if (!start(d, err))
        return false;

    (void)sd_notifyf(0, "READY=1\nSTATUS=Serving\nMAINPID=%d", (int)getpid());
    background_ready(&d->ready_fd);
    say_what_is_missing(d);
    daemon_hook("start", NULL, "start");
    if (d->driver && d->driver->start)
        pool_push(d->pool, start_driver, (void *)d->driver, false);
    idle_update(d->idle);
    return true;
}

/* --- stopping ------------------------------------------------------------------------------------------ */

/* Accepts every half-built state that set_up() can leave. */
static void tear_down(Daemon *d)
{
    bool hung = false;

    if (d->sockets) /* it did serve */
        daemon_hook("shutdown", NULL, "shutdown");
    if (d->main)
        server_set_accepting(d->main, false);
    if (d->dispatcher) {
        dispatcher_drain(d->dispatcher, DRAIN_USEC);
        hung = dispatcher_calls_in_flight(d->dispatcher) > 0;
        /* Work that no client asked for may run, too: a guest is being taken up again. */
        if (d->pool && !hung)
            hung = !pool_wait_idle(d->pool, DRAIN_USEC);
    }
    if (d->driver_ready && d->driver->stop && !hung)
        d->driver->stop();
    d->idle = idle_free(d->idle);
    /* Servers remove their socket files. */
    if (!d->spec->proxy)
        server_free(d->main);
    d->forwarder = forwarder_free(d->forwarder); /* with its server */
    d->admin = server_free(d->admin);
    d->net = net_free(d->net);
    d->metrics = metrics_socket_free(d->metrics);
    d->sockets = sockets_free(d->sockets);
    daemon_hook_wait();
    if (hung) {
        log_warn("%s: some work does not end, leaving without it", d->spec->name);
        pid_file_remove(d->pid_file, &d->pid_fd);
        _exit(EXIT_SUCCESS);
    }
    d->pool = pool_free(d->pool);
    if (d->driver_ready && d->driver->done)
        d->driver->done();
    close_journal();
    access_close(d);
    if (d->loop)
        loop_drain(d->loop);
    d->dispatcher = dispatcher_free(d->dispatcher);
    d->loop = loop_free(d->loop);
    user_registry_unref(d->users);
    d->conf = config_free(d->conf);
    pid_file_remove(d->pid_file, &d->pid_fd); /* last: from here on another may start */
    g_free(d->pid_file);
}

int daemon_main(int argc, char **argv, const DaemonSpec *spec)
{
    Daemon d = { .spec = spec, .pid_fd = -1, .ready_fd = -1 };
    g_autoptr(GError) err = NULL;
    int status = EXIT_FAILURE;

    /* One heap: workers come and go, and a heap for each would keep what the last one did not need. */
    (void)mallopt(M_ARENA_MAX, 1);
    /* Messages of streams come and go by the thousand: their pages stay, until their connection ends (conn.c). */
    (void)mallopt(M_MMAP_THRESHOLD, 512 << 10);
    (void)mallopt(M_TRIM_THRESHOLD, 2 << 20);
    setlocale(LC_ALL, "C.UTF-8"); /* bytes and messages are the same everywhere */
    if (!options_parse(argc, argv, spec, &d.options, &status))
        return status;
    the = &d;
    if (set_up(&d, &err)) {
        status = loop_run(d.loop);
    } else {
        g_autofree char *text = error_text(err);

        status = EXIT_FAILURE;
        log_error("%s cannot start: %s", spec->name, text);
        if (d.options.background || g_getenv("JOURNAL_STREAM"))
            fprintf(stderr, "%s cannot start: %s\n", spec->name, text);
        (void)sd_notifyf(0, "STATUS=Cannot start: %s", text);
    }
    tear_down(&d);
    return status;
}
