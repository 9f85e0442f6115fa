/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows as a tree of elements. Rows are relative to the element of their struct and several
 * descriptions may meet in one element (a union's arms, an address inside a device), so the tree is
 * built first: one node per element name below a parent, with all that any row reads there. A node
 * that holds nothing but one struct of its own refers to that struct's definition, which is what
 * makes recursion (backing chains) finite; any other is written out where it stands.
 *
 * The schema is a superset in one respect: what only some values of another attribute allow is
 * optional. The order of elements is free, as for the parser.
 */
#include "conf/schema.h"

#include <string.h>

#include "conf/parse-internal.h"

enum { DEPTH_MAX = 40 };

typedef struct Attr {
    const char *name;
    bool required;
    GPtrArray *rows; /* ConfField, NULL for any text */
} Attr;

typedef struct Node {
    const char *name;
    GPtrArray *attrs, *children; /* Attr, Node */
    GPtrArray *refs;             /* ConfDesc of structs that are this element */
    GPtrArray *text_rows;        /* ConfField */
    const ConfField *row;        /* that brought the element, for its text of documentation */
    bool text, any, repeated, foreign;
} Node;

typedef struct Printer {
    const DocKind *kind;
    XmlWriter w;
    GHashTable *names; /* ConfDesc → name of its definition */
    GPtrArray *todo;   /* ConfDesc whose definition is still to be written */
} Printer;

static void node_free(void *p);

static void attr_free(void *p)
{
    Attr *a = p;
    g_ptr_array_unref(a->rows);
    g_free(a);
}

static Node *node_new(const char *name)
{
    Node *n = g_new0(Node, 1);

    n->name = name;
    n->attrs = g_ptr_array_new_with_free_func(attr_free);
    n->children = g_ptr_array_new_with_free_func(node_free);
    n->refs = g_ptr_array_new();
    n->text_rows = g_ptr_array_new();
    return n;
}

static void node_free(void *p)
{
    Node *n = p;
    g_ptr_array_unref(n->attrs);
    g_ptr_array_unref(n->children);
    g_ptr_array_unref(n->refs);
    g_ptr_array_unref(n->text_rows);
    g_free(n);
}

static Node *child(Node *n, const char *name)
{
    for (unsigned i = 0; i < n->children->len; i++) {
        Node *c = n->children->pdata[i];
        if (!strcmp(c->name, name))
            return c;
    }
    Node *c = node_new(name);
    g_ptr_array_add(n->children, c);
    return c;
}

static Attr *attribute(Node *n, const char *name)
{
    for (unsigned i = 0; i < n->attrs->len; i++) {
        Attr *a = n->attrs->pdata[i];
        if (!strcmp(a->name, name))
            return a;
    }
    Attr *a = g_new0(Attr, 1);
    a->name = name;
    a->rows = g_ptr_array_new();
    g_ptr_array_add(n->attrs, a);
    return a;
}

/* ---- from rows to the tree ---- */

static void add_desc(Node *here, const ConfDesc *d, bool certain, unsigned depth);

static void add_reads(Node *here, const char *const *reads)
{
    for (; *reads; reads++) {
        g_auto(GStrv) parts = g_strsplit(*reads, "/", -1);
        Node *at = here;
        for (char **p = parts; *p; p++) {
            if (!strcmp(*p, "*:"))
                at->foreign = true;
            else if (!strcmp(*p, "+"))
                at->repeated = true;
            else if (!strcmp(*p, "..."))
                at->any = true;
            else if (!strcmp(*p, "text()"))
                at->text = true;
            else if (**p == '@')
                g_ptr_array_add(attribute(at, g_intern_string(*p + 1))->rows, NULL);
            else
                at = child(at, g_intern_string(*p));
        }
    }
}

static void add_scalar(Node *at, const ConfField *r, const ConfStep *s, bool certain)
{
    if (s->leaf == LEAF_ATTR) {
        Attr *a = attribute(at, s->attr);
        g_ptr_array_add(a->rows, (void *)r);
        a->required |= certain && s->n == 0 && (r->flags & CF_REQUIRED) && !(r->flags & CF_IF_ELEMENT);
    } else if (s->leaf == LEAF_TEXT) {
        at->text = true;
        g_ptr_array_add(at->text_rows, (void *)r);
    }
    if (r->type && r->type->with_unit)
        g_ptr_array_add(attribute(at, conf_unit_attr(r))->rows, NULL);
}

static void add_row(Node *here, const ConfDesc *d, unsigned i, bool certain, unsigned depth)
{
    const ConfField *r = &d->rows[i];
    const ConfStep *s = conf_step(d, i);
    Node *at = here;

    if (s->leaf == LEAF_HIDDEN || s->leaf == LEAF_NAME ||
        (s->leaf == LEAF_ATTR && g_str_has_prefix(s->attr, "xmlns"))) /* no attribute to a schema */
        return;
    for (unsigned n = 0; n < s->n; n++) {
        at = child(at, s->names[n]);
        if (!at->row && n + 1 == s->n)
            at->row = r;
    }
    switch (r->kind) {
    case CK_SCALAR:
        add_scalar(at, r, s, certain && !r->when);
        break;
    case CK_STRUCT:
        add_desc(at, r->arg, certain && !r->when && s->n == 0, depth + 1);
        break;
    case CK_UNION:
        for (const ConfArm *a = r->arg; a->desc; a++)
            add_desc(at, a->desc, false, depth + 1);
        break;
    case CK_LIST:
        at->repeated = true;
        G_GNUC_FALLTHROUGH;
    case CK_OPTIONAL:
        if (!g_ptr_array_find(at->refs, r->arg, NULL))
            g_ptr_array_add(at->refs, (void *)r->arg);
        break;
    case CK_DEVICES:
        for (int k = 0; k < _DEVICE_KIND_N; k++) {
            const ConfDesc *dd = device_desc((DeviceKind)k);
            Node *c = child(at, device_kind_element((DeviceKind)k));
            c->repeated = true;
            if (dd)
                g_ptr_array_add(c->refs, (void *)dd);
            else
                c->any = true;
        }
        break;
    case CK_RAW:
        at->any = true;
        break;
    case CK_CUSTOM: {
        const ConfCustom *c = r->arg;
        if (c->reads)
            add_reads(at, c->reads);
        if (c->desc)
            add_desc(at, c->desc, false, depth + 1);
        if (!c->reads && !c->desc && c->parse)
            at->any = true;
        break;
    }
    case CK_PAD:
        break;
    }
}

static void add_desc(Node *here, const ConfDesc *d, bool certain, unsigned depth)
{
    if (depth > DEPTH_MAX) {
        here->any = true;
        return;
    }
    for (unsigned i = 0; i < d->n_rows; i++)
        add_row(here, d, i, certain, depth);
}

static bool pure_ref(const Node *n)
{
    return n->refs->len == 1 && !n->attrs->len && !n->children->len && !n->text && !n->any && !n->foreign;
}

/* Structs that share an element with other rows are written out in it. */
static void settle(Node *n, unsigned depth)
{
    if (n->any || pure_ref(n))
        return;
    while (n->refs->len) {
        const ConfDesc *d = g_ptr_array_steal_index(n->refs, 0);
        add_desc(n, d, false, depth);
    }
    if (depth > DEPTH_MAX)
        n->any = true;
    for (unsigned i = 0; i < n->children->len && !n->any; i++)
        settle(n->children->pdata[i], depth + 1);
}

static Node *tree_of(const char *name, const ConfDesc *d)
{
    Node *n = node_new(name);

    add_desc(n, d, true, 0);
    settle(n, 0);
    return n;
}

/* ---- what may stand at a place ---- */

/* Goes down to the node of an element; *top owns what is looked at. NULL: not described. */
static Node *node_at(Node **top, const xmlNode *root, const xmlNode *n)
{
    if (n == root)
        return *top;
    Node *above = n->parent && n->parent->type == XML_ELEMENT_NODE ? node_at(top, root, n->parent) : NULL;
    for (unsigned i = 0; above && i < above->children->len; i++) {
        Node *c = above->children->pdata[i];
        if (strcmp(c->name, (const char *)n->name) != 0)
            continue;
        if (!pure_ref(c))
            return c;
        Node *inner = tree_of("", c->refs->pdata[0]);
        node_free(*top);
        return *top = inner;
    }
    return NULL;
}

char *schema_words(const ConfDesc *d, const xmlNode *root, const xmlNode *n, const char *attr)
{
    enum { LISTED_MAX = 12 };
    Node *top = tree_of("", d);
    const Node *at = !attr && n == root ? NULL : node_at(&top, root, attr ? n : n->parent);
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    GString *text = g_string_new(NULL);

    for (unsigned i = 0; at && i < (attr ? at->attrs->len : at->children->len); i++)
        g_ptr_array_add(words, (void *)(attr ? ((Attr *)at->attrs->pdata[i])->name : ((Node *)at->children->pdata[i])->name));
    const EnumTable t = { "", (const char *const *)words->pdata, words->len };
    const char *wrong = attr ? attr : (const char *)n->name;
    const char *near = words->len && strlen(wrong) < 64 ? enum_nearest(&t, wrong) : NULL;
    if (near && strcmp(near, wrong) != 0)
        g_string_append_printf(text, "; did you mean '%s'?", near);
    else if (near) /* it depends on a value beside it */
        g_string_append(text, " here: what stands beside it rules it out");
    for (unsigned i = 0; !near && words->len <= LISTED_MAX && i < words->len; i++)
        g_string_append_printf(text, "%s%s", i ? ", " : "; expected one of ", (const char *)words->pdata[i]);
    node_free(top);
    return g_string_free(text, FALSE);
}

/* ---- RELAX NG ---- */

static const char *define_name(Printer *p, const ConfDesc *d)
{
    char *name = g_hash_table_lookup(p->names, d);

    if (!name) {
        name = g_strdup_printf("%s.%u", d->name, g_hash_table_size(p->names));
        g_hash_table_insert(p->names, (void *)d, name);
        g_ptr_array_add(p->todo, (void *)d);
    }
    return name;
}

static void ref(Printer *p, const char *name)
{
    xml_open(&p->w, "ref");
    xml_attr(&p->w, "name", name);
    xml_close(&p->w);
}

/* The words of a row's type; NULL: any text. */
static const EnumTable *words_of(const ConfField *r)
{
    if (!r)
        return NULL;
    if (r->type == &conf_enum)
        return r->arg;
    if (r->type == &conf_enum_by)
        return ((const ConfEnumBy *)r->arg)->table;
    return NULL;
}

static void value(Printer *p, GHashTable *seen, const char *word)
{
    if (!word || !*word || !g_hash_table_add(seen, (void *)word))
        return;
    xml_element(&p->w, "value", word);
}

static void values(Printer *p, const GPtrArray *rows)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    bool text = rows->len == 0;

    for (unsigned i = 0; i < rows->len; i++) {
        const ConfField *r = rows->pdata[i];
        text |= !words_of(r) && !(r && (r->type == &conf_yesflag || r->type == &conf_const));
    }
    if (text) {
        xml_empty(&p->w, "text");
        return;
    }
    xml_open(&p->w, "choice");
    for (unsigned i = 0; i < rows->len; i++) {
        const ConfField *r = rows->pdata[i];
        const EnumTable *t = words_of(r);
        for (unsigned j = 0; t && j < t->n; j++)
            value(p, seen, t->names[j]);
        if (t && r->type == &conf_enum_by)
            value(p, seen, ((const ConfEnumBy *)r->arg)->also);
        if (!t && r->type == &conf_yesflag) {
            value(p, seen, "yes");
            value(p, seen, "no");
        } else if (!t) {
            value(p, seen, r->arg);
        }
    }
    xml_close(&p->w);
}

