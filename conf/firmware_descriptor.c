/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The language of firmware descriptors (firmware_descriptor.h) as tables of members; one walk compares a
 * document with them. Pure.
 */
#include "conf/firmware_descriptor.h"

#include <stdarg.h>
#include <string.h>

#include "util/enum.h"
#include "util/error.h"
#include "util/json.h"

enum { PROBLEMS_MAX = 50, DEPTH_MAX = 8 };

typedef struct Member Member;

typedef struct Shape {
    enum { TEXT, WORD, LIST, OBJECT } kind;
    const EnumTable *words;   /* WORD */
    const struct Shape *item; /* LIST */
    const Member *members;    /* OBJECT; ends with a row without name */
    const char *decides;      /* OBJECT: the member whose value says which rows count */
} Shape;

struct Member {
    const char *name;
    Shape shape;
    bool required;
    const char *when; /* only beside this value of the member that decides */
};

#define WORDS(var, what, ...)                                                                                          \
    static const char *const var##_list[] = { __VA_ARGS__ };                                                          \
    static const EnumTable var = { what, var##_list, G_N_ELEMENTS(var##_list) }

WORDS(interfaces, "interface type", "bios", "openfirmware", "uboot", "uefi");
WORDS(devices, "device", "flash", "kernel", "memory", "igvm");
WORDS(modes, "mode", "split", "combined", "stateless");
WORDS(formats, "format", "qcow2", "raw");
WORDS(architectures, "architecture", "aarch64", "arm", "i386", "loongarch64", "riscv64", "x86_64");
WORDS(features, "feature", "acpi-s3", "acpi-s4", "amd-sev", "amd-sev-es", "amd-sev-snp", "enrolled-keys", "host-uefi-vars",
      "intel-tdx", "requires-smm", "secure-boot", "verbose-dynamic", "verbose-static");

static const Shape text = { TEXT }, interface = { WORD, &interfaces }, feature = { WORD, &features };

static const Member flash_file[] = {
    { "filename", { TEXT }, true },
    { "format", { WORD, &formats }, true },
    { 0 },
};
static const Member mapping[] = {
    { "device", { WORD, &devices }, true },
    { "mode", { WORD, &modes }, false, "flash" },
    { "executable", { OBJECT, .members = flash_file }, true, "flash" },
    { "nvram-template", { OBJECT, .members = flash_file }, false, "flash" },
    { "filename", { TEXT }, true, "kernel" },
    { "filename", { TEXT }, true, "memory" },
    { "filename", { TEXT }, true, "igvm" },
    { 0 },
};
static const Member target[] = {
    { "architecture", { WORD, &architectures }, true },
    { "machines", { LIST, .item = &text }, true },
    { 0 },
};
static const Shape target_shape = { OBJECT, .members = target };
static const Member descriptor[] = {
    { "description", { TEXT }, true },
    { "interface-types", { LIST, .item = &interface }, true },
    { "mapping", { OBJECT, .members = mapping, .decides = "device" }, true },
    { "targets", { LIST, .item = &target_shape }, true },
    { "features", { LIST, .item = &feature }, true },
    { "tags", { LIST, .item = &text }, true },
    { 0 },
};
static const Shape whole = { OBJECT, .members = descriptor };

/* Each problem is a line. */
typedef struct Walk {
    GString *problems;
    unsigned n;
} Walk;

G_GNUC_PRINTF(3, 4)
static void problem(Walk *w, const char *path, const char *fmt, ...)
{
    va_list ap;

    if (w->n++ >= PROBLEMS_MAX)
        return;
    g_string_append_printf(w->problems, "%s%s: ", w->problems->len ? "\n" : "", *path ? path : "document");
    va_start(ap, fmt);
    g_string_append_vprintf(w->problems, fmt, ap);
    va_end(ap);
}

/* found is the document's: cut short. */
static void unknown(Walk *w, const char *path, const EnumTable *t, const char *found)
{
    g_autoptr(GString) list = g_string_new(NULL);
    const char *near = strnlen(found, 64) < 64 ? enum_nearest(t, found) : NULL;

    for (unsigned i = 0; i < t->n; i++)
        g_string_append_printf(list, "%s%s", i ? ", " : "", t->names[i]);
    problem(w, path, "unknown %s '%.64s'; expected one of %s%s%s%s", t->what, found, list->str, near ? "; did you mean '" : "",
            near ? near : "", near ? "'?" : "");
}

static void walk(Walk *w, const char *path, JsonObject *o, const Shape *s, unsigned depth);

static bool counts(const Member *m, const char *decided)
{
    return !m->when || g_strcmp0(m->when, decided) == 0;
}

static void walk_members(Walk *w, const char *path, JsonObject *o, const Shape *s, unsigned depth)
{
    const char *decided = s->decides ? json_get_str(o, s->decides) : NULL, *sep = *path ? "/" : "";
    const char *names[16];
    EnumTable known = { "member", names, 0 };

    for (const Member *m = s->members; m->name; m++) {
        if (!counts(m, decided))
            continue;
        if (known.n < G_N_ELEMENTS(names))
            names[known.n++] = m->name;
        JsonObject *value = NULL;
        g_autofree char *at = g_strconcat(path, sep, m->name, NULL);
        if (json_object_object_get_ex(o, m->name, &value))
            walk(w, at, value, &m->shape, depth + 1);
        else if (m->required)
            problem(w, path, "member '%s' is missing", m->name);
    }
    json_object_object_foreach(o, name, value)
    {
        (void)value;
        if (enum_value(&known, name) < 0)
            unknown(w, path, &known, name);
    }
}

static void walk(Walk *w, const char *path, JsonObject *o, const Shape *s, unsigned depth)
{
    static const json_type types[] = { json_type_string, json_type_string, json_type_array, json_type_object };
    static const char *const called[] = { "a string", "a string", "a list", "an object" };

    if (depth > DEPTH_MAX)
        return;
    if (!json_object_is_type(o, types[s->kind])) {
        problem(w, path, "found %s, expected %s", json_type_to_name(json_object_get_type(o)), called[s->kind]);
    } else if (s->kind == WORD) {
        if (enum_value(s->words, json_object_get_string(o)) < 0)
            unknown(w, path, s->words, json_object_get_string(o));
    } else if (s->kind == LIST) {
        for (size_t i = 0; i < json_object_array_length(o); i++) {
            g_autofree char *at = g_strdup_printf("%s[%zu]", path, i);
            walk(w, at, json_object_array_get_idx(o, i), s->item, depth + 1);
        }
    } else if (s->kind == OBJECT) {
        walk_members(w, path, o, s, depth);
    }
}

bool firmware_descriptor_check(const char *document, gsize len, GError **err)
{
    const JsonLimits limits = { FIRMWARE_DESCRIPTOR_MAX, 16, 4096 };
    g_autoptr(JsonObject) o = json_parse("firmware descriptor", document, len, &limits, err);
    Walk w = { 0 };

    if (!o)
        return false;
    w.problems = g_string_new(NULL);
    walk(&w, "", o, &whole, 0);
    if (w.n > PROBLEMS_MAX)
        g_string_append_printf(w.problems, "\nand %u more", w.n - PROBLEMS_MAX);
    if (w.n)
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s", w.problems->str);
    g_string_free(w.problems, TRUE);
    return w.n == 0;
}
