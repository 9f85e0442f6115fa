/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The host's shutdown (host_shutdown.h). The bus is spoken to on the monitor thread, which exists whenever guests run,
 * and never waited for: what fails is tried again when the next guest comes. The inhibitor lock is a descriptor that is ours
 * from the first guest to the last. What is done to the guests is done by one worker, in turns of the domains as
 * always; phases follow one another because a guest that was saved needs no more.
 */
#define LOG_SOURCE "qemu.host-shutdown"
#include "drivers/qemu/host_shutdown.h"

#include <fcntl.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/save.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/paths.h"

#define SERVICE "org.freedesktop.login1"
#define PATH    "/org/freedesktop/login1"
#define MANAGER "org.freedesktop.login1.Manager"

enum { SEC = 1000000, LOOK_AGAIN = SEC, DEFAULT_WAIT = 30, STEP_USEC = 100000 };
enum { PERSISTENT = 1, TRANSIENT = 2 };

/* All on the monitor thread, but for acting. */
static struct {
    sd_bus *bus;
    sd_event_source *timer;
    bool asking; /* for the lock */
    int inhibitor;
    atomic_bool acting;
} host = { .inhibitor = -1 };

/* Configuration ------------------------------------------------------------------------------------- */

static bool parse(const char *key, const char *word, const char *otherwise, unsigned *ret, GError **err)
{
    static const char *const words[] = { "none", "persistent", "transient", "all" };

    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        if (strcmp(word ? word : otherwise, words[i]) == 0) {
            *ret = i;
            return true;
        }
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s: '%s' is none of none, persistent, transient, all", key, word);
    return false;
}

typedef struct Policy {
    unsigned save, shut, poweroff;
} Policy;

/* A user's guests end with the user's session; the system's are libvirt-guests' unless the administrator says otherwise. */
static bool policy_of(const QemuConfig *c, Policy *p, GError **err)
{
    bool s = paths()->session;

    return parse("auto_shutdown_try_save", c->auto_shutdown_try_save, s ? "persistent" : "none", &p->save, err) &&
           parse("auto_shutdown_try_shutdown", c->auto_shutdown_try_shutdown, s ? "all" : "none", &p->shut, err) &&
           parse("auto_shutdown_poweroff", c->auto_shutdown_poweroff, s ? "all" : "none", &p->poweroff, err);
}

bool host_shutdown_check(const QemuConfig *c, GError **err)
{
    Policy p;

    if (!policy_of(c, &p, err))
        return false;
    if (p.save & TRANSIENT) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "auto_shutdown_try_save: managed save is for persistent guests only");
        return false;
    }
    if (c->auto_shutdown_wait < 0 || c->auto_shutdown_wait > 24 * 60 * 60) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "auto_shutdown_wait: %" G_GINT64_FORMAT " is no number of seconds of a day",
                  c->auto_shutdown_wait);
        return false;
    }
    return true;
}

static bool wants_anything(void)
{
    Policy p;
    return policy_of(qemu.config, &p, NULL) && (p.save | p.shut | p.poweroff);
}

/* What is done -------------------------------------------------------------------------------------- */

static bool meant(const DomainView *v, unsigned whom)
{
    return view_active(v) && (whom & (v->persistent ? PERSISTENT : TRANSIENT));
}

static unsigned count(unsigned whom)
{
    g_autoptr(GPtrArray) views = domains_views();
    unsigned n = 0;

    for (unsigned i = 0; i < views->len; i++)
        n += meant(views->pdata[i], whom);
    return n;
}

typedef struct Phase {
    const char *what;
    bool (*fn)(DomainTurn *t, GError **err);
    unsigned whom;
    atomic_uint open;
} Phase;

static void in_turn(DomainTurn *t, void *data)
{
    Phase *p = data;
    g_autoptr(GError) error = NULL;

    if (t && meant(turn_view(t), p->whom)) {
        if (qemu.config->auto_shutdown_restore && turn_view(t)->persistent && !turn_view(t)->autostart)
            turn_set_autostart_once(t, true);
        if (!p->fn(t, &error))
            log_warn("the host goes down: cannot %s '%s': %s", p->what, turn_view(t)->name, error->message);
    }
    (void)atomic_fetch_sub(&p->open, 1);
}

static void run_phase(Phase *p)
{
    g_autoptr(GPtrArray) views = domains_views();

    for (unsigned i = 0; i < views->len; i++) {
        const DomainView *v = views->pdata[i];
        g_autoptr(Domain) d = meant(v, p->whom) ? domains_find_uuid(v->uuid) : NULL;
        if (!d)
            continue;
        log_info("the host goes down: %s '%s'", p->what, v->name);
        (void)atomic_fetch_add(&p->open, 1);
        domain_run_turn(d, "shutdown of the host", false, in_turn, p);
    }
    while (atomic_load(&p->open) > 0) /* turns end by themselves; their function is always called */
        g_usleep(STEP_USEC);
}

static bool do_save(DomainTurn *t, GError **err)
{
    return save_managed(t, NULL, NULL, qemu.config->auto_save_bypass_cache ? VIR_DOMAIN_SAVE_BYPASS_CACHE : 0, err);
}

static bool do_shut_down(DomainTurn *t, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);

    process_plan_reboot(t, false);
    return q && (turn_view(t)->state != VIR_DOMAIN_RUNNING || qmp_system_powerdown(q, err));
}

