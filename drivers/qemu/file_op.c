/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frame of operations that write a file (file_op.h). The order makes a kill of this daemon harmless
 * at any moment: the status names the file before the guest is paused, and nothing else tells that a
 * saved guest is whole than the first bytes of its file, which are written last.
 */
#define LOG_SOURCE "qemu.file-op"
#include "drivers/qemu/file_op.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/common/emit.h"
#include "drivers/qemu/guest_state.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/save.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

/* Records the operation, or that there is none. */
static void note(DomainTurn *t, int operation, const FileOp *op)
{
    QemuStatus *s = qemu_status_copy(view_status(turn_view(t)));

    g_clear_pointer(&s->job_file, g_free);
    s->job = operation;
    s->job_file = operation ? g_strdup(op->path) : NULL;
    s->job_made_file = operation && op->made_file;
    s->job_paused = operation && op->runs;
    turn_set_status(t, &s->base);
}

static bool open_file(FileOp *op, GError **err)
{
    struct stat st;

    /* Without waiting for whoever reads a pipe: there must be somebody. */
    op->file = open(op->path, O_WRONLY | O_CREAT | O_TRUNC | O_NONBLOCK | O_CLOEXEC, 0600);
    if (op->file < 0 || fstat(op->file, &st) < 0) {
        error_set_errno(err, errno, "Failed to create file '%s'", op->path);
        return false;
    }
    op->made_file = S_ISREG(st.st_mode);
    return true;
}

static void close_file(FileOp *op, bool remove)
{
    fd_close(&op->file);
    if (remove && op->made_file && unlink(op->path) < 0 && errno != ENOENT)
        log_error("cannot remove '%s', which is not whole: %s", op->path, g_strerror(errno));
}

static void op_clear(FileOp *op)
{
    fd_close(&op->file);
    qmp_unref(op->q);
    g_clear_pointer(&op->path, g_free);
    *op = (FileOp){ .file = -1 };
}

