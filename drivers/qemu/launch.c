/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Starting emulators. The rule that everything here serves: at no moment is there an emulator that
 * neither a status record nor a marker file knows. So the marker exists before the process, and goes
 * after the record is written.
 *
 * A marker is RUN/qemu/NAME.starting with two lines, uuid and cookie. The emulator has the cookie in
 * its environment. Between clone and exec the child still looks like us and has no cookie; it does
 * have our copy of the marker's descriptor, and with it the flock(). Whoever gets the lock therefore
 * knows that every child has either executed the emulator or ended.
 *
 * The monitor's socket is made by us and inherited listening, so that connecting needs no polling: the
 * connection waits in the backlog until QEMU accepts it, and breaks when QEMU ends before.
 *
 * Workers; a QemuLaunch belongs to the thread that starts the domain.
 */
#include "drivers/qemu/launch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#include "drivers/qemu/unix_path.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

#define COOKIE_ENV      "MODVIRT_START="
#define COOKIE_LEN      32
#define MARKER_SUFFIX   ".starting"
#define LOG_ROTATE_SIZE (2 * 1024 * 1024)
#define LOG_KEEP        3
#define LAST_WORDS_MAX  2048
#define LOCK_WAIT_USEC  (10 * G_USEC_PER_SEC)

struct QemuLaunch {
    char *name, *monitor_path, *marker_path, *pid_path;
    char cookie[COOKIE_LEN + 1];
    char cookie_env[sizeof(COOKIE_ENV) + COOKIE_LEN];
    int marker, monitor, log;
    off_t log_start; /* where this run's own output begins */
    PidRef pid;
};

/* Paths. */

static char *run_dir(void)
{
    return g_build_filename(paths()->run, "qemu", NULL);
}

static char *run_file(const char *name, const char *suffix)
{
    g_autofree char *dir = run_dir();

    return g_strdup_printf("%s/%s%s", dir, name, suffix);
}

char *qemu_log_path(const char *name)
{
    g_autofree char *file = g_strconcat(name, ".log", NULL);

    return g_build_filename(paths()->log, "qemu", file, NULL);
}

char *qemu_pid_path(const char *name)
{
    return run_file(name, ".pid");
}

/* Log. */

/* "2026-11-20 23:37:00.123+0000", as in today's logs. */
static char *timestamp(void)
{
    struct timespec ts;
    struct tm tm;
    char day[32];

    clock_gettime(CLOCK_REALTIME, &ts);
    gmtime_r(&ts.tv_sec, &tm);
    strftime(day, sizeof(day), "%Y-%m-%d %H:%M:%S", &tm);
    return g_strdup_printf("%s.%03ld+0000", day, ts.tv_nsec / 1000000);
}

/* NAME.log -> NAME.log.0 -> NAME.log.1 … A guest that makes its emulator talk fills at most one
 * file per run. */
static void log_rotate(const char *path)
{
    struct stat st;

    if (stat(path, &st) < 0 || st.st_size < LOG_ROTATE_SIZE)
        return;
    for (int i = LOG_KEEP - 1; i >= 0; i--) {
        g_autofree char *to = g_strdup_printf("%s.%d", path, i);
        g_autofree char *from = i > 0 ? g_strdup_printf("%s.%d", path, i - 1) : g_strdup(path);

        (void)rename(from, to); /* the older ones may not exist */
    }
}

static int log_open(const char *name, GError **err)
{
    g_autofree char *path = qemu_log_path(name);
    g_autofree char *dir = g_path_get_dirname(path);

    if (!path_make_dir(dir, 0700, err))
        return -1;
    log_rotate(path);
    int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        error_set_errno(err, errno, "cannot open log file '%s'", path);
    return fd;
}

void qemu_log_line(const char *name, const char *fmt, ...)
{
    g_autofree char *path = qemu_log_path(name);
    g_autofree char *now = timestamp();
    auto_fd fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW);
    va_list ap;

    if (fd < 0)
        return;
    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    g_autofree char *line = g_strdup_printf("%s: %s\n", now, text);
    (void)fd_write_all(fd, line, strlen(line)); /* a full disk must not stop a guest's life */
}