static void print_attribute(Printer *p, const Attr *a)
{
    if (!a->required)
        xml_open(&p->w, "optional");
    xml_open(&p->w, "attribute");
    xml_attr(&p->w, "name", a->name);
    values(p, a->rows);
    xml_close(&p->w);
    if (!a->required)
        xml_close(&p->w);
}

static void print_content(Printer *p, const Node *n);

/* Names of a list whose elements may be called anything but what other rows of its parent read. */
static void print_other_names(Printer *p, const GPtrArray *siblings)
{
    xml_open(&p->w, "anyName");
    if (siblings->len > 1)
        xml_open(&p->w, "except");
    for (unsigned i = 0; i < siblings->len; i++) {
        const char *name = ((const Node *)siblings->pdata[i])->name;
        if (strcmp(name, "*"))
            xml_element(&p->w, "name", name);
    }
    if (siblings->len > 1)
        xml_close(&p->w);
    xml_close(&p->w);
}

static void print_element(Printer *p, const Node *n, const GPtrArray *siblings)
{
    const char *colon = strchr(n->name, ':');

    xml_open(&p->w, n->repeated ? "zeroOrMore" : "optional");
    xml_open(&p->w, "element");
    if (!strcmp(n->name, "*"))
        print_other_names(p, siblings);
    else
        xml_attr(&p->w, "name", colon ? colon + 1 : n->name);
    if (colon) {
        g_autofree char *prefix = g_strndup(n->name, (gsize)(colon - n->name));
        g_autofree char *ns = g_strdup_printf("http://libvirt.org/schemas/%s/%s/1.0", p->kind->name, prefix);
        xml_attr(&p->w, "ns", ns);
    }
    if (pure_ref(n))
        ref(p, define_name(p, n->refs->pdata[0]));
    else
        print_content(p, n);
    xml_close(&p->w);
    xml_close(&p->w);
}

