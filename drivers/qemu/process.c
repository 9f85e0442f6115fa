/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The run of a guest after its start (start.h): its end, its reboot, and taking it up again after a
 * restart of ours. The end is the undo of every step, in reverse, after the process is known to be
 * gone; what cannot be known stays on record.
 */
#define LOG_SOURCE "qemu.process"
#include "drivers/qemu/process.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>

#include "drivers/common/emit.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/host_shutdown.h"
#include "drivers/qemu/file_op.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/plug_turn.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/save.h"
#include "drivers/qemu/start.h"
#include "drivers/qemu/vcpus.h"
#include "drivers/qemu/volumes.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/loop.h"

enum { SEC = 1000000, TERM_WAIT = 10 * SEC, KILL_WAIT = 15 * SEC, LAST_WORDS_WAIT = SEC };

/* A run that ends with the connection of the client that started it. */
typedef struct ClientRun {
    Domain *domain;
    int id;
} ClientRun;

/* Stop ----------------------------------------------------------------------------------------- */

/* A stopped process (SIGSTOP, a debugger's leftovers) handles no SIGTERM until it is continued. */
static bool is_stopped(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
    g_autofree char *text = NULL;
    size_t len;

    if (!fd_read_file(AT_FDCWD, path, 4096, &text, &len, NULL))
        return false;
    const char *p = strrchr(text, ')');
    return p && (p[1] && p[2] == 'T');
}

/* 1: it is gone. 0: it is still there. *obeyed: it ended because it was asked to. */
static int end_process(PidRef *pid, bool graceful, bool hung, bool *obeyed, GError **err)
{
    if (pidref_wait(pid, 0, NULL) == 1)
        return 1;
    if (!hung || graceful) {
        (void)pidref_kill(pid, SIGTERM, NULL);
        if (is_stopped(pid->pid))
            (void)pidref_kill(pid, SIGCONT, NULL);
        *obeyed = pidref_wait(pid, TERM_WAIT, NULL) == 1;
        if (*obeyed)
            return 1;
    }
    if (graceful) {
        error_set(err, VIR_ERR_SYSTEM_ERROR,
                  "the emulator (pid %d) did not end within %d s after SIGTERM", (int)pid->pid,
                  TERM_WAIT / SEC);
        return 0;
    }
    (void)pidref_kill(pid, SIGKILL, NULL);
    if (pidref_wait(pid, KILL_WAIT, NULL) == 1)
        return 1;
    error_set(err, VIR_ERR_SYSTEM_ERROR,
              "the emulator (pid %d) did not end within %d s after SIGKILL; it is probably "
              "waiting for storage that does not answer",
              (int)pid->pid, KILL_WAIT / SEC);
    return 0;
}

static Run run_of(const DomainView *v)
{
    const QemuStatus *s = view_status(v);
    return (Run){ v->name, view_active(v) ? v->id : s->id, v->live->def, s,
                  domain_driver_data(v->domain) };
}

bool process_stop(DomainTurn *t, int reason, int detail, bool graceful, GError **err)
{
    const DomainView *v = turn_view(t);
    Guest *g = turn_driver_data(t);
    const QemuStatus *s = view_status(v);
    bool hung = guest_unresponsive_since(g->domain) != 0, obeyed = false;

    if (s) {
        PidRef pid = { .pid = s->pid, .start_time = s->start_time, .fd = -1 };
        int alive = pidref_reopen(&pid, err);
        if (alive < 0)
            return false; /* not known to be gone: the record stays */
        bool gone = alive == 0 || end_process(&pid, graceful, hung, &obeyed, err);
        pidref_done(&pid);
        if (!gone)
            return false;
        /* What it said at its end may still be on its way, and somebody may listen to its events. */
        g_autoptr(Qmp) q = guest_qmp(g, NULL);
        if (q)
            (void)qmp_wait_hangup(q, now_usec() + LAST_WORDS_WAIT);
    }
    guest_set_qmp(g, NULL);
    qemu_log_line(v->name, "shutting down, reason=%s",
                  reason == VIR_DOMAIN_SHUTOFF_DESTROYED  ? "destroyed"
                  : reason == VIR_DOMAIN_SHUTOFF_SHUTDOWN ? "shutdown"
                  : reason == VIR_DOMAIN_SHUTOFF_CRASHED  ? "crashed"
                  : reason == VIR_DOMAIN_SHUTOFF_SAVED    ? "saved"
                  : reason == VIR_DOMAIN_SHUTOFF_DAEMON   ? "daemon"
                                                          : "failed");
    if (s && v->live) {
        Run run = run_of(v);
        start_undo_all(&run);
        if (!v->persistent)
            helper_tpm_undefined(v->live->def, 0);
    }
    if (obeyed && reason == VIR_DOMAIN_SHUTOFF_DESTROYED && v->state != VIR_DOMAIN_SHUTDOWN)
        emit_lifecycle(t, VIR_DOMAIN_EVENT_SHUTDOWN, VIR_DOMAIN_EVENT_SHUTDOWN_HOST);
    turn_set_state(t, VIR_DOMAIN_SHUTOFF, reason);
    turn_set_id(t, -1);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_STOPPED, detail);
    turn_set_live(t, NULL);
    turn_set_status(t, NULL);
    turn_set_autodestroy(t, false);
    host_shutdown_look();
    return true;
}

