/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A file is a head and records, appended with one write each; every record carries a sum, so that the end of
 * a file that a crash cut short is found. When a file is full it becomes the old one and its predecessor
 * goes. Numbers never repeat: after an end that was not clean, when written records may be missing, they
 * go on from far ahead. The head carries a random id, which cursors have too: a journal that was removed
 * is not taken for the one that a cursor belongs to.
 *
 * Nothing waits for the disk: the page cache outlives the daemon, which is what a restart needs.
 *
 * Readers copy sizes and descriptors under the lock and read without it; files only grow, and a descriptor
 * stays with its file when that is renamed. The lock is a leaf.
 */
#define LOG_SOURCE "rpc.journal"
#include "rpc/journal.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/log.h"

enum { CURSOR_ID_DIGITS = 16, PAGE_BYTES_MAX = 1024 * 1024, LEAP = 1000000 };

static const char magic[8] = "MVEVENT1";

/* All numbers big endian. */
typedef struct Head {
    char magic[8];
    uint64_t id, first_seq;
} Head;

typedef struct Row {
    uint32_t size; /* with this head */
    uint32_t sum;  /* of what follows */
    uint64_t seq, usec;
    uint32_t kind, proc;
} Row;

enum { ROW_MAX = sizeof(Row) + JOURNAL_BODY_MAX, SUMMED_FROM = offsetof(Row, seq) };

typedef struct Part {
    int fd;             /* -1: there is none */
    uint64_t first_seq; /* of its first record */
    uint64_t end;       /* bytes of it that are whole records */
} Part;

struct Journal {
    Lock lock; /* of all below */
    char *path, *old_path;
    size_t file_max;
    uint64_t id, next_seq, lost;
    bool failing;
    Part now, old;
    /* Where the last reader stopped, in 'now': those who follow need not look for it. */
    uint64_t hint_seq, hint_at;
};

static uint32_t sum_of(const uint8_t *p, size_t n)
{
    uint32_t h = 2166136261u; /* FNV-1a: against torn writes, not against anybody */

    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * 16777619u;
    return h;
}

/* A whole record at the front of the buffer: its size; 0: none. */
static size_t parse_row(const uint8_t *p, size_t n, JournalRecord *ret)
{
    Row row;

    if (n < sizeof(row))
        return 0;
    memcpy(&row, p, sizeof(row));
    size_t size = be32toh(row.size);
    if (size < sizeof(row) || size > ROW_MAX || size > n ||
        sum_of(p + SUMMED_FROM, size - SUMMED_FROM) != be32toh(row.sum))
        return 0;
    *ret = (JournalRecord){ .seq = be64toh(row.seq),
                            .usec = be64toh(row.usec),
                            .kind = (JournalKind)be32toh(row.kind),
                            .proc = (int32_t)be32toh(row.proc) };
    return size;
}

/* Files ------------------------------------------------------------------------------------------- */

