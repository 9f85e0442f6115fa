/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal of events: what is kept, what is said to be missing, files that were cut, full disks. */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <signal.h>
#include <unistd.h>

#include "rpc/journal.h"

static char *path, *old_path;

enum { SMALL = 4096, PROC = 318 };

static void remove_files(void)
{
    (void)unlink(path);
    (void)unlink(old_path);
}

static Journal *opened(size_t max)
{
    g_autoptr(GError) err = NULL;
    Journal *j = journal_open(path, max, &err);

    assert(j && !err);
    return j;
}

static void add(Journal *j, unsigned n)
{
    char text[32];

    g_snprintf(text, sizeof(text), "event %u", n);
    journal_append(j, PROC, text, strlen(text));
}

static JournalPage page_of(Journal *j, const char *since, unsigned max)
{
    JournalPage p = { 0 };
    g_autoptr(GError) err = NULL;

    assert(journal_read(j, since, max, &p, &err) && !err);
    return p;
}

static const JournalRecord *at(const JournalPage *p, unsigned i)
{
    assert(i < p->records->len);
    return &g_array_index(p->records, JournalRecord, i);
}

static bool says(const JournalRecord *r, const char *text)
{
    gsize n;
    const char *p = g_bytes_get_data(r->body, &n);

    return r->kind == JOURNAL_EVENT && r->proc == PROC && n == strlen(text) &&
           memcmp(p, text, n) == 0;
}

static void test_read_on(void)
{
    Journal *j = opened(JOURNAL_FILE_MAX);
    JournalPage p = page_of(j, NULL, 10);

    assert(p.records->len == 1 && at(&p, 0)->kind == JOURNAL_STARTED && !p.missing && !p.unknown &&
           !p.more);
    g_autofree char *start = g_steal_pointer(&p.cursor);
    journal_page_clear(&p);

    for (unsigned i = 0; i < 5; i++)
        add(j, i);
    p = page_of(j, start, 3);
    assert(p.records->len == 3 && p.more && says(at(&p, 0), "event 0") &&
           says(at(&p, 2), "event 2"));
    g_autofree char *middle = g_steal_pointer(&p.cursor);
    journal_page_clear(&p);
    p = page_of(j, middle, 3);
    assert(p.records->len == 2 && !p.more && says(at(&p, 1), "event 4") && at(&p, 1)->usec > 0);
    g_autofree char *end = g_steal_pointer(&p.cursor);
    journal_page_clear(&p);
    p = page_of(j, end, 3);
    assert(p.records->len == 0 && g_str_equal(p.cursor, end));
    journal_page_clear(&p);
    p = page_of(j, middle, 1); /* back again: the hint is for those who go on */
    assert(says(at(&p, 0), "event 3"));
    journal_page_clear(&p);

    /* An orderly end and a new beginning, and one without the end. */
    assert(!journal_close(j, true));
    j = opened(JOURNAL_FILE_MAX);
    add(j, 7);
    p = page_of(j, end, 10);
    assert(p.records->len == 3 && at(&p, 0)->kind == JOURNAL_STOPPED &&
           at(&p, 1)->kind == JOURNAL_STARTED && says(at(&p, 2), "event 7") &&
           at(&p, 2)->seq == at(&p, 0)->seq + 2);
    uint64_t last = at(&p, 2)->seq;
    journal_page_clear(&p);
    journal_close(j, false);
    j = opened(JOURNAL_FILE_MAX);
    p = page_of(j, end, 10);
    assert(p.records->len == 4 && at(&p, 3)->kind == JOURNAL_STARTED && at(&p, 3)->seq > last + 1);
    journal_page_clear(&p);
    journal_close(j, true);
}

