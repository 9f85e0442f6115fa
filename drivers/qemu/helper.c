/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Helpers (helper.h). What has a listening socket gets it from us, so nobody waits for one to appear. Each
 * has the start's cookie in its environment (launch.h): a daemon that was killed in the middle of a start
 * finds them by it. A helper that ends before its guest cannot be replaced, as emulators do not connect
 * again: the guest goes on without the device's other half, and the guest's log and ours say so.
 *
 * Start and undo: workers. Watching: the monitor thread; a watch owns itself and ends with its process.
 */
#define LOG_SOURCE "qemu.helper"
#include "drivers/qemu/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/qemu/driver.h"
#include "drivers/qemu/security.h"
#include "drivers/qemu/unix_path.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/paths.h"

enum {
    SEC = G_USEC_PER_SEC,
    EARLY_END_USEC = SEC / 10, /* who cannot start at all ends within this */
    END_USEC = 3 * SEC,        /* after SIGTERM */
    SETTLE_USEC = SEC,         /* from the end of a helper until its guest should have ended, too */
    WORDS_MAX = 1024,
};

HelperRecord *helper_record_new(const char *device, const char *program, pid_t pid,
                                uint64_t start_time)
{
    HelperRecord *r = g_new0(HelperRecord, 1);

    *r = (HelperRecord){ g_strdup(device), g_strdup(program), pid, start_time };
    return r;
}

HelperRecord *helper_record_copy(const HelperRecord *r)
{
    return helper_record_new(r->device, r->program, r->pid, r->start_time);
}

void helper_record_free(void *record)
{
    HelperRecord *r = record;

    g_free(r->device);
    g_free(r->program);
    g_free(r);
}

/* Watching ------------------------------------------------------------------------------------- */

typedef struct Watch {
    Domain *domain;
    int id; /* of the run */
    char *device, *program;
    PidRef pid;
    sd_event_source *source;
    GList link;
} Watch;

static struct {
    Lock lock;
    GQueue list; /* those whose process has not ended */
} watches = { .lock = LOCK_INIT };

static void watch_free(Watch *w)
{
    sd_event_source_disable_unref(w->source);
    pidref_done(&w->pid);
    domain_unref(w->domain);
    g_free(w->device);
    g_free(w->program);
    g_free(w);
}

static void lost_turn(DomainTurn *t, void *data)
{
    Watch *w = data;
    const DomainView *v = t ? turn_view(t) : NULL;
    const QemuStatus *s = v ? view_status(v) : NULL;

    if (s && v->id == w->id) {
        PidRef emulator = { .pid = s->pid, .start_time = s->start_time, .fd = -1 };
        bool alive =
            pidref_reopen(&emulator, NULL) == 1 && pidref_wait(&emulator, SETTLE_USEC, NULL) == 0;
        pidref_done(&emulator);
        if (alive) {
            log_error(
                "'%s' goes on without %s: its helper '%s' has ended, and an emulator does not connect "
                "to another",
                v->name, w->device, w->program);
            qemu_log_line(v->name, "helper '%s' of %s has ended", w->program, w->device);
        }
    }
    watch_free(w);
}

/* Monitor thread. */
static int on_end(sd_event_source *source, int fd, uint32_t events, void *data)
{
    Watch *w = data;
    (void)source;
    (void)fd;
    (void)events;

    w->source = sd_event_source_disable_unref(w->source);
    lock_enter(&watches.lock);
    g_queue_unlink(&watches.list, &w->link);
    lock_leave(&watches.lock);
    domain_run_turn(w->domain, "end of a helper", false, lost_turn, w);
    return 0;
}

/* Monitor thread. */
static void watch_begin(void *data)
{
    Watch *w = data;
    Loop *loop = qmp_loop(NULL);

    if (!loop || sd_event_add_io(loop_event(loop), &w->source, w->pid.fd, EPOLLIN, on_end, w) < 0)
        log_warn("the helper '%s' cannot be watched", w->program);
}

static void watch(Guest *g, int id, const HelperRecord *r)
{
    Loop *loop = qmp_loop(NULL);
    PidRef pid = { .pid = r->pid, .start_time = r->start_time, .fd = -1 };

    if (!loop)
        return;
    if (pidref_reopen(&pid, NULL) != 1) {
        log_error("the helper '%s' of %s has ended", r->program, r->device);
        pidref_done(&pid);
        return;
    }
    Watch *w = g_new0(Watch, 1);
    *w = (Watch){ domain_ref(g->domain), id, g_strdup(r->device), g_strdup(r->program), pid, NULL,
                  { .data = w } };
    lock_enter(&watches.lock);
    g_queue_push_tail_link(&watches.list, &w->link);
    lock_leave(&watches.lock);
    loop_post(loop, watch_begin, w);
}

void helper_stop(void)
{
    LOCK_SCOPE(&watches.lock);

    while (watches.list.head) {
        Watch *w = watches.list.head->data;
        g_queue_unlink(&watches.list, &w->link);
        watch_free(w);
    }
}

/* Starting ------------------------------------------------------------------------------------- */

char *helper_find(const char *program, const char *what, GError **err)
{
    char *path = g_path_is_absolute(program) && access(program, X_OK) != 0
                     ? NULL
                     : g_find_program_in_path(program);

    if (!path)
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED,
                  "Unable to find '%s' binary in $PATH: %s needs it", program, what);
    return path;
}