static void autodestroy_turn(DomainTurn *t, void *data)
{
    int id = GPOINTER_TO_INT(data);
    g_autoptr(GError) error = NULL;

    if (!t || turn_view(t)->id != id || !turn_view(t)->autodestroy)
        return;
    if (!process_stop(t, VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, false,
                      &error))
        log_error("cannot end '%s' after its client left: %s", turn_view(t)->name, error->message);
}

static void on_client_gone(uint64_t client_id, void *data)
{
    ClientRun *run = data;
    (void)client_id;

    domain_run_turn(run->domain, "autodestroy", true, autodestroy_turn, GINT_TO_POINTER(run->id));
    domain_unref(run->domain);
    g_free(run);
}

bool process_watch_client(DomainTurn *t, int id, GError **err)
{
    ClientRun *run = g_new0(ClientRun, 1);

    *run = (ClientRun){ domain_ref(turn_domain(t)), id };
    if (call_watch_close(turn_call(t), on_client_gone, run))
        return true;
    domain_unref(run->domain);
    g_free(run);
    error_set(err, VIR_ERR_OPERATION_ABORTED, "the client left while its guest was starting");
    return false;
}

void process_plan_reboot(DomainTurn *t, bool on)
{
    Guest *g = turn_driver_data(t);
    const QemuStatus *s = view_status(turn_view(t));

    atomic_store(&g->fake_reboot, on);
    if (s->fake_reboot != on) {
        QemuStatus *n = qemu_status_copy(s);
        n->fake_reboot = on;
        turn_set_status(t, &n->base);
    }
}

