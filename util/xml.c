/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading with libxml2's tree builder behind a SAX layer of ours that counts: depth, elements and
 * attributes are checked while the document is read, and a document type declaration (the door to
 * entities and external files) ends the parse. The parser has neither network nor entity
 * substitution; since no entity can be declared, every attribute value is one text node.
 *
 * Writing needs no tree: XmlWriter keeps the stack of open names only.
 *
 * Threads: any. Each thread keeps one parser with the
 * names that it has met, which is most of what a parser costs; with a document it shares its names, so a
 * document stays with the thread that read it. A parser that has met very many names is not kept.
 */
#include "util/xml.h"

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

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int n_ns, const xmlChar **ns, int n_attrs, int n_default,
                     const xmlChar **attrs)
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

enum { NAMES_KEPT_MAX = 4096 };

static void parser_free(void *c)
{
    xmlFreeParserCtxt(c);
}

static GPrivate kept_parser = G_PRIVATE_INIT(parser_free);

static xmlParserCtxt *parser_take(GError **err)
{
    xmlParserCtxt *c = g_private_get(&kept_parser);

    if (c)
        g_private_set(&kept_parser, NULL);
    else if (!xml_late_load(err))
        return NULL;
    else if (!(c = xmlNewParserCtxt()))
        error_set(err, VIR_ERR_NO_MEMORY, "an XML parser");
    return c;
}

/* Nothing of the document stays in it. */
static void parser_give_back(xmlParserCtxt *c)
{
    if (c->myDoc)
        xmlFreeDoc(c->myDoc);
    c->myDoc = NULL;
    c->_private = NULL;
    xmlCtxtReset(c);
    if (xmlDictSize(c->dict) <= NAMES_KEPT_MAX)
        g_private_set(&kept_parser, c);
    else
        parser_free(c);
}

/* Reads with c->sax; what was found is in c. Comments are dropped, CDATA becomes text. */
static void parser_run(xmlParserCtxt *c, const char *text, gsize len, const xmlSAXHandler *sax, int options)
{
    xmlParserInputBuffer *bytes = xmlParserInputBufferCreateMem(len ? text : " ", len ? (int)len : 1, XML_CHAR_ENCODING_NONE);
    xmlParserInput *input = bytes ? xmlNewIOInputStream(c, bytes, XML_CHAR_ENCODING_NONE) : NULL;

    if (!input) {
        if (bytes)
            xmlFreeParserInputBuffer(bytes);
        c->wellFormed = 0;
        return;
    }
    /* What begins so is UTF-8: nothing is converted, all is there. Otherwise the parser asks for more at each step of
     * the last few hundred bytes, which may be the whole document. */
    if (len >= 2 && text[0] == '<' && (text[1] == '!' || g_ascii_isalpha(text[1])))
        bytes->readcallback = NULL;
    (void)inputPush(c, input);
    *c->sax = *sax;
    xmlCtxtUseOptions(c, XML_PARSE_NONET | XML_PARSE_NOWARNING | XML_PARSE_NOERROR | XML_PARSE_BIG_LINES | options);
    c->sax->warning = c->sax->error = sax->error; /* the options put handlers of their own in */
    c->sax->serror = sax->serror;
    (void)xmlParseDocument(c); /* well-formedness is in the context */
}

XmlDoc *xml_parse_bounded(const char *text, gsize len, unsigned max_nodes, GError **err)
{
    Counter count = { .max_nodes = max_nodes };

    if (len > XML_SIZE_MAX) {
        error_set(err, VIR_ERR_XML_ERROR, "document of %" G_GSIZE_FORMAT " bytes is larger than %d",
                  len, XML_SIZE_MAX);
        return NULL;
    }
    xmlParserCtxt *c = parser_take(err);
    if (!c)
        return NULL;
    xmlSAXHandler sax = { 0 };
    (void)xmlSAXVersion(&sax, 2);
    sax.startElementNs = on_start;
    sax.endElementNs = on_end;
    sax.internalSubset = on_doctype;
    sax.externalSubset = NULL;
    sax.resolveEntity = NULL;
    sax.warning = sax.error = quiet;
    sax.serror = quiet_structured;
    c->_private = &count;
    parser_run(c, text, len, &sax, XML_PARSE_NOCDATA | XML_PARSE_COMPACT);

    XmlDoc *doc = c->myDoc;
    bool ok = c->wellFormed && !count.problem && doc && xmlDocGetRootElement(doc);
    if (!ok) {
        g_autofree char *msg = g_strdup(count.problem          ? count.problem
                                        : c->lastError.message ? c->lastError.message
                                                               : "no document");
        error_set(err, VIR_ERR_XML_DETAIL, "line %d: %s", c->input ? c->input->line : 0,
                  g_strchomp(msg));
        doc = NULL;
    } else {
        c->myDoc = NULL;
    }
    parser_give_back(c);
    return doc;
}

