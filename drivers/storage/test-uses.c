/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who copies a volume and who writes it wait for each other, on workers that meanwhile do not count. How many uploads and
 * downloads there are, of all and of one user.
 */
#undef NDEBUG
#include <assert.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "drivers/storage/storage.h"
#include "util/api.h"
#include "util/error.h"
#include "util/pool.h"

/* Of volumes without a path; here all have one. */
char *volume_index_name(const uint8_t *pool, const char *name)
{
    (void)pool;
    return g_strdup(name);
}

static StorageVolView volume = { .vol_name = (char *)"v", .path = (char *)"/pool/v" };

typedef struct Second {
    bool writes, got;
    sem_t here, done;
    GError *error;
} Second;

static void come_second(void *data)
{
    Second *s = data;
    g_auto(VolumeUse) use = { 0 };

    s->got = volume_use_begin(&volume, s->writes, &use, &s->error);
    sem_post(&s->done);
}

static void look_on(void *data)
{
    sem_post(&((Second *)data)->here);
}

static void test_the_end_of_one_is_the_others_beginning(bool writes)
{
    enum { N = 5 };
    Pool *p = pool_new("t", 0, 1, 0);
    VolumeUse first[2] = { 0 };
    Second s[N] = { 0 };

    for (unsigned i = 0; i < 2; i++)
        assert(volume_use_begin(&volume, !writes, &first[i], NULL));
    for (unsigned i = 0; i < N; i++) {
        s[i].writes = writes;
        sem_init(&s[i].here, 0, 0);
        sem_init(&s[i].done, 0, 0);
        pool_push(p, come_second, &s[i], false);
        pool_push(p, look_on, &s[i], false); /* on the pool's only worker, if the one that waits does not count */
        sem_wait(&s[i].here);
    }
    usleep(20000); /* the last one is about to wait */
    volume_use_done(&first[0]);
    volume_use_done(&first[0]);
    for (unsigned i = 0; i < N; i++)
        assert(sem_trywait(&s[i].done) < 0);
    volume_use_done(&first[1]);
    for (unsigned i = 0; i < N; i++) {
        sem_wait(&s[i].done);
        assert(s[i].got);
    }
    pool_free(p);
}

static void test_patience_ends(void)
{
    g_auto(VolumeUse) first = { 0 }, same = { 0 }, second = { 0 };
    g_autoptr(GError) err = NULL;

    assert(volume_use_begin(&volume, false, &first, NULL) && volume_use_begin(&volume, false, &same, NULL));
    assert(!volume_use_begin(&volume, true, &second, &err) && error_is(err, VIR_ERR_OPERATION_INVALID));
    assert(strstr(err->message, "'v'") && strstr(err->message, "copied"));
}

/* Until the bound; the names of bounds are in the errors. */
static GPtrArray *take_all(const char *user, const char *words)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) err = NULL;

    for (TransferShare s; transfer_share_take("v", user, &s, &err) && all->len < 1000;)
        g_ptr_array_add(all, g_memdup2(&s, sizeof(s)));
    assert(error_is(err, VIR_ERR_OPERATION_FAILED) && strstr(err->message, words));
    return all;
}

static void give_back(GPtrArray *all)
{
    for (guint i = 0; i < all->len; i++)
        transfer_share_done(all->pdata[i]);
    g_ptr_array_unref(all);
}

static void test_nobody_has_all_transfers(void)
{
    for (unsigned i = 0; i < 2; i++) { /* what was given back is there again */
        GPtrArray *a = take_all("uid 1", " 250 uploads and downloads of uid 1 "), *b = take_all("uid 2", "500"), *none = take_all(NULL, "500");
        assert(a->len == 250 && b->len == 250 && none->len == 0);
        give_back(a);
        a = take_all(NULL, " 500 uploads and downloads are ");
        assert(a->len == 250);
        give_back(b);
        give_back(a);
        give_back(none);
        a = take_all(NULL, "500");
        assert(a->len == 500);
        give_back(a);
    }
}

static void *take_beside_others(void *unused)
{
    (void)unused;
    return take_all("uid 1", "uid 1");
}

static void test_the_last_one_is_one_users(void)
{
    pthread_t threads[8];
    GPtrArray *got[8];
    unsigned n = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
        assert(pthread_create(&threads[i], NULL, take_beside_others, NULL) == 0);
    for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++) {
        pthread_join(threads[i], (void **)&got[i]);
        n += got[i]->len;
    }
    assert(n == 250);
    for (unsigned i = 0; i < G_N_ELEMENTS(threads); i++)
        give_back(got[i]);
}

int main(void)
{
    volume_use_set_patience(600 * (uint64_t)G_USEC_PER_SEC);
    test_the_end_of_one_is_the_others_beginning(false);
    test_the_end_of_one_is_the_others_beginning(true);
    volume_use_set_patience(1000);
    test_patience_ends();
    test_nobody_has_all_transfers();
    test_the_last_one_is_one_users();
    return 0;
}
