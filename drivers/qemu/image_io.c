/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams between emulators and files (image_io.h), made of at most two parts in a row, joined by pipes:
 * a program that compresses or expands, and a copier, which is a thread. A part that fails closes its
 * pipe, so that its neighbours end, too; the first reason is kept. The copier polls, so it can always be
 * told to stop; the program can be killed.
 *
 * Going around the cache wants whole blocks at whole offsets: the copier fills a buffer before it moves
 * it, and gives up O_DIRECT for the rest at the end, which is then synced and dropped from the cache.
 */
#include "drivers/qemu/image_io.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/spawn.h"

enum { BUFFER = 1 << 20, BLOCK = 4096, PIPE_SIZE = 1 << 20, WORDS_MAX = 4096 };

typedef struct Copier {
    bool running;
    pthread_t thread;
    int from, to;        /* the file, or an end of a pipe that is the copier's */
    bool direct;         /* the file's side goes around the cache */
    bool writes;         /* 'to' is the file */
    uint64_t skip;       /* of what is read */
    GByteArray *head;    /* what comes before the first byte from 'from'; NULL: nothing */
} Copier;

struct ImageIo {
    char *name;
    int file;
    bool writes;
    int emulator; /* our copy of the emulator's end; -1: handed over */
    int stop;     /* eventfd: the copier is to stop */
    int done;     /* eventfd: it has ended */
    Copier copier;
    PidRef program;
    int words; /* what the program says */
    Lock lock; /* of why */
    GError *why;
};

/* Programs, by format; all of them read and write their standard streams so. */
static const char *const programs[SAVE_FORMAT_N_] = {
    [SAVE_GZIP] = "gzip", [SAVE_BZIP2] = "bzip2", [SAVE_XZ] = "xz", [SAVE_LZOP] = "lzop", [SAVE_ZSTD] = "zstd",
};

static char *find_program(SaveFormat f, GError **err)
{
    char *path = g_find_program_in_path(programs[f]);

    if (!path)
        error_set(err, VIR_ERR_OPERATION_FAILED, "the program '%s' for images of this format is not installed",
                  programs[f]);
    return path;
}

bool image_io_have(SaveFormat f, GError **err)
{
    g_autofree char *path = programs[f] ? find_program(f, err) : NULL;
    return path || !programs[f];
}

static void fail(ImageIo *io, const char *what, int errnum)
{
    LOCK_SCOPE(&io->lock);
    if (!io->why)
        error_set_errno(&io->why, errnum, "%s '%s'", what, io->name);
}

static void tell(int eventfd)
{
    uint64_t one = 1;

    if (write(eventfd, &one, sizeof(one)) < 0) {
        /* The counter is full: it was told before. */
    }
}

/* Copying -------------------------------------------------------------------------------------- */

/* False: told to stop. */
static bool wait_ready(const ImageIo *io, int fd, short events)
{
    struct pollfd p[2] = { { .fd = fd, .events = events }, { .fd = io->stop, .events = POLLIN } };

    while (poll(p, 2, -1) < 0 && errno == EINTR)
        continue;
    return !(p[1].revents & POLLIN);
}

/* Bytes, 0 at the end, -1 with errno; ECANCELED: told to stop. */
static ssize_t read_part(const ImageIo *io, int fd, void *buf, size_t n)
{
    for (;;) {
        if (!wait_ready(io, fd, POLLIN)) {
            errno = ECANCELED;
            return -1;
        }
        ssize_t r = read(fd, buf, n);
        if (r >= 0 || (errno != EAGAIN && errno != EINTR))
            return r;
    }
}

static bool write_whole(const ImageIo *io, int fd, const uint8_t *buf, size_t n)
{
    while (n > 0) {
        if (!wait_ready(io, fd, POLLOUT)) {
            errno = ECANCELED;
            return false;
        }
        ssize_t r = write(fd, buf, n);
        if (r < 0 && errno != EAGAIN && errno != EINTR)
            return false;
        if (r > 0) {
            buf += r;
            n -= (size_t)r;
        }
    }
    return true;
}

static bool set_direct(int fd, bool on)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, on ? flags | O_DIRECT : flags & ~O_DIRECT) == 0;
}

/* Fills buf from the source: fewer than 'room' bytes only at its end. -1 with errno. */
static ssize_t fill(const ImageIo *io, Copier *c, uint8_t *buf, size_t room)
{
    size_t have = 0;

    if (c->head) {
        have = MIN(c->head->len, room);
        memcpy(buf, c->head->data, have);
        g_byte_array_remove_range(c->head, 0, (guint)have);
        if (!c->head->len)
            g_clear_pointer(&c->head, g_byte_array_unref);
    }
    while (have < room) {
        ssize_t n = read_part(io, c->from, buf + have, room - have);
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        have += (size_t)n;
        if (!c->writes)
            break; /* the reader of a pipe does not wait for whole blocks */
    }
    return (ssize_t)have;
}