static void print_content(Printer *p, const Node *n)
{
    if (n->any) {
        ref(p, "anything");
        return;
    }
    unsigned parts = n->attrs->len + n->children->len + n->text + n->foreign;
    if (parts == 0) {
        xml_empty(&p->w, "empty");
        return;
    }
    xml_open(&p->w, "interleave");
    for (unsigned i = 0; i < n->attrs->len; i++)
        print_attribute(p, n->attrs->pdata[i]);
    for (unsigned i = 0; i < n->children->len; i++)
        print_element(p, n->children->pdata[i], n->children);
    if (n->text)
        xml_empty(&p->w, "text");
    if (n->foreign)
        ref(p, "foreign");
    xml_close(&p->w);
}

static void print_define(Printer *p, const char *name, const Node *n)
{
    xml_open(&p->w, "define");
    xml_attr(&p->w, "name", name);
    print_content(p, n);
    xml_close(&p->w);
}

static void print_helpers(Printer *p)
{
    static const char text[] = "<define name='anything'>\n"
                               "  <zeroOrMore>\n"
                               "    <choice>\n"
                               "      <attribute>\n        <anyName/>\n      </attribute>\n"
                               "      <element>\n        <anyName/>\n        <ref name='anything'/>\n      </element>\n"
                               "      <text/>\n"
                               "    </choice>\n"
                               "  </zeroOrMore>\n"
                               "</define>";
    xml_raw(&p->w, text);
}

