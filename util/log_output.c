/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing one record to one output, and the ring of the newest records in memory. A line of text
 * leaves in a single write(), so lines of several threads do not mix. The ring has slots of fixed
 * size in the data segment (pages are touched as they fill), because log_ring_dump() runs in signal
 * handlers of a dying process: it takes no lock and allocates nothing. Any thread.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "util/fd.h"
#include "util/lock.h"
#include "util/log-internal.h"

enum { RING_SLOTS = 1024, RING_TEXT = 248 };

typedef struct RingSlot {
    uint16_t len;
    char text[RING_TEXT];
} RingSlot;

static RingSlot ring[RING_SLOTS];
static atomic_uint ring_next; /* slots ever written */
static Lock ring_lock = LOCK_INIT;

static const char *const level_names[] = { "?", "debug", "info", "warning", "error" };
static const int syslog_levels[] = { LOG_DEBUG, LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERR };

const char *log_level_name(int level)
{
    return level_names[level >= 1 && level <= 4 ? level : 0];
}

static void append_context(GString *s, const LogContext *c)
{
    if (c->call_id == 0)
        return;
    g_string_append_printf(s, " [call=%" PRIu64, c->call_id);
    if (c->procedure)
        g_string_append_printf(s, " proc=%s", c->procedure);
    g_string_append_printf(s, " uid=%" PRId64, c->client_uid);
    if (c->object_uuid)
        g_string_append_printf(s, " object=%s", c->object_uuid);
    g_string_append_c(s, ']');
}

/* Messages may quote guests and clients: one record stays one line. */
static void append_one_line(GString *s, const char *message)
{
    for (const char *p = message; *p; p++)
        g_string_append_c(s, (unsigned char)*p < ' ' && *p != '\t' ? ' ' : *p);
}

static void write_text(int fd, const LogRecord *r)
{
    g_autoptr(GString) s = g_string_sized_new(256);

    g_string_append_printf(s, "%s: %d: %s : %s:%d : ", r->stamp, (int)r->tid,
                           log_level_name(r->level), r->func, r->line);
    append_one_line(s, r->message);
    append_context(s, r->context);
    g_string_append_c(s, '\n');
    (void)fd_write_all(fd, s->str, s->len); /* a full disk: nowhere to complain */
}

static void write_syslog(const LogOutput *o, const LogRecord *r)
{
    /* The name is an argument of the line, not of openlog(): outputs may differ in theirs. */
    syslog(syslog_levels[r->level] | LOG_DAEMON, "%s: %s:%d : %s", o->data, r->func, r->line,
           r->message);
}

enum { FIELDS_MAX = 16 };

typedef struct Fields {
    struct iovec v[FIELDS_MAX];
    char *text[FIELDS_MAX];
    unsigned n;
} Fields;

static void G_GNUC_PRINTF(2, 3) field_add(Fields *f, const char *fmt, ...)
{
    va_list ap;

    g_assert(f->n < FIELDS_MAX);
    va_start(ap, fmt);
    f->text[f->n] = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    f->v[f->n] = (struct iovec){ f->text[f->n], strlen(f->text[f->n]) };
    f->n++;
}

static void write_journald(const LogRecord *r)
{
    const LogContext *c = r->context;
    Fields f = { .n = 0 };

    field_add(&f, "MESSAGE=%s", r->message);
    field_add(&f, "PRIORITY=%d", syslog_levels[r->level]);
    field_add(&f, "MODVIRT_SOURCE=%s", r->source);
    field_add(&f, "CODE_FILE=%s", r->file);
    field_add(&f, "CODE_LINE=%d", r->line);
    field_add(&f, "CODE_FUNC=%s", r->func);
    field_add(&f, "TID=%d", (int)r->tid);
    if (c->call_id) {
        field_add(&f, "MODVIRT_CALL_ID=%" PRIu64, c->call_id);
        field_add(&f, "MODVIRT_CLIENT_UID=%" PRId64, c->client_uid);
    }
    if (c->procedure)
        field_add(&f, "MODVIRT_PROCEDURE=%s", c->procedure);
    if (c->object_uuid)
        field_add(&f, "MODVIRT_OBJECT_UUID=%s", c->object_uuid);

    if (sd_journal_sendv(f.v, (int)f.n) < 0)
        write_text(STDERR_FILENO, r); /* no journal here */
    for (unsigned i = 0; i < f.n; i++)
        g_free(f.text[i]);
}

void log_output_write(const LogOutput *o, const LogRecord *r)
{
    switch (o->kind) {
    case LOG_TO_STDERR:
        write_text(STDERR_FILENO, r);
        break;
    case LOG_TO_FILE:
        write_text(o->fd, r);
        break;
    case LOG_TO_SYSLOG:
        write_syslog(o, r);
        break;
    case LOG_TO_JOURNALD:
        write_journald(r);
        break;
    case _LOG_TO_N:
        break;
    }
}

void log_ring_add(const LogRecord *r)
{
    char text[RING_TEXT];
    int n = g_snprintf(text, sizeof(text), "%s: %d: %s : %s:%d : #%" PRIu64 " %s", r->stamp,
                       (int)r->tid, log_level_name(r->level), r->func, r->line, r->context->call_id,
                       r->message);
    size_t len = MIN((size_t)MAX(n, 0), sizeof(text) - 1);
    unsigned at;

    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < ' ')
            text[i] = ' ';
    }
    LOCK_SCOPE(&ring_lock);
    at = ring_next % RING_SLOTS;
    memcpy(ring[at].text, text, len);
    ring[at].len = (uint16_t)len;
    ring_next++;
}

void log_ring_dump(int fd)
{
    unsigned end = ring_next, n = MIN(end, RING_SLOTS);

    for (unsigned i = end - n; i != end; i++) {
        const RingSlot *s = &ring[i % RING_SLOTS];

        (void)!write(fd, s->text, MIN(s->len, RING_TEXT));
        (void)!write(fd, "\n", 1);
    }
}
