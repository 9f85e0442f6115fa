/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Dumps (dump.h). Two kinds: the memory alone, as QEMU's dump command writes it, which nothing can end
 * before it is done; and the stream of a saved guest without its head. Workers, within the turn.
 */
#define LOG_SOURCE "qemu.dump"
#include "drivers/qemu/dump.h"

#include <fcntl.h>
#include <time.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/file_op.h"
#include "drivers/qemu/guest_state.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/save.h"
#include "util/error.h"
#include "util/log.h"

/* As QEMU calls them. */
static const char *const formats[] = {
    [VIR_DOMAIN_CORE_DUMP_FORMAT_RAW] = "elf",
    [VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_ZLIB] = "kdump-zlib",
    [VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_LZO] = "kdump-lzo",
    [VIR_DOMAIN_CORE_DUMP_FORMAT_KDUMP_SNAPPY] = "kdump-snappy",
    [VIR_DOMAIN_CORE_DUMP_FORMAT_WIN_DMP] = "win-dmp",
};

static bool memory_format_known(DomainTurn *t, unsigned format, GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    bool known = false;

    if (!q || !guest_memory_has_format(q, formats[format], &known, err))
        return false;
    if (!known)
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported dumpformat '%s' for this QEMU binary", formats[format]);
    return known;
}

static bool check(DomainTurn *t, unsigned format, unsigned flags, GError **err)
{
    if (format >= G_N_ELEMENTS(formats)) {
        error_set(err, VIR_ERR_INVALID_ARG, "unknown dump format %u", format);
        return false;
    }
    if (flags & VIR_DUMP_MEMORY_ONLY)
        return memory_format_known(t, format, err);
    if (format != VIR_DOMAIN_CORE_DUMP_FORMAT_RAW) {
        error_set(err, VIR_ERR_INVALID_ARG, "dump format '%s' is for memory-only dumps", formats[format]);
        return false;
    }
    return true;
}

/* Dumps are wanted most when things are wrong: an unusable setting is no reason to have none. */
static SaveFormat stream_format(void)
{
    SaveFormat f = SAVE_RAW;
    g_autoptr(GError) error = NULL;

    if (!save_format_for(qemu.config->dump_image_format, &f, &error)) {
        log_warn("dump_image_format: %s; dumping uncompressed", error->message);
        f = SAVE_RAW;
    }
    return f;
}

static bool write_memory(FileOp *op, const char *format, unsigned flags, GError **err)
{
    g_autoptr(GByteArray) none = g_byte_array_new();
    g_autoptr(ImageIo) io = image_io_write(op->file, op->path, none, SAVE_RAW, flags & VIR_DUMP_BYPASS_CACHE, err);
    g_autoptr(GError) error = NULL;

    if (!io)
        return false;
    bool ok = guest_memory_out(op->q, image_io_fd(io), format, op->job, &error);
    image_io_handed_over(io);
    if (ok && image_io_finish(io, &error))
        return true;
    image_io_stop(io);
    image_io_explain(io, &error);
    g_propagate_error(err, g_steal_pointer(&error));
    return false;
}

static bool write_stream(FileOp *op, unsigned flags, GError **err)
{
    g_autoptr(GByteArray) none = g_byte_array_new();
    g_autoptr(ImageIo) io =
        image_io_write(op->file, op->path, none, stream_format(), flags & VIR_DUMP_BYPASS_CACHE, err);

    return io && guest_state_out(op->q, io, op->job, err);
}

/* What the flags want to become of the guest, whose dump is written. */
static bool go_on(FileOp *op, unsigned flags, GError **err)
{
    if (flags & VIR_DUMP_CRASH) {
        DomainTurn *t = op->t;
        file_op_succeed(op);
        return process_stop(t, VIR_DOMAIN_SHUTOFF_CRASHED, VIR_DOMAIN_EVENT_STOPPED_CRASHED, false, err);
    }
    g_autoptr(GError) error = NULL;
    bool ok = (!(flags & VIR_DUMP_RESET) || qmp_system_reset(op->q, err)) &&
              file_op_resume(op, VIR_DOMAIN_RUNNING_UNPAUSED, err);

    if (!file_op_keep(op, &error)) {
        file_op_fail(op, VIR_DOMAIN_RUNNING_UNPAUSED, error);
        if (ok)
            g_propagate_error(err, g_steal_pointer(&error));
        return false;
    }
    file_op_succeed(op);
    return ok;
}

bool dump_guest(DomainTurn *t, const char *path, unsigned format, unsigned flags, GError **err)
{
    bool memory = flags & VIR_DUMP_MEMORY_ONLY, live = flags & VIR_DUMP_LIVE;
    const FileOpKind kind = { VIR_DOMAIN_JOB_OPERATION_DUMP, live ? 0 : VIR_DOMAIN_PAUSED_DUMP,
                              "operation aborted: domain core dump job",
                              memory ? "cannot abort memory-only dump" : NULL };
    g_autoptr(GError) error = NULL;
    FileOp op;

    if (!check(t, format, flags, err) || !file_op_begin(&op, t, path, &kind, err))
        return false;
    if (!(memory ? write_memory(&op, formats[format], flags, &error) : write_stream(&op, flags, &error))) {
        file_op_fail(&op, VIR_DOMAIN_RUNNING_UNPAUSED, error);
        g_propagate_error(err, g_steal_pointer(&error));
        return false;
    }
    return go_on(&op, flags, err);
}

bool dump_guest_automatically(DomainTurn *t, GError **err)
{
    const DomainView *v = turn_view(t);
    g_autofree char *own = g_build_filename(qemu.lib, "dump", NULL);
    const char *dir = qemu.config->auto_dump_path ? qemu.config->auto_dump_path : own;
    time_t now = time(NULL);
    struct tm tm;
    char when[64];

    strftime(when, sizeof(when), "%Y-%m-%d-%H:%M:%S", localtime_r(&now, &tm));
    g_autofree char *who = qemu_short_name(v->id, v->name), *file = g_strdup_printf("%s-%s", who, when);
    g_autofree char *path = g_build_filename(dir, file, NULL);
    return dump_guest(t, path, VIR_DOMAIN_CORE_DUMP_FORMAT_RAW,
                      VIR_DUMP_MEMORY_ONLY | (qemu.config->auto_dump_bypass_cache ? VIR_DUMP_BYPASS_CACHE : 0), err);
}
