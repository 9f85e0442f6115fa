/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The events of a daemon, kept on disk for those who were not listening: the newest few megabytes, in two
 * files. Every event has a number; who reads on behind a number that is gone is told how many are missing,
 * and the journal says when the daemon was not there to see any. Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct Journal Journal;

typedef enum JournalKind {
    JOURNAL_EVENT,   /* proc and body: a message of the remote program, behind its callback id */
    JOURNAL_STARTED, /* the daemon starts to watch */
    JOURNAL_STOPPED, /* it stops; a STARTED without one before it: it was killed */
    JOURNAL_LOST,    /* body: 8 bytes, big endian: so many could not be written */
} JournalKind;

enum { JOURNAL_FILE_MAX = 2 * 1024 * 1024, JOURNAL_BODY_MAX = 65536 };

/* path: of the newer file; the older one has ".old" behind it. file_max: where a file is full. */
Journal *journal_open(const char *path, size_t file_max, GError **err);
/* clean: the daemon ends as it should. NULL is fine. */
Journal *journal_close(Journal *j, bool clean);
/* Never fails: what cannot be written is counted and told when writing works again. */
void journal_append(Journal *j, int32_t proc, const void *body, size_t n);

typedef struct JournalRecord {
    uint64_t seq;
    uint64_t usec; /* since the epoch */
    JournalKind kind;
    int32_t proc;
    GBytes *body;
} JournalRecord;

typedef struct JournalPage {
    GArray *records;  /* JournalRecord, oldest first */
    char *cursor;     /* to read on from */
    uint64_t missing; /* so many between 'since' and the first record are not kept any more */
    bool unknown;     /* 'since' is of another journal: what is missing cannot be told */
    bool more;        /* read on: there is more now */
} JournalPage;

/* since: a cursor, NULL: from the oldest that is kept. At most 'max' records and about 1 MiB.
 * VIR_ERR_INVALID_ARG: it is no cursor. */
bool journal_read(Journal *j, const char *since, unsigned max, JournalPage *ret, GError **err);
void journal_page_clear(JournalPage *p);

/* The journal of this process, where events that are published go; NULL: none. Set before there are events
 * and after there are any. */
void event_set_journal(Journal *j);
Journal *event_journal(void);