static void log_command(QemuLaunch *l, const char *const *argv, const char *const *envp)
{
    g_autoptr(GString) s = g_string_new(NULL);
    g_autofree char *now = timestamp();
    char host[256] = "";

    (void)gethostname(host, sizeof(host) - 1);
    g_string_append_printf(s, "%s: starting up, hostname: %s\n", now, host);
    for (; envp && *envp; envp++)
        g_string_append_printf(s, "%s \\\n", *envp);
    for (unsigned i = 0; argv[i]; i++) {
        g_autofree char *quoted =
            argv[i][strspn(
                argv[i],
                "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_=,./:+@%")] ||
                    !*argv[i]
                ? g_shell_quote(argv[i])
                : g_strdup(argv[i]);
        /* Options stand on a line of their own together with their value. */
        g_string_append(s, quoted);
        g_string_append(s, !argv[i + 1] ? "\n" : argv[i + 1][0] == '-' || i == 0 ? " \\\n" : " ");
    }
    (void)fd_write_all(l->log, s->str, s->len);
    l->log_start = lseek(l->log, 0, SEEK_END);
}

/* What it says of each terminal that it opens, and is no reason for anything. */
static void drop_chatter(char *words)
{
    char *to = words;

    for (char *line = words, *next; *line; line = next) {
        size_t len = strcspn(line, "\n");
        next = line + len + (line[len] == '\n');
        if (g_strstr_len(line, (gssize)len, "char device redirected to "))
            continue;
        memmove(to, line, (size_t)(next - line));
        to += next - line;
    }
    *to = '\0';
}

/* The end of what the emulator printed in this run, without line breaks at the ends; "" when it was
 * silent. Its words may hold anything: made valid UTF-8. */
static char *last_words(QemuLaunch *l)
{
    char buf[LAST_WORDS_MAX + 1];
    off_t end = lseek(l->log, 0, SEEK_END);
    off_t from = MAX(l->log_start, end - LAST_WORDS_MAX);
    ssize_t n = end > from ? pread(l->log, buf, MIN(end - from, LAST_WORDS_MAX), from) : 0;

    buf[MAX(n, 0)] = '\0';
    drop_chatter(buf);
    return g_strstrip(g_utf8_make_valid(buf, -1));
}

/* Life. */

static void launch_free(QemuLaunch *l)
{
    fd_close(&l->marker);
    fd_close(&l->monitor);
    fd_close(&l->log);
    pidref_done(&l->pid);
    g_free(l->name);
    g_free(l->monitor_path);
    g_free(l->marker_path);
    g_free(l->pid_path);
    g_free(l);
}

static bool marker_make(QemuLaunch *l, const Uuid uuid, GError **err)
{
    g_autofree char *dir = run_dir();
    char id[37], text[37 + COOKIE_LEN + 2];

    for (unsigned i = 0; i < COOKIE_LEN; i += 8)
        g_snprintf(l->cookie + i, 9, "%08x", g_random_int());
    g_snprintf(l->cookie_env, sizeof(l->cookie_env), "%s%s", COOKIE_ENV, l->cookie);
    uuid_format(uuid, id);
    g_snprintf(text, sizeof(text), "%s\n%s\n", id, l->cookie);
    if (!path_make_dir(dir, 0755, err))
        return false;

    l->marker = open(l->marker_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (l->marker < 0 || flock(l->marker, LOCK_EX | LOCK_NB) < 0 ||
        fd_write_all(l->marker, text, strlen(text)) < 0) {
        error_set_errno(err, errno, "cannot write '%s'", l->marker_path);
        return false;
    }
    return true;
}

static QemuLaunch *launch_new(const char *name, GError **err)
{
    if (!path_component_ok(name, MARKER_SUFFIX, err))
        return NULL;

    QemuLaunch *l = g_new0(QemuLaunch, 1);
    l->name = g_strdup(name);
    l->marker_path = run_file(name, MARKER_SUFFIX);
    l->marker = l->monitor = l->log = -1;
    l->pid = PIDREF_NONE;
    return l;
}

QemuLaunch *qemu_launch_new_helper(const char *name, GError **err)
{
    static const Uuid nobody;
    QemuLaunch *l = launch_new(name, err);

    if (!l)
        return NULL;
    l->log = memfd_create("words", MFD_CLOEXEC);
    if (l->log < 0)
        error_set_errno(err, errno, "cannot keep the output of '%s'", name);
    if (l->log < 0 || !marker_make(l, nobody, err)) {
        qemu_launch_undo(l);
        return NULL;
    }
    return l;
}

QemuLaunch *qemu_launch_new(const char *name, const Uuid uuid, GError **err)
{
    QemuLaunch *l = launch_new(name, err);

    if (!l)
        return NULL;
    l->pid_path = qemu_pid_path(name);
    if (!marker_make(l, uuid, err) || (l->log = log_open(name, err)) < 0) {
        qemu_launch_undo(l);
        return NULL;
    }
    return l;
}

bool qemu_launch_listen(QemuLaunch *l, const char *monitor_path, GError **err)
{
    l->monitor_path = g_strdup(monitor_path);
    l->monitor = unix_path_listen(monitor_path, 0700, 1, err);
    return l->monitor >= 0;
}

int qemu_launch_monitor_fd(const QemuLaunch *l)
{
    return l->monitor;
}

int qemu_launch_log_fd(const QemuLaunch *l)
{
    return l->log;
}

const char *qemu_launch_cookie(const QemuLaunch *l)
{
    return l->cookie_env;
}

const PidRef *qemu_launch_pid(const QemuLaunch *l)
{
    return &l->pid;
}

/* Not durable on purpose: after a power cut the process is gone, too. */
static bool pid_file_write(QemuLaunch *l, GError **err)
{
    g_autofree char *temp = g_strconcat(l->pid_path, ".new", NULL);
    char text[32];

    g_snprintf(text, sizeof(text), "%d\n", (int)l->pid.pid);
    auto_fd fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0 || rename(temp, l->pid_path) < 0) {
        error_set_errno(err, errno, "cannot write '%s'", l->pid_path);
        (void)unlink(temp);
        return false;
    }
    return true;
}

