/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* UUIDs: 16 bytes, text form as RFC 4122 prints it. Pure functions, any thread. */
#include "util/uuid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

bool uuid_parse(const char *text, Uuid ret)
{
    Uuid bytes;
    unsigned n = 0;

    for (const char *p = text; *p; p++) {
        int digit;

        if (*p == '-' || g_ascii_isspace(*p))
            continue;
        digit = g_ascii_xdigit_value(*p);
        if (digit < 0 || n == 32)
            return false;
        bytes[n / 2] = (unsigned char)(n % 2 ? bytes[n / 2] << 4 | digit : digit);
        n++;
    }
    if (n != 32)
        return false;

    memcpy(ret, bytes, sizeof(bytes));
    return true;
}

void uuid_format(const Uuid uuid, char ret[37])
{
    static const char hex[] = "0123456789abcdef";
    char *out = ret;

    for (unsigned i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[uuid[i] >> 4];
        *out++ = hex[uuid[i] & 15];
    }
    *out = '\0';
}

void uuid_generate(Uuid ret)
{
    ssize_t r;

    do
        r = getrandom(ret, sizeof(Uuid), 0); /* 16 bytes come whole or not at all */
    while (r < 0 && errno == EINTR);
    g_assert(r == (ssize_t)sizeof(Uuid));
    ret[6] = (unsigned char)((ret[6] & 0x0f) | 0x40); /* version 4: random */
    ret[8] = (unsigned char)((ret[8] & 0x3f) | 0x80);
}

bool uuid_is_valid(const Uuid uuid)
{
    for (unsigned i = 1; i < 16; i++) {
        if (uuid[i] != uuid[0])
            return true;
    }
    return false;
}

guint uuid_hash(gconstpointer uuid)
{
    guint h;

    memcpy(&h, uuid, sizeof(h));
    return h;
}

gboolean uuid_same(gconstpointer a, gconstpointer b)
{
    return uuid_equal(a, b);
}
