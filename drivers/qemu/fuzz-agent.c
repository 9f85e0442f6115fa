/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes from a guest's agent, before the synchronization and after it: the call ends with a result
 * or an error, never both, never neither.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "drivers/qemu/agent.h"
#include "util/error.h"
#include "util/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The number that synchronizes comes from glib's generator: with this seed it is known. */
enum { SEED = 7 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) err = NULL;
    g_autoptr(JsonObject) ret = NULL;
    const AgentCall how = { .path = "/nonexistent/agent", .timeout = 1 };
    size_t before = size ? data[0] % 16 : 0;
    char sync[64];
    int pair[2];

    if (size > 100000 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return 0;
    g_random_set_seed(SEED);
    g_snprintf(sync, sizeof(sync), "\xff{\"return\": %d}\n", g_random_int_range(1, INT32_MAX));
    g_random_set_seed(SEED);
    before = MIN(before, size ? size - 1 : 0);
    if (size && (fd_write_all(pair[1], data + 1, before) < 0 ||
                 fd_write_all(pair[1], sync, strlen(sync)) < 0 ||
                 fd_write_all(pair[1], data + 1 + before, size - 1 - before) < 0))
        abort();
    (void)shutdown(pair[1], SHUT_WR); /* so that it need not wait for more */

    Agent *a = agent_new();
    agent_use_socket(a, pair[0]);
    bool ok = agent_call(a, &how, "guest-x", NULL, &ret, &err);
    if (ok == (err != NULL) || (ret && !ok))
        abort();
    if (ret)
        g_free(json_text(ret));
    agent_free(a);
    (void)close(pair[1]);
    return 0;
}
