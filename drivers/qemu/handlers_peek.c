/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking into a guest: its memory, its images, what its processor measured of it; thresholds of images;
 * certificates of its displays. Workers.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/common/params.h"
#include "drivers/qemu/disk.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/image.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"
#include "util/fd.h"

static bool size_fits(unsigned size, unsigned max, GError **err)
{
    if (size <= max)
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "size %u is larger than %u, the most that can be looked at",
              size, max);
    return false;
}

/* Memory ------------------------------------------------------------------------------------------ */

/* A file for the emulator to write to, in the run's directory and of the same owner. The path ends in
 * XXXXXX. */
static int make_peek_file(char *path, const char *dir, GError **err)
{
    struct stat st;
    auto_fd fd = mkostemp(path, O_CLOEXEC);

    if (fd < 0 || stat(dir, &st) < 0 || fchown(fd, st.st_uid, st.st_gid) < 0) {
        error_set_errno(err, errno, "cannot make '%s'", path);
        if (fd >= 0)
            (void)unlink(path);
        return -1;
    }
    return fd_take(&fd);
}

bool qemu_domain_memory_peek(Call *c, DomainQuery *q, const remote_domain_memory_peek_args *a,
                             remote_domain_memory_peek_ret *r, GError **err)
{
    const QemuStatus *s = view_status(q->view);
    unsigned how = a->flags & (VIR_MEMORY_VIRTUAL | VIR_MEMORY_PHYSICAL);

    if (how == (VIR_MEMORY_VIRTUAL | VIR_MEMORY_PHYSICAL)) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "Flags 'VIR_MEMORY_VIRTUAL' and 'VIR_MEMORY_PHYSICAL' are mutually exclusive");
        return false;
    }
    if (!how) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "flags parameter must be VIR_MEMORY_VIRTUAL or VIR_MEMORY_PHYSICAL");
        return false;
    }
    if (!size_fits(a->size, REMOTE_DOMAIN_MEMORY_PEEK_BUFFER_MAX, err))
        return false;
    g_autoptr(Qmp) monitor = guest_qmp(domain_driver_data(q->domain), err);
    g_autofree char *path = g_build_filename(s->lib_dir, "peek-XXXXXX", NULL);
    auto_fd fd = monitor ? make_peek_file(path, s->lib_dir, err) : -1;
    if (fd < 0)
        return false;
    call_set_waiting(c, "monitor");
    bool ok = qmp_memsave(monitor, how == VIR_MEMORY_PHYSICAL, a->offset, a->size, path, err);
    if (ok) {
        /* The emulator opens it anew and may have replaced it. */
        auto_fd in = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        g_autofree u_char *buffer = g_malloc0(a->size + 1);
        ssize_t n = in >= 0 ? fd_read_all(in, buffer, a->size) : -1;
        ok = n == (ssize_t)a->size;
        if (ok) {
            r->buffer.buffer_val = g_steal_pointer(&buffer);
            r->buffer.buffer_len = a->size;
        } else {
            error_set(err, VIR_ERR_SYSTEM_ERROR,
                      "the emulator wrote %zd of %u bytes of memory to '%s'", n, a->size, path);
        }
    }
    (void)unlink(path);
    return ok;
}

/* Images ------------------------------------------------------------------------------------------ */

bool qemu_domain_block_peek(Call *c, DomainQuery *q, const remote_domain_block_peek_args *a,
                            remote_domain_block_peek_ret *r, GError **err)
{
    const DiskDef *d = *a->path ? disk_find(q->view->live->def, a->path) : NULL;
    (void)c;

    if (!d) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  *a->path ? "disk '%s' not found in domain" : "empty path%s", a->path);
        return false;
    }
    if (disk_is_empty(d)) {
        error_set(err, VIR_ERR_INVALID_ARG, "disk '%s' does not currently have a source assigned",
                  a->path);
        return false;
    }
    if (d->src.format != FORMAT_RAW && d->src.format != FORMAT_NONE) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED,
                  "peeking is only supported for disk with 'raw' format not '%s'",
                  enum_name(&storage_format_names, d->src.format));
        return false;
    }
    if (!disk_layer_is_local(&d->src)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED,
                  "disk '%s' is not a file or device of this host", a->path);
        return false;
    }
    if (!size_fits(a->size, REMOTE_DOMAIN_BLOCK_PEEK_BUFFER_MAX, err))
        return false;
    g_autofree u_char *buffer = g_malloc0(a->size + 1);
    ssize_t n = image_peek(d->src.path, buffer, a->size, (off_t)MIN(a->offset, (uint64_t)INT64_MAX));
    if (n < 0) {
        error_set_errno(err, errno, "cannot read '%s'", d->src.path);
        return false;
    }
    if ((unsigned)n < a->size) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "'%s' starting from %" G_GUINT64_FORMAT " has only %zd bytes available", a->path,
                  (uint64_t)a->offset, n);
        return false;
    }
    r->buffer.buffer_val = g_steal_pointer(&buffer);
    r->buffer.buffer_len = a->size;
    return true;
}

