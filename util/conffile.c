/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reader of "key = value" files, driven by rows. A value is first parsed by its own syntax (number,
 * string, list), then stored as the row's type asks; the first of several settings of one key holds,
 * as administrators know it. Every error names file and line. A load that fails may have stored
 * some values: the caller throws the struct away. No state, any thread.
 */
#define LOG_SOURCE "util.conffile"
#include "util/conffile.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "util/enum.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"

enum { FILE_MAX = 1024 * 1024, LIST_MAX = 16384 };

typedef struct Parser {
    const char *name, *p, *end;
    unsigned line;
    const ConfFileKey *keys;
    size_t n_keys;
    void *out;
    bool *seen; /* per row */
} Parser;

typedef struct Value {
    enum { VALUE_NUMBER, VALUE_STRING, VALUE_LIST } kind;
    bool negative;
    uint64_t number;
    char *string;
    char **list;
} Value;

static void value_done(Value *v)
{
    g_free(v->string);
    g_strfreev(v->list);
}

static bool G_GNUC_PRINTF(3, 4) fail(const Parser *c, GError **err, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *what = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, VIR_ERR_CONF_SYNTAX, "%s:%u: %s", c->name, c->line, what);
    return false;
}

static int peek(const Parser *c)
{
    return c->p < c->end ? (unsigned char)*c->p : -1;
}

static void skip_blanks(Parser *c)
{
    while (peek(c) == ' ' || peek(c) == '\t' || peek(c) == '\r')
        c->p++;
}

/* Blanks, line ends and comments. */
static void skip_all(Parser *c)
{
    for (;;) {
        skip_blanks(c);
        if (peek(c) == '#') {
            while (peek(c) >= 0 && peek(c) != '\n')
                c->p++;
        } else if (peek(c) == '\n') {
            c->line++;
            c->p++;
        } else {
            return;
        }
    }
}

static bool parse_number(Parser *c, Value *v, GError **err)
{
    v->kind = VALUE_NUMBER;
    v->negative = peek(c) == '-';
    if (v->negative)
        c->p++;
    if (!g_ascii_isdigit(peek(c)))
        return fail(c, err, "a number is expected after '-'");
    while (g_ascii_isdigit(peek(c))) {
        if (__builtin_mul_overflow(v->number, 10, &v->number) ||
            __builtin_add_overflow(v->number, (uint64_t)(*c->p - '0'), &v->number))
            return fail(c, err, "the number is too large");
        c->p++;
    }
    return true;
}

/* 'text', "text" on one line; three double quotes enclose several lines. No escapes. */
static bool parse_string(Parser *c, char **ret, GError **err)
{
    char quote = *c->p;
    bool triple = quote == '"' && c->end - c->p >= 3 && c->p[1] == '"' && c->p[2] == '"';
    unsigned first_line = c->line;
    const char *start;

    c->p += triple ? 3 : 1;
    start = c->p;
    for (; c->p < c->end; c->p++) {
        if (*c->p == '\0')
            return fail(c, err, "the file contains a zero byte");
        if (triple ? c->end - c->p >= 3 && memcmp(c->p, "\"\"\"", 3) == 0 : *c->p == quote) {
            *ret = g_strndup(start, (gsize)(c->p - start));
            c->p += triple ? 3 : 1;
            return true;
        }
        if (*c->p == '\n') {
            if (!triple)
                break;
            c->line++;
        }
    }
    if (triple)
        c->line = first_line;
    return fail(c, err, "the string does not end");
}

static bool parse_list(Parser *c, Value *v, GError **err)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(g_free);

    v->kind = VALUE_LIST;
    c->p++;
    for (;;) {
        char *s = NULL;

        skip_all(c);
        if (peek(c) == ']')
            break;
        if (peek(c) != '"' && peek(c) != '\'')
            return fail(c, err,
                        peek(c) < 0 ? "the list does not end" : "the list may hold strings only");
        if (items->len >= LIST_MAX)
            return fail(c, err, "the list has more than %d items", LIST_MAX);
        if (!parse_string(c, &s, err))
            return false;
        g_ptr_array_add(items, s);
        skip_all(c);
        if (peek(c) == ',')
            c->p++;
        else if (peek(c) != ']')
            return fail(c, err,
                        peek(c) < 0 ? "the list does not end"
                                    : "',' or ']' is expected in the list");
    }
    c->p++;
    g_ptr_array_add(items, NULL);
    v->list = (char **)g_ptr_array_free(g_steal_pointer(&items), FALSE);
    return true;
}

static bool parse_value(Parser *c, Value *v, GError **err)
{
    int ch = peek(c);

    if (ch == '-' || g_ascii_isdigit(ch))
        return parse_number(c, v, err);
    if (ch == '[')
        return parse_list(c, v, err);
    if (ch != '"' && ch != '\'')
        return fail(c, err, "a number, a string in quotes or a list in brackets is expected");
    v->kind = VALUE_STRING;
    return parse_string(c, &v->string, err);
}