static char *read_part(int fd, uint64_t from, uint64_t to, size_t *ret_len)
{
    char *data = g_malloc(to - from + 1);
    size_t n = 0;

    while (n < to - from) {
        ssize_t got = pread(fd, data + n, to - from - n, (off_t)(from + n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    *ret_len = n;
    return data;
}

static void part_close(Part *p)
{
    fd_close(&p->fd);
    *p = (Part){ .fd = -1 };
}

/* Opens a file and finds the end of its records; no file, or none of ours, is an empty part. */
static void part_load(Part *p, const char *path, size_t file_max, uint64_t *id,
                      JournalRecord *ret_last)
{
    auto_fd fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    size_t len;
    Head head;

    *p = (Part){ .fd = -1 };
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < sizeof(head))
        return;
    g_autofree char *data = read_part(fd, 0, MIN((uint64_t)st.st_size, file_max + ROW_MAX), &len);
    memcpy(&head, data, sizeof(head));
    if (len < sizeof(head) || memcmp(head.magic, magic, sizeof(magic)) != 0 ||
        (*id && be64toh(head.id) != *id))
        return;
    *id = be64toh(head.id);
    *p = (Part){ .fd = fd_take(&fd), .first_seq = be64toh(head.first_seq), .end = sizeof(head) };
    for (size_t n; (n = parse_row((uint8_t *)data + p->end, len - p->end, ret_last)); p->end += n)
        ;
    if (p->end < (uint64_t)st.st_size && ftruncate(p->fd, (off_t)p->end) < 0)
        log_warn("cannot cut '%s' behind its last whole record: %s", path, g_strerror(errno));
}

static bool part_make(Journal *j, GError **err)
{
    Head head = { .id = htobe64(j->id), .first_seq = htobe64(j->next_seq) };

    memcpy(head.magic, magic, sizeof(magic));
    auto_fd fd = open(j->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 || fd_write_all(fd, &head, sizeof(head)) < 0) {
        error_set_errno(err, errno, "cannot make '%s'", j->path);
        return false;
    }
    j->now = (Part){ .fd = fd_take(&fd), .first_seq = j->next_seq, .end = sizeof(head) };
    j->hint_seq = 0;
    return true;
}

static bool turn_over_locked(Journal *j, GError **err)
{
    if (rename(j->path, j->old_path) < 0) {
        error_set_errno(err, errno, "cannot rename '%s'", j->path);
        return false;
    }
    part_close(&j->old);
    j->old = j->now;
    j->now = (Part){ .fd = -1 };
    return part_make(j, err);
}

/* Writing ----------------------------------------------------------------------------------------- */

static bool write_locked(Journal *j, JournalKind kind, int32_t proc, const void *body, size_t n,
                         GError **err)
{
    size_t size = sizeof(Row) + n;
    g_autofree uint8_t *big = size > 1024 ? g_malloc(size) : NULL;
    uint8_t small[1024], *p = big ? big : small;

    if (j->now.fd < 0 ? !part_make(j, err)
                      : j->now.end + size > j->file_max && !turn_over_locked(j, err))
        return false;
    Row row = { .size = htobe32((uint32_t)size),
                .seq = htobe64(j->next_seq),
                .usec = htobe64((uint64_t)g_get_real_time()),
                .kind = htobe32(kind),
                .proc = htobe32((uint32_t)proc) };
    memcpy(p, &row, sizeof(row));
    if (n)
        memcpy(p + sizeof(row), body, n);
    row.sum = htobe32(sum_of(p + SUMMED_FROM, size - SUMMED_FROM));
    memcpy(p, &row, sizeof(row));
    ssize_t done = pwrite(j->now.fd, p, size, (off_t)j->now.end);
    if (done != (ssize_t)size) {
        if (done >= 0)
            errno = ENOSPC;
        error_set_errno(err, errno, "cannot write to '%s'", j->path);
        if (ftruncate(j->now.fd, (off_t)j->now.end) < 0)
            part_close(&j->now); /* the next one begins anew */
        return false;
    }
    j->now.end += size;
    j->next_seq++;
    return true;
}

static void append(Journal *j, JournalKind kind, int32_t proc, const void *body, size_t n)
{
    g_autoptr(GError) error = NULL;
    LOCK_SCOPE(&j->lock);

    if (n > JOURNAL_BODY_MAX) {
        j->lost++;
        return;
    }
    uint64_t lost = htobe64(j->lost);
    bool ok = !j->lost || write_locked(j, JOURNAL_LOST, 0, &lost, sizeof(lost), &error);
    if (ok)
        j->lost = 0;
    ok = ok && write_locked(j, kind, proc, body, n, &error);
    if (!ok) {
        j->lost++;
        if (!j->failing)
            log_warn("events are not kept: %s", error->message);
    }
    j->failing = !ok;
}

void journal_append(Journal *j, int32_t proc, const void *body, size_t n)
{
    append(j, JOURNAL_EVENT, proc, body, n);
}

Journal *journal_open(const char *path, size_t file_max, GError **err)
{
    Journal *j = g_new0(Journal, 1);
    JournalRecord last = { .kind = JOURNAL_STOPPED };

    lock_init(&j->lock);
    j->path = g_strdup(path);
    j->old_path = g_strconcat(path, ".old", NULL);
    j->file_max = file_max;
    j->now.fd = j->old.fd = -1;
    part_load(&j->now, j->path, file_max, &j->id, &last);
    JournalRecord ignored = { 0 };
    part_load(&j->old, j->old_path, file_max, &j->id, j->now.fd >= 0 ? &ignored : &last);
    if (j->now.fd < 0 && j->old.fd < 0) {
        if (getrandom(&j->id, sizeof(j->id), 0) != sizeof(j->id))
            j->id = (uint64_t)g_get_real_time();
        j->next_seq = 1;
    } else {
        uint64_t begun = j->now.fd >= 0 ? j->now.first_seq : j->old.first_seq;
        j->next_seq = MAX(last.seq + 1, begun) + (last.kind == JOURNAL_STOPPED ? 0 : LEAP);
    }
    if (j->now.fd < 0 && !part_make(j, err))
        return journal_close(j, false);
    append(j, JOURNAL_STARTED, 0, NULL, 0);
    return j;
}

Journal *journal_close(Journal *j, bool clean)
{
    if (!j)
        return NULL;
    if (clean)
        append(j, JOURNAL_STOPPED, 0, NULL, 0);
    part_close(&j->now);
    part_close(&j->old);
    lock_done(&j->lock);
    g_free(j->path);
    g_free(j->old_path);
    g_free(j);
    return NULL;
}

/* Reading ----------------------------------------------------------------------------------------- */

static bool parse_cursor(const char *text, uint64_t *ret_id, uint64_t *ret_seq, GError **err)
{
    g_autofree char *id = g_strndup(text, CURSOR_ID_DIGITS);
    guint64 i, s;

    if (strlen(id) == CURSOR_ID_DIGITS && text[CURSOR_ID_DIGITS] == ':' &&
        g_ascii_string_to_unsigned(id, 16, 0, G_MAXUINT64, &i, NULL) &&
        g_ascii_string_to_unsigned(text + CURSOR_ID_DIGITS + 1, 10, 0, G_MAXUINT64 - 1, &s, NULL)) {
        *ret_id = i;
        *ret_seq = s;
        return true;
    }
    error_set(err, VIR_ERR_INVALID_ARG, "'%.100s' is no place in a journal of events", text);
    return false;
}

static void record_clear(void *p)
{
    g_bytes_unref(((JournalRecord *)p)->body);
}

void journal_page_clear(JournalPage *p)
{
    g_clear_pointer(&p->records, g_array_unref);
    g_clear_pointer(&p->cursor, g_free);
}

typedef struct Reader {
    uint64_t from; /* the first number that is wanted */
    unsigned max;
    size_t bytes;
    GArray *records;
    bool full;
    uint64_t end_at; /* where it stopped in the part that it read last */
} Reader;

static void read_records(Reader *r, int fd, uint64_t at, uint64_t end)
{
    size_t len, off = 0, n;
    g_autofree char *data = read_part(fd, at, end, &len);
    JournalRecord rec;

    for (; (n = parse_row((uint8_t *)data + off, len - off, &rec)); off += n) {
        if (rec.seq < r->from)
            continue;
        if (r->records->len >= r->max || r->bytes > PAGE_BYTES_MAX) {
            r->full = true;
            break;
        }
        rec.body = g_bytes_new(data + off + sizeof(Row), n - sizeof(Row));
        r->bytes += n;
        g_array_append_val(r->records, rec);
    }
    r->end_at = at + off;
}

bool journal_read(Journal *j, const char *since, unsigned max, JournalPage *ret, GError **err)
{
    uint64_t id = 0, seq = 0;

    if (since && !parse_cursor(since, &id, &seq, err))
        return false;

    lock_enter(&j->lock);
    Part now = j->now, old = j->old;
    uint64_t oldest = old.fd >= 0 ? old.first_seq : now.first_seq, next = j->next_seq;
    uint64_t hint_at = j->hint_seq && j->hint_seq == seq + 1 ? j->hint_at : sizeof(Head);
    auto_fd now_fd = now.fd >= 0 ? fcntl(now.fd, F_DUPFD_CLOEXEC, 3) : -1;
    auto_fd old_fd = old.fd >= 0 ? fcntl(old.fd, F_DUPFD_CLOEXEC, 3) : -1;
    lock_leave(&j->lock);

    JournalPage page = { 0 };
    bool ours = since && id == j->id && seq < next;
    Reader r = { .from = ours ? seq + 1 : oldest, .max = MAX(max, 1u) };
    page.unknown = since && !ours;
    if (r.from < oldest) {
        page.missing = oldest - r.from;
        r.from = oldest;
    }
    r.records = page.records = g_array_new(false, true, sizeof(JournalRecord));
    g_array_set_clear_func(r.records, record_clear);
    if (old_fd >= 0 && r.from < now.first_seq)
        read_records(&r, old_fd, sizeof(Head), old.end);
    if (now_fd >= 0 && !r.full) {
        read_records(&r, now_fd, hint_at, now.end);
        lock_enter(&j->lock);
        if (j->now.first_seq == now.first_seq && r.records->len) {
            j->hint_seq = g_array_index(r.records, JournalRecord, r.records->len - 1).seq + 1;
            j->hint_at = r.end_at;
        }
        lock_leave(&j->lock);
    }
    uint64_t last = r.records->len ? g_array_index(r.records, JournalRecord, r.records->len - 1).seq
                                   : r.from - 1;
    page.more = r.full;
    page.cursor = g_strdup_printf("%016" G_GINT64_MODIFIER "x:%" G_GUINT64_FORMAT, j->id, last);
    *ret = page;
    return true;
}
