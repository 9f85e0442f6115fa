/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The run of a guest. A start is a sequence of steps on one Start; each step leaves in it what the
 * undo needs, and start_undo() is called from one place. The order makes the crash of this daemon at
 * any moment harmless: the launcher's marker exists before the emulator does, and is removed only
 * after the status file was written; until then a restart kills the emulator (launch.h).
 */
#define LOG_SOURCE "qemu.process"
#include "drivers/qemu/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "drivers/common/emit.h"
#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/cmdline.h"
#include "drivers/qemu/configure.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/memlock.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/resources.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/paths.h"

enum { SEC = 1000000, TERM_WAIT = 10 * SEC, KILL_WAIT = 15 * SEC, CONNECT_WAIT = 30 * SEC, NAME_PART = 20 };

typedef struct Start {
    DomainTurn *t;
    Guest *g;
    DomainDef *def; /* becomes the live definition */
    QemuCaps *caps;
    int id;
    char *lib_dir, *monitor_path;
    Resources res;
    QemuLaunch *launch;
    Qmp *qmp;
} Start;

/* Directories ---------------------------------------------------------------------------------- */

/* "domain-3-name", the name cut at a whole character so that socket paths below stay short. */
static char *make_lib_dir(int id, const char *name, GError **err)
{
    g_autofree char *part = g_strndup(name, NAME_PART);
    const char *end;

    if (!g_utf8_validate(part, -1, &end))
        part[end - part] = '\0';
    g_autofree char *leaf = g_strdup_printf("domain-%d-%s", id, part);
    g_autofree char *dir = g_build_filename(qemu.lib, leaf, NULL);
    return path_make_dir(dir, 0750, err) ? g_steal_pointer(&dir) : NULL;
}

/* The key with which secrets on the emulator's command line are encrypted: 256 random bits, in a file
 * that ends with the run. */
static bool write_master_key(const char *dir, GError **err)
{
    uint8_t key[32];
    g_autofree char *path = g_build_filename(dir, "master-key.aes", NULL);
    auto_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || getrandom(key, sizeof(key), 0) != sizeof(key) || fd_write_all(fd, key, sizeof(key)) < 0) {
        error_set_errno(err, errno, "cannot write '%s'", path);
        return false;
    }
    return true;
}

/* A run's directory holds plain files and sockets only. */
static void remove_dir(const char *path)
{
    g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
    const char *name;

    while (d && (name = g_dir_read_name(d))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        (void)unlink(file);
    }
    if (rmdir(path) < 0 && errno != ENOENT)
        log_warn("cannot remove '%s': %s", path, g_strerror(errno));
}

/* Steps of a start ----------------------------------------------------------------------------- */

static bool step_prepare(Start *s, GError **err)
{
    if (!s->def->emulator) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "no emulator is installed for guests of architecture '%s'",
                  s->def->os.arch ? s->def->os.arch : "unknown");
        return false;
    }
    s->caps = qemu_caps_get(s->def->emulator, err);
    if (!s->caps)
        return false;
    s->id = registry_next_id();
    g_autofree char *channels = g_build_filename(qemu.lib, "channel", "target", NULL);
    QemuRun run = { .id = s->id, .channel_dir = channels, .nvram_dir = qemu.policy.nvram_dir };
    if (!qemu_prepare_run(s->def, s->caps, &run, err) || !qemu_firmware_make_nvram(s->def, err))
        return false;
    s->lib_dir = make_lib_dir(s->id, s->def->name, err);
    if (!s->lib_dir)
        return false;
    if (!write_master_key(s->lib_dir, err))
        return false;
    s->monitor_path = g_build_filename(s->lib_dir, "monitor.sock", NULL);
    s->launch = qemu_launch_new(s->def->name, s->def->uuid.v, s->monitor_path, err);
    return s->launch != NULL;
}

static bool interrupted(const Start *s, GError **err)
{
    if (!atomic_load(&s->g->destroying))
        return false;
    error_set(err, VIR_ERR_OPERATION_ABORTED, "the domain was destroyed while it was starting");
    return true;
}

static bool host_has_node(unsigned node)
{
    char path[64];
    g_snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", node);
    /* A kernel without NUMA shows none, and has one. */
    return g_file_test(path, G_FILE_TEST_IS_DIR) || (node == 0 && !g_file_test("/sys/devices/system/node", G_FILE_TEST_IS_DIR));
}

