/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Any bytes as a document of each kind that its root could mean: an error, or a definition whose
 * document parses to an equal one, and so does that of its copy. The peek before permission checks
 * must accept what the whole parser accepts. Domains have a harness of their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/domain.h"
#include "conf/kinds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const DocKind *k, const char *what, const char *a, const char *b)
{
    fprintf(stderr, "%s: %s: %s\n%s\n", k->name, what, a, b);
    abort();
}

static void round_trip(const DocKind *k, const char *xml, size_t size)
{
    g_autoptr(GError) err = NULL, err2 = NULL, err3 = NULL;

    void *def = doc_parse(k, xml, size, k->tool_parse, &err);
    if (!def != (err != NULL))
        fail(k, "error and result disagree", "", "");
    if (!def)
        return;
    g_autofree char *text = doc_format(k, def, k->tool_format, &err2);
    if (!text)
        fail(k, "cannot be written", err2->message, "");
    void *again = doc_parse(k, text, strlen(text), k->tool_parse, &err2);
    if (!again)
        fail(k, "our own document is refused", err2->message, text);
    g_autofree char *path = NULL;
    if (!doc_equal(k, def, again, &path))
        fail(k, "differs after a round trip", path ? path : "?", text);

    void *copy = doc_copy(k, def);
    g_autofree char *text2 = doc_format(k, copy, k->tool_format, &err3);
    if (!doc_equal(k, def, copy, NULL) || !text2 || strcmp(text, text2))
        fail(k, "copy differs", text, text2 ? text2 : "");

    g_autofree char *name = NULL;
    Uuid uuid;
    bool has_uuid;
    if (!doc_peek_identity(k, xml, size, &name, uuid, &has_uuid, &err3))
        fail(k, "peek refuses what parse accepts", err3->message, text);
    doc_free(k, copy);
    doc_free(k, again);
    doc_free(k, def);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *xml = (const char *)data;
    g_autoptr(XmlDoc) doc = xml_parse(xml, size, NULL);
    const DocKind *k;

    for (unsigned i = 0; doc && (k = doc_kind_at(i)); i++) {
        if (strcmp(k->name, "domain") && xml_is(xml_root(doc), k->root))
            round_trip(k, xml, size);
    }
    return 0;
}
