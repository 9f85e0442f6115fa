/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs of storage (run.h). Workers. */
#include "drivers/storage/run.h"

#include <string.h>

#include "drivers/storage/qemu_img.h"
#include "util/api.h"
#include "util/error.h"
#include "util/pool.h"
#include "util/spawn.h"

char *storage_find_program(const char *name)
{
    static const char *const dirs[] = { "/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin" };
    char *found = g_find_program_in_path(name);

    /* A daemon's PATH may lack the administrator's. */
    for (unsigned i = 0; !found && i < G_N_ELEMENTS(dirs); i++) {
        g_autofree char *path = g_build_filename(dirs[i], name, NULL);
        if (g_file_test(path, G_FILE_TEST_IS_EXECUTABLE))
            found = g_steal_pointer(&path);
    }
    return found;
}

static void on_output(const char *said, size_t len, void *data)
{
    const StorageJob *job = data;
    double percent = qemu_img_progress(said, len);

    if (percent >= 0 && job->progress)
        job->progress(percent, job->data);
}

static bool is_cancelled(void *data)
{
    const StorageJob *job = data;
    return (job->stopped && atomic_load(job->stopped)) || (job->cancelled && job->cancelled(job->data));
}

static void is_alive(void *data)
{
    storage_job_alive(data);
}

/* Only this command tells how far it is, and only when it is asked. */
static void ask_for_progress(GPtrArray *words)
{
    if (strcmp(words->pdata[0], "qemu-img") == 0 && words->len > 1 && strcmp(words->pdata[1], "convert") == 0)
        g_ptr_array_insert(words, 2, (void *)"-p");
}

bool storage_run(const Argv *a, const StorageJob *job, char **ret_out, GError **err)
{
    return storage_run_with(a, NULL, job, ret_out, err);
}

bool storage_run_with(const Argv *a, const StorageFiles *files, const StorageJob *job, char **ret_out, GError **err)
{
    static const StorageFiles no_files = { -1, -1, false };
    static const StorageJob nobody;
    g_autofree char *program = storage_find_program(a->words->pdata[0]);
    g_autoptr(GPtrArray) words = g_ptr_array_new();

    if (!argv_check(a, err))
        return false;
    if (!program) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "the program '%s' is not installed", (char *)a->words->pdata[0]);
        return false;
    }
    job = job ? job : &nobody;
    for (guint i = 0; i < a->words->len; i++)
        g_ptr_array_add(words, a->words->pdata[i]);
    if (job->progress)
        ask_for_progress(words);
    words->pdata[0] = program;
    g_ptr_array_add(words, NULL);
    files = files ? files : &no_files;
    SpawnWatch watch = { on_output, is_cancelled, (void *)job, job->stall_usec, !files->speaks, is_alive };
    g_autoptr(GArray) fds = g_array_new(false, true, sizeof(SpawnFd));
    SpawnFd other = { files->other, 3 };
    if (other.fd >= 0)
        g_array_append_val(fds, other);
    g_array_append_vals(fds, job->fds, job->n_fds);
    Spawn s = { .argv = (const char *const *)words->pdata, .in = files->in, .out = -1, .err = -1,
                .fds = (const SpawnFd *)(void *)fds->data, .n_fds = fds->len, .memlock = -1, .new_session = true,
                .dies_with_us = job->own, .watch = &watch };
    pool_wait_begin();
    GError *why = NULL;
    bool ok = spawn_run(&s, job->usec ? job->usec : STORAGE_RUN_USEC, STORAGE_OUTPUT_MAX, ret_out, NULL, &why);
    pool_wait_end();
    if (error_is(why, VIR_ERR_OPERATION_ABORTED) && job->stopped && atomic_load(job->stopped))
        g_prefix_error(&why, "the pool is to stop: ");
    if (why)
        g_propagate_error(err, why);
    return ok;
}

bool storage_run_take(Argv *take, const StorageJob *job, char **ret_out, GError **err)
{
    g_autoptr(Argv) a = take;
    return a && storage_run(a, job, ret_out, err);
}

bool storage_run_change(Argv *take, const StorageJob *job, GError **err)
{
    StorageJob patient = job ? *job : (StorageJob){ 0 };

    patient.usec = STORAGE_CHANGE_USEC;
    return storage_run_take(take, &patient, NULL, err);
}

static StorageSecretFn *secrets;

void storage_use_secrets(StorageSecretFn *fn)
{
    secrets = fn;
}

SecretValue *storage_secret(const StorageJob *job, const SecretRef *ref, int usage, const char *what, GError **err)
{
    if (job && job->secret)
        return job->secret(ref, usage, what, job->data, err);
    if (secrets)
        return secrets(ref, usage, what, NULL, err);
    error_set(err, VIR_ERR_NO_SECRET, "%s needs a secret, and nobody can be asked for it", what);
    return NULL;
}

bool storage_job_cancelled(const StorageJob *job, GError **err)
{
    if (!job || !is_cancelled((void *)job))
        return false;
    error_set(err, VIR_ERR_OPERATION_ABORTED, "%s", job->stopped && *job->stopped ? "the pool is to stop" : "the operation was cancelled");
    return true;
}

void storage_job_alive(const StorageJob *job)
{
    if (job && job->alive)
        job->alive(job->data);
}

void storage_job_progress(const StorageJob *job, uint64_t done, uint64_t total)
{
    storage_job_alive(job);
    if (job && job->progress && total)
        job->progress((double)done * 100 / (double)total, job->data);
}
