/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Front of the log: decides who gets a record. The settings are two lists that never change, held
 * by reference and swapped as a whole under a lock that covers a pointer copy only; records are
 * formatted and written outside it. 'wanted' is the lowest level that any output could take, so a
 * record that only the ring wants costs one comparison and its formatting. Any thread.
 */
#include "util/log.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "util/error.h"
#include "util/lock.h"
#include "util/log-internal.h"

static Lock lock = LOCK_INIT;   /* guards the two pointers */
static LogFilters *filters;     /* NULL: none */
static LogOutputs *outputs;     /* NULL: stderr at the default level */
static atomic_int default_level = LOG_WARN_;
static atomic_int wanted = LOG_WARN_;

static _Thread_local LogContext context;
static _Thread_local pid_t thread_id;

void log_context_set(const LogContext *ctx)
{
    context = ctx ? *ctx : (LogContext){ 0 };
}

static LogFilters *filters_get(void)
{
    LOCK_SCOPE(&lock);
    if (filters)
        atomic_fetch_add(&filters->refs, 1);
    return filters;
}

static LogOutputs *outputs_get(void)
{
    LOCK_SCOPE(&lock);
    if (outputs)
        atomic_fetch_add(&outputs->refs, 1);
    return outputs;
}

static void wanted_update_locked(void)
{
    int lowest = default_level, out = outputs && outputs->n ? LOG_ERROR_ + 1 : default_level;

    for (unsigned i = 0; filters && i < filters->n; i++)
        lowest = MIN(lowest, filters->items[i].level);
    for (unsigned i = 0; outputs && i < outputs->n; i++)
        out = MIN(out, outputs->items[i].level);
    wanted = MAX(lowest, out);
}

static void stamp(char *buf, size_t size)
{
    struct timeval tv;
    struct tm tm;
    size_t n;

    gettimeofday(&tv, NULL);
    gmtime_r(&tv.tv_sec, &tm);
    n = strftime(buf, size, "%Y-%m-%d %H:%M:%S", &tm);
    g_snprintf(buf + n, size - n, ".%03d+0000", (int)(tv.tv_usec / 1000));
}

static void deliver(const LogRecord *r)
{
    LogFilters *f = filters_get();
    LogOutputs *o = outputs_get();

    if ((int)r->level >= log_filters_level(f, r->source, default_level)) {
        const LogOutput fallback = { .level = LOG_DEBUG_, .kind = LOG_TO_STDERR, .fd = -1 };

        if (!o || o->n == 0)
            log_output_write(&fallback, r);
        for (unsigned i = 0; o && i < o->n; i++) {
            if ((int)r->level >= o->items[i].level)
                log_output_write(&o->items[i], r);
        }
    }
    log_filters_unref(f);
    log_outputs_unref(o);
}

void log_write(LogLevel level, const char *source, const char *file, int line, const char *func,
               const char *fmt, ...)
{
    g_autofree char *large = NULL;
    char small[400];
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(small, sizeof(small), fmt, ap);
    va_end(ap);
    if (n >= (int)sizeof(small)) {
        va_start(ap, fmt);
        large = g_strdup_vprintf(fmt, ap);
        va_end(ap);
    }
    if (!thread_id)
        thread_id = gettid();

    LogRecord r = { .level = level, .source = source, .file = file, .func = func, .line = line,
                    .message = large ? large : small, .context = &context, .tid = thread_id };
    stamp(r.stamp, sizeof(r.stamp));
    log_ring_add(&r);
    if ((int)level >= wanted)
        deliver(&r);
}

bool log_set_level(int level, GError **err)
{
    if (level < LOG_DEBUG_ || level > LOG_ERROR_) {
        error_set(err, VIR_ERR_INVALID_ARG, "log level %d is not within 1 (debug) and 4 (error)",
                  level);
        return false;
    }
    LOCK_SCOPE(&lock);
    default_level = level;
    wanted_update_locked();
    return true;
}

bool log_set_filters(const char *text, GError **err)
{
    LogFilters *f = log_filters_parse(text, err), *old;

    if (!f)
        return false;
    lock_enter(&lock);
    old = filters;
    filters = f;
    wanted_update_locked();
    lock_leave(&lock);
    log_filters_unref(old);
    return true;
}

bool log_set_outputs(const char *text, GError **err)
{
    LogOutputs *o = log_outputs_parse(text, err), *old;

    if (!o)
        return false;
    if (o->n == 0) { /* "": back to the default */
        log_outputs_unref(o);
        o = log_outputs_new_stderr(default_level);
    }
    lock_enter(&lock);
    old = outputs;
    outputs = o;
    wanted_update_locked();
    lock_leave(&lock);
    log_outputs_unref(old);
    return true;
}

char *log_get_filters(void)
{
    LogFilters *f = filters_get();
    char *s = log_filters_format(f);

    log_filters_unref(f);
    return s;
}

char *log_get_outputs(void)
{
    LogOutputs *o = outputs_get();
    char *s = o ? log_outputs_format(o) : g_strdup_printf("%d:stderr", default_level);

    log_outputs_unref(o);
    return s;
}

unsigned log_count_filters(void)
{
    LogFilters *f = filters_get();
    unsigned n = f ? f->n : 0;

    log_filters_unref(f);
    return n;
}

unsigned log_count_outputs(void)
{
    LogOutputs *o = outputs_get();
    unsigned n = o ? o->n : 1;

    log_outputs_unref(o);
    return n;
}
