/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting a guest from a file that it was saved to: an ordinary start whose emulator waits for the
 * state, which then comes from the file. A managed image goes once the guest runs, and not before: what
 * it was loaded from stands in the record of the run, so that a daemon that is killed in between does
 * not leave an image that a later start would take for the guest's last state. Workers, within the turn.
 */
#define LOG_SOURCE "qemu.restore"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/guest_state.h"
#include "drivers/qemu/save.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

int open_image(const char *path, bool write, OpenImage *ret, GError **err)
{
    OpenImage i = { .path = g_strdup(path), .fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC) };

    if (i.fd < 0) {
        error_set_errno(err, errno, "Failed to open file '%s'", path);
        g_free(i.path);
        return -1;
    }
    int kind = save_image_read(i.fd, &i.image, err);
    if (kind == 1 && !(i.def = save_parse_xml(i.image.xml, err)))
        kind = -1;
    if (kind == 1)
        *ret = i;
    else
        open_image_clear(&i);
    return kind;
}

void open_image_clear(OpenImage *i)
{
    if (i->path)
        fd_close(&i->fd);
    g_clear_pointer(&i->path, g_free);
    save_image_clear(&i->image);
    g_clear_pointer(&i->def, domain_free);
}

typedef struct Load {
    const OpenImage *image;
    bool bypass_cache;
} Load;

static bool load(Qmp *mon, void *data, GError **err)
{
    const Load *l = data;
    const SaveHeader *h = &l->image->image.header;
    g_autoptr(ImageIo) io = image_io_read(l->image->fd, l->image->path, SAVE_HEADER_SIZE + (uint64_t)h->text_len,
                                          h->format, l->bypass_cache, err);

    return io && guest_state_in(mon, io, err);
}

/* Owned; from the image, the caller or the hook. */
static DomainDef *definition(OpenImage *image, const char *xml, GError **err)
{
    g_autofree char *changed = NULL;

    if (!qemu_hook_restore(image->def->name, xml ? xml : image->image.xml, &changed, err))
        return NULL;
    if (changed && *g_strstrip(changed))
        xml = changed;
    if (!xml)
        return g_steal_pointer(&image->def);
    g_autoptr(DomainDef) other = save_parse_xml(xml, err);
    return other && save_may_replace(image->def, other, err) ? g_steal_pointer(&other) : NULL;
}

bool restore_guest(DomainTurn *t, OpenImage *image, const char *xml, const RestoreHow *how, GError **err)
{
    DomainDef *def = definition(image, xml, err);
    bool running = how->running < 0 ? image->image.header.was_running : how->running;
    Load l = { image, how->bypass_cache };
    StartHow start = {
        .flags = how->flags | (running ? 0 : START_PAUSED),
        .load = load,
        .data = &l,
        .loaded_from = how->managed ? image->path : NULL,
        .running_reason = VIR_DOMAIN_RUNNING_RESTORED,
        .paused_reason = VIR_DOMAIN_PAUSED_MIGRATION,
        .started_detail = VIR_DOMAIN_EVENT_STARTED_RESTORED,
        .resumed_detail = VIR_DOMAIN_EVENT_RESUMED_FROM_SNAPSHOT,
        .suspended_detail = VIR_DOMAIN_EVENT_SUSPENDED_RESTORED,
    };

    return def && start_guest(t, def, &start, err);
}

void restore_forget_image(DomainTurn *t)
{
    const QemuStatus *s = view_status(turn_view(t));

    if (!s->loaded_from)
        return;
    if (unlink(s->loaded_from) < 0 && errno != ENOENT)
        log_error("cannot remove '%s', from which '%s' was started: %s", s->loaded_from, turn_view(t)->name,
                  g_strerror(errno));
    QemuStatus *n = qemu_status_copy(s);
    g_clear_pointer(&n->loaded_from, g_free);
    turn_set_status(t, &n->base);
    turn_set_managed_save(t, false);
}

int restore_managed(DomainTurn *t, const RestoreHow *how, GError **err)
{
    const DomainView *v = turn_view(t);
    g_autofree char *path = save_managed_path(v->name);
    g_auto(OpenImage) image = { 0 };
    g_autoptr(GError) error = NULL;

    int kind = access(path, F_OK) == 0 ? open_image(path, false, &image, &error) : 0;
    if (kind < 0) {
        g_propagate_error(err, g_steal_pointer(&error));
        return -1;
    }
    if (kind == 0) {
        if (error)
            log_warn("the managed image of '%s' is of no use (%s); it is removed and the guest booted", v->name,
                     error->message);
        turn_set_managed_save(t, false);
        return save_remove_managed(v->name, err) ? 0 : -1;
    }
    if (!g_str_equal(image.def->name, v->name) || !uuid_equal(image.def->uuid.v, v->uuid)) {
        char own[37], other[37];
        uuid_format(v->uuid, own);
        uuid_format(image.def->uuid.v, other);
        error_set(err, VIR_ERR_OPERATION_FAILED,
                  "cannot restore domain '%s' uuid %s from a file which belongs to domain '%s' uuid %s", v->name, own,
                  image.def->name, other);
        return -1;
    }
    if (!restore_guest(t, &image, NULL, how, err))
        return -1;
    restore_forget_image(t);
    return 1;
}