static void test_bounded(void)
{
    remove_files();
    Journal *j = opened(SMALL);
    JournalPage p = page_of(j, NULL, 1);
    g_autofree char *start = g_steal_pointer(&p.cursor);
    journal_page_clear(&p);

    for (unsigned i = 0; i < 1000; i++)
        add(j, i);
    struct stat now, old;
    assert(stat(path, &now) == 0 && stat(old_path, &old) == 0 && now.st_size <= SMALL &&
           old.st_size <= SMALL);
    p = page_of(j, start, 10000);
    assert(p.records->len > 50 && p.records->len < 300 && !p.unknown);
    assert(p.missing + p.records->len == 1000 && says(at(&p, p.records->len - 1), "event 999"));
    for (unsigned i = 1; i < p.records->len; i++)
        assert(at(&p, i)->seq == at(&p, i - 1)->seq + 1);
    journal_page_clear(&p);

    /* A cursor of a journal that was removed, one from the future, and none at all. */
    journal_close(j, true);
    remove_files();
    j = opened(SMALL);
    p = page_of(j, start, 10);
    assert(p.unknown && p.records->len == 1);
    g_autofree char *id = g_strndup(p.cursor, 16);
    g_autofree char *future = g_strdup_printf("%s:%u", id, 12345);
    journal_page_clear(&p);
    p = page_of(j, future, 10);
    assert(p.unknown && p.records->len == 1);
    journal_page_clear(&p);
    static const char *const wrong[] = { "",
                                         "x",
                                         ":",
                                         "0123456789abcdef",
                                         "0123456789abcdef:",
                                         "0123456789abcdef:-1",
                                         "0123456789abcdeg:1",
                                         "0123456789abcdef:99999999999999999999999" };
    for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) err = NULL;
        assert(!journal_read(j, wrong[i], 10, &p, &err) && err);
    }
    journal_close(j, true);
}

/* However the file was cut or spoilt: what is whole is read, what follows is dropped, writing goes on. */
static void test_cut(void)
{
    remove_files();
    Journal *j = opened(JOURNAL_FILE_MAX);
    for (unsigned i = 0; i < 3; i++)
        add(j, i);
    journal_close(j, false);

    g_autofree char *whole = NULL;
    gsize len;
    assert(g_file_get_contents(path, &whole, &len, NULL));
    for (gsize cut = 0; cut <= len; cut++) {
        g_autofree char *copy = g_memdup2(whole, len);
        if (cut < len && cut % 2)
            copy[cut] ^= 0x55;
        assert(g_file_set_contents(path, copy, (gssize)(cut % 2 ? len : cut), NULL));
        j = opened(JOURNAL_FILE_MAX);
        add(j, 100);
        JournalPage p = page_of(j, NULL, 100);
        assert(p.records->len >= 2 && says(at(&p, p.records->len - 1), "event 100"));
        assert(at(&p, p.records->len - 2)->kind == JOURNAL_STARTED);
        journal_page_clear(&p);
        journal_close(j, true);
    }
}

/* What could not be written is counted and told. */
static void test_full_disk(void)
{
    struct rlimit was, little = { 600, 600 };

    remove_files();
    (void)signal(SIGXFSZ, SIG_IGN);
    Journal *j = opened(JOURNAL_FILE_MAX);
    assert(getrlimit(RLIMIT_FSIZE, &was) == 0);
    little.rlim_max = was.rlim_max;
    assert(setrlimit(RLIMIT_FSIZE, &little) == 0);
    for (unsigned i = 0; i < 100; i++)
        add(j, i);
    assert(setrlimit(RLIMIT_FSIZE, &was) == 0);
    add(j, 100);
    char *big = g_malloc0(JOURNAL_BODY_MAX + 1);
    journal_append(j, PROC, big, JOURNAL_BODY_MAX + 1);
    journal_append(j, PROC, big, JOURNAL_BODY_MAX);
    g_free(big);

    JournalPage p = page_of(j, NULL, 1000);
    unsigned n = p.records->len, events = 0;
    uint64_t lost = 0;
    for (unsigned i = 0; i < n; i++) {
        const JournalRecord *r = at(&p, i);
        events += r->kind == JOURNAL_EVENT;
        if (r->kind == JOURNAL_LOST)
            for (unsigned b = 0; b < 8; b++)
                lost += (uint64_t)((const uint8_t *)g_bytes_get_data(r->body, NULL))[b]
                        << (8 * (7 - b));
    }
    assert(events + lost == 103 && lost > 50 && events > 5);
    journal_page_clear(&p);
    journal_close(j, true);
}

int main(void)
{
    g_autofree char *dir = g_dir_make_tmp("journal-XXXXXX", NULL);

    path = g_build_filename(dir, "events", NULL);
    old_path = g_strconcat(path, ".old", NULL);
    test_read_on();
    test_bounded();
    test_cut();
    test_full_disk();
    remove_files();
    assert(rmdir(dir) == 0);
    g_free(path);
    g_free(old_path);
    return 0;
}
