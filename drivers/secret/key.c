/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Keys of the host. A key is read when it is needed and wiped behind that, so between calls there is none in our
 * memory. One lock: of making the host's key, so that two first values make one. Any thread.
 */
#define LOG_SOURCE "secret.key"
#include "drivers/secret/key.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/crypto.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/state.h"

#define CREDENTIAL "secrets-encryption-key"
#define HOST_KEY "host.key"

static Lock making = LOCK_INIT;

void secret_key_wipe(SecretKey *k)
{
    explicit_bzero(k, sizeof(*k));
}

/* Of a key's id nobody learns anything about the key. */
static bool name_key(SecretKey *k, GError **err)
{
    static const char text[] = "modvirt key of secrets";
    uint8_t mac[32];

    if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, k->bytes, sizeof(k->bytes), text, sizeof(text), mac) < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot compute the id of a key");
        return false;
    }
    for (unsigned i = 0; i < SECRET_KEY_ID_SIZE / 2; i++)
        g_snprintf(k->id + 2 * i, 3, "%02x", mac[i]);
    return true;
}

static bool read_key(int dirfd, const char *name, const char *path, SecretKey *ret, GError **err)
{
    auto_fd fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    char more;
    ssize_t n = fd < 0 ? -1 : fd_read_all(fd, ret->bytes, sizeof(ret->bytes));

    if (n < 0) {
        error_set_errno(err, errno, "cannot read the key of secrets '%s'", path);
        return false;
    }
    if (n != sizeof(ret->bytes) || fd_read_all(fd, &more, 1) != 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the key of secrets '%s' has not %d bytes", path, SECRET_KEY_SIZE);
        return false;
    }
    return name_key(ret, err);
}

/* False without *err: there is none. */
static bool read_credential(SecretKey *ret, GError **err)
{
    const char *dir = g_getenv("CREDENTIALS_DIRECTORY");
    g_autofree char *path = dir ? g_build_filename(dir, CREDENTIAL, NULL) : NULL;

    return path && access(path, F_OK) == 0 && read_key(AT_FDCWD, path, path, ret, err);
}

static char *host_key_dir(void)
{
    return g_build_filename(paths()->lib, "secrets", NULL);
}

void secret_key_tidy(void)
{
    g_autofree char *dir = host_key_dir();
    g_autoptr(GError) error = NULL;

    if (access(dir, F_OK) != 0)
        return; /* before the first value there is none */
    auto_fd fd = state_open_dir(dir, 0700, &error);
    if (fd < 0)
        log_warn("%s", error->message);
}

static bool read_host_key(bool make, SecretKey *ret, GError **err)
{
    g_autofree char *dir = host_key_dir();
    g_autofree char *path = g_build_filename(dir, HOST_KEY, NULL);
    auto_fd fd = make ? state_open_dir(dir, 0700, err) : open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return false;
    LOCK_SCOPE(&making);
    if (faccessat(fd, HOST_KEY, F_OK, 0) == 0)
        return read_key(fd, HOST_KEY, path, ret, err);
    if (!make)
        return false;
    if (gnutls_rnd(GNUTLS_RND_KEY, ret->bytes, sizeof(ret->bytes)) < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot make a key of secrets: no random numbers");
        return false;
    }
    log_info("a key for the secrets of this host is made: '%s'", path);
    return state_write(fd, HOST_KEY, (const char *)ret->bytes, sizeof(ret->bytes), 0600, err) && name_key(ret, err);
}

bool secret_key_for_sealing(SecretKey *ret, GError **err)
{
    g_autoptr(GError) error = NULL;

    if (read_credential(ret, &error))
        return true;
    if (error) {
        g_propagate_error(err, g_steal_pointer(&error));
        return false;
    }
    return read_host_key(true, ret, err);
}

bool secret_key_find(const char *id, SecretKey *ret, GError **err)
{
    g_autoptr(GError) e1 = NULL, e2 = NULL;

    if ((read_credential(ret, &e1) && g_str_equal(ret->id, id)) ||
        (read_host_key(false, ret, &e2) && g_str_equal(ret->id, id)))
        return true;
    secret_key_wipe(ret);
    error_set(err, VIR_ERR_INTERNAL_ERROR, "the value was sealed with the key %s, which this host does not have%s%s%s%s", id,
              e1 ? "; " : "", e1 ? e1->message : "", e2 ? "; " : "", e2 ? e2->message : "");
    return false;
}
