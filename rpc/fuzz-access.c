/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a file of access rules: refused with the line, or rules that answer every question, and
 * a refusal says why. The connection URI of a client is tried on the same bytes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rpc/access.h"
#include "rpc/forward.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void try_uri(const uint8_t *data, size_t size)
{
    g_autofree char *uri = g_strndup((const char *)data, size);
    g_autoptr(GError) err = NULL;

    check((forward_daemon_of_uri(uri, &err) == NULL) == (err != NULL));
}

static void question(void *rules, const AccessQuestion *q)
{
    g_autofree char *why = NULL;
    AccessAnswer a = access_rules.check(rules, q, &why);

    check(a == ACCESS_NO ? why != NULL : why == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    static char file[64];
    static const uint8_t uuid[16] = { 1, 2, 3 };
    g_autoptr(GError) err = NULL;

    if (fd < 0) {
        fd = memfd_create("rules", MFD_CLOEXEC);
        check(fd >= 0);
        snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
    }
    try_uri(data, size);
    check(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    void *rules = access_rules_new(NULL, NULL, file, &err);
    check(!rules == (err != NULL) && (rules || strstr(err->message, file)));
    if (!rules)
        return 0;

    g_autoptr(Identity) local = identity_new(), far = identity_new();
    local->has_unix = true;
    local->uid = local->gid = 4001;
    far->sasl_user = g_strdup("a@b");
    far->x509_dname = g_strdup("CN=a");
    for (unsigned i = 0; i < 8; i++) {
        AccessQuestion q = {
            .who = i & 1 ? local : far, .driver = "QEMU", .object = i & 2 ? "domain" : "connect",
            .perm = "read", .unnamed = i & 4,
        };
        if ((i & 6) == 2)
            q.on = (AclObject){ .kind = OBJECT_DOMAIN, .name = "web", .uuid = uuid };
        question(rules, &q);
    }
    access_rules.free(rules);
    return 0;
}
