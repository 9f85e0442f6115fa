/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool, usage: xml2xml [KIND]. Reads documents of a kind (domain) named on standard input, one
 * per line, and answers for each with one line "ok LENGTH" or "refused CODE LENGTH" followed by
 * that many bytes: the document as we write it, or the error. Driven by tests/conformance/run.
 * After the name may come tab-separated words "name=value": what a driver knows beside the document.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"
#include "conf/kinds.h"
#include "conf/storage_volume.h"
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

/* Value of a word, NULL when it is not there. */
static const char *word(char **words, const char *name)
{
    for (unsigned i = 1; words[0] && words[i]; i++) {
        const char *eq = strchr(words[i], '=');
        if (eq && !strncmp(words[i], name, (size_t)(eq - words[i])) && !name[eq - words[i]])
            return eq + 1;
    }
    return NULL;
}

static bool flag(char **words, const char *name)
{
    g_autofree char *w = g_strdup_printf("flag=%s", name);
    return words[0] && g_strv_contains((const char *const *)words + 1, w);
}

static char *volume_convert(const char *xml, gsize len, char **words, GError **err)
{
    const char *pool = word(words, "pool");
    unsigned flags = storage_volume_kind.tool_parse | (flag(words, "capacity") ? VOLUME_PARSE_NO_CAPACITY : 0);
    g_autoptr(StorageVolumeDef) d = storage_volume_parse_for(
        xml, len, flags, pool ? (StoragePoolType)enum_value(&storage_pool_type_names, pool) : POOL_DIR, err);
    return d ? storage_volume_format(d, storage_volume_kind.tool_format, err) : NULL;
}

/* Kinds whose documents are read with what a driver knows. */
static const struct {
    const char *kind;
    char *(*convert)(const char *xml, gsize len, char **words, GError **err);
} with_driver[] = {
    { "storagevol", volume_convert },
};

static char *convert(const char *kind, const char *line, GError **err)
{
    g_auto(GStrv) words = g_strsplit(line, "\t", -1);
    const char *path = words[0] ? words[0] : "";
    g_autofree char *xml = NULL;
    gsize len;

    if (!g_file_get_contents(path, &xml, &len, err))
        return NULL;
    if (!strcmp(kind, "domain"))
        return domain_convert(xml, len, err);
    for (unsigned i = 0; i < G_N_ELEMENTS(with_driver); i++) {
        if (!strcmp(with_driver[i].kind, kind))
            return with_driver[i].convert(xml, len, words, err);
    }
    const DocKind *k = doc_kind_find(kind);
    void *def = doc_parse(k, xml, len, k->tool_parse, err);
    char *out = def ? doc_format(k, def, k->tool_format, err) : NULL;
    if (def)
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
