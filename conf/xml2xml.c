/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool, usage: xml2xml [KIND]. Reads documents of a kind (domain) named on standard input, one
 * per line, and answers for each with one line "ok LENGTH" or "refused CODE LENGTH" followed by
 * that many bytes: the document as we write it, or the error. Driven by tests/conformance/run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"
#include "conf/kinds.h"
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

static char *domain_convert(const char *xml, gsize len, GError **err)
{
    g_autoptr(DomainDef) d = domain_parse(xml, len, 0, NULL, NULL, err);
    DomainFormatContext ctx = { .id = document_id(xml, len) };
    return d ? domain_format(d, DOMAIN_FORMAT_SECURE, &ctx, err) : NULL;
}

static char *convert(const char *kind, const char *path, GError **err)
{
    g_autofree char *xml = NULL;
    gsize len;

    if (!g_file_get_contents(path, &xml, &len, err))
        return NULL;
    if (!strcmp(kind, "domain"))
        return domain_convert(xml, len, err);
    const DocKind *k = doc_kind_find(kind);
    void *def = doc_parse(k, xml, len, k->tool_parse, err);
    char *out = def ? doc_format(k, def, k->tool_format, err) : NULL;
    doc_free(k, def);
    return out;
}

static void answer(const char *kind, const char *line)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *out = convert(kind, line, &err);

    if (out) {
        printf("ok %zu\n%s", strlen(out), out);
        return;
    }
    g_autofree char *text = error_text(err);
    printf("refused %d %zu\n%s", error_code(err), strlen(text), text);
}

int main(int argc, char **argv)
{
    const char *kind = argc > 1 ? argv[1] : "domain";
    char line[4096];

    if (!doc_kind_find(kind)) {
        fprintf(stderr, "xml2xml: no kind '%s'\n", kind);
        return 2;
    }
    while (fgets(line, sizeof(line), stdin)) {
        line[strcspn(line, "\n")] = '\0';
        answer(kind, line);
        fflush(stdout);
    }
    return 0;
}
