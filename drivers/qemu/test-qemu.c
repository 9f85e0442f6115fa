/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Against the real emulator of this host (TCG, no guest code): probing and its cache, a start with
 * its marker, early exit, an orphan's end. Skipped (77) where qemu-system-x86_64 is not installed.
 */
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/monitor.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"

static char *emulator, *top, *monitor_path;
static const Uuid uuid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 };
static atomic_int shutdowns, closed;

static void on_event(Qmp *q, QmpEvent *e, void *data)
{
    MonEvent m;

    mon_event_decode(e, &m);
    if (m.kind == MON_SHUTDOWN) {
        assert(m.shutdown.guest_known && !m.shutdown.guest && g_str_equal(m.shutdown.reason, "host-qmp-quit"));
        shutdowns++;
    }
    mon_event_clear(&m);
}

static void on_closed(Qmp *q, const GError *why, void *data)
{
    closed++;
}

static const QmpOps ops = { on_event, on_closed, NULL };

static bool exists(const char *dir, const char *name)
{
    g_autofree char *path = g_build_filename(dir, "qemu", name, NULL);

    return access(path, F_OK) == 0;
}

static void test_probe_and_cache(void)
{
    g_autoptr(GError) err = NULL;
    uint64_t t0 = now_usec();
    g_autoptr(QemuCaps) c = qemu_caps_get(emulator, &err);

    if (!c)
        g_error("%s", err->message);
    uint64_t t1 = now_usec();
    assert(c->version >= 7000000 && g_str_equal(c->arch, "x86_64"));
    assert(qemu_caps_has(c, QEMU_CAP_TCG) && qemu_caps_has(c, QEMU_CAP_DEVICE_JSON));
    assert(qemu_caps_accel_usable(c, QEMU_ACCEL_TCG));
    const QemuMachine *pc = qemu_caps_machine(c, QEMU_ACCEL_TCG, "pc"), *first = qemu_caps_machine(c, QEMU_ACCEL_TCG, NULL);
    assert(pc && pc == first && qemu_caps_machine(c, QEMU_ACCEL_TCG, pc->name) == pc && pc->max_cpus >= 255);
    assert(qemu_caps_cpu(c, QEMU_ACCEL_TCG, "qemu64"));
    assert(c->accel[QEMU_ACCEL_TCG].host_cpu.props->len > 100);

    /* The second question costs nothing, and a new process finds the file. */
    g_autoptr(QemuCaps) same = qemu_caps_get(emulator, &err);
    assert(same == c);
    qemu_caps_cache_clear();
    uint64_t t2 = now_usec();
    g_autoptr(QemuCaps) again = qemu_caps_get(emulator, &err);
    assert(again && again != c && memcmp(again->flags, c->flags, sizeof(c->flags)) == 0);
    fprintf(stderr, "probe %" G_GUINT64_FORMAT " us, cached %" G_GUINT64_FORMAT " us\n", t1 - t0, now_usec() - t2);
    assert(!qemu_caps_get("/nonexistent/qemu", &err) && error_is(err, VIR_ERR_SYSTEM_ERROR));
    g_clear_error(&err);
    assert(!qemu_caps_get("/bin/true", &err));
    g_clear_error(&err);
    qemu_caps_cache_clear();
}

/* How often the emulator has been started, as the wrapper below has written it down. */
static unsigned starts(const char *file)
{
    g_autofree char *text = NULL;
    gsize len = 0;

    return g_file_get_contents(file, &text, &len, NULL) ? (unsigned)len : 0;
}

static void wrap(const char *path, const char *count, const char *comment)
{
    g_autofree char *text = g_strdup_printf("#!/bin/sh\n# %s\nprintf x >>%s\nexec %s \"$@\"\n", comment, count, emulator);
    bool ok = g_file_set_contents_full(path, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL);

    assert(ok);
}

/* What is known is not asked for again, neither in memory nor by a later daemon; a brief answer serves those who
 * need no more; and both are asked for anew when the binary or the directory of its modules changes. */