bool qemu_launch_spawn(QemuLaunch *l, const Spawn *spawn, GError **err)
{
    g_autoptr(GPtrArray) env = g_ptr_array_new();
    Spawn s = *spawn;

    for (const char *const *e = spawn->envp; e && *e; e++)
        g_ptr_array_add(env, (char *)*e);
    g_ptr_array_add(env, l->cookie_env);
    g_ptr_array_add(env, NULL);
    if (l->pid_path)
        log_command(l, spawn->argv, spawn->envp);

    s.envp = (const char *const *)env->pdata;
    s.in = -1;
    s.out = s.err = l->log;
    s.new_session = true;
    bool ok = spawn_start(&s, &l->pid, err);
    fd_close(&l->monitor);
    return ok && (!l->pid_path || pid_file_write(l, err));
}

void qemu_launch_explain(QemuLaunch *l, GError **err)
{
    if (l->pid.pid == 0)
        return;
    bool ended = pidref_wait(&l->pid, 0, NULL) == 1;
    g_autofree char *words = last_words(l);
    if (!ended) {
        if (err && *err && *words) {
            g_autofree char *text =
                g_strdup_printf("%s; the emulator says: %s", (*err)->message, words);
            g_free((*err)->message);
            (*err)->message = g_steal_pointer(&text);
        }
        return;
    }
    g_clear_error(err);
    error_set(err, VIR_ERR_INTERNAL_ERROR, "process exited while connecting to monitor: %s",
              *words ? words : "it printed no reason");
}

Qmp *qemu_launch_connect(QemuLaunch *l, uint64_t deadline, const QmpOps *ops, void *data,
                         GError **err)
{
    GError *why = NULL;
    Qmp *q = qmp_open(l->monitor_path, -1, 0, deadline, ops, data, &why);

    if (q)
        return q;
    /* The socket breaks a moment before the process is a zombie. */
    if (!error_is(why, VIR_ERR_OPERATION_TIMEOUT))
        (void)pidref_wait(&l->pid, G_USEC_PER_SEC, NULL);
    qemu_launch_explain(l, &why);
    g_propagate_error(err, why);
    return NULL;
}

void qemu_launch_commit(QemuLaunch *l)
{
    if (!l)
        return;
    (void)unlink(l->marker_path); /* if it stays, recovery asks the status and removes it */
    launch_free(l);
}

void qemu_launch_kill(QemuLaunch *l)
{
    if (!l || l->pid.pid == 0)
        return;
    (void)pidref_kill(&l->pid, SIGKILL, NULL); /* it may have ended by itself */
    (void)pidref_wait(&l->pid, 5 * G_USEC_PER_SEC, NULL);
}

void qemu_launch_undo(QemuLaunch *l)
{
    if (!l)
        return;
    qemu_launch_kill(l);
    if (l->pid.pid != 0 && l->pid_path)
        (void)unlink(l->pid_path);
    if (l->monitor_path)
        (void)unlink(l->monitor_path);
    (void)unlink(l->marker_path);
    launch_free(l);
}

