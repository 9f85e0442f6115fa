/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The parse walk. For each row the element that its path names is found among the children (the
 * first of that name wins), the value is handed to the row's type, and what was looked at is
 * marked in the tree (_private of nodes and attributes). Whatever carries no mark at the end was
 * read by nobody: a typing mistake or a word of a later release, which is ignored, and listed with its
 * place in strict mode.
 *
 * Pure functions on the caller's tree; any thread, one tree per thread.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#include "conf/domain.h"
#include "conf/parse-internal.h"
#include "conf/row.h"
#include "conf/schema.h"
#include "util/error.h"

static char mark; /* its address is the mark */

void conf_mark(xmlNode *n)
{
    n->_private = &mark;
}

void conf_mark_attrs(xmlNode *n)
{
    conf_mark(n);
    for (xmlAttr *a = n->properties; a; a = a->next)
        a->_private = &mark;
}

void conf_mark_tree(xmlNode *n)
{
    conf_mark_attrs(n);
    for (xmlNode *c = n->children; c; c = c->next) {
        if (c->type == XML_ELEMENT_NODE)
            conf_mark_tree(c);
    }
}

/* ---- paths ---- */

static pthread_mutex_t steps_lock = PTHREAD_MUTEX_INITIALIZER;

static void split_path(const char *path, ConfStep *s)
{
    *s = (ConfStep){ .leaf = LEAF_HIDDEN };
    if (!path)
        return;
    s->leaf = LEAF_ELEMENT;
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    for (unsigned i = 0; parts[i]; i++) {
        if (!*parts[i])
            continue;
        if (parts[i][0] == '@') {
            s->leaf = LEAF_ATTR;
            s->attr = g_intern_string(parts[i] + 1);
        } else if (!strcmp(parts[i], "text()")) {
            s->leaf = LEAF_TEXT;
        } else if (!strcmp(parts[i], "name()")) {
            s->leaf = LEAF_NAME;
        } else {
            g_assert(s->n < G_N_ELEMENTS(s->names));
            s->names[s->n++] = g_intern_string(parts[i]);
        }
    }
}

/* Most fields of most documents are zero: what follows lets the walks pass them by. */

static bool quiet_row(const ConfField *r, bool all_zero);

static bool quiet_desc(const ConfDesc *d)
{
    for (unsigned i = 0; i < d->n_rows; i++)
        if (!quiet_row(&d->rows[i], true))
            return false;
    return true;
}

/* all_zero: the struct around the field, and so the tag of a union, is zero, too. */
static bool quiet_row(const ConfField *r, bool all_zero)
{
    static const uint64_t zero[8];

    switch (r->kind) {
    case CK_SCALAR:
        /* Required numbers are written when they are zero. */
        return !(r->flags & (CF_ALWAYS | CF_REQUIRED)) && r->type->present && r->size && r->size <= sizeof(zero) &&
               !r->type->present(r, zero);
    case CK_STRUCT:
        return quiet_desc(r->arg);
    case CK_UNION:
        for (const ConfArm *a = r->arg; a->desc; a++)
            if ((a->tag == 0 || !all_zero) && !quiet_desc(a->desc))
                return false;
        return true;
    case CK_LIST:
        return !(r->flags & CF_CONTAINER);
    case CK_OPTIONAL:
    case CK_RAW:
    case CK_PAD:
        return true;
    case CK_DEVICES:
    case CK_CUSTOM:
        return false;
    }
    return false;
}

static bool needs_element(const ConfField *r)
{
    return r->kind != CK_LIST && r->kind != CK_CUSTOM && (!(r->flags & CF_REQUIRED) || (r->flags & CF_IF_ELEMENT));
}

