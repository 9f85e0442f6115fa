/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The printed schemas: libxml2 loads each; they accept what we write for every document of the corpora
 * that we accept, and every such document itself when strict parsing has no complaint; they refuse what
 * nobody describes. What we write is also held against the schemas of the distribution, where they are
 * installed and accepted the document before. The corpora are shared with other projects; without
 * them there are only the documents of tests/fuzz/corpus, and the test says so.
 */
#include <assert.h>
#include <libxml/relaxng.h>
#include <stdio.h>
#include <string.h>

#include "conf/domain.h"
#include "conf/schema.h"

static GHashTable *schemas; /* DocKind → xmlRelaxNG */
static GHashTable *installed; /* same, of the distribution */
static unsigned n_inputs, n_outputs, n_installed, n_wrong;

static void quiet(void *data, const char *fmt, ...) { (void)data, (void)fmt; }

static xmlRelaxNG *schema_of(const DocKind *k)
{
    xmlRelaxNG *s = g_hash_table_lookup(schemas, k);

    if (s)
        return s;
    g_autofree char *text = schema_rng(k);
    xmlRelaxNGParserCtxt *c = xmlRelaxNGNewMemParserCtxt(text, (int)strlen(text));
    s = xmlRelaxNGParse(c);
    xmlRelaxNGFreeParserCtxt(c);
    if (!s)
        printf("the schema of %s does not load\n", k->name);
    assert(s);
    g_hash_table_insert(schemas, (void *)k, s);
    return s;
}

/* NULL: there is none. */
static xmlRelaxNG *installed_schema_of(const DocKind *k)
{
    static const char *const names[][2] = {
        { "domain", "domain" }, { "network", "network" }, { "networkport", "networkport" }, { "storagepool", "storagepool" },
        { "storagevol", "storagevol" }, { "storagepoolcaps", "storagepoolcaps" }, { "nodedev", "nodedev" },
        { "interface", "interface" }, { "secret", "secret" }, { "nwfilter", "nwfilter" }, { "nwfilterbinding", "nwfilterbinding" },
        { "snapshot", "domainsnapshot" }, { "checkpoint", "domaincheckpoint" }, { "backup", "domainbackup" }, { "cpu", "cpu" },
        { "capabilities", "capability" }, { "domaincaps", "domaincaps" },
    };
    gpointer known;

    if (g_hash_table_lookup_extended(installed, k, NULL, &known))
        return known;
    xmlRelaxNG *s = NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(names) && !s; i++) {
        g_autofree char *path = g_strdup_printf("/usr/share/libvirt/schemas/%s.rng", names[i][1]);
        if (strcmp(names[i][0], k->name) != 0 || !g_file_test(path, G_FILE_TEST_EXISTS))
            continue;
        xmlRelaxNGParserCtxt *c = xmlRelaxNGNewParserCtxt(path);
        xmlRelaxNGSetParserErrors(c, quiet, quiet, NULL);
        s = xmlRelaxNGParse(c);
        xmlRelaxNGFreeParserCtxt(c);
    }
    g_hash_table_insert(installed, (void *)k, s);
    return s;
}

static bool accepts_by(xmlRelaxNG *schema, const char *text, gsize len)
{
    xmlRelaxNGValidCtxt *v = xmlRelaxNGNewValidCtxt(schema);
    g_autoptr(XmlDoc) doc = xml_parse(text, len, NULL);

    assert(doc);
    xmlRelaxNGSetValidErrors(v, quiet, quiet, NULL);
    bool ok = xmlRelaxNGValidateDoc(v, doc) == 0;
    xmlRelaxNGFreeValidCtxt(v);
    return ok;
}

static bool accepts(const DocKind *k, const char *text, gsize len)
{
    return accepts_by(schema_of(k), text, len);
}

static const DocKind *kind_of(const char *text, gsize len)
{
    g_autoptr(XmlDoc) doc = xml_parse(text, len, NULL);
    return doc ? doc_kind_of(xml_root(doc)) : NULL;
}

static void check_file(const char *path)
{
    g_autofree char *text = NULL;
    gsize len;

    if (!g_file_get_contents(path, &text, &len, NULL))
        return;
    const DocKind *k = kind_of(text, len);
    void *def = k ? doc_parse(k, text, len, k->tool_parse, NULL) : NULL;
    g_autofree char *out = def ? doc_format(k, def, k->tool_format, NULL) : NULL;
    if (def)
        doc_free(k, def);
    if (!out)
        return;
    n_outputs++;
    if (!accepts(k, out, strlen(out))) {
        printf("%s: the schema of %s refuses what we wrote\n", path, k->name);
        n_wrong++;
    }
    xmlRelaxNG *theirs = installed_schema_of(k);
    if (theirs && accepts_by(theirs, text, len)) {
        n_installed++;
        if (!accepts_by(theirs, out, strlen(out))) {
            printf("%s: the installed schema of %s refuses what we wrote\n", path, k->name);
            n_wrong++;
        }
    }
    def = doc_parse(k, text, len, k->tool_parse | DOMAIN_PARSE_STRICT, NULL);
    if (!def)
        return;
    doc_free(k, def);
    n_inputs++;
    if (!accepts(k, text, len)) {
        printf("%s: the schema of %s refuses the document\n", path, k->name);
        n_wrong++;
    }
}

static void walk(const char *path, unsigned depth)
{
    g_autoptr(GDir) d = depth < 6 ? g_dir_open(path, 0, NULL) : NULL;
    const char *name;

    while (d && (name = g_dir_read_name(d))) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        if (g_str_has_suffix(name, ".xml"))
            check_file(below);
        else
            walk(below, depth + 1);
    }
}

static void test_every_schema_loads_and_refuses_strangers(void)
{
    const DocKind *k;

    for (unsigned i = 0; (k = doc_kind_at(i)); i++) {
        g_autofree char *stranger = g_strdup_printf("<%s><no-such-element/></%s>", k->root, k->root);
        if (accepts(k, stranger, strlen(stranger))) {
            printf("the schema of %s accepts anything\n", k->name);
            n_wrong++;
        }
    }
}

int main(int argc, char **argv)
{
    const char *shared = g_getenv("MODVIRT_SHARED");
    g_autofree char *beside = argc > 1 ? g_build_filename(argv[1], "..", "shared", NULL) : NULL;
    g_autofree char *corpus = g_build_filename(shared ? shared : beside ? beside : ".", "corpus", NULL);

    g_autofree char *own = g_build_filename(argc > 1 ? argv[1] : ".", "tests", "fuzz", "corpus", NULL);

    installed = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)xmlRelaxNGFree);
    schemas = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)xmlRelaxNGFree);
    test_every_schema_loads_and_refuses_strangers();
    walk(own, 0);
    if (g_file_test(corpus, G_FILE_TEST_IS_DIR))
        walk(corpus, 0);
    else
        printf("no corpus beside the sources: only the schemas themselves were tested\n");
    printf("%u documents and %u of our own accepted, %u of them by installed schemas, %u wrong\n", n_inputs, n_outputs,
           n_installed, n_wrong);
    g_hash_table_unref(schemas);
    g_hash_table_unref(installed);
    xmlCleanupParser();
    return n_wrong ? 1 : 0;
}
