/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Test tool: prints the words of all kinds of documents as a dictionary of libFuzzer, from the printed
 * schemas, so that scripts/fuzz knows every element, attribute and value that the rows know.
 */
#include <stdio.h>
#include <string.h>

#include "conf/schema.h"
#include "util/xml.h"

enum { WORD_MAX = 48 }; /* libFuzzer's words have 64 bytes */

/* A word as it is useful where it is put: whole elements, attributes with a value, values. */
static void add(GHashTable *words, const char *format, const char *word)
{
    if (!word || !*word || strlen(word) > WORD_MAX)
        return;
    for (const char *c = word; *c; c++) {
        if (!g_ascii_isprint(*c) || strchr("\"\\%", *c))
            return;
    }
    g_auto(GStrv) parts = g_strsplit(format, "%", -1);
    g_hash_table_add(words, g_strjoinv(word, parts));
}

static void collect(GHashTable *words, xmlNode *n)
{
    const char *is = (const char *)n->name; /* in the namespace of RELAX NG */

    if (!strcmp(is, "value")) {
        g_autofree char *text = xml_text_dup(n);
        add(words, "%", text);
    }
    if (!strcmp(is, "element"))
        add(words, "<%/>", xml_attr_get(n, "name"));
    if (!strcmp(is, "attribute"))
        add(words, " %='1'", xml_attr_get(n, "name"));
    for (xmlNode *c = n->children; c; c = c->next) {
        if (c->type == XML_ELEMENT_NODE)
            collect(words, c);
    }
}

static gint by_text(gconstpointer a, gconstpointer b)
{
    return strcmp(a, b);
}

int main(void)
{
    g_autoptr(GHashTable) words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const DocKind *k;

    for (unsigned i = 0; (k = doc_kind_at(i)); i++) {
        g_autofree char *rng = schema_rng(k);
        g_autoptr(GError) err = NULL;
        g_autoptr(XmlDoc) doc = xml_parse(rng, strlen(rng), &err);
        if (!doc) {
            fprintf(stderr, "schema of %s: %s\n", k->name, err->message);
            return 1;
        }
        collect(words, xml_root(doc));
    }
    g_autoptr(GList) sorted = g_list_sort(g_hash_table_get_keys(words), by_text);
    for (GList *l = sorted; l; l = l->next)
        printf("\"%s\"\n", (char *)l->data);
    return 0;
}
