/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents: reading one into its struct and writing it again, beside libxml2 reading and serialising
 * the same bytes, which is the limit for anybody who uses libxml2. Alternating rounds, medians.
 *
 * usage: bench-xml FILE...     prints the time per document and the ratio
 */
#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "conf/domain.h"
#include "conf/kinds.h"

enum { ROUNDS = 9 };

typedef struct Doc {
    const DocKind *kind;
    char *text;
    gsize len;
} Doc;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void ours(const Doc *d)
{
    void *def = doc_parse(d->kind, d->text, d->len, d->kind->tool_parse, NULL);
    g_autofree char *out = doc_format(d->kind, def, d->kind->tool_format, NULL);
    doc_free(d->kind, def);
}

static void theirs(const Doc *d)
{
    xmlDoc *doc = xmlReadMemory(d->text, (int)d->len, NULL, NULL, XML_PARSE_NONET);
    xmlChar *out = NULL;
    int n;

    xmlDocDumpFormatMemory(doc, &out, &n, 1);
    xmlFree(out);
    xmlFreeDoc(doc);
}

static double round_of(const GArray *docs, void (*fn)(const Doc *))
{
    double start = now();

    for (unsigned i = 0; i < docs->len; i++)
        fn(&g_array_index(docs, Doc, i));
    return (now() - start) / docs->len * 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
    qsort(v, n, sizeof(*v), compare);
    return v[n / 2];
}

int main(int argc, char **argv)
{
    g_autoptr(GArray) docs = g_array_new(FALSE, TRUE, sizeof(Doc));
    double a[ROUNDS], b[ROUNDS];
    gsize bytes = 0;

    for (int i = 1; i < argc; i++) {
        Doc d = { 0 };
        if (!g_file_get_contents(argv[i], &d.text, &d.len, NULL))
            continue;
        g_autoptr(XmlDoc) x = xml_parse(d.text, d.len, NULL);
        d.kind = x ? doc_kind_of(xml_root(x)) : NULL;
        void *def = d.kind ? doc_parse(d.kind, d.text, d.len, d.kind->tool_parse, NULL) : NULL;
        if (!def) {
            g_free(d.text);
            continue;
        }
        doc_free(d.kind, def);
        bytes += d.len;
        g_array_append_val(docs, d);
    }
    if (!docs->len) {
        fprintf(stderr, "bench-xml: no document that we accept\n");
        return 2;
    }
    for (unsigned r = 0; r < ROUNDS; r++) {
        a[r] = round_of(docs, ours);
        b[r] = round_of(docs, theirs);
    }
    double us = median(a, ROUNDS), limit = median(b, ROUNDS);
    printf(
        "%u documents, %.1f kB each: parse and format %.1f us, libxml2 alone %.1f us, ratio %.2f\n",
        docs->len, (double)bytes / docs->len / 1000, us, limit, us / limit);
    for (unsigned i = 0; i < docs->len; i++)
        g_free(g_array_index(docs, Doc, i).text);
    return 0;
}