XmlDoc *xml_parse(const char *text, gsize len, GError **err)
{
    return xml_parse_bounded(text, len, XML_NODES_MAX, err);
}

/* ---- a look without a tree ---- */

enum { PEEK_TEXT_MAX = 4096, PEEK_NAMES_MAX = 8 };

typedef struct Peek {
    Counter count; /* first: on_doctype() and stop() find it here */
    const char *root;
    const char *const *names;
    unsigned n, left;
    GString *values[PEEK_NAMES_MAX];
    int in; /* the child whose text is being read, -1: none */
} Peek;

static void peek_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                       int n_ns, const xmlChar **ns, int n_attrs, int n_default,
                       const xmlChar **attrs)
{
    xmlParserCtxt *c = ctx;
    Peek *p = c->_private;

    p->count.nodes += 1 + (unsigned)n_attrs;
    if (++p->count.depth > XML_DEPTH_MAX || p->count.nodes > XML_NODES_MAX) {
        stop(c, "document is too large or nested too deeply");
        return;
    }
    if (p->count.depth == 1 && (uri || strcmp((const char *)name, p->root))) {
        stop(c, "unexpected root element");
        return;
    }
    if (p->count.depth != 2 || uri)
        return;
    for (unsigned i = 0; i < p->n; i++) {
        if (!p->values[i] && !strcmp((const char *)name, p->names[i])) {
            p->values[i] = g_string_new(NULL);
            p->in = (int)i;
        }
    }
}

static void peek_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    xmlParserCtxt *c = ctx;
    Peek *p = c->_private;

    if (p->count.depth-- != 2 || p->in < 0)
        return;
    p->in = -1;
    if (--p->left == 0)
        xmlStopParser(c);
}

static void peek_text(void *ctx, const xmlChar *text, int len)
{
    xmlParserCtxt *c = ctx;
    Peek *p = c->_private;

    /* Only the child's own text, as in a tree. */
    if (p->in < 0 || p->count.depth != 2)
        return;
    GString *s = p->values[p->in];
    if (s->len + (gsize)len > PEEK_TEXT_MAX)
        stop(c, "text is too long");
    else
        g_string_append_len(s, (const char *)text, len);
}

bool xml_peek(const char *text, gsize len, const char *root, const char *const *names, unsigned n,
              char **ret_values, GError **err)
{
    Peek p = { .root = root, .names = names, .n = n, .left = n, .in = -1 };
    xmlSAXHandler sax = { .initialized = XML_SAX2_MAGIC,
                          .startElementNs = peek_start,
                          .endElementNs = peek_end,
                          .characters = peek_text,
                          .cdataBlock = peek_text,
                          .internalSubset = on_doctype,
                          .warning = quiet,
                          .error = quiet,
                          .serror = quiet_structured };

    g_assert(n <= PEEK_NAMES_MAX);
    if (len > XML_SIZE_MAX || !len) {
        error_set(err, VIR_ERR_XML_ERROR, "document of %" G_GSIZE_FORMAT " bytes is %s", len,
                  len ? "too large" : "empty");
        return false;
    }
    xmlParserCtxt *c = parser_take(err);
    if (!c)
        return false;
    c->_private = &p;
    parser_run(c, text, len, &sax, 0);

    /* Stopping early leaves the parser with an error of its own; then everything was found. */
    bool ok = !p.count.problem && (p.left == 0 || c->wellFormed);
    if (!ok) {
        g_autofree char *msg = g_strdup(p.count.problem        ? p.count.problem
                                        : c->lastError.message ? c->lastError.message
                                                               : "no document");
        error_set(err, p.count.problem ? VIR_ERR_XML_ERROR : VIR_ERR_XML_DETAIL, "line %d: %s",
                  c->input ? c->input->line : 0, g_strchomp(msg));
    }
    for (unsigned i = 0; i < n; i++) {
        if (ok)
            ret_values[i] = p.values[i] ? g_string_free(p.values[i], FALSE) : NULL;
        else if (p.values[i])
            g_string_free(p.values[i], TRUE);
    }
    parser_give_back(c);
    return ok;
}

