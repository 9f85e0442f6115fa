/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Changes of what is behind a running guest's disks. Workers, with the domain's turn. */
#include <inttypes.h>

#include "drivers/qemu/disk.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"

enum { SECTOR = 512 };

/* The wire counts KiB unless the flag says bytes. */
static bool new_size(const remote_domain_block_resize_args *a, uint64_t *ret, GError **err)
{
    uint64_t unit = a->flags & VIR_DOMAIN_BLOCK_RESIZE_BYTES ? 1 : 1024;

    if (a->size > (INT64_MAX - SECTOR) / unit) {
        error_set(err, VIR_ERR_OVERFLOW, "size must be less than %" PRIu64, (uint64_t)INT64_MAX / unit);
        return false;
    }
    *ret = (a->size * unit + SECTOR - 1) / SECTOR * SECTOR;
    return true;
}

bool qemu_domain_block_resize(Call *c, DomainTurn *t, const remote_domain_block_resize_args *a, GError **err)
{
    const DiskDef *d = disk_find(turn_view(t)->live->def, a->disk);
    uint64_t bytes;

    if (!d) {
        error_set(err, VIR_ERR_INVALID_ARG, "disk '%s' was not found in the domain config", a->disk);
        return false;
    }
    if (!d->src.index) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "disk '%s' has no medium to resize", a->disk);
        return false;
    }
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    if (!q || !new_size(a, &bytes, err))
        return false;
    g_autofree char *node = g_strdup_printf("libvirt-%u-format", d->src.index);
    call_set_waiting(c, "monitor");
    return qmp_block_resize(q, node, bytes, err);
}

/* Jobs ----------------------------------------------------------------------------------------- */

/* What starts a job of a disk is not supported, so none is ever under way. */
static bool disk_is_there(const DomainView *v, const char *name, GError **err)
{
    if (disk_find(v->live->def, name))
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "disk '%s' not found in domain", name);
    return false;
}

static bool no_job(const DomainView *v, const char *name, GError **err)
{
    if (disk_is_there(v, name, err))
        error_set(err, VIR_ERR_INVALID_ARG, "disk %s does not have an active block job", name);
    return false;
}

bool qemu_domain_get_block_job_info(Call *c, DomainQuery *q, const remote_domain_get_block_job_info_args *a,
                                    remote_domain_get_block_job_info_ret *r, GError **err)
{
    (void)c, (void)r; /* found: 0 */
    return disk_is_there(q->view, a->path, err);
}

bool qemu_domain_block_job_abort(Call *c, DomainTurn *t, const remote_domain_block_job_abort_args *a, GError **err)
{
    (void)c;
    return no_job(turn_view(t), a->path, err);
}

bool qemu_domain_block_job_set_speed(Call *c, DomainTurn *t, const remote_domain_block_job_set_speed_args *a, GError **err)
{
    (void)c;
    return no_job(turn_view(t), a->path, err);
}