bool process_restart(DomainTurn *t, GError **err)
{
    Guest *g = turn_driver_data(t);
    g_autoptr(Qmp) q = guest_qmp(g, err);

    process_plan_reboot(t, false);
    if (!q || !qmp_system_reset(q, err) || !qmp_cont(q, err))
        return false;
    atomic_store(&g->shutdown, SHUTDOWN_NONE);
    turn_set_state(t, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
    return true;
}

/* After a restart of ours ---------------------------------------------------------------------- */

bool process_known(const Uuid uuid, const PidRef *pid, void *unused)
{
    g_autoptr(Domain) d = domains_find_uuid(uuid);
    g_autoptr(DomainView) v = d ? domain_view(d) : NULL;
    const QemuStatus *s = v ? view_status(v) : NULL;
    (void)unused;

    if (!s || s->starting)
        return false;
    for (unsigned i = 0; i < s->helpers->len; i++) {
        const HelperRecord *h = s->helpers->pdata[i];
        if (h->pid == pid->pid && h->start_time == pid->start_time)
            return true; /* they have the cookie, too */
    }
    return s->pid == pid->pid && s->start_time == pid->start_time;
}

/* Brings state and QEMU's own idea of it together; false when the monitor did not answer. */
static bool sync_state(DomainTurn *t, Qmp *q)
{
    QmpStatus st;

    if (!qmp_query_status(q, &st, NULL))
        return false;
    const DomainView *v = turn_view(t);
    if (st.state == QMP_RUN_SHUTDOWN && view_status(v)->fake_reboot && process_restart(t, NULL))
        return true;
    if (st.state == QMP_RUN_SHUTDOWN || st.state == QMP_RUN_GUEST_PANICKED) {
        /* It ended while nobody listened. */
        bool crashed = st.state == QMP_RUN_GUEST_PANICKED;
        g_autoptr(GError) error = NULL;
        if (!process_stop(t, crashed ? VIR_DOMAIN_SHUTOFF_CRASHED : VIR_DOMAIN_SHUTOFF_SHUTDOWN,
                          crashed ? VIR_DOMAIN_EVENT_STOPPED_CRASHED
                                  : VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN,
                          false, &error))
            log_error("cannot end '%s': %s", v->name, error->message);
    } else if (st.running && v->state != VIR_DOMAIN_RUNNING) {
        turn_set_state(t, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
        emit_lifecycle(t, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    } else if (!st.running && v->state == VIR_DOMAIN_RUNNING) {
        int reason = st.state == QMP_RUN_IO_ERROR   ? VIR_DOMAIN_PAUSED_IOERROR
                     : st.state == QMP_RUN_WATCHDOG ? VIR_DOMAIN_PAUSED_WATCHDOG
                                                    : VIR_DOMAIN_PAUSED_UNKNOWN;
        turn_set_state(t, VIR_DOMAIN_PAUSED, reason);
        emit_lifecycle(t, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    }
    return true;
}

/* A killed daemon had everything of it in a file. */
static void end_saved(DomainTurn *t)
{
    g_autoptr(GError) error = NULL;

    if (!process_stop(t, VIR_DOMAIN_SHUTOFF_SAVED, VIR_DOMAIN_EVENT_STOPPED_SAVED, false, &error))
        log_error("cannot end '%s', which is saved: %s", turn_view(t)->name, error->message);
}

void process_reattach(DomainTurn *t, void *unused)
{
    g_autoptr(GError) error = NULL;
    (void)unused;

    if (!t || !view_active(turn_view(t)))
        return;
    const DomainView *v = turn_view(t);
    Guest *g = turn_driver_data(t);
    const QemuStatus *s = view_status(v);
    PidRef pid = { .pid = s->pid, .start_time = s->start_time, .fd = -1 };
    int alive = pidref_reopen(&pid, &error);
    pidref_done(&pid);

    if (alive < 0) {
        log_error("cannot tell whether '%s' still runs: %s; it is left as it was", v->name,
                  error->message);
        return;
    }
    atomic_store(&g->destroying, false);
    atomic_store(&g->fake_reboot, s->fake_reboot);
    atomic_store(&g->agent_timeout, s->agent_timeout);
    Qmp *q = alive == 1 ? qmp_open(s->monitor_path, -1, QMP_OPEN_LAZY, 0, &guest_qmp_ops,
                                   domain_ref(g->domain), &error)
                        : NULL;
    if (q) {
        guest_set_qmp(g, q);
        figures_note_measuring(&g->figures);
        if (file_op_recover(t, q)) {
            end_saved(t);
            return;
        }
        restore_forget_image(t);
        if (!sync_state(t, q))
            log_warn("the monitor of '%s' does not answer; its state is as it was last known",
                     v->name);
        else if (view_active(turn_view(t))) {
            plug_turn_look(t);
            vcpus_look(t);
        }
        return;
    }
    if (alive == 1)
        log_error(
            "cannot reach the monitor of '%s': %s; ending the guest, which could otherwise be started twice",
            v->name, error->message);
    g_clear_error(&error);
    if (file_op_recover(t, NULL)) {
        end_saved(t);
        return;
    }
    restore_forget_image(t);
    if (!process_stop(t, VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_FAILED, false,
                      &error))
        log_error("cannot end '%s': %s", v->name, error->message);
}

/* A daemon was killed in the middle of a start. Its emulator is gone already (qemu_launch_recover()). */
static void undo_start(DomainTurn *t)
{
    Run run = run_of(turn_view(t));

    log_warn("the start of '%s' was cut short; what there was of it is removed", run.name);
    start_undo_all(&run);
    turn_set_state(t, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
    turn_set_live(t, NULL);
    turn_set_status(t, NULL);
}

void process_reconnect(DomainTurn *t, void *unused)
{
    g_autoptr(GError) error = NULL;

    if (!t || !turn_view(t)->live)
        return;
    const DomainView *v = turn_view(t);
    if (view_status(v)->starting) {
        undo_start(t);
        return;
    }
    Run run = run_of(v);
    start_again(&run);
    host_shutdown_look();
    if (!v->autodestroy) {
        process_reattach(t, unused);
        v = turn_view(t);
        if (view_active(v))
            volumes_find_again(t);
        v = turn_view(t);
        if (!view_active(v) || qemu_hook(v->name, "reconnect", "begin", v->live->def, v->id, &error))
            return;
        /* As today's hosts take an objection. */
        log_error("ending '%s': %s", v->name, error->message);
        g_clear_error(&error);
        if (!process_stop(t, VIR_DOMAIN_SHUTOFF_DAEMON, VIR_DOMAIN_EVENT_STOPPED_FAILED, false, &error))
            log_error("cannot end '%s': %s", v->name, error->message);
        return;
    }
    /* Its client's connection died with us. */
    if (!process_stop(t, VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, false,
                      &error))
        log_error("cannot end '%s', whose client is gone: %s", v->name, error->message);
}

void process_after_interrupt(DomainTurn *t, void *unused)
{
    if (t && view_active(turn_view(t)) && atomic_load(&((Guest *)turn_driver_data(t))->destroying))
        process_reattach(t, unused);
}