void qemu_launch_cleanup(const char *name, const char *monitor_path)
{
    g_autofree char *pid = qemu_pid_path(name), *half = g_strconcat(pid, ".new", NULL);

    (void)unlink(pid);
    (void)unlink(half);
    if (monitor_path)
        (void)unlink(monitor_path);
}

/* Recovery. */

static bool has_cookie(const char *pid, const char *entry)
{
    g_autofree char *path = g_strdup_printf("/proc/%s/environ", pid);
    g_autofree char *env = NULL;
    size_t len = 0;

    if (!fd_read_file(AT_FDCWD, path, 256 * 1024, &env, &len, NULL))
        return false; /* ended meanwhile, or not ours to read */
    for (const char *p = env; p < env + len; p += strlen(p) + 1)
        if (strcmp(p, entry) == 0)
            return true;
    return false;
}

unsigned qemu_find_orphans(const char *cookie, bool do_kill, PidRef *ret)
{
    g_autofree char *entry = g_strconcat(COOKIE_ENV, cookie, NULL);
    DIR *proc = opendir("/proc");
    unsigned found = 0;

    if (ret)
        *ret = PIDREF_NONE;
    for (struct dirent *d; proc && (d = readdir(proc));) {
        PidRef p = PIDREF_NONE;

        if (!g_ascii_isdigit(d->d_name[0]) || !has_cookie(d->d_name, entry))
            continue;
        /* Hold the process first, then look again: the number may be another's by now. */
        if (!pidref_from_pid(atoi(d->d_name), &p, NULL))
            continue;
        if (has_cookie(d->d_name, entry)) {
            if (do_kill) {
                (void)pidref_kill(&p, SIGKILL, NULL);
                (void)pidref_wait(&p, 5 * G_USEC_PER_SEC, NULL);
            }
            if (found++ == 0 && ret) {
                *ret = p;
                continue;
            }
        }
        pidref_done(&p);
    }
    if (proc)
        closedir(proc);
    return found;
}

/* There is no timed flock(); a child holds it for microseconds, so a few short naps suffice. */
static bool marker_lock(int fd)
{
    for (uint64_t end = now_usec() + LOCK_WAIT_USEC; now_usec() < end; g_usleep(2000))
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return true;
    return false;
}

static bool recover_one(const char *path, bool (*known)(const Uuid, const PidRef *, void *),
                        void *data, GError **err)
{
    char text[37 + COOKIE_LEN + 3] = "";
    auto_fd fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    Uuid uuid;

    if (fd < 0) {
        error_set_errno(err, errno, "cannot open '%s'", path);
        return false;
    }
    if (!marker_lock(fd)) {
        error_set(err, VIR_ERR_OPERATION_TIMEOUT, "'%s' stays locked: is another daemon running?",
                  path);
        return false;
    }

    /* Shorter: we were killed while writing it, so nothing was started. */
    if (pread(fd, text, sizeof(text) - 1, 0) == 36 + 1 + COOKIE_LEN + 1) {
        PidRef p;

        text[36] = text[37 + COOKIE_LEN] = '\0';
        unsigned n = qemu_find_orphans(text + 37, false, &p);
        if (n == 0) { /* it closes the lock microseconds before it executes */
            g_usleep(50000);
            n = qemu_find_orphans(text + 37, false, &p);
        }
        if (n > 0) {
            bool keep = uuid_parse(text, uuid) && uuid_is_valid(uuid) && known(uuid, &p, data);
            pidref_done(&p);
            if (!keep)
                (void)qemu_find_orphans(text + 37, true, NULL);
        }
    }
    (void)unlink(path);
    return true;
}

bool qemu_launch_recover(bool (*known)(const Uuid uuid, const PidRef *pid, void *data), void *data,
                         GError **err)
{
    g_autofree char *dir = run_dir();
    GDir *d = g_dir_open(dir, 0, NULL);
    bool ok = true;

    for (const char *name; d && (name = g_dir_read_name(d));) {
        g_autofree char *path = g_build_filename(dir, name, NULL);

        if (!g_str_has_suffix(name, MARKER_SUFFIX))
            continue;
        /* One that fails does not keep the others; the first error is told. */
        if (!recover_one(path, known, data, ok ? err : NULL))
            ok = false;
    }
    if (d)
        g_dir_close(d);
    return ok;
}
