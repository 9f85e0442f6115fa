/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Words of commands (argv.h). Belongs to one thread. */
#include "drivers/storage/argv.h"

#include <stdarg.h>
#include <string.h>

#include "util/api.h"
#include "util/error.h"

/* A password may be among them. */
static void word_free(void *word)
{
    explicit_bzero(word, strlen(word));
    g_free(word);
}

Argv *argv_new(const char *program)
{
    Argv *a = g_new0(Argv, 1);

    a->words = g_ptr_array_new_with_free_func(word_free);
    g_ptr_array_add(a->words, g_strdup(program));
    return a;
}

void argv_free(Argv *a)
{
    if (!a)
        return;
    g_ptr_array_unref(a->words);
    g_free(a->bad);
    g_free(a);
}

void argv_words(Argv *a, ...)
{
    va_list ap;
    const char *word;

    va_start(ap, a);
    while ((word = va_arg(ap, const char *)))
        g_ptr_array_add(a->words, g_strdup(word));
    va_end(ap);
}

void argv_wordf(Argv *a, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_ptr_array_add(a->words, g_strdup_vprintf(fmt, ap));
    va_end(ap);
}

void argv_operand(Argv *a, const char *text)
{
    if ((!text || !*text || *text == '-') && !a->bad)
        a->bad = g_strdup(text ? text : "");
    g_ptr_array_add(a->words, g_strdup(text ? text : ""));
}

bool argv_check(const Argv *a, GError **err)
{
    if (!a->bad)
        return true;
    error_set(err, VIR_ERR_INVALID_ARG, "'%.200s' cannot be given to %s: it is empty or looks like an option", a->bad,
              (const char *)a->words->pdata[0]);
    return false;
}

char *argv_text(const Argv *a)
{
    GString *s = g_string_new(NULL);

    for (guint i = 0; i < a->words->len; i++) {
        const char *w = a->words->pdata[i];
        bool plain = *w && !w[strcspn(w, " \t\n'\"\\$`*?[]{}()<>|&;~#!")];
        g_autofree char *quoted = plain ? g_strdup(w) : g_shell_quote(w);
        g_string_append_printf(s, "%s%s", i ? " " : "", quoted);
    }
    return g_string_free(s, FALSE);
}

void argv_list_flag(ArgvList *l, const char *name)
{
    if (!l->s)
        l->s = g_string_new(NULL);
    g_string_append_printf(l->s, "%s%s", l->s->len ? "," : "", name);
}

void argv_list_add(ArgvList *l, const char *name, const char *value)
{
    argv_list_flag(l, name);
    g_string_append_c(l->s, '=');
    for (const char *c = value; *c; c++) {
        if (*c == ',')
            g_string_append_c(l->s, ',');
        g_string_append_c(l->s, *c);
    }
}

void argv_list_addf(ArgvList *l, const char *name, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *value = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    argv_list_add(l, name, value);
}

void argv_list_end(ArgvList *l, Argv *a, const char *option)
{
    if (!l->s)
        return;
    if (option)
        argv_words(a, option, NULL);
    argv_words(a, l->s->str, NULL);
    g_string_free(l->s, TRUE);
    l->s = NULL;
}
