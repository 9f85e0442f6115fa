/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From the monitor's events to turns. The callbacks run on the monitor thread and only queue: each
 * event that changes the domain gets a turn of its own, in order of arrival, because the domain's
 * queue is first in, first out. What an event means for an event behind it in time (why the guest is
 * about to stop) is noted in the Guest at once. Every event also goes to subscribers of the qemu
 * program, changed or not.
 */
#define LOG_SOURCE "qemu.events"
#include <string.h>

#include "drivers/common/emit.h"
#include "drivers/qemu/disk.h"
#include "drivers/qemu/events.h"
#include "drivers/qemu/agent_ask.h"
#include "drivers/qemu/dump.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/monitor.h"
#include "drivers/qemu/plug_turn.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/vcpus.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"

enum { SEC = 1000000, GONE_WAIT = 5 * SEC, PENDING_MAX = 1000 };

typedef struct Pending {
    QmpEvent *raw;
    int pause_reason; /* of a STOP: what was known when it came */
} Pending;

static void log_failed(const DomainTurn *t, const char *what, const GError *error)
{
    log_error("%s of '%s': %s", what, turn_view(t)->name, error ? error->message : "unknown");
}

static void stop_run(DomainTurn *t, int reason, int detail)
{
    g_autoptr(GError) error = NULL;

    if (!process_stop(t, reason, detail, false, &error))
        log_failed(t, "end", error);
}

static bool restart_in_place(DomainTurn *t)
{
    g_autoptr(GError) error = NULL;

    if (process_restart(t, &error))
        return true;
    log_failed(t, "restart", error);
    return false;
}

static void on_shutdown(DomainTurn *t, const MonEvent *e)
{
    Guest *g = turn_driver_data(t);
    const DomainDef *def = turn_view(t)->live->def;
    bool by_guest = e->shutdown.guest_known && e->shutdown.guest;
    int detail = !e->shutdown.guest_known ? VIR_DOMAIN_EVENT_SHUTDOWN_FINISHED
                 : by_guest               ? VIR_DOMAIN_EVENT_SHUTDOWN_GUEST
                                          : VIR_DOMAIN_EVENT_SHUTDOWN_HOST;
    bool reset = e->shutdown.reason && g_str_equal(e->shutdown.reason, "guest-reset");

    atomic_store(&g->shutdown, by_guest ? SHUTDOWN_BY_GUEST : SHUTDOWN_BY_HOST);
    if (atomic_load(&g->fake_reboot) && restart_in_place(t))
        return; /* the RESET event tells clients */
    turn_set_state(t, VIR_DOMAIN_SHUTDOWN, VIR_DOMAIN_SHUTDOWN_UNKNOWN);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_SHUTDOWN, detail);
    LifecycleAction action = reset ? def->on_reboot : def->on_poweroff;
    if (!reset && action == ACTION_RESTART && restart_in_place(t))
        return;
    if (action == ACTION_PRESERVE && !reset)
        return; /* kept for inspection until somebody destroys it */
    stop_run(t, VIR_DOMAIN_SHUTOFF_SHUTDOWN, VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN);
}

static void dump(DomainTurn *t)
{
    g_autoptr(GError) error = NULL;

    if (!dump_guest_automatically(t, &error))
        log_failed(t, "dump", error);
}

static void on_panic(DomainTurn *t, const MonEvent *e)
{
    (void)e;
    emit_lifecycle(t, VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_PANICKED);
    turn_set_state(t, VIR_DOMAIN_CRASHED, VIR_DOMAIN_CRASHED_PANICKED);
    switch (turn_view(t)->live->def->on_crash) {
    case ACTION_COREDUMP_RESTART:
        dump(t);
        G_GNUC_FALLTHROUGH;
    case ACTION_RESTART:
    case ACTION_RENAME_RESTART:
        if (restart_in_place(t))
            return;
        break;
    case ACTION_PRESERVE:
        return;
    case ACTION_COREDUMP_DESTROY:
        dump(t);
        break;
    case ACTION_NONE:
    case ACTION_DESTROY:
    case _LIFECYCLE_ACTION_N:
        break;
    }
    stop_run(t, VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_CRASHED);
}