int helper_listen(const Start *s, const char *leaf, char **ret_path, GError **err)
{
    g_autofree char *path = g_build_filename(s->status->lib_dir, leaf, NULL);
    auto_fd fd = unix_path_listen(path, 0600, 1, err);
    Creds creds;

    security_creds(s->def, &creds);
    if (fd >= 0 && !creds.self && chown(path, creds.uid, creds.gid) < 0) {
        error_set_errno(err, errno, "cannot give '%s' to the emulator's user", path);
        return -1;
    }
    if (fd >= 0 && ret_path)
        *ret_path = g_steal_pointer(&path);
    return fd_take(&fd);
}

static int open_log(const Start *s, const char *device, const char *program, GError **err)
{
    g_autofree char *leaf = g_strdup_printf("%s-%s-%s.log", s->def->name, device, program);
    g_autofree char *path = g_build_filename(paths()->log, "qemu", leaf, NULL);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        error_set_errno(err, errno, "cannot open log file '%s'", path);
    return fd;
}

static char *last_words(int log)
{
    char buf[WORDS_MAX + 1];
    off_t end = lseek(log, 0, SEEK_END);
    ssize_t n = pread(log, buf, WORDS_MAX, MAX(0, end - WORDS_MAX));

    buf[MAX(n, 0)] = '\0';
    return g_strstrip(g_utf8_make_valid(buf, -1));
}

bool helper_spawn(Start *s, const char *device, const char *const *argv, const SpawnUser *user,
                  const SpawnFd *fds, unsigned n_fds, GError **err)
{
    g_autofree char *program = g_path_get_basename(argv[0]);
    const char *const envp[] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "HOME=/",
        qemu_launch_cookie(s->launch), NULL
    };
    auto_fd log = open_log(s, device, program, err);
    PidRef pid = PIDREF_NONE;

    if (log < 0)
        return false;
    Spawn sp = { .argv = argv,
                 .envp = envp,
                 .in = -1,
                 .out = log,
                 .err = log,
                 .fds = fds,
                 .n_fds = n_fds,
                 .user = user,
                 .memlock = -1,
                 .new_session = true };
    if (!spawn_start(&sp, &pid, err))
        return false;
    g_ptr_array_add(s->status->helpers,
                    helper_record_new(device, program, pid.pid, pid.start_time));
    bool ended = pidref_wait(&pid, EARLY_END_USEC, NULL) == 1;
    pidref_done(&pid);
    if (ended) {
        g_autofree char *words = last_words(log);
        error_set(err, VIR_ERR_INTERNAL_ERROR, "could not start '%s' for %s: %s", program, device,
                  *words ? words : "it ended without a word");
        return false;
    }
    return start_note(s, err);
}

bool start_helpers(Start *s, GError **err)
{
    TpmDef *t;
    FsDef *f;
    NetDef *n;

    for (guint i = 0; (t = domain_next(s->def, DEVICE_TPM, &i));)
        if (t->backend == TPM_EMULATOR && t->model != TPM_SPAPR_PROXY &&
            !helper_tpm_start(s, t, err))
            return false;
    for (guint i = 0; (f = domain_next(s->def, DEVICE_FILESYSTEM, &i));)
        if (f->driver == FS_DRIVER_VIRTIOFS && !f->socket && !helper_virtiofs_start(s, f, err))
            return false;
    for (guint i = 0; (n = domain_next(s->def, DEVICE_INTERFACE, &i));)
        if (n->type == NET_USER && n->backend == NET_BACKEND_PASST &&
            !helper_passt_start(s, n, err))
            return false;
    for (unsigned i = 0; i < s->status->helpers->len; i++)
        watch(s->g, s->status->id, s->status->helpers->pdata[i]);
    return true;
}

bool start_check_helpers(const Start *s, GError **err)
{
    TpmDef *t;
    FsDef *f;
    NetDef *n;

    for (guint i = 0; (t = domain_next(s->def, DEVICE_TPM, &i));)
        if (t->backend == TPM_EMULATOR && !helper_tpm_check(s->def, t, err))
            return false;
    for (guint i = 0; (f = domain_next(s->def, DEVICE_FILESYSTEM, &i));)
        if (f->driver == FS_DRIVER_VIRTIOFS && !f->socket) {
            g_autofree char *program = helper_virtiofs_program(f, err);
            if (!program)
                return false;
        }
    for (guint i = 0; (n = domain_next(s->def, DEVICE_INTERFACE, &i));)
        if (n->type == NET_USER && n->backend == NET_BACKEND_PASST) {
            g_autofree char *program =
                helper_find("passt", "an interface with backend 'passt'", err);
            if (!program)
                return false;
        }
    return true;
}

void start_helpers_again(const Run *r)
{
    for (unsigned i = 0; i < r->status->helpers->len; i++)
        watch(r->guest, r->id, r->status->helpers->pdata[i]);
}

/* Most have ended with their emulator. */
void start_undo_helpers(const Run *r)
{
    for (unsigned i = 0; i < r->status->helpers->len; i++) {
        const HelperRecord *h = r->status->helpers->pdata[i];
        PidRef pid = { .pid = h->pid, .start_time = h->start_time, .fd = -1 };

        if (pidref_reopen(&pid, NULL) == 1 && pidref_wait(&pid, 0, NULL) == 0) {
            (void)pidref_kill(&pid, SIGTERM, NULL);
            if (pidref_wait(&pid, END_USEC, NULL) != 1) {
                (void)pidref_kill(&pid, SIGKILL, NULL);
                if (pidref_wait(&pid, END_USEC, NULL) != 1)
                    log_error("the helper '%s' of '%s' (pid %d) does not end", h->program, r->name,
                              (int)h->pid);
            }
        }
        pidref_done(&pid);
    }
    if (r->status->starting && r->status->makes_tpm)
        helper_tpm_forget(r->def->uuid.v);
}
