/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Logging: one line per decision that a person could act on, with fields for machines. Outputs:
 * stderr, journal, file, syslog; filters by source; grammar of log_filters and log_outputs as in
 * today's .conf files ("1:qemu 3:event", "2:file:/path 3:journald"). Libraries return errors, they
 * do not log them; the dispatcher logs. Debug lines also go to a ring in memory (see log_ring_dump).
 * Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum LogLevel { LOG_DEBUG_ = 1, LOG_INFO_ = 2, LOG_WARN_ = 3, LOG_ERROR_ = 4 } LogLevel;

/* Source name for filters; a .c file may define LOG_SOURCE ("qemu.qmp") before including this. */
#ifndef LOG_SOURCE
#define LOG_SOURCE "modvirt"
#endif

#define log_debug(...) log_write(LOG_DEBUG_, LOG_SOURCE, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO_, LOG_SOURCE, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN_, LOG_SOURCE, __FILE__, __LINE__, __func__, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR_, LOG_SOURCE, __FILE__, __LINE__, __func__, __VA_ARGS__)

void log_write(LogLevel level, const char *source, const char *file, int line, const char *func,
               const char *fmt, ...) G_GNUC_PRINTF(6, 7);

/* Fields that every line of this thread carries while a call is handled; NULL and 0 clear them. */
typedef struct LogContext {
    uint64_t call_id;
    const char *procedure;
    int64_t client_uid;
    const char *object_uuid;
} LogContext;
void log_context_set(const LogContext *ctx);

bool log_set_level(int level, GError **err);
bool log_set_filters(const char *filters, GError **err);
bool log_set_outputs(const char *outputs, GError **err);
/* Canonical text of what is in force; free with g_free(). */
char *log_get_filters(void);
char *log_get_outputs(void);
unsigned log_count_filters(void);
unsigned log_count_outputs(void);
/* Writes the newest lines of the debug ring to fd; async-signal-safe. */
void log_ring_dump(int fd);
