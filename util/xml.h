/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XML in and out. Reading: libxml2 without entities, document type declarations, network or
 * unbounded depth, node count and size; nodes keep their line. Writing: XmlWriter, in the layout
 * that clients know (two spaces per level, attributes in single quotes, <empty/>).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "util/xml_late.h"

enum {
    XML_SIZE_MAX = 16 << 20, /* bytes of a document */
    XML_NODES_MAX = 200000,  /* elements and attributes */
    XML_DEPTH_MAX = 220,     /* backing chains of 200 images are legal */
};

typedef xmlDoc XmlDoc;
/* VIR_ERR_XML_DETAIL with line and reason. len bytes, need not be terminated. */
XmlDoc *xml_parse(const char *text, gsize len, GError **err);
/* Same, but at most max_nodes: for looking at a document before its sender may do anything. */
XmlDoc *xml_parse_bounded(const char *text, gsize len, unsigned max_nodes, GError **err);
/* Looks into a document without building a tree: the texts of the first children of <root> that have
 * these names (n of them, at most 8), NULL for those that are not there. Stops as soon as all are
 * found, so what comes later may be malformed. Free each with g_free. */
bool xml_peek(const char *text, gsize len, const char *root, const char *const *names, unsigned n,
              char **ret_values, GError **err);
static inline void xml_doc_free(XmlDoc *d) { if (d) xmlFreeDoc(d); }
G_DEFINE_AUTOPTR_CLEANUP_FUNC(XmlDoc, xml_doc_free)

xmlNode *xml_root(XmlDoc *doc);
/* First child element of that name (no namespace); NULL none. name NULL: any. */
xmlNode *xml_child(const xmlNode *parent, const char *name);
xmlNode *xml_next(const xmlNode *sibling, const char *name);
bool xml_is(const xmlNode *n, const char *name);
unsigned xml_line(const xmlNode *n);
/* Value of an attribute without namespace. The pointer stays valid with the document when the value
 * is one plain text (always, since entities are refused); NULL when absent. */
const char *xml_attr_get(const xmlNode *n, const char *name);
/* Text content of an element, "" when empty; white space kept. Free with g_free. */
char *xml_text_dup(const xmlNode *n);
/* "domain/devices/disk[2]/source": the index only where siblings have the same name. */
char *xml_path(const xmlNode *n);
/* The subtree as text, as libxml2 writes it from that indent level on. No newline at the end. */
char *xml_dump(xmlNode *n, int indent);

typedef struct XmlWriter {
    GString *out;
    unsigned depth;  /* open elements */
    unsigned base;   /* indent of the outermost, in levels */
    bool in_tag;     /* "<name a='b'" is written, ">" not yet */
    bool has_text;   /* the innermost element has text: close on the same line */
    const char *names[XML_DEPTH_MAX + 20];
} XmlWriter;

/* Names are not copied: they must live until the element is closed. */
void xml_writer_init(XmlWriter *w, GString *out, unsigned base_indent);
void xml_open(XmlWriter *w, const char *name);
void xml_attr(XmlWriter *w, const char *name, const char *value); /* NULL value: nothing */
void xml_attrf(XmlWriter *w, const char *name, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
void xml_text(XmlWriter *w, const char *text);
void xml_textf(XmlWriter *w, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
void xml_close(XmlWriter *w);
void xml_empty(XmlWriter *w, const char *name);                         /* <name/> */
void xml_element(XmlWriter *w, const char *name, const char *text);     /* NULL: nothing */
void xml_elementf(XmlWriter *w, const char *name, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
/* A piece of XML as it is, its first line indented to the present depth. */
void xml_raw(XmlWriter *w, const char *xml);
void xml_escape(GString *out, const char *text);