/* The emulator knows no such action: it pauses the guest. */
static void dump_for_watchdog(DomainTurn *t)
{
    guint i = 0;
    const WatchdogDef *w = domain_next(turn_view(t)->live->def, DEVICE_WATCHDOG, &i);
    g_autoptr(GError) error = NULL;

    if (!w || w->action != WATCHDOG_DUMP)
        return;
    dump(t);
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), &error);
    if (!q || !qmp_cont(q, &error)) /* its event tells that the guest goes on */
        log_failed(t, "continuation", error);
}

static void on_stop(DomainTurn *t, int reason)
{
    int detail = reason == VIR_DOMAIN_PAUSED_IOERROR    ? VIR_DOMAIN_EVENT_SUSPENDED_IOERROR
                 : reason == VIR_DOMAIN_PAUSED_WATCHDOG ? VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG
                                                        : VIR_DOMAIN_EVENT_SUSPENDED_PAUSED;

    /* After our own stop the state says so already. */
    if (turn_view(t)->state != VIR_DOMAIN_RUNNING)
        return;
    turn_set_state(t, VIR_DOMAIN_PAUSED, reason);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_SUSPENDED, detail);
    if (reason == VIR_DOMAIN_PAUSED_WATCHDOG)
        dump_for_watchdog(t);
}

