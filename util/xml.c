/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading with libxml2's tree builder behind a SAX layer of ours that counts: depth, elements and
 * attributes are checked while the document is read, and a document type declaration (the door to
 * entities and external files) ends the parse. The parser has neither network nor entity
 * substitution; since no entity can be declared, every attribute value is one text node.
 *
 * Writing needs no tree: XmlWriter keeps the stack of open names only.
 *
 * Threads: any; libxml2's own global state is initialised once by xml_parse().
 */
#include "util/xml.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <string.h>

#include "util/error.h"

/* ---- reading ---- */

typedef struct Counter {
    unsigned nodes, depth, max_nodes;
    const char *problem;
} Counter;

static void stop(xmlParserCtxt *c, const char *why)
{
    Counter *n = c->_private;
    if (!n->problem)
        n->problem = why;
    xmlStopParser(c);
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int n_ns,
                     const xmlChar **ns, int n_attrs, int n_default, const xmlChar **attrs)
{
    xmlParserCtxt *c = ctx;
    Counter *n = c->_private;

    n->nodes += 1 + (unsigned)n_attrs;
    if (++n->depth > XML_DEPTH_MAX) {
        stop(c, "elements are nested too deeply");
        return;
    }
    if (n->nodes > n->max_nodes) {
        stop(c, "too many elements and attributes");
        return;
    }
    xmlSAX2StartElementNs(ctx, name, prefix, uri, n_ns, ns, n_attrs, n_default, attrs);
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    xmlParserCtxt *c = ctx;
    ((Counter *)c->_private)->depth--;
    xmlSAX2EndElementNs(ctx, name, prefix, uri);
}

static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    stop(ctx, "document type declarations are not allowed");
}

static void quiet(void *ctx, const char *msg, ...)
{
}

static void quiet_structured(void *data, xmlErrorPtr e)
{
}

XmlDoc *xml_parse_bounded(const char *text, gsize len, unsigned max_nodes, GError **err)
{
    static gsize once;
    Counter count = { .max_nodes = max_nodes };

    if (len > XML_SIZE_MAX) {
        error_set(err, VIR_ERR_XML_ERROR, "document of %" G_GSIZE_FORMAT " bytes is larger than %d", len, XML_SIZE_MAX);
        return NULL;
    }
    if (g_once_init_enter(&once)) {
        xmlInitParser();
        g_once_init_leave(&once, 1);
    }
    xmlParserCtxt *c = xmlCreateMemoryParserCtxt(len ? text : " ", len ? (int)len : 1);
    if (!c) {
        error_set(err, VIR_ERR_XML_ERROR, "cannot create an XML parser");
        return NULL;
    }
    c->_private = &count;
    c->sax->startElementNs = on_start;
    c->sax->endElementNs = on_end;
    c->sax->internalSubset = on_doctype;
    c->sax->externalSubset = NULL;
    c->sax->resolveEntity = NULL;
    c->sax->warning = c->sax->error = quiet;
    c->sax->serror = quiet_structured;
    /* The options mask keeps the SAX handlers above. Comments are dropped, CDATA becomes text. */
    xmlCtxtUseOptions(c, XML_PARSE_NONET | XML_PARSE_NOWARNING | XML_PARSE_NOERROR | XML_PARSE_NOCDATA | XML_PARSE_BIG_LINES | XML_PARSE_COMPACT);
    c->sax->serror = quiet_structured;
    (void)xmlParseDocument(c); /* well-formedness is in the context */

    XmlDoc *doc = c->myDoc;
    bool ok = c->wellFormed && !count.problem && doc && xmlDocGetRootElement(doc);
    if (!ok) {
        g_autofree char *msg = g_strdup(count.problem ? count.problem : c->lastError.message ? c->lastError.message : "no document");
        error_set(err, VIR_ERR_XML_DETAIL, "line %d: %s", c->input ? c->input->line : 0, g_strchomp(msg));
        if (doc)
            xmlFreeDoc(doc);
        doc = NULL;
    }
    c->myDoc = NULL;
    xmlFreeParserCtxt(c);
    return doc;
}

XmlDoc *xml_parse(const char *text, gsize len, GError **err)
{
    return xml_parse_bounded(text, len, XML_NODES_MAX, err);
}

xmlNode *xml_root(XmlDoc *doc)
{
    return xmlDocGetRootElement(doc);
}

bool xml_is(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && (!name || (!n->ns && strcmp((const char *)n->name, name) == 0));
}

static xmlNode *first_element(xmlNode *n, const char *name)
{
    for (; n; n = n->next) {
        if (xml_is(n, name))
            return n;
    }
    return NULL;
}

xmlNode *xml_child(const xmlNode *parent, const char *name)
{
    return first_element(parent->children, name);
}

xmlNode *xml_next(const xmlNode *sibling, const char *name)
{
    return first_element(sibling->next, name);
}

unsigned xml_line(const xmlNode *n)
{
    long line = xmlGetLineNo(n);
    return line > 0 ? (unsigned)line : 0;
}

const char *xml_attr_get(const xmlNode *n, const char *name)
{
    for (const xmlAttr *a = n->properties; a; a = a->next) {
        if (!a->ns && strcmp((const char *)a->name, name) == 0)
            return a->children && a->children->content ? (const char *)a->children->content : "";
    }
    return NULL;
}

char *xml_text_dup(const xmlNode *n)
{
    GString *s = g_string_new(NULL);

    for (const xmlNode *c = n->children; c; c = c->next) {
        if ((c->type == XML_TEXT_NODE || c->type == XML_CDATA_SECTION_NODE) && c->content)
            g_string_append(s, (const char *)c->content);
    }
    return g_string_free(s, FALSE);
}