bool qemu_domain_set_block_threshold(Call *c, DomainTurn *t,
                                     const remote_domain_set_block_threshold_args *a, GError **err)
{
    const StorageSource *layer;
    const DiskDef *d = disk_find_layer(turn_view(t)->live->def, a->dev, &layer);
    bool by_index = strchr(a->dev, '[') != NULL;

    if (!d || !layer->index) {
        error_set(err, VIR_ERR_INVALID_ARG, "failed to find disk '%s'", a->dev);
        return false;
    }
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    g_autofree char *node = g_strdup_printf("libvirt-%u-storage", layer->index);
    if (!q)
        return false;
    call_set_waiting(c, "monitor");
    if (!qmp_block_set_write_threshold(q, node, a->threshold, err))
        return false;
    /* Events name the layer as it was named here. */
    bool now = layer->priv && layer->priv->threshold_by_index == TRI_YES;
    if (now != by_index) {
        (void)disk_find_layer(turn_edit_live(t), a->dev, &layer);
        StorageSource *mine = (StorageSource *)layer;
        if (!mine->priv)
            mine->priv = g_new0(StoragePrivate, 1);
        mine->priv->threshold_by_index = by_index ? TRI_YES : TRI_ABSENT;
    }
    return true;
}

/* Confidential guests ----------------------------------------------------------------------------- */

bool qemu_domain_get_launch_security_info(Call *c, DomainQuery *q,
                                          const remote_domain_get_launch_security_info_args *a,
                                          remote_domain_get_launch_security_info_ret *r,
                                          GError **err)
{
    const DomainDef *def = view_def(q->view, c, err);
    const LaunchSecurityDef *l = def ? def->launch_security : NULL;
    g_auto(ParamList) out = { 0 };
    (void)a;

    if (!l || l->type != LAUNCH_SEV)
        return def != NULL; /* nothing was measured */
    g_autoptr(Qmp) monitor = guest_qmp(domain_driver_data(q->domain), err);
    g_autoptr(JsonObject) measure = NULL;
    g_autoptr(JsonObject) sev = NULL;
    call_set_waiting(c, "monitor");
    if (!monitor ||
        !qmp_call(monitor, "query-sev-launch-measure", NULL, &measure, call_deadline(c), err) ||
        !qmp_call(monitor, "query-sev", NULL, &sev, call_deadline(c), err))
        return false;
    params_add_string(&out, json_get_str(measure, "data"), "sev-measurement");
    params_add_uint(&out, (unsigned)json_get_i64(sev, "api-major", 0), "sev-api-major");
    params_add_uint(&out, (unsigned)json_get_i64(sev, "api-minor", 0), "sev-api-minor");
    params_add_uint(&out, (unsigned)json_get_i64(sev, "build-id", 0), "sev-build-id");
    params_add_uint(&out, (unsigned)json_get_i64(sev, "policy", 0), "sev-policy");
    params_give(&out, &r->params);
    return true;
}

/* Displays ---------------------------------------------------------------------------------------- */

bool qemu_domain_graphics_reload(Call *c, DomainQuery *q,
                                 const remote_domain_graphics_reload_args *a, GError **err)
{
    const GraphicsDef *g, *vnc = NULL;

    if (a->type > VIR_DOMAIN_GRAPHICS_RELOAD_TYPE_VNC) {
        error_set(err, VIR_ERR_INVALID_ARG, "unknown type of graphics %u", a->type);
        return false;
    }
    for (guint i = 0; !vnc && (g = domain_next(q->view->live->def, DEVICE_GRAPHICS, &i));)
        if (g->type == GRAPHICS_VNC)
            vnc = g;
    if (!vnc) {
        error_set(err, VIR_ERR_OPERATION_INVALID,
                  "the guest has no VNC display, whose certificates could be read anew");
        return false;
    }
    g_autoptr(Qmp) monitor = guest_qmp(domain_driver_data(q->domain), err);
    if (!monitor)
        return false;
    call_set_waiting(c, "monitor");
    return qmp_display_reload_vnc(monitor, err);
}

bool qemu_domain_set_launch_security_state(Call *c, DomainTurn *t, const remote_domain_set_launch_security_state_args *a,
                                           GError **err)
{
    const DomainDef *def = view_def(turn_view(t), c, err);
    const LaunchSecurityDef *l = def ? def->launch_security : NULL;
    const remote_typed_param *params = a->params.params_val;
    u_int n = a->params.params_len;

    if (!def)
        return false;
    if (!l || l->type != LAUNCH_SEV) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "setting a launch secret is only supported in SEV-enabled domains");
        return false;
    }
    const remote_typed_param *header = params_find(params, n, VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET_HEADER),
                             *secret = params_find(params, n, VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET),
                             *place = params_find(params, n, VIR_DOMAIN_LAUNCH_SECURITY_SEV_SECRET_SET_ADDRESS);
    if (!header || header->value.type != VIR_TYPED_PARAM_STRING || !secret || secret->value.type != VIR_TYPED_PARAM_STRING ||
        (place && place->value.type != VIR_TYPED_PARAM_ULLONG)) {
        error_set(err, VIR_ERR_INVALID_ARG, "Both secret and the secret header are required");
        return false;
    }
    g_autoptr(Qmp) monitor = guest_qmp(turn_driver_data(t), err);
    if (!monitor)
        return false;
    if (turn_view(t)->state != VIR_DOMAIN_PAUSED) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain must be in a paused state");
        return false;
    }
    g_autoptr(JsonObject) args = json_make(J_STR("packet-header", header->value.u.s), J_STR("secret", secret->value.u.s));
    if (place)
        json_object_object_add(args, "gpa", json_object_new_uint64(place->value.u.ul));
    call_set_waiting(c, "monitor");
    return qmp_call(monitor, "sev-inject-launch-secret", g_steal_pointer(&args), NULL, call_deadline(c), err);
}