/* Elements of namespaces that the schema does not describe. */
static void print_foreign(Printer *p, const Node *root)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    xml_open(&p->w, "define");
    xml_attr(&p->w, "name", "foreign");
    xml_open(&p->w, "zeroOrMore");
    xml_open(&p->w, "element");
    xml_open(&p->w, "anyName");
    xml_open(&p->w, "except");
    xml_open(&p->w, "nsName");
    xml_attr(&p->w, "ns", "");
    xml_close(&p->w);
    for (unsigned i = 0; i < root->children->len; i++) {
        const char *name = ((const Node *)root->children->pdata[i])->name, *colon = strchr(name, ':');
        if (!colon)
            continue;
        g_autofree char *prefix = g_strndup(name, (gsize)(colon - name));
        const char *kept = g_intern_string(prefix);
        if (!g_hash_table_add(seen, (void *)kept))
            continue;
        xml_open(&p->w, "nsName");
        xml_attrf(&p->w, "ns", "http://libvirt.org/schemas/%s/%s/1.0", p->kind->name, kept);
        xml_close(&p->w);
    }
    xml_close(&p->w);
    xml_close(&p->w);
    ref(p, "anything");
    xml_close(&p->w);
    xml_close(&p->w);
    xml_close(&p->w);
}

char *schema_rng(const DocKind *k)
{
    g_autoptr(GString) out = g_string_new("<?xml version='1.0' encoding='UTF-8'?>\n");
    Printer p = { .kind = k, .names = g_hash_table_new_full(NULL, NULL, NULL, g_free), .todo = g_ptr_array_new() };
    Node *root = tree_of(k->root, k->desc);

    xml_writer_init(&p.w, out, 0);
    xml_open(&p.w, "grammar");
    xml_attr(&p.w, "xmlns", "http://relaxng.org/ns/structure/1.0");
    xml_open(&p.w, "start");
    xml_open(&p.w, "element");
    xml_attr(&p.w, "name", k->root);
    print_content(&p, root);
    xml_close(&p.w);
    xml_close(&p.w);
    for (unsigned i = 0; i < p.todo->len; i++) {
        const ConfDesc *d = p.todo->pdata[i];
        Node *n = tree_of("", d);
        print_define(&p, define_name(&p, d), n);
        node_free(n);
    }
    if (root->foreign)
        print_foreign(&p, root);
    print_helpers(&p);
    xml_close(&p.w);
    node_free(root);
    g_hash_table_unref(p.names);
    g_ptr_array_unref(p.todo);
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* ---- the reference page ---- */

static const struct { const ConfType *type; const char *what; } type_words[] = {
    { &conf_str, "text" },          { &conf_u32, "number" },      { &conf_u64, "number" },
    { &conf_i64, "number, may be negative" },                     { &conf_opt_u32, "number" },
    { &conf_opt_i32, "number, may be negative" },                 { &conf_opt_u64, "number" },
    { &conf_uuid, "UUID" },         { &conf_mac, "MAC address" }, { &conf_bitmap, "list of numbers and ranges, `0-3,^2`" },
    { &conf_size, "size with unit" },                             { &conf_opt_size, "size with unit" },
    { &conf_pretty, "size with unit" },                           { &conf_opt_pretty, "size with unit" },
    { &conf_yesflag, "`yes` or `no`" },                           { &conf_opt_or_any, "number, or -1: any" },
};

static void describe_values(GString *out, const ConfField *r)
{
    const EnumTable *t = words_of(r);

    if (!r)
        return;
    for (unsigned i = 0, n = 0; t && i < t->n; i++)
        if (t->names[i] && *t->names[i])
            g_string_append_printf(out, "%s`%s`", n++ ? ", " : "", t->names[i]);
    for (unsigned i = 0; !t && i < G_N_ELEMENTS(type_words); i++)
        if (type_words[i].type == r->type)
            g_string_append(out, type_words[i].what);
    if (r->type == &conf_const)
        g_string_append_printf(out, "`%s`", (const char *)r->arg);
}

static void describe_marks(GString *out, const ConfField *r, bool required)
{
    static const struct { unsigned flag; const char *word; } marks[] = {
        { CF_ABI, "guest sees it" }, { CF_LIVE, "live only" }, { CF_SECRET, "secure only" }, { CF_NO_MIGRATE, "not migratable" },
    };
    unsigned n = 0;

    if (required)
        g_string_append(out, n++ ? ", required" : "required");
    for (unsigned i = 0; r && i < G_N_ELEMENTS(marks); i++)
        if (r->flags & marks[i].flag)
            g_string_append_printf(out, "%s%s", n++ ? ", " : "", marks[i].word);
}

static void describe_row(GString *out, const char *place, const GPtrArray *rows, const ConfField *fallback, bool required)
{
    const ConfField *r = rows && rows->len ? rows->pdata[0] : fallback;

    g_string_append_printf(out, "| `%s` | ", place);
    if (rows)
        describe_values(out, r);
    g_string_append(out, " | ");
    describe_marks(out, r, required);
    g_string_append_printf(out, " | %s |\n", r && r->doc ? r->doc : "");
}

static void describe(GString *out, const char *path, const Node *n, Printer *p)
{
    for (unsigned i = 0; i < n->attrs->len; i++) {
        const Attr *a = n->attrs->pdata[i];
        g_autofree char *place = g_strdup_printf("%s%s@%s", path, *path ? "/" : "", a->name);
        describe_row(out, place, a->rows, NULL, a->required);
    }
    if (n->text) {
        g_autofree char *place = g_strdup_printf("%s%stext()", path, *path ? "/" : "");
        describe_row(out, place, n->text_rows, NULL, false);
    }
    for (unsigned i = 0; i < n->children->len; i++) {
        const Node *c = n->children->pdata[i];
        g_autofree char *place = g_strdup_printf("%s%s%s", path, *path ? "/" : "", c->name);
        if (!c->text && !c->attrs->len) /* else its rows speak for it */
            describe_row(out, place, NULL, c->row, false);
        if (pure_ref(c)) {
            g_autofree char *anchor = g_ascii_strdown(define_name(p, c->refs->pdata[0]), -1);
            g_string_truncate(out, out->len - 3);
            g_string_append_printf(out, "%s[%s](#%s) |\n", c->repeated ? " list of " : " ", define_name(p, c->refs->pdata[0]), g_strdelimit(anchor, ".", '-'));
        } else {
            describe(out, place, c, p);
        }
    }
    if (n->any)
        g_string_append_printf(out, "| `%s%s*` | | | kept as it comes |\n", path, *path ? "/" : "");
}

static void section(GString *out, const char *title, const ConfDesc *d, Printer *p)
{
    g_autofree char *anchor = g_ascii_strdown(title, -1);
    Node *n = tree_of("", d);

    g_string_append_printf(out, "\n<a id=\"%s\"></a>\n## %s\n\n| place | values | notes | what it is |\n|---|---|---|---|\n",
                           g_strdelimit(anchor, ".", '-'), title);
    describe(out, "", n, p);
    node_free(n);
}

char *schema_reference(const DocKind *k)
{
    g_autoptr(GString) out = g_string_new(NULL);
    Printer p = { .kind = k, .names = g_hash_table_new_full(NULL, NULL, NULL, g_free), .todo = g_ptr_array_new() };

    g_string_append_printf(out, "# <%s>: %s\n\nPrinted from the rows that parse and format this document. Places are relative to "
                           "the element of their section.\n", k->root, k->name);
    section(out, k->root, k->desc, &p);
    for (unsigned i = 0; i < p.todo->len; i++)
        section(out, define_name(&p, p.todo->pdata[i]), p.todo->pdata[i], &p);
    g_hash_table_unref(p.names);
    g_ptr_array_unref(p.todo);
    return g_string_free(g_steal_pointer(&out), FALSE);
}