static bool store(Parser *c, const ConfFileKey *k, Value *v, GError **err)
{
    void *to = (char *)c->out + k->off;

    switch (k->type) {
    case CONFFILE_BOOL:
        if (v->kind != VALUE_NUMBER || v->negative || v->number > 1)
            return fail(c, err, "value of '%s' must be 0 or 1", k->name);
        *(bool *)to = v->number == 1;
        return true;
    case CONFFILE_INT:
        if (v->kind != VALUE_NUMBER)
            return fail(c, err, "value of '%s' must be a number", k->name);
        if (v->number > (uint64_t)INT64_MAX)
            return fail(c, err, "value of '%s' is out of range", k->name);
        *(int64_t *)to = v->negative ? -(int64_t)v->number : (int64_t)v->number;
        return true;
    case CONFFILE_UINT:
        if (v->kind != VALUE_NUMBER || (v->negative && v->number != 0))
            return fail(c, err, "value of '%s' must be a number that is not negative", k->name);
        *(uint64_t *)to = v->number;
        return true;
    case CONFFILE_STRING:
        if (v->kind != VALUE_STRING)
            return fail(c, err, "value of '%s' must be a string in quotes", k->name);
        g_free(*(char **)to);
        *(char **)to = g_steal_pointer(&v->string);
        return true;
    case CONFFILE_STRING_LIST:
        if (v->kind == VALUE_STRING) { /* one string is a list of one */
            v->list = g_new0(char *, 2);
            v->list[0] = g_steal_pointer(&v->string);
        } else if (v->kind != VALUE_LIST) {
            return fail(c, err, "value of '%s' must be a list of strings in brackets", k->name);
        }
        g_strfreev(*(char ***)to);
        *(char ***)to = g_steal_pointer(&v->list);
        return true;
    }
    g_assert_not_reached();
}

/* A key that is nearly one of ours is a slip, and passing over it could leave a door open. Any other is
 * of another version or another daemon: it must not keep a host's guests from being managed. */
static bool unknown_key(const Parser *c, const char *key, GError **err)
{
    enum { SLIP = 2 };

    for (size_t i = 0; i < c->n_keys; i++)
        if (edit_distance(key, c->keys[i].name, SLIP + 1) <= SLIP)
            return fail(c, err, "unknown key '%s', did you mean '%s'?", key, c->keys[i].name);
    log_warn("%s:%u: unknown key '%s' is ignored", c->name, c->line, key);
    return true;
}

static bool parse_setting(Parser *c, GError **err)
{
    const char *start = c->p;
    g_autofree char *key = NULL;
    Value v = { 0 };
    size_t row = 0;
    bool ok;

    while (g_ascii_isalnum(peek(c)) || peek(c) == '_' || peek(c) == '-' || peek(c) == '.')
        c->p++;
    if (c->p == start)
        return fail(c, err, "the name of a key is expected");
    key = g_strndup(start, (gsize)MIN(c->p - start, 100));
    skip_blanks(c);
    if (peek(c) != '=')
        return fail(c, err, "'=' is expected after '%s'", key);
    c->p++;
    skip_blanks(c);

    while (row < c->n_keys && strcmp(c->keys[row].name, key) != 0)
        row++;
    if (row == c->n_keys && !unknown_key(c, key, err))
        return false;

    ok = parse_value(c, &v, err);
    if (ok && row < c->n_keys && !c->seen[row])
        ok = store(c, &c->keys[row], &v, err);
    value_done(&v);
    if (!ok)
        return false;
    if (row < c->n_keys)
        c->seen[row] = true;

    skip_blanks(c);
    if (peek(c) >= 0 && peek(c) != '\n' && peek(c) != '#')
        return fail(c, err, "the line must end after the value of '%s'", key);
    return true;
}

bool conffile_parse(const char *name, const char *text, size_t len, const ConfFileKey *keys,
                    size_t n, void *out, GError **err)
{
    g_autofree bool *seen = g_new0(bool, MAX(n, 1));
    Parser c = { .name = name,
                 .p = text,
                 .end = text + len,
                 .line = 1,
                 .keys = keys,
                 .n_keys = n,
                 .out = out,
                 .seen = seen };

    for (;;) {
        skip_all(&c);
        if (peek(&c) < 0)
            return true;
        if (!parse_setting(&c, err))
            return false;
    }
}

bool conffile_load(const char *path, const ConfFileKey *keys, size_t n, void *out, GError **err)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) why = NULL;
    size_t len = 0;

    if (!fd_read_file(AT_FDCWD, path, FILE_MAX, &text, &len, &why)) {
        if (error_errno(why) == ENOENT)
            return true;
        g_propagate_error(err, g_steal_pointer(&why));
        return false;
    }
    return conffile_parse(path, text, len, keys, n, out, err);
}

void conffile_clear(const ConfFileKey *keys, size_t n, void *out)
{
    for (size_t i = 0; i < n; i++) {
        void *at = (char *)out + keys[i].off;

        if (keys[i].type == CONFFILE_STRING)
            g_clear_pointer((char **)at, g_free);
        else if (keys[i].type == CONFFILE_STRING_LIST)
            g_clear_pointer((char ***)at, g_strfreev);
    }
}
