/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Frames: layout on the wire, bounds of the header, descriptors, error payloads, any chunking. */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "protocols/net_types.h"
#include "protocols/xdr_buf.h"
#include "rpc/frame.h"
#include "rpc/message-internal.h"
#include "util/error.h"

static const MsgHeader call = { 0x20008086, 1, 17, MSG_CALL, 42, MSG_OK };

static int some_fd(void)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert(fd >= 0);
    return fd;
}

static bool fd_is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void test_layout(void)
{
    g_autoptr(Message) m = message_new_bytes(&call, "abcd", 4);
    static const uint8_t expected[] = { 0, 0, 0, 32, 0x20, 0, 0x80, 0x86, 0, 0, 0, 1, 0, 0, 0, 17,
                                        0, 0, 0, 0, 0, 0, 0, 42, 0, 0, 0, 0, 'a', 'b', 'c', 'd' };

    assert(m->len == sizeof(expected) && memcmp(m->data, expected, sizeof(expected)) == 0);
    assert(message_body_len(m) == 4 && memcmp(message_body(m), "abcd", 4) == 0);
}

static void test_header_bounds(void)
{
    static const struct {
        uint32_t len, type;
        bool ok;
    } cases[] = {
        { 28, 0, true }, { 27, 0, false }, { 0, 0, false }, { MESSAGE_MAX, 6, true },
        { MESSAGE_MAX + 1u, 0, false }, { UINT32_MAX, 0, false }, { 28, 7, false }, { 28, UINT32_MAX, false },
    };

    for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        uint8_t head[MESSAGE_HEAD];
        MsgHeader h = call, back;
        uint32_t len;

        h.type = cases[i].type;
        h.proc = -5;
        msg_header_encode(&h, cases[i].len, head);
        bool ok = msg_header_decode(head, MESSAGE_MAX, &len, &back, &error);
        assert(ok == cases[i].ok && !ok == (error != NULL));
        if (ok)
            assert(len == cases[i].len && memcmp(&h, &back, sizeof(h)) == 0);
        else
            assert(error_is(error, VIR_ERR_RPC));
    }
}

static void test_add_fd(void)
{
    g_autoptr(Message) m = message_new_bytes(&call, "abcd", 4);
    int a = some_fd(), b = some_fd();

    assert(message_add_fd(m, a, NULL) && message_add_fd(m, b, NULL));
    assert(m->h.type == MSG_CALL_FDS && be32_get(m->data + 16) == MSG_CALL_FDS);
    assert(m->len == 36 && be32_get(m->data) == 36 && be32_get(m->data + 28) == 2);
    assert(message_body_len(m) == 4 && memcmp(message_body(m), "abcd", 4) == 0);
    assert(message_take_fd(m, 0) == a && message_take_fd(m, 0) == -1 && message_take_fd(m, 2) == -1);
    m = message_unref(m);
    assert(fd_is_open(a) && !fd_is_open(b)); /* what nobody took is closed */
    close(a);

    g_autoptr(Message) full = message_new_bytes(&call, NULL, 0);
    g_autoptr(GError) error = NULL;

    for (int i = 0; i < MESSAGE_FDS_MAX; i++)
        assert(message_add_fd(full, some_fd(), NULL));
    int over = some_fd();
    assert(!message_add_fd(full, over, &error) && error && !fd_is_open(over));
}

static void test_encode(void)
{
    g_autofree char *big = g_strnfill(100000, 'x');
    const char *texts[] = { "", "short", big };

    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        net_error e = { .code = 7, .message = (char *)texts[i] }, back;
        g_autoptr(Message) m = message_new(&call, (xdrproc_t)xdr_net_error, &e, NULL);

        assert(m && m->len == be32_get(m->data) && m->filled == m->len);
        assert(proc_decode("test", (xdrproc_t)xdr_net_error, sizeof(back), message_body(m), message_body_len(m), &back, NULL));
        assert(back.code == 7 && strcmp(back.message, texts[i]) == 0);
        proc_free((xdrproc_t)xdr_net_error, &back);
    }
}

static void test_error(void)
{
    g_autoptr(GError) error = NULL;
    net_error e;

    error_set(&error, VIR_ERR_NO_DOMAIN, "no domain with name '%s'", "db\xff");
    g_autoptr(Message) m = message_new_error(&call, MSG_REPLY, error, VIR_FROM_QEMU);

    assert(m->h.type == MSG_REPLY && m->h.status == MSG_ERROR && m->h.serial == 42 && m->h.proc == 17);
    assert(proc_decode("test", (xdrproc_t)xdr_net_error, sizeof(e), message_body(m), message_body_len(m), &e, NULL));
    assert(e.code == VIR_ERR_NO_DOMAIN && e.domain == VIR_FROM_QEMU && e.level == 2 && e.int1 == 0);
    assert(strcmp(e.message, "Domain not found: no domain with name 'db") == 0); /* cut where it stops being text */
    assert(strcmp(e.str1, "Domain not found: %s") == 0 && strcmp(e.str2, "no domain with name 'db") == 0);
    proc_free((xdrproc_t)xdr_net_error, &e);

    g_clear_error(&error);
    error_set_errno(&error, 2, "cannot open");
    g_autoptr(Message) m2 = message_new_error(&call, MSG_STREAM, error, VIR_FROM_RPC);
    assert(m2->h.type == MSG_STREAM);
    assert(proc_decode("test", (xdrproc_t)xdr_net_error, sizeof(e), message_body(m2), message_body_len(m2), &e, NULL));
    assert(e.code == VIR_ERR_SYSTEM_ERROR && e.int1 == 2);
    proc_free((xdrproc_t)xdr_net_error, &e);
}

