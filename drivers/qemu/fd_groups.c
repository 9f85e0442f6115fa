/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Descriptors by name (fd_groups.h). They are the connection's that brought them: who leaves takes its own
 * along, a group of the same name replaces the one before, a start takes copies. Guarded by the guest's lock.
 */
#include "drivers/qemu/fd_groups.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "util/error.h"
#include "util/fd.h"

enum { GROUPS_MAX = 64 }; /* of one domain: each holds up to 32 of our descriptors */

typedef struct FdGroup {
    uint64_t client;
    GArray *fds; /* int */
} FdGroup;

static void close_all(GArray *fds)
{
    for (unsigned i = 0; i < fds->len; i++)
        fd_close(&g_array_index(fds, int, i));
    g_array_unref(fds);
}

static void group_free(void *p)
{
    FdGroup *group = p;

    close_all(group->fds);
    g_free(group);
}

void fd_groups_done(Guest *g)
{
    g_clear_pointer(&g->fd_groups, g_hash_table_unref);
}

bool fd_groups_copy(Guest *g, const char *name, GArray *fds, GError **err)
{
    LOCK_SCOPE(&g->lock);
    const FdGroup *group = g->fd_groups ? g_hash_table_lookup(g->fd_groups, name) : NULL;

    if (!group) {
        error_set(err, VIR_ERR_INVALID_ARG, "no file descriptors are associated with the domain under the name '%s'", name);
        return false;
    }
    for (unsigned i = 0; i < group->fds->len; i++) {
        int fd = fcntl(g_array_index(group->fds, int, i), F_DUPFD_CLOEXEC, 3);
        if (fd < 0) {
            error_set_errno(err, errno, "cannot duplicate descriptor %u of '%s'", i, name);
            return false;
        }
        g_array_append_val(fds, fd);
    }
    return true;
}

void fd_groups_unlock(Guest *g)
{
    LOCK_SCOPE(&g->lock);
    GHashTableIter i;
    void *group;

    if (!g->fd_groups)
        return;
    g_hash_table_iter_init(&i, g->fd_groups);
    while (g_hash_table_iter_next(&i, NULL, &group)) {
        const GArray *fds = ((FdGroup *)group)->fds;
        for (unsigned k = 0; k < fds->len; k++) {
            struct flock all = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
            (void)fcntl(g_array_index(fds, int, k), F_OFD_SETLK, &all); /* what is no file has none */
        }
    }
}

static gboolean is_of(void *name, void *group, void *client)
{
    (void)name;
    return ((const FdGroup *)group)->client == *(const uint64_t *)client;
}

static void on_client_gone(uint64_t client, void *data)
{
    Domain *d = data;
    Guest *g = domain_driver_data(d);

    lock_enter(&g->lock);
    if (g->fd_groups)
        g_hash_table_foreach_remove(g->fd_groups, is_of, &client);
    lock_leave(&g->lock);
    domain_unref(d);
}

static bool keep(Guest *g, const char *name, FdGroup *take, GError **err)
{
    LOCK_SCOPE(&g->lock);

    if (!g->fd_groups)
        g->fd_groups = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, group_free);
    if (g_hash_table_size(g->fd_groups) >= GROUPS_MAX && !g_hash_table_contains(g->fd_groups, name)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "%d groups of file descriptors are associated with the domain, no more are kept",
                  GROUPS_MAX);
        group_free(take);
        return false;
    }
    g_hash_table_replace(g->fd_groups, g_strdup(name), take);
    return true;
}

/* Labels of the kernel are not supported, so the flags about them have nothing to do. */
bool qemu_domain_fd_associate(Call *c, DomainTurn *t, const remote_domain_fd_associate_args *a, GError **err)
{
    Domain *d = turn_domain(t);
    FdGroup *group = g_new0(FdGroup, 1);

    group->client = call_client_id(c);
    group->fds = g_array_new(false, false, sizeof(int));
    for (int fd; (fd = call_take_fd(c, group->fds->len)) >= 0;)
        g_array_append_val(group->fds, fd);
    if (!group->fds->len) {
        error_set(err, VIR_ERR_INVALID_ARG, "no file descriptors came with the call for the name '%s'", a->name);
        group_free(group);
        return false;
    }
    if (!keep(domain_driver_data(d), a->name, group, err))
        return false;
    domain_ref(d);
    if (!call_watch_close(c, on_client_gone, d))
        on_client_gone(call_client_id(c), d);
    return true;
}