static bool pause_guest(FileOp *op, int reason, GError **err)
{
    if (!qmp_stop(op->q, err))
        return false;
    turn_set_state(op->t, VIR_DOMAIN_PAUSED, reason);
    emit_lifecycle(op->t, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    return turn_checkpoint(op->t, err);
}

bool file_op_begin(FileOp *op, DomainTurn *t, const char *path, const FileOpKind *kind, GError **err)
{
    g_autoptr(GError) error = NULL;

    *op = (FileOp){ .t = t, .g = turn_driver_data(t), .file = -1, .path = g_strdup(path) };
    op->q = guest_qmp(op->g, err);
    if (!op->q || !open_file(op, err)) {
        op_clear(op);
        return false;
    }
    op->runs = turn_view(t)->state == VIR_DOMAIN_RUNNING;
    op->live = !kind->paused_reason;
    note(t, kind->operation, op);
    turn_require_status(t, true);
    op->job = turn_begin_job(t, kind->operation, kind->what, kind->fixed);
    /* From here on the emulator stops and resumes for our sake; what becomes of it is told by us. */
    atomic_store(&op->g->stops_itself, op->runs);
    if (turn_checkpoint(t, &error) && (!op->runs || op->live || pause_guest(op, kind->paused_reason, &error)))
        return true;
    file_op_fail(op, VIR_DOMAIN_RUNNING_UNPAUSED, error);
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}

/* A guest that ran all the time was stopped at the end by what read its state, or by a fault. */
static bool resume_live(FileOp *op, GError **err)
{
    QmpStatus now;

    if (!qmp_query_status(op->q, &now, err))
        return false;
    if (now.running)
        return true;
    if (now.state != QMP_RUN_IO_ERROR && now.state != QMP_RUN_WATCHDOG)
        return qmp_cont(op->q, err);
    turn_set_state(op->t, VIR_DOMAIN_PAUSED,
                   now.state == QMP_RUN_IO_ERROR ? VIR_DOMAIN_PAUSED_IOERROR : VIR_DOMAIN_PAUSED_WATCHDOG);
    emit_lifecycle(op->t, VIR_DOMAIN_EVENT_SUSPENDED,
                   now.state == QMP_RUN_IO_ERROR ? VIR_DOMAIN_EVENT_SUSPENDED_IOERROR
                                                 : VIR_DOMAIN_EVENT_SUSPENDED_WATCHDOG);
    return true;
}

static bool resume_paused(FileOp *op, int reason, GError **err)
{
    if (!qmp_cont(op->q, err))
        return false;
    turn_set_state(op->t, VIR_DOMAIN_RUNNING, reason);
    emit_lifecycle(op->t, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    return true;
}

bool file_op_resume(FileOp *op, int reason, GError **err)
{
    bool ok = !op->runs || (turn_view(op->t)->state == VIR_DOMAIN_RUNNING ? resume_live(op, err)
                                                                          : resume_paused(op, reason, err));

    op->runs = false;
    atomic_store(&op->g->stops_itself, false);
    return ok;
}

bool file_op_keep(FileOp *op, GError **err)
{
    note(op->t, 0, op);
    return turn_checkpoint(op->t, err);
}

void file_op_succeed(FileOp *op)
{
    if (view_status(turn_view(op->t))->job)
        note(op->t, 0, op);
    turn_require_status(op->t, false);
    turn_end_job(op->t, NULL);
    atomic_store(&op->g->stops_itself, false);
    op_clear(op);
}

void file_op_fail(FileOp *op, int reason, const GError *why)
{
    g_autoptr(GError) error = NULL;

    close_file(op, true);
    if (!file_op_resume(op, reason, &error)) {
        log_warn("'%s' does not go on after an operation that failed: %s", turn_view(op->t)->name, error->message);
        g_clear_error(&error);
    }
    note(op->t, 0, op);
    turn_require_status(op->t, false); /* that the guest goes on is told, written or not */
    turn_end_job(op->t, why);
    if (!turn_checkpoint(op->t, &error))
        log_error("cannot write the state of '%s': %s", turn_view(op->t)->name, error->message);
    op_clear(op);
}

/* After a kill of ours ------------------------------------------------------------------------- */

static bool image_is_whole(const char *path)
{
    uint8_t head[SAVE_HEADER_SIZE];
    SaveHeader h;
    auto_fd fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    return fd >= 0 && fd_read_all(fd, head, sizeof(head)) == (ssize_t)sizeof(head) &&
           save_header_parse(head, &h, NULL) == 1;
}

/* The emulator gives up what the killed daemon had begun, and the guest goes on. */
static bool give_up(DomainTurn *t, Qmp *q, const QemuStatus *s, GError **err)
{
    QmpStatus now;

    if (!guest_state_cancel(q, err) || !guest_memory_settle(q, err) || !qmp_query_status(q, &now, err))
        return false;
    if (!s->job_paused || now.running)
        return true;
    if (!qmp_cont(q, err))
        return false;
    turn_set_state(t, VIR_DOMAIN_RUNNING,
                   s->job == VIR_DOMAIN_JOB_OPERATION_SAVE ? VIR_DOMAIN_RUNNING_SAVE_CANCELED
                                                           : VIR_DOMAIN_RUNNING_UNPAUSED);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    return true;
}

bool file_op_recover(DomainTurn *t, Qmp *q)
{
    const QemuStatus *s = view_status(turn_view(t));
    const char *name = turn_view(t)->name;
    g_autoptr(GError) error = NULL;

    if (!s->job)
        return false;
    if (s->job == VIR_DOMAIN_JOB_OPERATION_SAVE && image_is_whole(s->job_file)) {
        log_info("'%s' was saved to '%s' when this daemon was killed", name, s->job_file);
        return true;
    }
    log_warn("an operation on '%s' was cut short; '%s' is not whole%s", name, s->job_file,
             s->job_made_file ? " and is removed" : "");
    if (q && !give_up(t, q, s, &error))
        log_error("'%s' does not go on: %s", name, error->message);
    if (s->job_made_file && unlink(s->job_file) < 0 && errno != ENOENT)
        log_error("cannot remove '%s': %s", s->job_file, g_strerror(errno));
    g_autofree char *managed = save_managed_path(name);
    if (g_str_equal(managed, s->job_file))
        turn_set_managed_save(t, false);
    note(t, 0, NULL);
    return false;
}
