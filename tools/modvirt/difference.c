/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents compared by what they say, not by where it stands (difference.h). An element is known among
 * its siblings by what users call it (a disk by its target, an interface by its address), else by its
 * number, so that one more disk is one more disk and not a change of all after it. One thread.
 */
#include "tools/modvirt/difference.h"

#include <string.h>

#include "util/error.h"
#include "util/xml.h"

/* What tells siblings apart: an attribute of the element or of a child. */
static const struct {
    const char *element, *child, *attr;
} names[] = {
    { "disk", "target", "dev" },     { "interface", "mac", "address" },
    { "controller", NULL, "type" },  { "filesystem", "target", "dir" },
    { "channel", "target", "name" }, { "feature", NULL, "name" },
    { "vcpupin", NULL, "vcpu" },     { "iothread", NULL, "id" },
    { "cell", NULL, "id" },          { "graphics", NULL, "type" },
    { "seclabel", NULL, "model" },   { "timer", NULL, "name" },
};

static char *call(const xmlNode *n)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
        if (!xml_is(n, names[i].element))
            continue;
        const xmlNode *at = names[i].child ? xml_child(n, names[i].child) : n;
        const char *value = at ? xml_attr_get(at, names[i].attr) : NULL,
                   *index = xml_attr_get(n, "index");
        if (value)
            return index ? g_strdup_printf("%s[%s %s]", n->name, value, index)
                         : g_strdup_printf("%s[%s]", n->name, value);
    }
    return g_strdup((const char *)n->name);
}

/* The name that no sibling before it has. */
static char *key_of(const xmlNode *n, GHashTable *used)
{
    char *key = call(n);

    for (unsigned i = 2; !g_hash_table_add(used, g_strdup(key)); i++) {
        g_free(key);
        g_autofree char *plain = call(n);
        key = g_strdup_printf("%s(%u)", plain, i);
    }
    return key;
}

static GHashTable *children_of(const xmlNode *n, GPtrArray *order)
{
    GHashTable *all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GHashTable) used = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (xmlNode *c = n ? xml_child(n, NULL) : NULL; c; c = xml_next(c, NULL)) {
        char *key = key_of(c, used);
        g_ptr_array_add(order, g_strdup(key));
        g_hash_table_insert(all, key, c);
    }
    return all;
}

static void say(GPtrArray *out, const char *path, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
static void say(GPtrArray *out, const char *path, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_ptr_array_add(out, g_strdup_printf("%s: %s", path, what));
}

/* What documents have for those who may see secrets only. */
static bool is_secret(const char *path)
{
    const char *last = strrchr(path, '/');

    return last && (strcmp(last, "/@passwd") == 0 || g_str_has_prefix(last, "/cookie"));
}

static void compare_value(const char *path, const char *a, const char *b, GPtrArray *out)
{
    if (g_strcmp0(a, b) == 0)
        return;
    if (is_secret(path))
        say(out, path, "%s", a && b ? "becomes another" : b ? "is added" : "goes");
    else if (a && b)
        say(out, path, "'%s' becomes '%s'", a, b);
    else if (b)
        say(out, path, "'%s' is added", b);
    else
        say(out, path, "'%s' goes", a);
}

static void compare_attrs(const char *path, const xmlNode *a, const xmlNode *b, GPtrArray *out)
{
    for (const xmlAttr *p = a->properties; p; p = p->next) {
        g_autofree char *at = g_strdup_printf("%s/@%s", path, p->name);
        compare_value(at, xml_attr_get(a, (const char *)p->name),
                      xml_attr_get(b, (const char *)p->name), out);
    }
    for (const xmlAttr *p = b->properties; p; p = p->next) {
        g_autofree char *at = g_strdup_printf("%s/@%s", path, p->name);
        if (!xml_attr_get(a, (const char *)p->name))
            compare_value(at, NULL, xml_attr_get(b, (const char *)p->name), out);
    }
}

static char *own_text(const xmlNode *n)
{
    return xml_child(n, NULL) ? g_strdup("") : g_strstrip(xml_text_dup(n));
}

static void compare(const char *path, const xmlNode *a, const xmlNode *b, GPtrArray *out)
{
    g_autoptr(GPtrArray) before = g_ptr_array_new_with_free_func(g_free),
                         after = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GHashTable) was = children_of(a, before), is = children_of(b, after);
    g_autofree char *x = own_text(a), *y = own_text(b);
    const char *sep = *path ? "/" : "";

    compare_attrs(path, a, b, out);
    compare_value(path, x, y, out);
    for (unsigned i = 0; i < before->len; i++) {
        g_autofree char *at = g_strconcat(path, sep, before->pdata[i], NULL);
        const xmlNode *other = g_hash_table_lookup(is, before->pdata[i]);
        if (other)
            compare(at, g_hash_table_lookup(was, before->pdata[i]), other, out);
        else
            say(out, at, "goes");
    }
    for (unsigned i = 0; i < after->len; i++) {
        g_autofree char *at = g_strconcat(path, sep, after->pdata[i], NULL);
        if (!g_hash_table_contains(was, after->pdata[i]))
            say(out, at, "is added");
    }
}

GPtrArray *difference(const char *before, const char *after, GError **err)
{
    g_autoptr(XmlDoc) a = xml_parse(before, strlen(before), err),
                      b = a ? xml_parse(after, strlen(after), err) : NULL;

    if (!b)
        return NULL;
    GPtrArray *out = g_ptr_array_new_with_free_func(g_free);
    compare("", xml_root(a), xml_root(b), out);
    return out;
}