static unsigned same_before(const xmlNode *n, bool *ret_more)
{
    unsigned before = 0;

    *ret_more = false;
    for (const xmlNode *s = n->prev; s; s = s->prev)
        before += s->type == XML_ELEMENT_NODE && !strcmp((const char *)s->name, (const char *)n->name);
    for (const xmlNode *s = n->next; s && !*ret_more; s = s->next)
        *ret_more = s->type == XML_ELEMENT_NODE && !strcmp((const char *)s->name, (const char *)n->name);
    return before;
}

char *xml_path(const xmlNode *n)
{
    GString *path = g_string_new(NULL);

    for (; n && n->type == XML_ELEMENT_NODE; n = n->parent) {
        bool more;
        unsigned before = same_before(n, &more);
        g_autofree char *step = before || more ? g_strdup_printf("%s[%u]", (const char *)n->name, before + 1)
                                               : g_strdup((const char *)n->name);
        if (path->len)
            g_string_prepend_c(path, '/');
        g_string_prepend(path, step);
    }
    return g_string_free(path, FALSE);
}

char *xml_dump(xmlNode *n, int indent)
{
    xmlBuffer *b = xmlBufferCreate();

    /* A copy declares the namespaces that it uses and that were declared further up. */
    xmlNode *copy = xmlDocCopyNode(n, n->doc, 1);
    xmlNodeDump(b, n->doc, copy, indent, 1);
    char *s = g_strdup((const char *)xmlBufferContent(b));
    xmlFreeNode(copy);
    xmlBufferFree(b);
    return s;
}

/* ---- writing ---- */

/* A reader turns line ends and tabs inside attributes into spaces, and drops \r everywhere, unless
 * they are written as references. */
static void escape(GString *out, const char *text, const char *special)
{
    for (;;) {
        size_t plain = strcspn(text, special);
        g_string_append_len(out, text, (gssize)plain);
        text += plain;
        switch (*text++) {
        case '<': g_string_append(out, "&lt;"); break;
        case '>': g_string_append(out, "&gt;"); break;
        case '&': g_string_append(out, "&amp;"); break;
        case '\'': g_string_append(out, "&apos;"); break;
        case '"': g_string_append(out, "&quot;"); break;
        case '\r': g_string_append(out, "&#13;"); break;
        case '\n': g_string_append(out, "&#10;"); break;
        case '\t': g_string_append(out, "&#9;"); break;
        default: return;
        }
    }
}

void xml_escape(GString *out, const char *text)
{
    escape(out, text, "<>&'\"\r");
}

void xml_writer_init(XmlWriter *w, GString *out, unsigned base_indent)
{
    w->out = out;
    w->depth = 0;
    w->base = base_indent;
    w->in_tag = w->has_text = false;
}

static void indent(XmlWriter *w)
{
    static const char spaces[] = "                                                                ";
    for (unsigned n = 2 * (w->base + w->depth); n;) {
        unsigned now = MIN(n, sizeof(spaces) - 1);
        g_string_append_len(w->out, spaces, (gssize)now);
        n -= now;
    }
}

static void finish_tag(XmlWriter *w)
{
    if (!w->in_tag)
        return;
    g_string_append(w->out, ">\n");
    w->in_tag = false;
}

void xml_open(XmlWriter *w, const char *name)
{
    g_assert(w->depth < G_N_ELEMENTS(w->names));
    finish_tag(w);
    indent(w);
    g_string_append_c(w->out, '<');
    g_string_append(w->out, name);
    w->names[w->depth++] = name;
    w->in_tag = true;
    w->has_text = false;
}

void xml_attr(XmlWriter *w, const char *name, const char *value)
{
    if (!value)
        return;
    g_assert(w->in_tag);
    g_string_append_c(w->out, ' ');
    g_string_append(w->out, name);
    g_string_append(w->out, "='");
    escape(w->out, value, "<>&'\"\r\n\t");
    g_string_append_c(w->out, '\'');
}

void xml_attrf(XmlWriter *w, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *s = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    xml_attr(w, name, s);
}

void xml_text(XmlWriter *w, const char *text)
{
    if (w->in_tag) {
        g_string_append_c(w->out, '>');
        w->in_tag = false;
    }
    w->has_text = true;
    xml_escape(w->out, text);
}

void xml_textf(XmlWriter *w, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *s = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    xml_text(w, s);
}

void xml_close(XmlWriter *w)
{
    g_assert(w->depth);
    const char *name = w->names[--w->depth];
    if (w->in_tag) {
        g_string_append(w->out, "/>\n");
    } else {
        if (!w->has_text)
            indent(w);
        g_string_append_printf(w->out, "</%s>\n", name);
    }
    w->in_tag = w->has_text = false;
}

void xml_empty(XmlWriter *w, const char *name)
{
    xml_open(w, name);
    xml_close(w);
}

void xml_element(XmlWriter *w, const char *name, const char *text)
{
    if (!text)
        return;
    xml_open(w, name);
    xml_text(w, text);
    xml_close(w);
}

void xml_elementf(XmlWriter *w, const char *name, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *s = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    xml_element(w, name, s);
}

void xml_raw(XmlWriter *w, const char *xml)
{
    finish_tag(w);
    indent(w);
    g_string_append(w->out, xml);
    g_string_append_c(w->out, '\n');
    w->has_text = false;
}