static bool step_spawn(Start *s, GError **err)
{
    QemuCmdlineContext ctx = { .id = s->id, .lib_dir = s->lib_dir, .monitor_path = s->monitor_path,
                               .fd = resources_fd, .host_node = host_has_node, .opaque = &s->res };
    g_autoptr(GPtrArray) argv = NULL;
    g_autoptr(GPtrArray) env = NULL;

    qemu_config_cmdline(qemu.config, &ctx);
    resources_init(&s->res, qemu_launch_monitor_fd(s->launch));
    if (interrupted(s, err) || !resources_assign_ports(&s->res, s->def, err) ||
        !qemu_cmdline_build(s->def, s->caps, &ctx, &argv, &env, err))
        return false;
    uint64_t lock = qemu_memlock_limit(s->def);
    if (!qemu_launch_spawn(s->launch, (const char *const *)argv->pdata, (const char *const *)env->pdata,
                           (const SpawnFd *)(void *)s->res.fds->data, s->res.fds->len,
                           lock ? (int64_t)lock : -1, err))
        return false;
    resources_close_fds(&s->res);

    const PidRef *pid = qemu_launch_pid(s->launch);
    lock_enter(&s->g->lock);
    s->g->starting = (PidRef){ .pid = pid->pid, .start_time = pid->start_time, .fd = -1 };
    s->g->starting.fd = pid->fd >= 0 ? fcntl(pid->fd, F_DUPFD_CLOEXEC, 3) : -1;
    lock_leave(&s->g->lock);
    return !interrupted(s, err); /* a destroy that came before now found nothing to kill */
}

/* Paths that only the emulator knows: ptys. */
static bool read_ptys(Start *s, GError **err)
{
    static const DeviceKind kinds[] = { DEVICE_SERIAL, DEVICE_PARALLEL, DEVICE_CONSOLE, DEVICE_CHANNEL };
    g_autoptr(GArray) found = qmp_query_chardev(s->qmp, err);
    ChrDef *chr;
    const char *serial0 = NULL;

    if (!found)
        return false;
    for (unsigned k = 0; k < G_N_ELEMENTS(kinds); k++) {
        for (guint i = 0; (chr = domain_next(s->def, kinds[k], &i));) {
            if (chr->src.type != CHR_PTY || !chr->dev.info.alias)
                continue;
            g_autofree char *label = g_strconcat("char", chr->dev.info.alias, NULL);
            for (unsigned j = 0; j < found->len; j++) {
                const QmpChardev *c = &g_array_index(found, QmpChardev, j);
                if (c->pty && g_strcmp0(c->label, label) == 0) {
                    g_free(chr->src.path);
                    chr->src.path = g_strdup(c->pty);
                }
            }
            if (kinds[k] == DEVICE_SERIAL && !serial0)
                serial0 = chr->src.path;
            if (kinds[k] == DEVICE_CONSOLE) {
                if (chr->is_serial_alias && serial0) {
                    g_free(chr->src.path);
                    chr->src.path = g_strdup(serial0);
                }
                g_free(chr->tty);
                chr->tty = g_strdup(chr->src.path);
            }
        }
    }
    return true;
}

static bool set_passwords(Start *s, GError **err)
{
    GraphicsDef *g;

    for (guint i = 0; (g = domain_next(s->def, DEVICE_GRAPHICS, &i));) {
        bool vnc = g->type == GRAPHICS_VNC, spice = g->type == GRAPHICS_SPICE;
        const char *word = g->passwd ? g->passwd : vnc ? qemu.config->vnc_password : qemu.config->spice_password;
        if ((!vnc && !spice) || !word)
            continue;
        if (!qmp_set_password(s->qmp, vnc ? "vnc" : "spice", word, NULL, err))
            return false;
    }
    return true;
}

static bool step_configure(Start *s, GError **err)
{
    s->qmp = qemu_launch_connect(s->launch, now_usec() + CONNECT_WAIT, &guest_qmp_ops, domain_ref(s->g->domain), err);
    if (!s->qmp)
        return false;
    guest_set_qmp(s->g, qmp_ref(s->qmp));
    return read_ptys(s, err) && set_passwords(s, err) && qemu_configure_run(s->def, s->qmp, err) &&
           (!domain_count(s->def, DEVICE_MEMBALLOON) || s->def->current_memory >= s->def->memory ||
            qmp_balloon(s->qmp, s->def->current_memory * 1024, err));
}

/* A run that ends with the connection of the client that started it. */
typedef struct ClientRun {
    Domain *domain;
    int id;
} ClientRun;

static void on_client_gone(uint64_t client_id, void *data);