static bool copy(ImageIo *io, Copier *c, uint8_t *buf)
{
    for (;;) {
        ssize_t n = fill(io, c, buf, BUFFER);
        if (n < 0) {
            fail(io, "cannot read", errno);
            return false;
        }
        if (n == 0)
            return true;
        uint64_t skip = MIN(c->skip, (uint64_t)n);
        c->skip -= skip;
        if (c->writes && c->direct && n % BLOCK && !set_direct(c->to, false)) {
            fail(io, "cannot write the end of", errno);
            return false;
        }
        if (!write_whole(io, c->to, buf + skip, (size_t)n - skip)) {
            if (c->writes || errno != EPIPE)
                fail(io, c->writes ? "cannot write" : "cannot pass on", errno);
            return false;
        }
    }
}

static void *copier_main(void *data)
{
    ImageIo *io = data;
    Copier *c = &io->copier;
    void *buf = NULL;

    if (posix_memalign(&buf, BLOCK, BUFFER) != 0)
        fail(io, "no memory to copy", ENOMEM);
    else
        (void)copy(io, c, buf);
    free(buf);
    /* The neighbour sees the end, whichever it was. */
    fd_close(c->writes ? &c->from : &c->to);
    tell(io->done);
    return NULL;
}

/* Takes the end of the pipe, and head. */
static bool start_copier(ImageIo *io, int from, int to, bool writes, bool direct, uint64_t skip, GByteArray *head,
                         GError **err)
{
    Copier *c = &io->copier;

    *c = (Copier){ .from = from, .to = to, .writes = writes, .direct = direct, .skip = skip, .head = head };
    (void)fd_set_nonblock(to, true); /* it is waited for together with the order to stop */
    int r = pthread_create(&c->thread, NULL, copier_main, io);
    c->running = r == 0;
    if (r != 0) {
        error_set_errno(err, r, "cannot start a thread for '%s'", io->name);
        fd_close(writes ? &c->from : &c->to);
    }
    return r == 0;
}

/* Programs ------------------------------------------------------------------------------------- */

static bool start_program(ImageIo *io, SaveFormat format, int in, int out, GError **err)
{
    g_autofree char *path = find_program(format, err);
    const char *const argv[] = { path, io->writes ? "-c" : "-dc", NULL };

    if (!path)
        return false;
    io->words = memfd_create("words", MFD_CLOEXEC);
    Spawn s = { .argv = argv, .in = in, .out = out, .err = io->words, .memlock = -1, .keep_zombie = true };
    return spawn_start(&s, &io->program, err);
}

/* Waits for its end; a reason when it failed. */
static void reap_program(ImageIo *io)
{
    siginfo_t info = { 0 };
    char words[WORDS_MAX + 1];

    if (!io->program.pid)
        return;
    while (waitid(P_PID, (id_t)io->program.pid, &info, WEXITED) < 0 && errno == EINTR)
        continue;
    pidref_done(&io->program);
    io->program = PIDREF_NONE;
    if (info.si_code == CLD_EXITED && info.si_status == 0)
        return;
    ssize_t n = pread(io->words, words, WORDS_MAX, 0);
    words[MAX(n, 0)] = '\0';
    g_strchomp(words);
    LOCK_SCOPE(&io->lock);
    if (!io->why)
        error_set(&io->why, VIR_ERR_OPERATION_FAILED, "the program that %s '%s' %s %d%s%s",
                  io->writes ? "compresses" : "expands", io->name,
                  info.si_code == CLD_EXITED ? "ended with status" : "was ended by signal", info.si_status,
                  *words ? ": " : "", words);
}

/* Making --------------------------------------------------------------------------------------- */

static bool make_pipe(int ret[2], GError **err)
{
    if (pipe2(ret, O_CLOEXEC) < 0) {
        error_set_errno(err, errno, "cannot make a pipe");
        return false;
    }
    (void)fcntl(ret[1], F_SETPIPE_SZ, PIPE_SIZE); /* smaller is slower only */
    return true;
}

static ImageIo *image_io_new(int file, const char *name, bool writes)
{
    ImageIo *io = g_new0(ImageIo, 1);

    io->name = g_strdup(name);
    io->file = file;
    io->writes = writes;
    io->emulator = io->words = -1;
    io->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    io->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    io->program = PIDREF_NONE;
    lock_init(&io->lock);
    return io;
}

static bool go_around_cache(ImageIo *io, GError **err)
{
    if (set_direct(io->file, true))
        return true;
    error_set_errno(err, errno, "'%s' cannot be used without the host's cache", io->name);
    return false;
}

