/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the files of the log share: the configuration in force, outputs, and the ring. */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "util/log.h"

typedef enum LogOutputKind {
    LOG_TO_STDERR,
    LOG_TO_FILE,
    LOG_TO_SYSLOG,
    LOG_TO_JOURNALD,
    _LOG_TO_N
} LogOutputKind;

typedef struct LogFilter {
    int level;
    char *match;
} LogFilter;

typedef struct LogOutput {
    int level;
    LogOutputKind kind;
    char *data; /* path of the file, name for syslog; else NULL */
    int fd;     /* of the file; else -1 */
} LogOutput;

/* Lists never change once published; a new setting is a new list. */
typedef struct LogFilters {
    atomic_uint refs;
    unsigned n;
    LogFilter items[];
} LogFilters;

typedef struct LogOutputs {
    atomic_uint refs;
    unsigned n;
    LogOutput items[];
} LogOutputs;

LogFilters *log_filters_parse(const char *text, GError **err);
char *log_filters_format(const LogFilters *f);
LogFilters *log_filters_unref(LogFilters *f);
/* Level that the first matching filter asks for, otherwise when none matches. */
int log_filters_level(const LogFilters *f, const char *source, int otherwise);

/* Opens the files. */
LogOutputs *log_outputs_parse(const char *text, GError **err);
LogOutputs *log_outputs_new_stderr(int level);
char *log_outputs_format(const LogOutputs *o);
LogOutputs *log_outputs_unref(LogOutputs *o);

typedef struct LogRecord {
    LogLevel level;
    const char *source, *file, *func, *message;
    int line;
    const LogContext *context;
    pid_t tid;
    char stamp[40]; /* "2024-01-31 12:00:00.000+0000" */
} LogRecord;

void log_output_write(const LogOutput *o, const LogRecord *r);
const char *log_level_name(int level);

void log_ring_add(const LogRecord *r);
