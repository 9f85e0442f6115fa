/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between the daemon and the process that works apart: any bytes as a request, as an answer, as the pieces of an upload,
 * and as the record of an unfinished volume.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/storage/apart.h"
#include "drivers/storage/pump.h"
#include "util/error.h"
#include "util/fd.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char *top, *pool, *records, *volume;

static void clean_up(void)
{
    g_autofree char *command = g_strdup_printf("rm -rf %s", top);
    (void)!system(command);
}

static void set_up(void)
{
    if (top)
        return;
    top = g_dir_make_tmp("fuzz-apart-XXXXXX", NULL);
    pool = g_build_filename(top, "pool", NULL);
    records = g_build_filename(top, "records", NULL);
    volume = g_build_filename(pool, "v", NULL);
    if (g_mkdir_with_parents(pool, 0700) < 0 || g_mkdir_with_parents(records, 0700) < 0)
        abort();
    backend_use_records(records);
    (void)atexit(clean_up);
}

static void request(const uint8_t *data, size_t size)
{
    auto_fd fd = memfd_create("request", MFD_CLOEXEC);
    g_autoptr(GError) err = NULL;
    ApartWork w = { 0 };

    if (fd_write_all(fd, data, size) < 0)
        abort();
    bool ok = apart_read(fd, &w, &err);
    if (ok == (err != NULL))
        abort();
    apart_work_clear(&w);
    backend_use_records(records); /* not those that the request named */
}

static void answer(const uint8_t *data, size_t size)
{
    g_autofree char *said = g_strndup((const char *)data, size), *ret = NULL;
    g_autoptr(GError) err = NULL;

    if (apart_answer(said, &ret, &err) == (err != NULL))
        abort();
}

/* Sizes are what 16 KiB of input can say, but for holes. */
static void upload(const uint8_t *data, size_t size)
{
    enum { OFFSET = 10, LENGTH = 64 << 20 };
    const Pump p = { .path = volume, .fd = -1, .offset = OFFSET, .length = LENGTH };
    g_autoptr(GError) err = NULL;
    int ends[2];

    auto_fd fd = open(volume, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[1], F_SETPIPE_SZ, 64 << 10) < 0)
        abort();
    if (fd_write_all(ends[1], data, size) < 0)
        abort();
    fd_close(&ends[1]);
    if (pump_write_pipe(&p, ends[0], NULL, &err) == (err != NULL))
        abort();
    if (pump_volume_end(fd) > OFFSET + LENGTH)
        abort();
    fd_close(&ends[0]);
}

/* Nothing but what is called as unfinished volumes are goes, whatever a record says. */
static void record(const uint8_t *data, size_t size)
{
    static const char name[] = ".modvirt-new-1-0-1";
    g_autofree char *path = g_build_filename(records, name, NULL), *kept = g_build_filename(pool, "kept", NULL);

    if (!g_file_set_contents(path, (const char *)data, (gssize)size, NULL) || !g_file_set_contents(kept, "", 0, NULL))
        abort();
    (void)volume_file_replay(records, size & 1 ? pool : NULL);
    (void)unlink(path);
    if (access(kept, F_OK) < 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const all[])(const uint8_t *data, size_t size) = { request, answer, upload, record };

    set_up();
    if (size)
        all[data[0] % G_N_ELEMENTS(all)](data + 1, size - 1);
    return 0;
}