ImageIo *image_io_write(int file, const char *name, const GByteArray *head, SaveFormat format, bool bypass_cache,
                        GError **err)
{
    g_autoptr(ImageIo) io = image_io_new(file, name, true);
    struct stat st;
    int p[2], c[2];

    if (fstat(file, &st) < 0) {
        error_set_errno(err, errno, "cannot look at '%s'", name);
        return NULL;
    }
    bool plain = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode);
    bool copies = bypass_cache || !plain;
    /* Around the cache the head and the stream are one row of blocks: both go through the copier. */
    if (!copies) {
        if (head->len && fd_write_all(file, head->data, head->len) < 0) {
            error_set_errno(err, errno, "cannot write '%s'", name);
            return NULL;
        }
        if (format == SAVE_RAW) {
            io->emulator = fcntl(file, F_DUPFD_CLOEXEC, 3);
            if (io->emulator < 0) {
                error_set_errno(err, errno, "cannot pass on '%s'", name);
                return NULL;
            }
            return g_steal_pointer(&io);
        }
    } else if (bypass_cache && !go_around_cache(io, err)) {
        return NULL;
    }
    if (!make_pipe(p, err))
        return NULL;
    io->emulator = p[1];
    auto_fd from = p[0];
    if (!copies)
        return start_program(io, format, from, file, err) ? g_steal_pointer(&io) : NULL;
    if (format != SAVE_RAW) {
        if (!make_pipe(c, err))
            return NULL;
        auto_fd raw = fd_take(&from), packed = c[1];
        from = c[0];
        if (!start_program(io, format, raw, packed, err))
            return NULL;
    }
    GByteArray *mine = head->len ? g_byte_array_append(g_byte_array_new(), head->data, head->len) : NULL;
    return start_copier(io, fd_take(&from), file, true, bypass_cache, 0, mine, err) ? g_steal_pointer(&io) : NULL;
}

ImageIo *image_io_read(int file, const char *name, uint64_t skip, SaveFormat format, bool bypass_cache, GError **err)
{
    g_autoptr(ImageIo) io = image_io_new(file, name, false);
    auto_fd source = -1;
    int p[2];

    if (lseek(file, bypass_cache ? 0 : (off_t)skip, SEEK_SET) < 0) {
        error_set_errno(err, errno, "cannot read '%s'", name);
        return NULL;
    }
    if (bypass_cache) {
        if (!go_around_cache(io, err) || !make_pipe(p, err))
            return NULL;
        source = p[0];
        if (!start_copier(io, file, p[1], false, true, skip, NULL, err))
            return NULL;
    } else {
        source = fcntl(file, F_DUPFD_CLOEXEC, 3);
    }
    if (format == SAVE_RAW) {
        io->emulator = fd_take(&source);
        return g_steal_pointer(&io);
    }
    if (!make_pipe(p, err))
        return NULL;
    io->emulator = p[0];
    auto_fd out = p[1];
    return start_program(io, format, source, out, err) ? g_steal_pointer(&io) : NULL;
}

/* Using ---------------------------------------------------------------------------------------- */

int image_io_fd(const ImageIo *io)
{
    return io->emulator;
}

void image_io_handed_over(ImageIo *io)
{
    fd_close(&io->emulator);
}

bool image_io_ended(ImageIo *io, uint64_t usec)
{
    struct pollfd p = { .fd = io->done, .events = POLLIN };

    image_io_handed_over(io);
    if (io->program.pid && pidref_wait(&io->program, usec, NULL) == 0)
        return false;
    return !io->copier.running || poll(&p, 1, (int)(usec / 1000)) != 0;
}

static void join(ImageIo *io)
{
    reap_program(io);
    if (io->copier.running)
        pthread_join(io->copier.thread, NULL);
    io->copier.running = false;
}

bool image_io_finish(ImageIo *io, GError **err)
{
    image_io_handed_over(io);
    join(io);
    if (!io->why && io->writes) {
        if (fsync(io->file) < 0 && errno != EINVAL && errno != EROFS) /* what cannot be synced */
            fail(io, "cannot write", errno);
        if (io->copier.direct)
            (void)posix_fadvise(io->file, 0, 0, POSIX_FADV_DONTNEED);
    }
    if (!io->why)
        return true;
    g_propagate_error(err, g_error_copy(io->why));
    return false;
}

void image_io_explain(ImageIo *io, GError **err)
{
    LOCK_SCOPE(&io->lock);
    if (!io->why || !err)
        return;
    g_clear_error(err);
    *err = g_error_copy(io->why);
}

void image_io_stop(ImageIo *io)
{
    tell(io->stop);
    if (io->program.pid)
        (void)pidref_kill(&io->program, SIGKILL, NULL);
}

void image_io_free(ImageIo *io)
{
    if (!io)
        return;
    fd_close(&io->emulator);
    image_io_stop(io);
    join(io);
    fd_close(&io->stop);
    fd_close(&io->done);
    if (io->copier.head)
        g_byte_array_unref(io->copier.head);
    fd_close(&io->words);
    g_clear_error(&io->why);
    lock_done(&io->lock);
    g_free(io->name);
    g_free(io);
}