static void fill_steps(const ConfDesc *d)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        split_path(d->rows[i].path, &d->steps[i]);
        d->steps[i].quiet = quiet_row(&d->rows[i], false);
    }
    for (unsigned i = d->n_rows - 1; i-- > 0;) {
        ConfStep *s = &d->steps[i], *after = s + 1;

        if (after->leaf != LEAF_HIDDEN && needs_element(&d->rows[i + 1]) && s->n == after->n &&
            !memcmp(s->names, after->names, sizeof(s->names)))
            s->skip = (uint8_t)MIN(after->skip + 1u, UINT8_MAX);
    }
}

const ConfStep *conf_step(const ConfDesc *d, unsigned row)
{
    if (!__atomic_load_n(d->ready, __ATOMIC_ACQUIRE)) {
        pthread_mutex_lock(&steps_lock);
        if (!*d->ready) {
            fill_steps(d);
            __atomic_store_n(d->ready, 1, __ATOMIC_RELEASE);
        }
        pthread_mutex_unlock(&steps_lock);
    }
    return &d->steps[row];
}

/* ---- errors ---- */

static char *place(const xmlNode *n, const char *attr)
{
    g_autofree char *path = xml_path(n);
    return g_strdup_printf("line %u: %s%s%s", xml_line(n), path, attr ? "/@" : "", attr ? attr : "");
}

void conf_error_at(GError **err, int code, const xmlNode *n, const char *attr, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_autofree char *where = place(n, attr);
    error_set(err, code, "%s: %s", where, what);
}

/* What was found before anybody looked at a domain or a pool is told, as everywhere, to be of the document. */
static void of_document(GError **err)
{
    if (err)
        error_set_source(*err, VIR_FROM_XML);
}

bool conf_check_root(const xmlNode *root, const char *name, GError **err)
{
    if (xml_is(root, name))
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, root, NULL, "unexpected root element, expected <%s>", name);
    of_document(err);
    return false;
}

void conf_prefix_at(GError **err, const xmlNode *n, const char *attr)
{
    if (!err)
        return;
    g_autofree char *where = place(n, attr);
    g_prefix_error(err, "%s: ", where);
}

/* In strict mode a bad value is noted and the walk goes on. */
static bool forgive(ConfParser *p, GError **err, GError *e)
{
    if (p->problems) {
        g_ptr_array_add(p->problems, g_strdup(e->message));
        g_error_free(e);
        return true;
    }
    g_propagate_error(err, e);
    return false;
}

/* ---- the walk ---- */

const ConfDesc *conf_arm(const ConfField *r, const void *base)
{
    uint32_t tag = *(const uint32_t *)((const char *)base + r->tag_off);
    for (const ConfArm *a = r->arg; a->desc; a++) {
        if (a->tag == tag)
            return a->desc;
    }
    return NULL;
}

/* "qemu:arg" names an element in a namespace "http://libvirt.org/schemas/DOCUMENT/qemu/VERSION". */
static bool named(const xmlNode *n, const char *name)
{
    static const char schemas[] = "http://libvirt.org/schemas/";
    const char *colon = name ? strchr(name, ':') : NULL;

    if (!colon)
        return xml_is(n, name);
    if (n->type != XML_ELEMENT_NODE || !n->ns || !n->ns->href || strcmp((const char *)n->name, colon + 1))
        return false;
    const char *href = (const char *)n->ns->href;
    size_t len = (size_t)(colon - name);
    if (!g_str_has_prefix(href, schemas))
        return false;
    const char *slash = strchr(href + strlen(schemas), '/');
    return slash && !strncmp(slash + 1, name, len) && slash[1 + len] == '/';
}

/* n or the first of its siblings behind it. Almost no name has a colon, and most differ from the one
 * that is looked for in the first letter. */
static xmlNode *first_named(xmlNode *n, const char *name)
{
    if (!name || strchr(name, ':')) {
        while (n && !named(n, name))
            n = n->next;
        return n;
    }
    for (; n; n = n->next)
        if (n->type == XML_ELEMENT_NODE && !n->ns && *n->name == (xmlChar)*name && !strcmp((const char *)n->name, name))
            break;
    return n;
}