/* Feeds all in chunks of 'step'; returns the number of messages, -1 on an error. */
static int feed_all(FrameReader *r, const uint8_t *bytes, size_t n, size_t step, GPtrArray *out)
{
    int found = 0;

    for (size_t at = 0; at < n; at += step) {
        const uint8_t *p = bytes + at;
        size_t left = MIN(step, n - at);
        int no_fd = -1;

        for (;;) {
            Message *m = NULL;
            FrameResult res = frame_feed(r, &p, &left, &no_fd, &m, NULL);

            if (res == FRAME_BAD)
                return -1;
            if (res == FRAME_MORE)
                break;
            g_ptr_array_add(out, m);
            found++;
        }
        assert(left == 0);
    }
    return found;
}

static void test_chunking(void)
{
    static const size_t sizes[] = { 0, 4, 100, 511, 600, 20000, 70000 };
    static const size_t steps[] = { 1, 3, 7, 28, 29, 4096, 1 << 20 };
    g_autoptr(GByteArray) all = g_byte_array_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_autofree char *body = g_strnfill(sizes[i], 'a' + i);
        g_autoptr(Message) m = message_new_bytes(&call, body, sizes[i]);

        g_byte_array_append(all, m->data, m->len);
    }
    for (unsigned s = 0; s < G_N_ELEMENTS(steps); s++) {
        FrameReader r = { .max = MESSAGE_MAX };
        g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)message_unref);

        assert(feed_all(&r, all->data, all->len, steps[s], out) == G_N_ELEMENTS(sizes));
        assert(frame_held(&r) == 0);
        for (unsigned i = 0; i < out->len; i++) {
            const Message *m = out->pdata[i];

            assert(m->len == MESSAGE_HEAD + sizes[i] && m->filled == m->len && m->h.serial == 42);
            for (size_t k = 0; k < sizes[i]; k++)
                assert(message_body(m)[k] == 'a' + i);
        }
    }
}

static int feed_one(const Message *m, uint32_t max, bool can_fds)
{
    FrameReader r = { .max = max, .can_fds = can_fds };
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)message_unref);
    int n = feed_all(&r, m->data, m->len, m->len, out);

    frame_reset(&r);
    return n;
}

static void test_bad_frames(void)
{
    g_autoptr(Message) m = message_new_bytes(&call, "abcd", 4);

    assert(feed_one(m, MESSAGE_MAX, true) == 1);
    assert(feed_one(m, 31, true) == -1);
    be32_put(m->data + 16, 9);
    assert(feed_one(m, MESSAGE_MAX, true) == -1);
    be32_put(m->data + 16, MSG_CALL_FDS); /* "abcd" is no sensible count */
    assert(feed_one(m, MESSAGE_MAX, true) == -1);
    be32_put(m->data + 28, 0);
    assert(feed_one(m, MESSAGE_MAX, true) == 1);
    assert(feed_one(m, MESSAGE_MAX, false) == -1);
    be32_put(m->data, 28); /* no room for the count */
    assert(feed_one(m, MESSAGE_MAX, true) == -1);
    be32_put(m->data, 2); /* refused before the rest of the head is there */
    m->len = 4;
    assert(feed_one(m, MESSAGE_MAX, true) == -1);
}

/* An announced size costs nothing until bytes arrive, and all that is kept is charged. */
static void test_growth_is_charged(void)
{
    g_autoptr(UserRegistry) users = user_registry_new(&(AccountLimits){ .max = { 1 << 20 } });
    g_autoptr(User) user = user_registry_get(users, 1000);
    FrameReader r = { .max = MESSAGE_MAX, .user = user };
    g_autoptr(GPtrArray) out = g_ptr_array_new_with_free_func((GDestroyNotify)message_unref);
    g_autofree uint8_t *zeros = g_malloc0(1 << 20);
    uint8_t head[MESSAGE_HEAD];

    msg_header_encode(&call, MESSAGE_MAX, head);
    assert(feed_all(&r, head, sizeof(head), 28, out) == 0);
    assert(user_used(user, ACCOUNT_BYTES) == FRAME_FIRST);
    assert(feed_all(&r, zeros, 300 << 10, 4096, out) == 0);
    assert(user_used(user, ACCOUNT_BYTES) == 2 * FRAME_FIRST);
    assert(feed_all(&r, zeros, 1 << 20, 4096, out) == -1); /* the quota */
    frame_reset(&r);
    assert(user_used(user, ACCOUNT_BYTES) == 0);
}

int main(void)
{
    test_layout();
    test_header_bounds();
    test_add_fd();
    test_encode();
    test_error();
    test_chunking();
    test_bad_frames();
    test_growth_is_charged();
    return 0;
}
