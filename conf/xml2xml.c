/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool: reads domain documents named on standard input, one per line, and answers for each with
 * one line "ok LENGTH" or "refused CODE LENGTH" followed by that many bytes: the document as
 * we write it, or the error. Driven by tests/conformance/run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"
#include "util/xml.h"

/* The document of a running guest stays one. */
static int document_id(const char *xml, gsize len)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, NULL);
    const char *id = doc ? xml_attr_get(xml_root(doc), "id") : NULL;
    return id ? atoi(id) : 0;
}

static void answer(const char *path)
{
    g_autofree char *xml = NULL;
    gsize len;
    g_autoptr(GError) err = NULL;

    if (g_file_get_contents(path, &xml, &len, &err)) {
        g_autoptr(DomainDef) d = domain_parse(xml, len, 0, NULL, NULL, &err);
        DomainFormatContext ctx = { .id = document_id(xml, len) };
        g_autofree char *out = d ? domain_format(d, DOMAIN_FORMAT_SECURE, &ctx, &err) : NULL;
        if (out) {
            printf("ok %zu\n%s", strlen(out), out);
            return;
        }
    }
    g_autofree char *text = error_text(err);
    printf("refused %d %zu\n%s", error_code(err), strlen(text), text);
}

int main(void)
{
    char line[4096];

    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(line);
        fflush(stdout);
    }
    return 0;
}