static void test_brief_and_validity(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *dir = g_dir_make_tmp("modvirt-caps-XXXXXX", NULL);
    g_autofree char *bin = g_build_filename(dir, "bin", NULL), *binary = g_build_filename(bin, "emulator", NULL);
    g_autofree char *modules = g_build_filename(dir, "lib", "qemu", NULL), *count = g_build_filename(dir, "count", NULL);
    g_autofree char *lib = g_path_get_dirname(modules);

    assert(mkdir(bin, 0755) == 0);
    wrap(binary, count, "first");
    g_autoptr(QemuCaps) c = qemu_caps_get_brief(binary, &err);
    if (!c)
        g_error("%s", err->message);
    assert(c->brief && c->version >= 7000000 && g_str_equal(c->arch, "x86_64") && starts(count) == 1);
    QemuAccel a = qemu_caps_accel_usable(c, QEMU_ACCEL_KVM) ? QEMU_ACCEL_KVM : QEMU_ACCEL_TCG;
    assert(qemu_caps_machine(c, a, "pc") && qemu_caps_machine(c, a, "q35"));
    qemu_caps_unref(qemu_caps_get_brief(binary, &err));
    assert(starts(count) == 1);
    qemu_caps_cache_clear();
    g_autoptr(QemuCaps) later = qemu_caps_get_brief(binary, &err);
    assert(later && later->brief && starts(count) == 1);
    assert(later->accel[a].machines->len == c->accel[a].machines->len);

    assert(g_mkdir_with_parents(modules, 0755) == 0);
    qemu_caps_unref(qemu_caps_get_brief(binary, &err));
    assert(starts(count) == 2);
    assert(rmdir(modules) == 0);
    qemu_caps_cache_clear();
    qemu_caps_unref(qemu_caps_get_brief(binary, &err));
    assert(starts(count) == 3);
    wrap(binary, count, "other");
    qemu_caps_unref(qemu_caps_get_brief(binary, &err));
    assert(starts(count) == 4);

    /* The whole answer takes the place of the brief one. */
    g_autoptr(QemuCaps) whole = qemu_caps_get(binary, &err);
    assert(whole && !whole->brief && qemu_caps_has(whole, QEMU_CAP_DEVICE_JSON));
    assert(whole->accel[a].machines->len == c->accel[a].machines->len);
    unsigned n = starts(count);
    assert(n > 4);
    g_autoptr(QemuCaps) same = qemu_caps_get_brief(binary, &err);
    assert(same == whole);
    qemu_caps_cache_clear();
    g_autoptr(QemuCaps) again = qemu_caps_get_brief(binary, &err);
    assert(again && !again->brief && starts(count) == n);

    qemu_caps_cache_clear();
    assert(unlink(binary) == 0 && unlink(count) == 0 && rmdir(bin) == 0 && rmdir(lib) == 0 && rmdir(dir) == 0);
}

static QemuLaunch *begin(const char *extra, const char *value, GError **err)
{
    const char *argv[] = { emulator, "-S", "-nodefaults", "-no-user-config", "-machine", "pc,accel=tcg",
                           "-display", "none", "-m", "32",
                           "-chardev", "socket,id=charmonitor,fd=9,server=on,wait=off", "-mon",
                           "chardev=charmonitor,id=monitor,mode=control", extra, value, NULL };
    const char *envp[] = { "LC_ALL=C", "PATH=/usr/bin:/bin", NULL };
    QemuLaunch *l = qemu_launch_new("guest", uuid, err);

    assert(l && qemu_launch_listen(l, monitor_path, err) && exists(paths()->run, "guest.starting"));
    SpawnFd fds[] = { { qemu_launch_monitor_fd(l), 9 } };
    bool ok = qemu_launch_spawn(
        l, &(Spawn){ .argv = argv, .envp = envp, .fds = fds, .n_fds = 1, .memlock = -1 }, err);
    assert(ok);
    return l;
}