static void on_resume(DomainTurn *t)
{
    int state = turn_view(t)->state;

    if (state != VIR_DOMAIN_PAUSED && state != VIR_DOMAIN_CRASHED)
        return;
    turn_set_state(t, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
}

static int watchdog_action(const char *word)
{
    static const struct {
        const char *word;
        int action;
    } rows[] = {
        { "none", VIR_DOMAIN_EVENT_WATCHDOG_NONE },
        { "pause", VIR_DOMAIN_EVENT_WATCHDOG_PAUSE },
        { "reset", VIR_DOMAIN_EVENT_WATCHDOG_RESET },
        { "poweroff", VIR_DOMAIN_EVENT_WATCHDOG_POWEROFF },
        { "shutdown", VIR_DOMAIN_EVENT_WATCHDOG_SHUTDOWN },
        { "debug", VIR_DOMAIN_EVENT_WATCHDOG_DEBUG },
        { "inject-nmi", VIR_DOMAIN_EVENT_WATCHDOG_INJECTNMI },
    };

    for (unsigned i = 0; word && i < G_N_ELEMENTS(rows); i++)
        if (g_str_equal(rows[i].word, word))
            return rows[i].action;
    return VIR_DOMAIN_EVENT_WATCHDOG_NONE;
}

static void on_io_error(DomainTurn *t, const MonEvent *e)
{
    const DomainDef *def = turn_view(t)->live->def;
    const DiskDef *by_path = disk_by_qdev(def, e->io_error.qom_path);
    const DiskDef *by_name = by_path ? by_path : disk_by_qdev(def, e->io_error.device);
    const StorageSource *layer = NULL;
    /* Which of the three an emulator says depends on its age. */
    const DiskDef *d = by_name || !e->io_error.node ? by_name : disk_by_node(def, e->io_error.node, &layer);
    const char *action = e->io_error.action;
    int number = g_strcmp0(action, "stop") == 0     ? VIR_DOMAIN_EVENT_IO_ERROR_PAUSE
                 : g_strcmp0(action, "report") == 0 ? VIR_DOMAIN_EVENT_IO_ERROR_REPORT
                                                    : VIR_DOMAIN_EVENT_IO_ERROR_NONE;

    emit_io_error(t, d ? d->src.path : NULL, d ? d->dev.info.alias : e->io_error.device, number,
                  e->io_error.nospace ? "enospc" : "");
}

static int graphics_family(const char *word)
{
    return g_strcmp0(word, "ipv6") == 0   ? VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV6
           : g_strcmp0(word, "unix") == 0 ? VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_UNIX
                                          : VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_IPV4;
}

static void on_graphics(DomainTurn *t, const MonEvent *e, int phase)
{
    GraphicsPeer local = { graphics_family(e->graphics.server.family), e->graphics.server.host,
                           e->graphics.server.service };
    GraphicsPeer remote = { graphics_family(e->graphics.client.family), e->graphics.client.host,
                            e->graphics.client.service };

    emit_graphics(t, phase, &local, &remote, e->graphics.auth, e->graphics.x509_dname,
                  e->graphics.sasl_username);
}

static void on_vserport(DomainTurn *t, const MonEvent *e)
{
    ChrDef *chr;
    ChannelState state = e->vserport.open ? CHANNEL_CONNECTED : CHANNEL_DISCONNECTED;

    for (guint i = 0, at = 0;
         e->vserport.alias && (chr = domain_next(turn_view(t)->live->def, DEVICE_CHANNEL, &i));
         at = i) {
        if (g_strcmp0(chr->dev.info.alias, e->vserport.alias) != 0)
            continue;
        if (chr->state == state)
            return;
        chr = domain_next(turn_edit_live(t), DEVICE_CHANNEL, &at); /* the same one in our copy */
        chr->state = state;
        bool agent = g_strcmp0(chr->target_name, AGENT_CHANNEL) == 0;
        if (agent && e->vserport.open && chr->src.path)
            (void)agent_connect(guest_agent(turn_driver_data(t)), chr->src.path,
                                NULL); /* else the first call does */
        if (agent)
            emit_agent_lifecycle(t,
                                 e->vserport.open
                                     ? VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_CONNECTED
                                     : VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_STATE_DISCONNECTED,
                                 VIR_CONNECT_DOMAIN_EVENT_AGENT_LIFECYCLE_REASON_CHANNEL);
        return;
    }
}

static void apply(DomainTurn *t, const MonEvent *e, int pause_reason)
{
    switch (e->kind) {
    case MON_SHUTDOWN:
        on_shutdown(t, e);
        break;
    case MON_RESET:
        emit_reboot(t);
        break;
    case MON_STOP:
        on_stop(t, pause_reason);
        break;
    case MON_RESUME:
        on_resume(t);
        break;
    case MON_SUSPEND:
        turn_set_state(t, VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_PMSUSPENDED_UNKNOWN);
        emit_pm_suspend(t);
        emit_lifecycle(t, VIR_DOMAIN_EVENT_PMSUSPENDED, VIR_DOMAIN_EVENT_PMSUSPENDED_MEMORY);
        break;
    case MON_SUSPEND_DISK:
        turn_set_state(t, VIR_DOMAIN_PMSUSPENDED, VIR_DOMAIN_PMSUSPENDED_UNKNOWN);
        emit_pm_suspend_disk(t);
        emit_lifecycle(t, VIR_DOMAIN_EVENT_PMSUSPENDED, VIR_DOMAIN_EVENT_PMSUSPENDED_DISK);
        break;
    case MON_WAKEUP:
        emit_pm_wakeup(t);
        if (turn_view(t)->state == VIR_DOMAIN_PMSUSPENDED) {
            turn_set_state(t, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_WAKEUP);
            emit_lifecycle(t, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_WAKEUP);
        }
        break;
    case MON_RTC_CHANGE:
        on_rtc_change(t, e);
        break;
    case MON_WATCHDOG:
        emit_watchdog(t, watchdog_action(e->watchdog.action));
        break;
    case MON_BLOCK_IO_ERROR:
        on_io_error(t, e);
        break;
    case MON_VNC_CONNECTED:
    case MON_SPICE_CONNECTED:
        on_graphics(t, e, VIR_DOMAIN_EVENT_GRAPHICS_CONNECT);
        break;
    case MON_VNC_INITIALIZED:
    case MON_SPICE_INITIALIZED:
        on_graphics(t, e, VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE);
        break;
    case MON_VNC_DISCONNECTED:
    case MON_SPICE_DISCONNECTED:
        on_graphics(t, e, VIR_DOMAIN_EVENT_GRAPHICS_DISCONNECT);
        break;
    case MON_BALLOON_CHANGE:
        turn_edit_live(t)->current_memory = e->balloon.bytes / 1024;
        emit_balloon_change(t, e->balloon.bytes / 1024);
        break;
    case MON_DEVICE_TRAY_MOVED:
        on_tray(t, e);
        break;
    case MON_BLOCK_WRITE_THRESHOLD:
        on_block_threshold(t, e);
        break;
    case MON_MEMORY_FAILURE:
        on_memory_failure(t, e);
        break;
    case MON_MEMORY_DEVICE_SIZE_CHANGE:
        on_memory_device_size(t, e);
        break;
    case MON_GUEST_CRASHLOADED:
        emit_lifecycle(t, VIR_DOMAIN_EVENT_CRASHED, VIR_DOMAIN_EVENT_CRASHED_CRASHLOADED);
        break;
    case MON_DEVICE_DELETED:
        if (!vcpus_gone(t, e->device.alias))
            plug_turn_event(t, e);
        break;
    case MON_DEVICE_UNPLUG_ERROR:
        plug_turn_event(t, e);
        break;
    case MON_GUEST_PANICKED:
        on_panic(t, e);
        break;
    case MON_VSERPORT_CHANGE:
        on_vserport(t, e);
        break;
    default:
        break; /* for qemu monitor subscribers only, or for what later reads it */
    }
}

/* Kinds that 'apply' does something with: others need no turn. */
static bool has_effect(MonEventKind k)
{
    switch (k) {
    case MON_SHUTDOWN: case MON_RESET: case MON_STOP: case MON_RESUME: case MON_SUSPEND: case MON_SUSPEND_DISK:
    case MON_WAKEUP: case MON_RTC_CHANGE: case MON_WATCHDOG: case MON_BLOCK_IO_ERROR: case MON_VNC_CONNECTED:
    case MON_SPICE_CONNECTED: case MON_VNC_INITIALIZED: case MON_SPICE_INITIALIZED: case MON_VNC_DISCONNECTED:
    case MON_SPICE_DISCONNECTED: case MON_BALLOON_CHANGE: case MON_DEVICE_TRAY_MOVED: case MON_DEVICE_DELETED: case MON_GUEST_PANICKED:
    case MON_VSERPORT_CHANGE: case MON_BLOCK_WRITE_THRESHOLD: case MON_MEMORY_FAILURE: case MON_DEVICE_UNPLUG_ERROR:
    case MON_MEMORY_DEVICE_SIZE_CHANGE: case MON_GUEST_CRASHLOADED:
        return true;
    default:
        return false;
    }
}

static void event_turn(DomainTurn *t, void *data)
{
    Pending *p = data;
    MonEvent e;

    if (t)
        atomic_fetch_sub(&((Guest *)turn_driver_data(t))->pending, 1);
    mon_event_decode(p->raw, &e);
    if (t && view_active(turn_view(t)))
        apply(t, &e, p->pause_reason);
    mon_event_clear(&e);
    qmp_event_unref(p->raw);
    g_free(p);
}

/* Who waits for the agent need not wait for a turn to hear that it is gone. */
static void tell_agent(Guest *g, const DomainView *v, const MonEvent *e)
{
    switch (e->kind) {
    case MON_SHUTDOWN:
    case MON_RESET:
    case MON_SUSPEND:
    case MON_SUSPEND_DISK:
        agent_guest_went_down(guest_agent(g));
        break;
    case MON_VSERPORT_CHANGE: {
        const ChrDef *chr = v && v->live ? agent_channel(v->live->def) : NULL;
        if (!e->vserport.open && chr && g_strcmp0(chr->dev.info.alias, e->vserport.alias) == 0)
            guest_close_agent(g);
        break;
    }
    default:
        break;
    }
}

/* Monitor thread. */
static void on_event(Qmp *q, QmpEvent *raw, void *data)
{
    Domain *d = data;
    Guest *g = domain_driver_data(d);
    g_autoptr(DomainView) v = domain_view(d);
    MonEvent e;
    (void)q;

    if (v && event_wanted_qemu_monitor()) {
        g_autofree char *details = raw->data ? json_text(raw->data) : NULL;
        emit_qemu_monitor(v, raw->name, (int64_t)raw->seconds, raw->micros, details);
    }
    mon_event_decode(raw, &e);
    if (e.kind == MON_BLOCK_IO_ERROR && g_strcmp0(e.io_error.action, "stop") == 0)
        atomic_store(&g->pause_reason, VIR_DOMAIN_PAUSED_IOERROR);
    else if (e.kind == MON_WATCHDOG && g_strcmp0(e.watchdog.action, "pause") == 0)
        atomic_store(&g->pause_reason, VIR_DOMAIN_PAUSED_WATCHDOG);
    else if (e.kind == MON_SHUTDOWN)
        atomic_store(&g->shutdown, e.shutdown.guest ? SHUTDOWN_BY_GUEST : SHUTDOWN_BY_HOST);
    tell_agent(g, v, &e);
    MonEventKind kind = e.kind;
    mon_event_clear(&e);
    if (!has_effect(kind) || ((kind == MON_STOP || kind == MON_RESUME) && atomic_load(&g->stops_itself)))
        return;
    /* A guest cannot fill our memory with events by making them faster than turns come round. */
    unsigned waiting = atomic_fetch_add(&g->pending, 1);
    if (waiting >= PENDING_MAX && kind != MON_SHUTDOWN) {
        if (waiting == PENDING_MAX)
            log_warn("'%s' makes events faster than they can be handled; dropping some",
                     v ? v->name : "a guest");
        atomic_fetch_sub(&g->pending, 1);
        return;
    }

    Pending *p = g_new0(Pending, 1);
    p->raw = qmp_event_ref(raw);
    p->pause_reason = VIR_DOMAIN_PAUSED_UNKNOWN;
    if (kind == MON_STOP) {
        int known = atomic_exchange(&g->pause_reason, -1);
        if (known >= 0)
            p->pause_reason = known;
    }
    domain_run_turn(d, "monitor event", false, event_turn, p);
}

/* The monitor's connection is lost: nearly always because the process ended. */
static void gone_turn(DomainTurn *t, void *data)
{
    Qmp *lost = data;

    if (t && view_active(turn_view(t))) {
        Guest *g = turn_driver_data(t);
        g_autoptr(Qmp) now = guest_qmp(g, NULL);
        const QemuStatus *s = view_status(turn_view(t));
        if (now == lost && s) {
            PidRef pid = { .pid = s->pid, .start_time = s->start_time, .fd = -1 };
            bool alive = pidref_reopen(&pid, NULL) != 0 && pidref_wait(&pid, GONE_WAIT, NULL) != 1;
            pidref_done(&pid);
            if (alive) {
                emit_control_error(t);
                log_warn("the monitor of '%s' was lost while its process lives; connecting again",
                         turn_view(t)->name);
                process_reattach(t, NULL);
            } else {
                bool orderly = atomic_load(&g->shutdown) != SHUTDOWN_NONE;
                stop_run(t, orderly ? VIR_DOMAIN_SHUTOFF_SHUTDOWN : VIR_DOMAIN_SHUTOFF_CRASHED,
                         orderly ? VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN
                                 : VIR_DOMAIN_EVENT_STOPPED_FAILED);
            }
        }
    }
    qmp_unref(lost);
}

/* Monitor thread. */
static void on_closed(Qmp *q, const GError *why, void *data)
{
    if (why)
        log_warn("closing a guest's monitor: %s", why->message);
    domain_run_turn(data, "end of the guest", false, gone_turn,
                    qmp_ref(q)); /* behind its last events */
}

static void on_release(void *data)
{
    domain_unref(data);
}

const QmpOps guest_qmp_ops = { .event = on_event, .closed = on_closed, .release = on_release };