/* The guest runs; from here on it is on record. */
static bool step_record(Start *s, unsigned flags, GError **err)
{
    QemuStatus *st = qemu_status_new();
    const PidRef *pid = qemu_launch_pid(s->launch);

    st->pid = pid->pid;
    st->start_time = pid->start_time;
    st->monitor_path = g_strdup(s->monitor_path);
    st->lib_dir = g_strdup(s->lib_dir);
    st->started = g_get_real_time() / G_USEC_PER_SEC;
    turn_set_status(s->t, &st->base);
    turn_set_live(s->t, g_steal_pointer(&s->def));
    turn_set_id(s->t, s->id);
    turn_set_autodestroy(s->t, flags & PROCESS_AUTODESTROY);
    turn_require_status(s->t);

    if (flags & PROCESS_PAUSED) {
        turn_set_state(s->t, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    } else {
        if (!qmp_cont(s->qmp, err))
            return false;
        turn_set_state(s->t, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_BOOTED);
        emit_lifecycle(s->t, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    }
    emit_lifecycle(s->t, VIR_DOMAIN_EVENT_STARTED, VIR_DOMAIN_EVENT_STARTED_BOOTED);
    if (flags & PROCESS_PAUSED)
        emit_lifecycle(s->t, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    if (flags & PROCESS_AUTODESTROY) {
        ClientRun *run = g_new0(ClientRun, 1);
        *run = (ClientRun){ domain_ref(s->g->domain), s->id };
        if (!call_watch_close(turn_call(s->t), on_client_gone, run)) {
            domain_unref(run->domain);
            g_free(run);
            error_set(err, VIR_ERR_OPERATION_ABORTED, "the client left while its guest was starting");
            return false;
        }
    }
    return turn_checkpoint(s->t, err);
}

static void start_done(Start *s, bool ok)
{
    lock_enter(&s->g->lock);
    pidref_done(&s->g->starting);
    s->g->starting = PIDREF_NONE;
    lock_leave(&s->g->lock);

    if (ok) {
        qemu_launch_commit(s->launch);
    } else {
        guest_set_qmp(s->g, NULL);
        qemu_launch_undo(s->launch);
        if (s->lib_dir)
            remove_dir(s->lib_dir);
    }
    if (s->res.fds)
        resources_release(&s->res, !ok);
    qmp_unref(s->qmp);
    qemu_caps_unref(s->caps);
    domain_free(s->def);
    g_free(s->lib_dir);
    g_free(s->monitor_path);
}

bool process_start(DomainTurn *t, DomainDef *def, unsigned flags, GError **err)
{
    Start s = { .t = t, .g = turn_driver_data(t), .def = def };
    g_autoptr(GError) error = NULL;

    atomic_store(&s.g->destroying, false);
    atomic_store(&s.g->shutdown, SHUTDOWN_NONE);
    atomic_store(&s.g->fake_reboot, false);
    atomic_store(&s.g->pause_reason, -1);

    bool ok = step_prepare(&s, &error) && step_spawn(&s, &error) && step_configure(&s, &error) &&
              step_record(&s, flags, &error);
    if (!ok) {
        if (atomic_load(&s.g->destroying)) {
            g_clear_error(&error);
            error_set(&error, VIR_ERR_OPERATION_ABORTED, "the domain was destroyed while it was starting");
        } else if (s.qmp) {
            qemu_launch_explain(s.launch, &error);
        }
        turn_set_live(t, NULL);
        turn_set_status(t, NULL);
        turn_set_id(t, -1);
        turn_set_state(t, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
        g_propagate_error(err, g_steal_pointer(&error));
    }
    start_done(&s, ok);
    return ok;
}

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

/* 1: it is gone. 0: it is still there. */
static int end_process(PidRef *pid, bool graceful, bool hung, GError **err)
{
    if (pidref_wait(pid, 0, NULL) == 1)
        return 1;
    if (!hung || graceful) {
        (void)pidref_kill(pid, SIGTERM, NULL);
        if (is_stopped(pid->pid))
            (void)pidref_kill(pid, SIGCONT, NULL);
        if (pidref_wait(pid, TERM_WAIT, NULL) == 1)
            return 1;
    }
    if (graceful) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "the emulator (pid %d) did not end within %d s after SIGTERM",
                  (int)pid->pid, TERM_WAIT / SEC);
        return 0;
    }
    (void)pidref_kill(pid, SIGKILL, NULL);
    if (pidref_wait(pid, KILL_WAIT, NULL) == 1)
        return 1;
    error_set(err, VIR_ERR_SYSTEM_ERROR, "the emulator (pid %d) did not end within %d s after SIGKILL; it is probably "
              "waiting for storage that does not answer", (int)pid->pid, KILL_WAIT / SEC);
    return 0;
}

static void release_run(const DomainView *v)
{
    const QemuStatus *s = view_status(v);
    ChrDef *chr;

    if (v->live) {
        resources_free_ports(v->live->def);
        for (guint i = 0; (chr = domain_next(v->live->def, DEVICE_CHANNEL, &i));)
            if (chr->src.type == CHR_UNIX && chr->src.listen && chr->src.path)
                resources_remove_socket(chr->src.path);
    }
    if (s) {
        qemu_launch_cleanup(v->name, s->monitor_path);
        remove_dir(s->lib_dir);
    }
}

bool process_stop(DomainTurn *t, int reason, int detail, bool graceful, GError **err)
{
    const DomainView *v = turn_view(t);
    Guest *g = turn_driver_data(t);
    const QemuStatus *s = view_status(v);
    bool hung = guest_unresponsive_since(g->domain) != 0;

    if (s) {
        PidRef pid = { .pid = s->pid, .start_time = s->start_time, .fd = -1 };
        int alive = pidref_reopen(&pid, err);
        if (alive < 0)
            return false; /* not known to be gone: the record stays */
        bool gone = alive == 0 || end_process(&pid, graceful, hung, err);
        pidref_done(&pid);
        if (!gone)
            return false;
    }
    guest_set_qmp(g, NULL);
    qemu_log_line(v->name, "shutting down, reason=%s",
                  reason == VIR_DOMAIN_SHUTOFF_DESTROYED  ? "destroyed"
                  : reason == VIR_DOMAIN_SHUTOFF_SHUTDOWN ? "shutdown"
                  : reason == VIR_DOMAIN_SHUTOFF_CRASHED  ? "crashed"
                                                          : "failed");
    release_run(v);
    turn_set_state(t, VIR_DOMAIN_SHUTOFF, reason);
    turn_set_id(t, -1);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_STOPPED, detail);
    turn_set_live(t, NULL);
    turn_set_status(t, NULL);
    turn_set_autodestroy(t, false);
    return true;
}

static void autodestroy_turn(DomainTurn *t, void *data)
{
    int id = GPOINTER_TO_INT(data);
    g_autoptr(GError) error = NULL;

    if (!t || turn_view(t)->id != id || !turn_view(t)->autodestroy)
        return;
    if (!process_stop(t, VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, false, &error))
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
    g_autoptr(Domain) d = registry_find_uuid(uuid);
    g_autoptr(DomainView) v = d ? domain_view(d) : NULL;
    const QemuStatus *s = v ? view_status(v) : NULL;
    (void)unused;

    return s && s->pid == pid->pid && s->start_time == pid->start_time;
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
                          crashed ? VIR_DOMAIN_EVENT_STOPPED_CRASHED : VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN, false,
                          &error))
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
        log_error("cannot tell whether '%s' still runs: %s; it is left as it was", v->name, error->message);
        return;
    }
    atomic_store(&g->destroying, false);
    atomic_store(&g->fake_reboot, s->fake_reboot);
    Qmp *q = alive == 1 ? qmp_open(s->monitor_path, -1, QMP_OPEN_LAZY, 0, &guest_qmp_ops, domain_ref(g->domain), &error)
                        : NULL;
    if (q) {
        guest_set_qmp(g, q);
        if (!sync_state(t, q))
            log_warn("the monitor of '%s' does not answer; its state is as it was last known", v->name);
        return;
    }
    if (alive == 1)
        log_error("cannot reach the monitor of '%s': %s; ending the guest, which could otherwise be started twice",
                  v->name, error->message);
    g_clear_error(&error);
    if (!process_stop(t, VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_FAILED, false, &error))
        log_error("cannot end '%s': %s", v->name, error->message);
}

void process_reconnect(DomainTurn *t, void *unused)
{
    g_autoptr(GError) error = NULL;

    if (!t || !view_active(turn_view(t)))
        return;
    const DomainView *v = turn_view(t);
    if (v->live)
        resources_note_ports(v->live->def);
    if (!v->autodestroy) {
        process_reattach(t, unused);
        return;
    }
    /* Its client's connection died with us. */
    if (!process_stop(t, VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED, false, &error))
        log_error("cannot end '%s', whose client is gone: %s", v->name, error->message);
}

void process_after_interrupt(DomainTurn *t, void *unused)
{
    if (t && view_active(turn_view(t)) && atomic_load(&((Guest *)turn_driver_data(t))->destroying))
        process_reattach(t, unused);
}
