/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The token's file (see the header). Who finds it empty fills it, under a lock of the whole file that every daemon
 * takes before it looks: so there is one token however many daemons start at once, and one that was killed in
 * between leaves nothing in the way.
 */
#include "rpc/system_token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

enum { TOKEN_BYTES = 16, TOKEN_CHARS = 2 * TOKEN_BYTES, LOCK_TRIES = 200, LOCK_PAUSE_USEC = 10000 };

/* Others hold it for the time of a write. */
static bool lock_file(int fd, const char *path, GError **err)
{
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    for (unsigned i = 0; i < LOCK_TRIES; i++) {
        if (fcntl(fd, F_OFD_SETLK, &all) == 0)
            return true;
        if (errno != EAGAIN && errno != EACCES && errno != EINTR)
            break;
        g_usleep(LOCK_PAUSE_USEC);
    }
    error_set_errno(err, errno, "cannot lock the system token '%s'", path);
    return false;
}

static char *make_token(int fd, const char *path, GError **err)
{
    uint8_t bytes[TOKEN_BYTES];
    char *text = g_malloc(TOKEN_CHARS + 1);

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "cannot make a system token: no random numbers");
        g_free(text);
        return NULL;
    }
    for (unsigned i = 0; i < TOKEN_BYTES; i++)
        g_snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    explicit_bzero(bytes, sizeof(bytes));
    if (fd_write_all(fd, text, TOKEN_CHARS) == 0)
        return text;
    error_set_errno(err, errno, "cannot write the system token '%s'", path);
    if (ftruncate(fd, 0) < 0) /* a part of one would be in everybody's way */
        g_prefix_error(err, "half a token is left behind: ");
    system_token_free(text);
    return NULL;
}

static char *read_token(int fd, const char *path, GError **err)
{
    char *text = g_malloc0(TOKEN_CHARS + 1);

    if (fd_read_all(fd, text, TOKEN_CHARS) == TOKEN_CHARS && strspn(text, "0123456789abcdef") == TOKEN_CHARS)
        return text;
    error_set(err, VIR_ERR_OPERATION_FAILED, "the system token '%s' is not one of %d hex digits", path, TOKEN_CHARS);
    system_token_free(text);
    return NULL;
}

char *system_token(GError **err)
{
    g_autofree char *dir = g_build_filename(paths()->run, "common", NULL);
    g_autofree char *path = g_build_filename(dir, "system.token", NULL);
    struct stat st;

    if (!path_make_dir(dir, 0700, err))
        return NULL;
    auto_fd fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK, 0600);
    if (fd < 0 || fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot open the system token '%s'", path);
        return NULL;
    }
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_mode & 077) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "the system token '%s' is not a file that only user %d can read (owner %d, mode %o)",
                  path, (int)geteuid(), (int)st.st_uid, (unsigned)st.st_mode);
        return NULL;
    }
    if (!lock_file(fd, path, err))
        return NULL;
    if (fstat(fd, &st) < 0) {
        error_set_errno(err, errno, "cannot look at the system token '%s'", path);
        return NULL;
    }
    if (st.st_size == 0)
        return make_token(fd, path, err);
    if (st.st_size == TOKEN_CHARS)
        return read_token(fd, path, err);
    error_set(err, VIR_ERR_OPERATION_FAILED, "the system token '%s' has %lld bytes, expected %d", path, (long long)st.st_size,
              TOKEN_CHARS);
    return NULL;
}

void system_token_free(char *token)
{
    if (token)
        explicit_bzero(token, strlen(token));
    g_free(token);
}

bool system_token_is(const char *presented, GError **err)
{
    unsigned differs = 0;

    if (!presented || strlen(presented) != TOKEN_CHARS)
        return false;
    char *own = system_token(err);
    if (!own)
        return false;
    for (unsigned i = 0; i < TOKEN_CHARS; i++) /* all of them, however early they differ */
        differs |= (unsigned)(own[i] ^ presented[i]);
    system_token_free(own);
    return differs == 0;
}
