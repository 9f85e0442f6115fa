/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Memory for values. Where the limit of locked memory is reached, a value is kept all the same, and said so once. */
#define LOG_SOURCE "util.secret"
#include "util/secret_value.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

SecretValue *secret_value_room(gsize len, GError **err)
{
    static atomic_bool told;
    gsize page = (gsize)sysconf(_SC_PAGESIZE);

    if (len > SECRET_VALUE_MAX) {
        error_set(err, VIR_ERR_INVALID_ARG, "a secret's value has %zu bytes, at most %d are possible", len, SECRET_VALUE_MAX);
        return NULL;
    }
    gsize mapped = (sizeof(SecretValue) + len + page - 1) / page * page;
    SecretValue *v = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (v == MAP_FAILED) {
        error_set_errno(err, errno, "no memory for a secret's value");
        return NULL;
    }
    if (mlock(v, mapped) < 0 && !atomic_exchange(&told, true))
        log_warn("values of secrets may be swapped out: memory cannot be locked (%s)", g_strerror(errno));
    (void)madvise(v, mapped, MADV_DONTDUMP); /* advice: an old kernel may not take it */
    (void)madvise(v, mapped, MADV_WIPEONFORK);
    g_atomic_ref_count_init(&v->refs);
    v->len = len;
    v->mapped = mapped;
    return v;
}

SecretValue *secret_value_new(const void *bytes, gsize len, GError **err)
{
    SecretValue *v = secret_value_room(len, err);

    if (v)
        memcpy(v->bytes, bytes, len);
    return v;
}

SecretValue *secret_value_ref(const SecretValue *v)
{
    g_atomic_ref_count_inc((gatomicrefcount *)&v->refs);
    return (SecretValue *)v;
}

SecretValue *secret_value_unref(SecretValue *v)
{
    if (v && g_atomic_ref_count_dec(&v->refs)) {
        gsize mapped = v->mapped;

        explicit_bzero(v, mapped);
        (void)munmap(v, mapped);
    }
    return NULL;
}

int secret_value_fd(const SecretValue *v, uid_t user, GError **err)
{
    auto_fd fd = memfd_create("secret", MFD_CLOEXEC);

    if (fd < 0 || fchmod(fd, 0400) < 0 || (user != (uid_t)-1 && fchown(fd, user, (gid_t)-1) < 0) ||
        fd_write_all(fd, v->bytes, v->len) < 0 || lseek(fd, 0, SEEK_SET) < 0) {
        error_set_errno(err, errno, "cannot hand over a secret's value");
        return -1;
    }
    return fd_take(&fd);
}
