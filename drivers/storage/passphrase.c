/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A value is on no disk and in no argument: it is in memory of the kernel that the program gets as a descriptor, and
 * that goes with it. Workers.
 */
#include "drivers/storage/passphrase.h"

#include <fcntl.h>

#include "drivers/storage/apart.h"
#include "util/api.h"
#include "util/error.h"
#include "util/fd.h"

enum { FIRST_TARGET = 20 }; /* far from those that every program has */

/* number: which of the program's it is. */
static bool passphrase_open(const StorageVolumeDef *v, bool fresh, unsigned number, const StorageJob *job, Passphrase *ret, GError **err)
{
    unsigned n = v && v->encryption ? list_len(v->encryption->secrets) : 0;
    SecretRef by_path = { .type = SECRET_PASSPHRASE, .usage = v ? v->path : NULL };

    int target = FIRST_TARGET + (int)number;

    *ret = (Passphrase){ .fd = { -1, -1 } };
    if (!v || !v->encryption)
        return true;
    if (apart_inside() && fcntl(target, F_GETFD) >= 0) { /* whoever asked for this work has brought it */
        *ret = (Passphrase){ true, { target, target }, g_strdup_printf("/dev/fd/%d", target) };
        return true;
    }
    if (n > 1 || (fresh && n == 0)) {
        error_set(err, VIR_ERR_INVALID_ARG, "volume '%s': a single <secret type='passphrase'...> element is expected in encryption description",
                  v->name);
        return false;
    }
    g_autofree char *what = g_strdup_printf("volume '%s'", v->name);
    g_autoptr(SecretValue) value = storage_secret(job, n ? list_at(v->encryption->secrets, 0) : &by_path,
                                                  VIR_SECRET_USAGE_TYPE_VOLUME, what, err);
    int fd = value ? secret_value_fd(value, (uid_t)-1, err) : -1;
    if (fd < 0)
        return false;
    *ret = (Passphrase){ true, { fd, target }, g_strdup_printf("/dev/fd/%d", target) };
    return true;
}

static void passphrase_done(Passphrase *p)
{
    if (p->open)
        fd_close(&p->fd.fd);
    g_clear_pointer(&p->path, g_free);
    p->open = false;
}

void passphrases_lend(Passphrases *p, int fd, int target)
{
    const SpawnFd lent = { fd, target };

    g_array_append_val(p->fds, lent);
    p->job.fds = (const SpawnFd *)(const void *)p->fds->data;
    p->job.n_fds = p->fds->len;
}

bool passphrases_open(const StorageVolumeDef *v, bool fresh, const StorageVolumeDef *input, const StorageJob *job, Passphrases *ret, GError **err)
{
    *ret = (Passphrases){ .job = job ? *job : (StorageJob){ 0 }, .fds = g_array_new(false, false, sizeof(SpawnFd)) };
    ret->job.fds = NULL; /* of another program */
    ret->job.n_fds = 0;
    if (!passphrase_open(v, fresh, 0, job, &ret->vol, err) || !passphrase_open(input, false, 1, job, &ret->input, err))
        return false;
    if (ret->vol.open)
        passphrases_lend(ret, ret->vol.fd.fd, ret->vol.fd.target);
    if (ret->input.open)
        passphrases_lend(ret, ret->input.fd.fd, ret->input.fd.target);
    if (ret->fds->len)
        ret->job.stall_usec = MAX(ret->job.stall_usec, PASSPHRASE_USEC);
    return true;
}

void passphrases_done(Passphrases *p)
{
    passphrase_done(&p->vol);
    passphrase_done(&p->input);
    g_clear_pointer(&p->fds, g_array_unref);
}