static xmlNode *child(xmlNode *n, const char *name)
{
    return first_named(n->children, name);
}

static xmlNode *next(xmlNode *n, const char *name)
{
    return first_named(n->next, name);
}

static xmlNode *find_element(xmlNode *el, const ConfStep *s, unsigned n)
{
    for (unsigned i = 0; i < n && el; i++) {
        el = child(el, s->names[i]);
        if (el)
            conf_mark(el);
    }
    return el;
}

static xmlAttr *find_attr(xmlNode *el, const char *name)
{
    for (xmlAttr *a = el->properties; a; a = a->next) {
        if (!a->ns && *a->name == (xmlChar)*name && !strcmp((const char *)a->name, name)) {
            a->_private = &mark;
            return a;
        }
    }
    return NULL;
}

static const char *attr_text(const xmlAttr *a)
{
    return a->children && a->children->content ? (const char *)a->children->content : "";
}

static bool missing(ConfParser *p, const ConfField *r, xmlNode *base_el, xmlNode *el, const ConfStep *s, GError **err)
{
    GError *e = NULL;

    if (!(r->flags & CF_REQUIRED) || (!el && (r->flags & CF_IF_ELEMENT)))
        return true;
    if (!el || s->leaf != LEAF_ATTR)
        conf_error_at(&e, VIR_ERR_XML_ERROR, el ? el : base_el, NULL, "'%s' is missing", r->path);
    else
        conf_error_at(&e, VIR_ERR_XML_ERROR, el, s->attr, "missing");
    return forgive(p, err, e);
}

static bool parse_scalar(ConfParser *p, const ConfField *r, const ConfStep *s, xmlNode *base_el, xmlNode *el,
                         void *base, GError **err)
{
    g_autofree char *owned = NULL;
    const char *text = NULL, *unit = NULL;

    if (!el)
        return missing(p, r, base_el, el, s, err);

    switch ((ConfLeaf)s->leaf) {
    case LEAF_ATTR: {
        xmlAttr *a = find_attr(el, s->attr);
        if (a && (r->flags & CF_EMPTY_IS_NONE) && !*attr_text(a))
            a = NULL;
        if (!a && !(r->flags & CF_ON_IF_PRESENT))
            return missing(p, r, base_el, el, s, err);
        text = a ? attr_text(a) : ((const EnumTable *)r->arg)->names[1];
        break;
    }
    case LEAF_TEXT:
        text = owned = xml_text_dup(el);
        if (!*text) /* an empty element says nothing */
            return missing(p, r, base_el, el, s, err);
        break;
    case LEAF_NAME:
        text = (const char *)el->name;
        break;
    case LEAF_ELEMENT:
        text = "";
        break;
    case LEAF_HIDDEN:
        return true;
    }
    if (r->type->with_unit) {
        xmlAttr *a = find_attr(el, conf_unit_attr(r));
        unit = a && *attr_text(a) ? attr_text(a) : NULL;
    }
    if ((r->flags & CF_WRITE_ONLY) || ((r->flags & (CF_LIVE | CF_LIVE_INPUT)) && (p->flags & DOMAIN_PARSE_INACTIVE)))
        return true;
    if ((r->flags & CF_USER_ALIAS) && (p->flags & DOMAIN_PARSE_INACTIVE) && !g_str_has_prefix(text, "ua-"))
        return true;

    /* A view's field may have been filled by an earlier spelling: the first one wins. */
    void *v = (char *)base + r->off;
    if (r->type->clear && *(void **)v)
        return true;
    GError *e = NULL;
    if (r->type->parse(r, text, unit, v, base, &e))
        return true;
    conf_prefix_at(&e, el, s->leaf == LEAF_ATTR ? s->attr : NULL);
    return forgive(p, err, e);
}