static void test_life(void)
{
    g_autoptr(GError) err = NULL;
    QemuLaunch *l = begin(NULL, NULL, &err);
    g_autoptr(Qmp) q = qemu_launch_connect(l, 0, &ops, NULL, &err);
    QmpStatus s;
    QmpVersion v;

    if (!q)
        g_error("%s", err->message);
    assert(exists(paths()->run, "guest.pid") && pidref_alive(qemu_launch_pid(l)));
    assert(qmp_query_status(q, &s, &err) && !s.running && s.state == QMP_RUN_PRELAUNCH);
    assert(qmp_query_version(q, &v, &err) && v.major >= 7);
    g_free(v.package);
    assert(qmp_cont(q, &err) && qmp_query_status(q, &s, &err) && s.running && s.state == QMP_RUN_RUNNING);
    assert(qmp_stop(q, &err) && qmp_query_status(q, &s, &err) && s.state == QMP_RUN_PAUSED);

    g_autoptr(GArray) cpus = qmp_query_cpus_fast(q, &err);
    assert(cpus && cpus->len == 1 && g_array_index(cpus, QmpCpu, 0).thread_id > 0);
    g_autoptr(GArray) chr = qmp_query_chardev(q, &err);
    assert(chr && chr->len >= 1);
    g_auto(GStrv) aliases = NULL;
    assert(qmp_device_list(q, &aliases, &err) && g_strv_length(aliases) == 0);
    assert(qmp_device_add(q, json_make(J_STR("driver", "virtio-balloon-pci"), J_STR("id", "balloon0")), &err));
    g_clear_pointer(&aliases, g_strfreev);
    assert(qmp_device_list(q, &aliases, &err) && g_strv_contains((const char *const *)aliases, "balloon0"));
    g_autofree char *path = NULL;
    assert(qmp_find_device(q, "virtio-balloon-pci", &path, &err) && g_str_equal(path, "/machine/peripheral/balloon0"));
    QmpBalloonStats bs;
    assert(qmp_balloon_stats_period(q, path, 2, &err) && qmp_balloon_stats(q, path, &bs, &err) && bs.free == UINT64_MAX);
    uint64_t bytes = 0;
    assert(qmp_query_balloon(q, &bytes, &err) && bytes == 32 << 20);
    g_autofree char *text = NULL;
    assert(qmp_hmp(q, "info name", &text, 0, &err));
    assert(!qmp_device_add(q, json_make(J_STR("driver", "no-such-device")), &err) &&
           strstr(err->message, "unable to execute QEMU command 'device_add'"));
    g_clear_error(&err);
    g_autofree char *raw = NULL;
    assert(qmp_call_raw(q, "{\"execute\":\"query-status\"}", &raw, 0, &err) && strstr(raw, "\"status\":\"paused\""));
    int pipefd[2];
    assert(pipe(pipefd) == 0 && qmp_getfd(q, "x", pipefd[0], &err) && qmp_closefd(q, "x", &err));
    close(pipefd[0]);
    close(pipefd[1]);

    PidRef p = PIDREF_NONE;
    assert(pidref_from_pid(qemu_launch_pid(l)->pid, &p, &err));
    qemu_launch_commit(l);
    assert(!exists(paths()->run, "guest.starting") && exists(paths()->run, "guest.pid"));

    /* Stopped by a signal: calls fail at their deadline, others of the monitor thread go on. */
    assert(pidref_kill(&p, SIGSTOP, &err));
    assert(!qmp_call(q, "query-status", NULL, NULL, now_usec() + 100000, &err) && error_is(err, VIR_ERR_OPERATION_TIMEOUT));
    g_clear_error(&err);
    assert(qmp_unresponsive_since(q) != 0);
    assert(pidref_kill(&p, SIGCONT, &err));
    assert(qmp_query_status(q, &s, &err) && qmp_unresponsive_since(q) == 0);

    assert(qmp_quit(q, &err));
    assert(pidref_wait(&p, 10 * G_USEC_PER_SEC, &err) == 1);
    pidref_done(&p);
    for (unsigned i = 0; i < 2000 && !closed; i++)
        g_usleep(1000);
    assert(shutdowns == 1 && closed == 1);
    qemu_log_line("guest", "shutting down, reason=%s", "destroyed");
    qemu_launch_cleanup("guest", monitor_path);
    assert(!exists(paths()->run, "guest.pid") && access(monitor_path, F_OK) < 0);

    g_autofree char *log = qemu_log_path("guest"), *words = NULL;
    assert(fd_read_file(AT_FDCWD, log, 1 << 20, &words, NULL, &err));
    assert(strstr(words, "starting up") && strstr(words, "-chardev socket") && strstr(words, "reason=destroyed"));
}

