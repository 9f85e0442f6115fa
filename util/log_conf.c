/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Grammar of log_filters and log_outputs, as administrators have them in their files: words
 * separated by blanks, each "LEVEL:REST". A setting that is wrong in one word changes nothing.
 * Pure functions but for log_outputs_parse(), which opens files. Any thread.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/stat.h>

#include "util/enum.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log-internal.h"

enum { WORDS_MAX = 256 };

ENUM_TABLE(log_output_kinds, "log output", _LOG_TO_N, "stderr", "file", "syslog", "journald");

static char **split_words(const char *text, GError **err)
{
    g_auto(GStrv) parts = g_strsplit_set(text, " \t\n", -1);
    g_autoptr(GPtrArray) words = g_ptr_array_new_with_free_func(g_free);

    for (char **p = parts; *p; p++) {
        if (**p)
            g_ptr_array_add(words, g_strdup(*p));
    }
    if (words->len > WORDS_MAX) {
        error_set(err, VIR_ERR_INVALID_ARG, "log setting has %u items, at most %d are possible",
                  words->len, WORDS_MAX);
        return NULL;
    }
    g_ptr_array_add(words, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&words), FALSE);
}

/* "3:rest": returns rest, NULL with the error set. */
static const char *parse_level(const char *word, const char *what, int *ret_level, GError **err)
{
    if (word[0] < '1' || word[0] > '4' || word[1] != ':' || !word[2]) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "log %s '%s' is not LEVEL:%s with a level of 1 (debug) to 4 (error)", what, word,
                  strcmp(what, "filter") == 0
                      ? "NAME"
                      : "stderr, LEVEL:file:PATH, LEVEL:syslog:NAME or LEVEL:journald");
        return NULL;
    }
    *ret_level = word[0] - '0';
    return word + 2;
}

LogFilters *log_filters_parse(const char *text, GError **err)
{
    g_auto(GStrv) words = split_words(text ? text : "", err);
    LogFilters *f;
    unsigned n = words ? g_strv_length(words) : 0;

    if (!words)
        return NULL;
    f = g_malloc0(sizeof(*f) + n * sizeof(f->items[0]));
    f->refs = 1;
    for (unsigned i = 0; i < n; i++) {
        const char *rest = parse_level(words[i], "filter", &f->items[i].level, err);

        if (rest && rest[0] == '+')
            rest++; /* once asked for stack traces; accepted, without effect */
        if (!rest || !rest[0]) {
            if (rest)
                error_set(err, VIR_ERR_INVALID_ARG, "log filter '%s' names no source", words[i]);
            log_filters_unref(f);
            return NULL;
        }
        f->items[i].match = g_strdup(rest);
        f->n++;
    }
    return f;
}

char *log_filters_format(const LogFilters *f)
{
    GString *s = g_string_new(NULL);

    for (unsigned i = 0; f && i < f->n; i++)
        g_string_append_printf(s, "%s%d:%s", i ? " " : "", f->items[i].level, f->items[i].match);
    return g_string_free(s, FALSE);
}

LogFilters *log_filters_unref(LogFilters *f)
{
    if (f && atomic_fetch_sub(&f->refs, 1) == 1) {
        for (unsigned i = 0; i < f->n; i++)
            g_free(f->items[i].match);
        g_free(f);
    }
    return NULL;
}

int log_filters_level(const LogFilters *f, const char *source, int otherwise)
{
    for (unsigned i = 0; f && i < f->n; i++) {
        const char *match = f->items[i].match;
        bool hit =
            strpbrk(match, "*?[") ? fnmatch(match, source, 0) == 0 : strstr(source, match) != NULL;

        if (hit)
            return f->items[i].level;
    }
    return otherwise;
}

static bool parse_output(const char *word, LogOutput *o, GError **err)
{
    const char *rest = parse_level(word, "output", &o->level, err);
    g_autofree char *kind_name = NULL;
    const char *data;
    int kind;

    if (!rest)
        return false;
    data = strchr(rest, ':');
    kind_name = data ? g_strndup(rest, (gsize)(data - rest)) : g_strdup(rest);
    data = data ? data + 1 : NULL;
    kind = enum_value(&log_output_kinds, kind_name);
    if (kind < 0) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "log output '%s': '%s' is not stderr, file, syslog or journald", word, kind_name);
        return false;
    }
    o->kind = (LogOutputKind)kind;

    if ((o->kind == LOG_TO_FILE || o->kind == LOG_TO_SYSLOG) != (data && data[0])) {
        error_set(err, VIR_ERR_INVALID_ARG, "log output '%s': %s", word,
                  data                     ? "nothing may follow"
                  : o->kind == LOG_TO_FILE ? "the path is missing"
                                           : "the name is missing");
        return false;
    }
    o->data = g_strdup(data);
    if (o->kind != LOG_TO_FILE)
        return true;

    if (data[0] != '/') {
        error_set(err, VIR_ERR_INVALID_ARG, "log output '%s': the path is not absolute", word);
        return false;
    }
    o->fd = open(data, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
    if (o->fd < 0) {
        error_set_errno(err, errno, "cannot open log file '%s'", data);
        return false;
    }
    return true;
}

LogOutputs *log_outputs_parse(const char *text, GError **err)
{
    g_auto(GStrv) words = split_words(text ? text : "", err);
    LogOutputs *o;
    unsigned n = words ? g_strv_length(words) : 0;

    if (!words)
        return NULL;
    o = g_malloc0(sizeof(*o) + n * sizeof(o->items[0]));
    o->refs = 1;
    for (unsigned i = 0; i < n; i++) {
        o->items[i].fd = -1;
        o->n++;
        if (!parse_output(words[i], &o->items[i], err)) {
            log_outputs_unref(o);
            return NULL;
        }
    }
    return o;
}

LogOutputs *log_outputs_new_stderr(int level)
{
    LogOutputs *o = g_malloc0(sizeof(*o) + sizeof(o->items[0]));

    o->refs = 1;
    o->n = 1;
    o->items[0] = (LogOutput){ .level = level, .kind = LOG_TO_STDERR, .fd = -1 };
    return o;
}

char *log_outputs_format(const LogOutputs *o)
{
    GString *s = g_string_new(NULL);

    for (unsigned i = 0; o && i < o->n; i++) {
        const LogOutput *item = &o->items[i];

        g_string_append_printf(s, "%s%d:%s", i ? " " : "", item->level,
                               enum_name(&log_output_kinds, item->kind));
        if (item->data)
            g_string_append_printf(s, ":%s", item->data);
    }
    return g_string_free(s, FALSE);
}

LogOutputs *log_outputs_unref(LogOutputs *o)
{
    if (o && atomic_fetch_sub(&o->refs, 1) == 1) {
        for (unsigned i = 0; i < o->n; i++) {
            g_free(o->items[i].data);
            fd_close(&o->items[i].fd);
        }
        g_free(o);
    }
    return NULL;
}