/* Whether the name() row of d, an enum, has the element's name. */
static bool knows_name(const ConfDesc *d, const xmlNode *n)
{
    for (unsigned i = 0; i < d->n_rows; i++) {
        if (conf_step(d, i)->leaf == LEAF_NAME)
            return enum_value(d->rows[i].arg, (const char *)n->name) >= 0;
    }
    return false;
}

static bool parse_list(ConfParser *p, const ConfField *r, const ConfStep *s, xmlNode *el, void *base, GError **err)
{
    const ConfDesc *d = r->arg;
    const char *name = s->names[s->n - 1];
    GPtrArray **list = (GPtrArray **)((char *)base + r->off);

    xmlNode *container = find_element(el, s, s->n - 1u);
    if (!container)
        return true;
    name = strcmp(name, "*") ? name : NULL;
    for (xmlNode *c = child(container, name); c; c = next(c, name)) {
        if ((r->flags & CF_ONLY_KNOWN) && !knows_name(d, c))
            continue;
        void *item = g_malloc0(d->size);
        conf_mark(c);
        if (r->flags & CF_LIVE && p->flags & DOMAIN_PARSE_INACTIVE) {
            conf_mark_tree(c);
            g_free(item);
            continue;
        }
        if (!conf_parse(p, d, c, item, err)) {
            conf_free(d, item);
            return false;
        }
        if (d->says_nothing && d->says_nothing(p->flags & DOMAIN_PARSE_INACTIVE, item)) {
            conf_free(d, item);
            continue;
        }
        if (!*list)
            *list = g_ptr_array_new();
        g_ptr_array_add(*list, item);
    }
    return true;
}

/* Each application has one element in metadata, found by its namespace. */
static void prune_namespaces(xmlNode *el)
{
    for (xmlNode *c = el->children, *next; c; c = next) {
        next = c->next;
        bool keep = c->type != XML_ELEMENT_NODE || c->ns;
        for (xmlNode *o = el->children; keep && c->type == XML_ELEMENT_NODE && o != c; o = o->next)
            keep = o->type != XML_ELEMENT_NODE || !xmlStrEqual(o->ns->href, c->ns->href);
        if (!keep) {
            xmlUnlinkNode(c);
            xmlFreeNode(c);
        }
    }
}

static bool parse_optional(ConfParser *p, const ConfField *r, xmlNode *el, void *base, GError **err)
{
    const ConfDesc *d = r->arg;
    void **v = (void **)((char *)base + r->off);

    if (!el)
        return true;
    if (*v || ((r->flags & CF_SKIP_EMPTY) && !el->properties && !xml_child(el, NULL)))
        return true;
    if (r->flags & CF_LIVE && p->flags & DOMAIN_PARSE_INACTIVE) {
        conf_mark_tree(el);
        return true;
    }
    *v = g_malloc0(d->size);
    if (!conf_parse(p, d, el, *v, err))
        return false;
    if ((r->flags & CF_SKIP_EMPTY) && conf_is_zero(*v, d->size)) { /* nothing in it was known */
        g_free(*v);
        *v = NULL;
    }
    return true;
}