static void test_early_exit_tells_why(void)
{
    g_autoptr(GError) err = NULL;
    QemuLaunch *l = begin("-device", "no-such-device", &err);
    uint64_t t0 = now_usec();
    Qmp *q = qemu_launch_connect(l, 0, &ops, NULL, &err);

    assert(!q && strstr(err->message, "no-such-device") && now_usec() - t0 < 10 * G_USEC_PER_SEC);
    qemu_launch_undo(l);
    assert(!exists(paths()->run, "guest.starting") && !exists(paths()->run, "guest.pid"));
}

static bool answer;

static bool known(const Uuid u, const PidRef *p, void *data)
{
    assert(uuid_equal(u, uuid) && p->pid == *(pid_t *)data);
    return answer;
}

/* A daemon that dies between the start and the status record. */
static void test_orphan(bool recorded)
{
    g_autoptr(GError) err = NULL;
    int report[2];
    pid_t pid = 0;

    assert(pipe(report) == 0);
    pid_t daemon = fork();
    if (daemon == 0) {
        QemuLaunch *l = begin(NULL, NULL, NULL);
        if (write(report[1], &qemu_launch_pid(l)->pid, sizeof(pid_t)) != sizeof(pid_t))
            _exit(1);
        kill(getpid(), SIGKILL);
    }
    assert(read(report[0], &pid, sizeof(pid)) == sizeof(pid));
    close(report[0]);
    close(report[1]);
    waitpid(daemon, NULL, 0);

    PidRef p = PIDREF_NONE;
    assert(pid > 0 && pidref_from_pid(pid, &p, &err) && pidref_alive(&p));
    answer = recorded;
    assert(qemu_launch_recover(known, &pid, &err));
    assert(!exists(paths()->run, "guest.starting"));
    assert(pidref_wait(&p, recorded ? 0 : 5 * G_USEC_PER_SEC, &err) == !recorded);
    if (recorded)
        assert(pidref_kill(&p, SIGKILL, &err));
    pidref_done(&p);
    qemu_launch_cleanup("guest", monitor_path);
}

int main(void)
{
    g_autoptr(GError) err = NULL;

    emulator = qemu_emulator_find("x86_64");
    if (!emulator) {
        fprintf(stderr, "no qemu-system-x86_64 on this host: skipped\n");
        return 77;
    }
    top = g_dir_make_tmp("test-qemu-XXXXXX", NULL);
    if (!paths_init(top, false, &err))
        g_error("%s", err->message);
    g_autofree char *lib = g_build_filename(paths()->lib, "qemu", NULL);
    assert(path_make_dir(lib, 0700, &err));
    monitor_path = g_build_filename(lib, "monitor.sock", NULL);

    test_orphan(false); /* forks: before there are threads */
    test_orphan(true);
    test_probe_and_cache();
    test_brief_and_validity();
    test_life();
    test_early_exit_tells_why();
    qmp_loop_stop();

    const char *rm[] = { "/bin/rm", "-rf", top, NULL };
    Spawn s = { .argv = rm, .in = -1, .out = -1, .err = -1, .memlock = -1 };
    assert(spawn_run(&s, 10 * G_USEC_PER_SEC, 100, NULL, NULL, &err));
    g_free(lib);
    lib = NULL;
    g_free(monitor_path);
    g_free(emulator);
    g_free(top);
    return 0;
}
