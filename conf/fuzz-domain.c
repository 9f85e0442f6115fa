/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a domain document: an error, or a definition whose document parses to an equal one.
 * The peek before permission checks must agree with the whole parser about the name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what, const char *a, const char *b)
{
    fprintf(stderr, "%s: %s\n%s\n", what, a, b);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *xml = (const char *)data;
    g_autoptr(GError) err = NULL, err2 = NULL, err3 = NULL;
    DomainFormatContext ctx = { .id = 7 };

    g_autoptr(DomainDef) d = domain_parse(xml, size, DOMAIN_PARSE_STATUS, NULL, NULL, &err);
    if (!d != (err != NULL))
        fail("error and result disagree", "", "");
    if (!d)
        return 0;

    g_autofree char *text = domain_format(d, DOMAIN_FORMAT_STATUS | DOMAIN_FORMAT_SECURE, &ctx, &err2);
    if (!text)
        fail("cannot be written", err2->message, "");
    g_autoptr(DomainDef) again = domain_parse(text, strlen(text), DOMAIN_PARSE_STATUS, NULL, NULL, &err2);
    if (!again)
        fail("our own document is refused", err2->message, text);
    g_autofree char *path = NULL;
    if (!domain_equal(d, again, &path))
        fail("differs after a round trip", path ? path : "?", text);

    g_autofree char *name = NULL;
    Uuid uuid;
    bool has_uuid;
    if (!domain_peek_identity(xml, size, &name, uuid, &has_uuid, &err3))
        fail("peek refuses what parse accepts", err3->message, text);
    if (strcmp(name, d->name) || (has_uuid && !uuid_equal(uuid, d->uuid.v)))
        fail("peek and parse disagree", name, d->name);

    g_autoptr(DomainDef) copy = domain_copy(d);
    if (!domain_equal(d, copy, NULL))
        fail("copy differs", text, "");
    return 0;
}