xmlNode *xml_root(XmlDoc *doc)
{
    return xmlDocGetRootElement(doc);
}

bool xml_is(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE &&
           (!name || (!n->ns && strcmp((const char *)n->name, name) == 0));
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
        before +=
            s->type == XML_ELEMENT_NODE && !strcmp((const char *)s->name, (const char *)n->name);
    for (const xmlNode *s = n->next; s && !*ret_more; s = s->next)
        *ret_more =
            s->type == XML_ELEMENT_NODE && !strcmp((const char *)s->name, (const char *)n->name);
    return before;
}

char *xml_path(const xmlNode *n)
{
    GString *path = g_string_new(NULL);

    for (; n && n->type == XML_ELEMENT_NODE; n = n->parent) {
        bool more;
        unsigned before = same_before(n, &more);
        g_autofree char *step = before || more
                                    ? g_strdup_printf("%s[%u]", (const char *)n->name, before + 1)
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

/* g_string_append_len() is a call for every few bytes. */
static inline void put(GString *out, const char *text, size_t n)
{
    if (G_UNLIKELY(out->len + n >= out->allocated_len)) {
        g_string_append_len(out, text, (gssize)n);
        return;
    }
    memcpy(out->str + out->len, text, n);
    out->len += n;
    out->str[out->len] = '\0';
}

static inline void put_str(GString *out, const char *text)
{
    put(out, text, strlen(text));
}

/* How many bytes need no escaping. strcspn() makes a table of its second string for each call. */
static size_t plain_length(const char *text, bool attribute)
{
    static const uint8_t special[256] = {
        [0] = 3, ['<'] = 3, ['>'] = 3, ['&'] = 3, ['\''] = 3, ['"'] = 3, ['\r'] = 3, ['\n'] = 2, ['\t'] = 2,
    };
    uint8_t bit = attribute ? 2 : 1;
    const uint8_t *p = (const uint8_t *)text;

    while (!(special[*p] & bit))
        p++;
    return (size_t)((const char *)p - text);
}

/* A reader turns line ends and tabs inside attributes into spaces, and drops \r everywhere, unless
 * they are written as references. */
static void escape(GString *out, const char *text, bool attribute)
{
    for (;;) {
        size_t plain = plain_length(text, attribute);
        put(out, text, plain);
        text += plain;
        switch (*text++) {
        case '<':
            g_string_append(out, "&lt;");
            break;
        case '>':
            g_string_append(out, "&gt;");
            break;
        case '&':
            g_string_append(out, "&amp;");
            break;
        case '\'':
            g_string_append(out, "&apos;");
            break;
        case '"':
            g_string_append(out, "&quot;");
            break;
        case '\r':
            g_string_append(out, "&#13;");
            break;
        case '\n':
            g_string_append(out, "&#10;");
            break;
        case '\t':
            g_string_append(out, "&#9;");
            break;
        default:
            return;
        }
    }
}

void xml_escape(GString *out, const char *text)
{
    escape(out, text, false);
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
        put(w->out, spaces, now);
        n -= now;
    }
}

static void finish_tag(XmlWriter *w)
{
    if (!w->in_tag)
        return;
    put(w->out, ">\n", 2);
    w->in_tag = false;
}

void xml_open(XmlWriter *w, const char *name)
{
    g_assert(w->depth < G_N_ELEMENTS(w->names));
    finish_tag(w);
    indent(w);
    put(w->out, "<", 1);
    put_str(w->out, name);
    w->names[w->depth++] = name;
    w->in_tag = true;
    w->has_text = false;
}

void xml_attr(XmlWriter *w, const char *name, const char *value)
{
    if (!value)
        return;
    g_assert(w->in_tag);
    put(w->out, " ", 1);
    put_str(w->out, name);
    put(w->out, "='", 2);
    escape(w->out, value, true);
    put(w->out, "'", 1);
}

void xml_attrf(XmlWriter *w, const char *name, const char *fmt, ...)
{
    char brief[64];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(brief, sizeof(brief), fmt, ap);
    va_end(ap);
    if ((size_t)n < sizeof(brief)) {
        xml_attr(w, name, brief);
        return;
    }
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
        put(w->out, "/>\n", 3);
    } else {
        if (!w->has_text)
            indent(w);
        put(w->out, "</", 2);
        put_str(w->out, name);
        put(w->out, ">\n", 2);
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