static bool do_power_off(DomainTurn *t, GError **err)
{
    return process_stop(t, VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, false, err);
}

static void let_go(void *unused)
{
    (void)unused;
    fd_close(&host.inhibitor);
    atomic_store(&host.acting, false);
}

/* A worker. */
static void act(void *unused)
{
    Policy p = { 0 };
    (void)unused;

    (void)policy_of(qemu.config, &p, NULL); /* it was checked */
    int64_t wait = qemu.config->auto_shutdown_wait ? qemu.config->auto_shutdown_wait : DEFAULT_WAIT;
    Phase save = { "save", do_save, p.save, 0 }, shut = { "shut down", do_shut_down, p.shut, 0 },
          off = { "power off", do_power_off, p.poweroff, 0 };

    run_phase(&save);
    run_phase(&shut);
    for (uint64_t end = now_usec() + (uint64_t)wait * SEC; now_usec() < end && count(p.shut) > 0 && !objects_stopping();)
        g_usleep(STEP_USEC);
    run_phase(&off);
    Loop *loop = qmp_loop(NULL);
    if (loop)
        loop_post(loop, let_go, NULL);
}

/* The bus -------------------------------------------------------------------------------------------- */

static void close_bus(void)
{
    sd_bus *bus = host.bus;

    host.bus = NULL;
    host.asking = false;
    fd_close(&host.inhibitor);
    if (!bus)
        return;
    (void)sd_bus_detach_event(bus);
    sd_bus_close_unref(bus);
}

static int on_prepare(sd_bus_message *m, void *unused, sd_bus_error *error)
{
    int begins = 0;
    (void)unused, (void)error;

    if (sd_bus_message_read(m, "b", &begins) < 0 || !begins || atomic_exchange(&host.acting, true))
        return 0;
    log_info("the host goes down: %u guests run", domains_count_active());
    qemu.ctx->run_on_worker(act, NULL);
    return 0;
}

static int on_disconnected(sd_bus_message *m, void *unused, sd_bus_error *error)
{
    (void)m, (void)unused, (void)error;
    log_info("the system bus is gone: a shutdown of the host is not noticed until another guest starts");
    close_bus();
    return 0;
}

static int on_lock(sd_bus_message *m, void *unused, sd_bus_error *unused_too)
{
    const sd_bus_error *e = sd_bus_message_get_error(m);
    int fd = -1;
    (void)unused, (void)unused_too;

    host.asking = false;
    if (e) {
        log_info("the host's shutdown will not wait for guests: %s", e->message);
        return 0;
    }
    if (host.inhibitor < 0 && sd_bus_message_read(m, "h", &fd) >= 0) /* the message's own */
        host.inhibitor = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return 0;
}

static bool open_bus(Loop *loop)
{
    sd_bus *bus = NULL;
    int r = sd_bus_open_system(&bus);

    if (r >= 0)
        r = sd_bus_attach_event(bus, loop_event(loop), SD_EVENT_PRIORITY_NORMAL);
    if (r >= 0)
        r = sd_bus_match_signal_async(bus, NULL, SERVICE, PATH, MANAGER, "PrepareForShutdown", on_prepare, NULL, NULL);
    if (r >= 0)
        r = sd_bus_match_signal_async(bus, NULL, "org.freedesktop.DBus.Local", "/org/freedesktop/DBus/Local",
                                      "org.freedesktop.DBus.Local", "Disconnected", on_disconnected, NULL, NULL);
    if (r < 0) {
        log_info("a shutdown of the host will not be noticed: the system bus cannot be reached: %s", g_strerror(-r));
        sd_bus_close_unref(bus);
        return false;
    }
    host.bus = bus;
    return true;
}

static int on_time(sd_event_source *s, uint64_t usec, void *loop)
{
    (void)s, (void)usec, (void)loop;
    if (domains_count_active() == 0 && !atomic_load(&host.acting))
        fd_close(&host.inhibitor);
    return 0;
}

/* The monitor thread. The number of guests is right a moment after the turn that changes it. */
static void look(void *data)
{
    Loop *loop = data;

    loop_timer_set(loop, &host.timer, LOOK_AGAIN, on_time, loop);
    if ((!host.bus && !open_bus(loop)) || host.inhibitor >= 0 || host.asking)
        return;
    host.asking = sd_bus_call_method_async(host.bus, NULL, SERVICE, PATH, MANAGER, "Inhibit", on_lock, NULL, "ssss", "shutdown",
                                           "modvirt", "virtual machines run", "delay") >= 0;
}

void host_shutdown_look(void)
{
    /* As for machines: scratch roots are nobody's host, unless somebody says which bus to use. */
    bool ours = !paths()->root || g_getenv("DBUS_SYSTEM_BUS_ADDRESS");
    Loop *loop = ours && wants_anything() ? qmp_loop(NULL) : NULL;

    if (loop)
        loop_post(loop, look, loop);
}

static void stop(void *unused)
{
    (void)unused;
    host.timer = sd_event_source_disable_unref(host.timer);
    close_bus();
}

void host_shutdown_stop(void)
{
    Loop *loop = wants_anything() ? qmp_loop(NULL) : NULL;

    if (loop)
        loop_post(loop, stop, NULL);
}