static bool parse_row(ConfParser *p, const ConfDesc *d, unsigned i, xmlNode *base_el, xmlNode *el, void *base, GError **err)
{
    const ConfField *r = &d->rows[i];
    const ConfStep *s = conf_step(d, i);
    void *v = (char *)base + r->off;

    xmlNode *again = (r->flags & CF_ONCE) && el && s->n ? next(el, s->names[s->n - 1]) : NULL;
    if (again) {
        GError *e = NULL;
        conf_error_at(&e, VIR_ERR_XML_ERROR, again, NULL, "only one <%s> is allowed here", s->names[s->n - 1]);
        if (!forgive(p, err, e))
            return false;
    }
    switch (r->kind) {
    case CK_SCALAR:
        return parse_scalar(p, r, s, base_el, el, base, err);
    case CK_STRUCT:
        return !el || conf_parse(p, r->arg, el, v, err);
    case CK_OPTIONAL:
        return parse_optional(p, r, el, base, err);
    case CK_LIST:
        return s->leaf == LEAF_HIDDEN || parse_list(p, r, s, base_el, base, err);
    case CK_UNION: {
        const ConfDesc *arm = conf_arm(r, base);
        return !el || !arm || conf_parse(p, arm, el, v, err);
    }
    case CK_DEVICES:
        return !el || conf_parse_devices(p, el, *(GPtrArray **)v, err);
    case CK_RAW:
        if (el) {
            conf_mark_tree(el);
            if (r->flags & CF_ONE_PER_NAMESPACE)
                prune_namespaces(el);
            if (!*(char **)v)
                *(char **)v = xml_dump(el, 1);
        }
        return true;
    case CK_CUSTOM: {
        const ConfCustom *c = r->arg;
        GError *e = NULL;
        return !c->parse || c->parse(p, r, el, base, &e) || forgive(p, err, e);
    }
    case CK_PAD:
        return true;
    }
    return true;
}

bool conf_parse(ConfParser *p, const ConfDesc *d, xmlNode *el, void *v, GError **err)
{
    const ConfStep *last = NULL, *s = d->n_rows ? conf_step(d, 0) : NULL;
    xmlNode *last_el = NULL;

    conf_mark(el);
    if (!p->depth++)
        p->desc = d;
    for (unsigned i = 0; i < d->n_rows; i++, s++) {
        const ConfField *r = &d->rows[i];
        if (s->leaf == LEAF_HIDDEN || !conf_row_applies(r, v))
            continue;
        /* Rows come in runs below one element: look it up once. */
        xmlNode *target;
        if (last && last->n == s->n && !memcmp(last->names, s->names, sizeof(s->names)))
            target = last_el;
        else
            target = r->kind == CK_LIST ? NULL : find_element(el, s, s->n);
        if (r->kind != CK_LIST) {
            last = s;
            last_el = target;
        }
        if (!parse_row(p, d, i, el, target, v, err))
            return false;
        if (!target && r->kind != CK_LIST) {
            i += s->skip;
            s += s->skip;
        }
    }
    p->depth--;
    if (!d->parsed)
        return true;
    GError *e = NULL;
    return d->parsed(p, el, v, &e) || forgive(p, err, e);
}

/* ---- what nobody read ---- */

/* The place, what is wrong there and, where one is near, the word that was perhaps meant. */
static void note(ConfParser *p, const xmlNode *n, const char *attr, const xmlNode *root)
{
    g_autofree char *where = place(n, attr), *words = schema_words(p->desc, root, n, attr);
    g_ptr_array_add(p->problems, g_strdup_printf("%s: unknown %s%s", where,
                                                 attr ? "attribute" : "element", words));
}

static void note_unread(ConfParser *p, const xmlNode *n, const xmlNode *root)
{
    for (const xmlAttr *a = n->properties; a; a = a->next) {
        if (a->_private != &mark && !a->ns)
            note(p, n, (const char *)a->name, root);
    }
    for (const xmlNode *c = n->children; c; c = c->next) {
        if (c->type != XML_ELEMENT_NODE)
            continue;
        if (c->_private == &mark)
            note_unread(p, c, root);
        else if (!c->ns)
            note(p, c, NULL, root);
    }
}

bool conf_check_unread(ConfParser *p, xmlNode *root, GError **err)
{
    if (!p->problems)
        return true;
    note_unread(p, root, root);
    if (!p->problems->len)
        return true;
    g_ptr_array_add(p->problems, NULL);
    g_autofree char *all = g_strjoinv("\n", (char **)p->problems->pdata);
    error_set(err, VIR_ERR_XML_INVALID_SCHEMA, "%s", all);
    of_document(err);
    return false;
}
