/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Saving a guest: its definition and its state become a file, its run ends. The file says that it is
 * not whole until everything is in it and on the disk; from that moment on the guest counts as saved,
 * whatever happens to this daemon (file_op.h). Workers, within the domain's turn.
 */
#define LOG_SOURCE "qemu.save"
#include "drivers/qemu/save.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "conf/host_cpu.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/file_op.h"
#include "drivers/qemu/guest_state.h"
#include "drivers/qemu/process.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

char *save_managed_path(const char *name)
{
    g_autofree char *file = g_strconcat(name, ".save", NULL);
    return g_build_filename(qemu.lib, "save", file, NULL);
}

bool save_remove_managed(const char *name, GError **err)
{
    g_autofree char *path = save_managed_path(name);

    if (unlink(path) == 0 || errno == ENOENT)
        return true;
    error_set_errno(err, errno, "Failed to remove managed save file '%s'", path);
    return false;
}

bool save_format_for(const char *word, SaveFormat *ret, GError **err)
{
    int format = word ? save_format_from_name(word) : SAVE_RAW;

    if (format < 0) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "Invalid save image format '%s' specified", word);
        return false;
    }
    *ret = (SaveFormat)format;
    return image_io_have(*ret, err);
}

DomainDef *save_parse_xml(const char *xml, GError **err)
{
    return domain_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE, &qemu_policy, &qemu.stored_policy, err);
}

bool save_may_replace(const DomainDef *image, const DomainDef *other, GError **err)
{
    g_autofree char *place = NULL;

    if (!uuid_equal(image->uuid.v, other->uuid.v)) {
        char a[37], b[37];
        uuid_format(other->uuid.v, a);
        uuid_format(image->uuid.v, b);
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Target domain uuid %s does not match source %s", a, b);
        return false;
    }
    if (!g_str_equal(image->name, other->name)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "Target domain name '%s' does not match source '%s'", other->name,
                  image->name);
        return false;
    }
    if (image->memory != other->memory) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "Target domain max memory %" G_GUINT64_FORMAT " does not match source %" G_GUINT64_FORMAT,
                  other->memory, image->memory);
        return false;
    }
    if (!domain_abi_equal(image, other, &place)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "Target domain does not match source: the guest would see another value of %s", place);
        return false;
    }
    return true;
}

/* The document for the image: the guest's, or the client's if the guest cannot tell the difference. */
static char *image_xml(const DomainDef *live, const char *given, GError **err)
{
    const unsigned how = DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_INACTIVE | DOMAIN_FORMAT_MIGRATABLE;
    g_autofree char *own = domain_format(live, how, NULL, err);

    if (!own || !given)
        return g_steal_pointer(&own);
    g_autoptr(DomainDef) mine = save_parse_xml(own, err), other = mine ? save_parse_xml(given, err) : NULL;
    if (other && other->cpu && live->cpu_asked && guest_cpu_equal(other->cpu, live->cpu, NULL)) {
        guest_cpu_free(other->cpu); /* as the running guest shows it */
        other->cpu = guest_cpu_copy(live->cpu_asked);
    }
    return other && save_may_replace(mine, other, err) ? domain_format(other, how, NULL, err) : NULL;
}

/* The image is whole: from here on the guest is saved. */
static bool seal(const FileOp *op, SaveImage *image, const GByteArray *head, GError **err)
{
    uint8_t bytes[SAVE_HEADER_SIZE];
    SaveHeader h;

    if (image->header.complete)
        return true; /* it went into a pipe */
    (void)save_header_parse(head->data, &h, NULL);
    h.complete = true;
    save_header_format(&h, bytes);
    if (pwrite(op->file, bytes, sizeof(bytes), 0) == (ssize_t)sizeof(bytes) && (fsync(op->file) == 0 || errno == EINVAL))
        return true;
    error_set_errno(err, errno, "cannot write '%s'", op->path);
    return false;
}

static bool write_image(FileOp *op, SaveImage *image, const SaveHow *how, GError **err)
{
    image->header.complete = lseek(op->file, 0, SEEK_CUR) < 0; /* what cannot be gone back in */
    g_autoptr(GByteArray) head = save_image_format(image, err);
    g_autoptr(ImageIo) io =
        head ? image_io_write(op->file, op->path, head, how->format, how->bypass_cache, err) : NULL;

    return io && guest_state_out(op->q, io, op->job, err) && seal(op, image, head, err);
}

bool save_guest(DomainTurn *t, const SaveHow *how, GError **err)
{
    static const FileOpKind kind = { VIR_DOMAIN_JOB_OPERATION_SAVE, VIR_DOMAIN_PAUSED_SAVE,
                                     "operation aborted: domain save job", NULL };
    const DomainView *v = turn_view(t);
    bool runs = v->state == VIR_DOMAIN_RUNNING;
    g_auto(SaveImage) image = { .header = { .format = how->format,
                                            .was_running = how->running < 0 ? runs : how->running } };
    g_autoptr(GError) error = NULL;
    FileOp op;

    image.xml = image_xml(v->live->def, how->xml, err);
    if (!image.xml || !file_op_begin(&op, t, how->path, &kind, err))
        return false;
    if (!write_image(&op, &image, how, &error)) {
        file_op_fail(&op, VIR_DOMAIN_RUNNING_SAVE_CANCELED, error);
        g_propagate_error(err, g_steal_pointer(&error));
        return false;
    }
    file_op_succeed(&op);
    return process_stop(t, VIR_DOMAIN_SHUTOFF_SAVED, VIR_DOMAIN_EVENT_STOPPED_SAVED, false, err);
}
