/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frame reader fed with any bytes in any chunks, some with a descriptor. The first byte of the
 * input seeds the chunking. Whatever comes out as a message is put together again and must equal
 * what went in; what was charged is given back.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rpc/frame.h"
#include "rpc/message-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;

    UserRegistry *users = user_registry_new(&(AccountLimits){ .max = { 1 << 20, 40, 0 } });
    User *user = user_registry_get(users, 1);
    FrameReader r = {
        .max = data[0] & 1 ? MESSAGE_MAX : MESSAGE_MAX_UNAUTH, .can_fds = data[0] & 2, .user = user,
    };
    unsigned seed = data[0];
    size_t at = 1, frame_start = 1, carriers = 0;
    FrameResult res = FRAME_MORE;

    while (at < size && res != FRAME_BAD) {
        seed = seed * 1103515245 + 12345;

        size_t n = 1 + (seed >> 16) % 64, direct = 0;
        int fd = seed & 0x4000 ? open("/dev/null", O_RDONLY | O_CLOEXEC) : -1;
        struct iovec space;
        const uint8_t *p = data + at;

        n = MIN(n, size - at);
        at += n;
        if (seed & 0x8000) { /* as conn.c does: the rest of a frame directly */
            if (!frame_space(&r, &space, NULL))
                break;
            direct = MIN(space.iov_len, n);
            if (direct) {
                memcpy(space.iov_base, p, direct);
                frame_fill(&r, direct);
            }
            p += direct;
            n -= direct;
        }
        do {
            Message *m = NULL;

            res = frame_feed(&r, &p, &n, &fd, &m, NULL);
            check((res == FRAME_READY) == (m != NULL) && (res != FRAME_MORE || n == 0));
            if (m) {
                check(m->len >= MESSAGE_HEAD && m->len <= r.max && m->filled == m->len && m->h.type < _MSG_N);
                check(memcmp(m->data, data + frame_start, m->len) == 0);
                check(m->n_fds == m->want_fds && m->body <= m->len);
                carriers = m->n_fds;
                frame_start += m->len + carriers;
                message_unref(m);
            }
        } while (res == FRAME_READY);
        if (fd >= 0)
            close(fd);
    }
    frame_reset(&r);
    check(user_used(user, ACCOUNT_BYTES) == 0 && user_used(user, ACCOUNT_FDS) == 0);
    user_unref(user);
    user_registry_unref(users);
    return 0;
}
