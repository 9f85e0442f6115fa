/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Finding emulators and asking them once. An answer is valid as long as the binary and its modules,
 * the host's kernel and CPU, KVM and our rules are those that it was made with; all of that is in the
 * cache entry, so that an entry is believed or probed anew, never repaired. What of it can change while we
 * run is looked at (Look) for each answer out of memory, too. The cache directory is today's, the file names are ours.
 *
 * A brief answer is kept where the whole one would be, until somebody needs that.
 *
 * One lock guards the table of known binaries. A probe runs without it: who comes second to the
 * same binary waits on the condition variable, others are not held up. Workers, which do not count as busy meanwhile.
 */
#include "drivers/qemu/caps_probe.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "drivers/qemu/launch.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/lock.h"
#include "util/paths.h"
#include "util/pool.h"
#include "util/state.h"

#define RULES_VERSION 3 /* raise it when caps_rules.c or caps_query.c find out more */
#define PROBE_USEC (60 * G_USEC_PER_SEC)
#define CACHE_FILE_MAX (4 * 1024 * 1024)
#define CHILD_FD 3
#define PROBES_MAX 8 /* at a time */

/* Of a running daemon, what an answer depends on. */
typedef struct Look {
    int64_t binary_ctime, modules_mtime; /* ns */
    uint64_t binary_size;
    uint64_t kvm; /* inode of /dev/kvm, which is another one when the module was loaded anew; 0: no access */
} Look;

typedef struct Entry {
    QemuCaps *caps; /* NULL: not known yet */
    Look look;      /* from before caps were asked for */
    bool probing;
} Entry;

static struct {
    Lock lock;
    pthread_cond_t changed;
    GHashTable *entries; /* path -> Entry */
} known = { .lock = LOCK_INIT, .changed = PTHREAD_COND_INITIALIZER };

/* Probing. */

static const QmpOps no_ops;

/* An emulator that is only asked. Zero: none. */
typedef struct Probe {
    QemuLaunch *launch;
    int monitor; /* until there is qmp */
    Qmp *qmp;
} Probe;

static bool probe_start(Probe *p, const char *binary, const char *accel, GError **err)
{
    static atomic_uint serial;
    g_autofree char *name = g_strdup_printf("probe-%d-%u", (int)getpid(), atomic_fetch_add(&serial, 1));
    g_autofree char *machine = g_strdup_printf("none,accel=%s", accel);
    const char *argv[] = { binary,     "-S",     "-no-user-config", "-nodefaults",
                           "-display", "none",   "-machine",        machine,
                           "-chardev", "socket,id=probe,fd=3", "-mon", "chardev=probe,mode=control", NULL };
    const char *envp[] = { "LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/", NULL };
    int s[2];

    *p = (Probe){ .monitor = -1 };
    p->launch = qemu_launch_new_helper(name, err);
    if (!p->launch)
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s) < 0) {
        error_set_errno(err, errno, "cannot make a socket pair");
        return false;
    }

    auto_fd theirs = s[1]; /* not kept, so that its end breaks ours */
    SpawnFd pass = { theirs, CHILD_FD };

    p->monitor = s[0];
    return qemu_launch_spawn(
        p->launch, &(Spawn){ .argv = argv, .envp = envp, .fds = &pass, .n_fds = 1, .memlock = -1, .dies_with_us = true },
        err);
}

static bool probe_open(Probe *p, GError **err)
{
    p->qmp = qmp_open(NULL, fd_take(&p->monitor), 0, now_usec() + PROBE_USEC, &no_ops, NULL, err);
    return p->qmp != NULL;
}

static bool probe_ask(Probe *p, const char *cmd, JsonObject *args, JsonObject **ret, GError **err)
{
    return qmp_call(p->qmp, cmd, args, ret, now_usec() + PROBE_USEC, err);
}

static void probe_end(Probe *p)
{
    qmp_unref(p->qmp);
    fd_close(&p->monitor);
    qemu_launch_undo(p->launch);
}

/* One emulator with the best accelerator and, where that is not the emulation, one with that. While the first one is
 * asked, a thread asks the second one what takes longest: the schema, which is that of the binary, and its CPU models.
 * What it did not get is asked for again, where an error has its place. */
typedef struct Pair {
    Probe first, second;
    GThread *ahead;            /* NULL: nothing is being asked */
    JsonObject *schema, *cpus; /* NULL: no answer */
    GError *why_second;
} Pair;

static void *ask_ahead(void *data)
{
    Pair *p = data;

    if (probe_open(&p->second, &p->why_second)) {
        (void)probe_ask(&p->second, "query-qmp-schema", NULL, &p->schema, NULL);
        (void)probe_ask(&p->second, "query-cpu-definitions", NULL, &p->cpus, NULL);
    }
    return NULL;
}

static void end_ahead(Pair *p)
{
    if (p->ahead)
        (void)g_thread_join(g_steal_pointer(&p->ahead));
}

static bool first_call(void *data, const char *cmd, JsonObject *args, JsonObject **ret, GError **err)
{
    Pair *p = data;

    if (g_str_equal(cmd, "query-qmp-schema")) {
        end_ahead(p);
        if ((*ret = g_steal_pointer(&p->schema)))
            return true;
    }
    return probe_ask(&p->first, cmd, args, ret, err);
}

static bool second_call(void *data, const char *cmd, JsonObject *args, JsonObject **ret, GError **err)
{
    Pair *p = data;

    if (g_str_equal(cmd, "query-cpu-definitions") && (*ret = g_steal_pointer(&p->cpus)))
        return true;
    return probe_ask(&p->second, cmd, args, ret, err);
}

static bool ask_second(Pair *p, QemuCaps *c)
{
    const CapsSource src = { second_call, p };

    return p->second.launch && (p->second.qmp || (!p->why_second && probe_open(&p->second, &p->why_second))) &&
           qemu_caps_query(c, &src, CAPS_SECOND, &p->why_second);
}

static bool probe_both(QemuCaps *c, bool kvm, GError **err)
{
    Pair p = { .first.monitor = -1, .second.monitor = -1 };
    const CapsSource src = { first_call, &p };
    GError *why = NULL;

    bool ok = probe_start(&p.first, c->binary, kvm ? "kvm:tcg" : "tcg", &why);
    if (ok && kvm && !c->brief && probe_start(&p.second, c->binary, "tcg", &p.why_second))
        p.ahead = g_thread_try_new("probe", ask_ahead, &p, NULL);

    ok = ok && probe_open(&p.first, &why) && qemu_caps_query(c, &src, c->brief ? CAPS_BRIEF : CAPS_ALL, &why);
    if (!ok && p.first.launch)
        qemu_launch_explain(p.first.launch, &why);
    end_ahead(&p);
    if (ok && !c->brief && qemu_caps_has(c, QEMU_CAP_KVM) && qemu_caps_has(c, QEMU_CAP_TCG) && !ask_second(&p, c)) {
        ok = false;
        if (p.second.launch)
            qemu_launch_explain(p.second.launch, &p.why_second);
        why = g_steal_pointer(&p.why_second);
    }
    g_clear_error(&p.why_second);
    json_object_put(p.schema);
    json_object_put(p.cpus);
    probe_end(&p.first);
    probe_end(&p.second);
    if (ok)
        return true;
    g_prefix_error(&why, "cannot ask emulator '%s': ", c->binary);
    g_propagate_error(err, why);
    return false;
}

/* What the answer depends on. */

static int64_t ns(struct timespec t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Packages add and remove modules without touching the binary, which looks for them beside itself, in one of these.
 * 0: nowhere. */
static int64_t modules_mtime(const char *binary)
{
    static const char *const dirs[] = { "lib/x86_64-linux-gnu/qemu", "lib/aarch64-linux-gnu/qemu", "lib64/qemu-kvm",
                                        "lib64/qemu", "lib/qemu" };
    const char *name = strrchr(binary, '/');
    char path[4096];
    struct stat st;

    for (unsigned i = 0; name && i < G_N_ELEMENTS(dirs); i++) {
        int n = snprintf(path, sizeof(path), "%.*s/../%s", (int)(name - binary), binary, dirs[i]);
        if (n > 0 && (size_t)n < sizeof(path) && stat(path, &st) == 0)
            return ns(st.st_mtim);
    }
    return 0;
}

static bool look_at(const char *binary, Look *l, GError **err)
{
    struct stat st, kvm;

    *l = (Look){ 0 };
    if (stat(binary, &st) < 0)
        error_set_errno(err, errno, "Cannot check QEMU binary %s", binary);
    else if (!S_ISREG(st.st_mode) || access(binary, X_OK) < 0)
        error_set_errno(err, S_ISREG(st.st_mode) ? errno : EACCES, "QEMU binary %s is not executable", binary);
    else {
        l->binary_ctime = ns(st.st_ctim);
        l->binary_size = (uint64_t)st.st_size;
        l->modules_mtime = modules_mtime(binary);
        if (access("/dev/kvm", R_OK | W_OK) == 0 && stat("/dev/kvm", &kvm) == 0)
            l->kvm = kvm.st_ino;
        return true;
    }
    return false;
}

static bool look_equal(const Look *a, const Look *b)
{
    return a->binary_ctime == b->binary_ctime && a->binary_size == b->binary_size &&
           a->modules_mtime == b->modules_mtime && a->kvm == b->kvm;
}

/* Whether guests can be hosts is part of the processor that KVM offers. */
static char kvm_nested(void)
{
    static const char *const files[] = { "/sys/module/kvm_intel/parameters/nested", "/sys/module/kvm_amd/parameters/nested" };

    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *text = NULL;
        size_t len = 0;
        if (fd_read_file(AT_FDCWD, files[i], 16, &text, &len, NULL) && len)
            return text[0];
    }
    return '-';
}

/* All but the binary, as text for the cache. */
static char *host_key(const Look *l)
{
    g_autofree char *cpu = NULL;
    struct utsname u;
    size_t len = 0;

    (void)uname(&u);
    (void)fd_read_file(AT_FDCWD, "/proc/cpuinfo", 1 << 20, &cpu, &len, NULL);
    /* The first processor's lines, without its momentary clock rate. */
    g_autoptr(GString) s = g_string_new(NULL);
    g_auto(GStrv) lines = g_strsplit(cpu ? cpu : "", "\n", 64);
    for (char **line = lines; *line && **line; line++)
        if (!g_str_has_prefix(*line, "cpu MHz") && !g_str_has_prefix(*line, "bogomips"))
            g_string_append(s, *line);
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, s->str, -1);
    return g_strdup_printf("%s %s %s cpu=%.16s kvm=%d nested=%c modules=%" G_GINT64_FORMAT " rules=%d", u.sysname,
                           u.release, u.version, sum, l->kvm != 0, kvm_nested(), l->modules_mtime, RULES_VERSION);
}

/* How many encrypted guests there can be is told by the processor, not by the emulator. */
static void sev_limits(QemuSev *sev)
{
#if defined(__x86_64__)
    unsigned eax, all = 0, ebx, first_plain = 0;

    if (!__get_cpuid(0x8000001f, &eax, &ebx, &all, &first_plain) || first_plain == 0 || all < first_plain)
        return;
    sev->max_guests = all - first_plain + 1;
    sev->max_es_guests = first_plain - 1;
#else
    (void)sev;
#endif
}

static QemuCaps *probe(const char *binary, const Look *l, bool brief, GError **err)
{
    g_autoptr(QemuCaps) c = qemu_caps_new(binary, NULL);

    c->brief = brief;
    c->binary_ctime = l->binary_ctime;
    c->binary_size = l->binary_size;
    c->host_key = host_key(l);
    if (!probe_both(c, l->kvm != 0, err))
        return NULL;
    if (c->sev)
        sev_limits(c->sev);
    return g_steal_pointer(&c);
}

QemuCaps *qemu_caps_probe(const char *binary, GError **err)
{
    Look l;

    return look_at(binary, &l, err) ? probe(binary, &l, false, err) : NULL;
}

/* Cache. */

static bool still_valid(const QemuCaps *c, const char *binary, const Look *l)
{
    g_autofree char *key = host_key(l);

    return g_str_equal(c->binary, binary) && c->binary_ctime == l->binary_ctime && c->binary_size == l->binary_size &&
           g_strcmp0(c->host_key, key) == 0;
}

static char *cache_dir(void)
{
    return g_build_filename(paths()->cache, "qemu", "capabilities", NULL);
}

static char *cache_name(const char *binary)
{
    g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, binary, -1);

    return g_strconcat(sum, ".modvirt.xml", NULL);
}

/* Enough: the whole answer, or a brief one where that will do. */
static bool enough(const QemuCaps *c, bool brief)
{
    return c && (brief || !c->brief);
}

static QemuCaps *cache_load(const char *binary, const Look *l, bool brief)
{
    g_autofree char *dir = cache_dir(), *name = cache_name(binary), *text = NULL;
    auto_fd dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    gsize len = 0;

    if (dirfd < 0 || !(text = state_read(dirfd, name, CACHE_FILE_MAX, &len, NULL)))
        return NULL;
    g_autoptr(QemuCaps) c = qemu_caps_parse_xml(name, text, len, NULL);
    return enough(c, brief) && still_valid(c, binary, l) ? g_steal_pointer(&c) : NULL;
}

/* A cache that cannot be written only costs time later. */
static void cache_save(const QemuCaps *c)
{
    g_autofree char *dir = cache_dir(), *name = cache_name(c->binary), *text = qemu_caps_format_xml(c);
    auto_fd dirfd = state_open_dir(dir, 0755, NULL);

    if (dirfd >= 0)
        (void)state_write(dirfd, name, text, strlen(text), 0644, NULL);
}

static void entry_free(void *p)
{
    Entry *e = p;

    qemu_caps_unref(e->caps);
    g_free(e);
}

static Entry *entry_of_locked(const char *binary)
{
    if (!known.entries)
        known.entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, entry_free);

    Entry *e = g_hash_table_lookup(known.entries, binary);
    if (!e) {
        e = g_new0(Entry, 1);
        g_hash_table_insert(known.entries, g_strdup(binary), e);
    }
    return e;
}

static QemuCaps *in_memory_locked(const Entry *e, const Look *look, bool brief)
{
    return enough(e->caps, brief) && look_equal(&e->look, look) ? qemu_caps_ref(e->caps) : NULL;
}

/* Or else it becomes the caller's to ask. */
static QemuCaps *wait_for_answer(const char *binary, const Look *look, bool brief)
{
    LOCK_SCOPE(&known.lock);
    Entry *e;

    while ((e = entry_of_locked(binary))->probing) /* the table may have been cleared */
        pthread_cond_wait(&known.changed, &known.lock.m);
    QemuCaps *c = in_memory_locked(e, look, brief);
    e->probing = !c;
    return c;
}

static QemuCaps *ask(const char *binary, const Look *look, bool brief, GError **err)
{
    QemuCaps *c = cache_load(binary, look, brief);

    if (!c && (c = probe(binary, look, brief, err)))
        cache_save(c);
    if (!c || !c->brief)
        (void)malloc_trim(0); /* the answers as they came took a hundred times what is kept of them */

    LOCK_SCOPE(&known.lock);
    Entry *e = entry_of_locked(binary);
    e->probing = false;
    qemu_caps_unref(e->caps);
    e->caps = qemu_caps_ref(c);
    e->look = *look;
    pthread_cond_broadcast(&known.changed);
    return c;
}

static QemuCaps *get(const char *binary, bool brief, GError **err)
{
    QemuCaps *c = NULL;
    Look look;

    if (!look_at(binary, &look, err))
        return NULL;
    lock_enter(&known.lock);
    const Entry *e = entry_of_locked(binary);
    if (!e->probing)
        c = in_memory_locked(e, &look, brief);
    lock_leave(&known.lock);
    if (c)
        return c;

    pool_wait_begin(); /* an emulator may be silent for as long as PROBE_USEC */
    if (!(c = wait_for_answer(binary, &look, brief)))
        c = ask(binary, &look, brief, err);
    pool_wait_end();
    return c;
}

QemuCaps *qemu_caps_get(const char *binary, GError **err)
{
    return get(binary, false, err);
}

QemuCaps *qemu_caps_get_brief(const char *binary, GError **err)
{
    return get(binary, true, err);
}

/* Those that somebody must still be asked about; the threads take one after the other. */
typedef struct Unknown {
    GPtrArray *binaries;
    atomic_uint next;
} Unknown;

static void *get_unknown(void *data)
{
    Unknown *u = data;
    unsigned i;

    while ((i = atomic_fetch_add(&u->next, 1)) < u->binaries->len)
        qemu_caps_unref(qemu_caps_get_brief(u->binaries->pdata[i], NULL));
    return NULL;
}

void qemu_caps_get_all_brief(char *const *emulators)
{
    g_autoptr(GPtrArray) binaries = g_ptr_array_new(), threads = g_ptr_array_new();
    Unknown u = { .binaries = binaries };

    lock_enter(&known.lock);
    for (unsigned i = 0; emulators[i]; i += 2)
        if (!entry_of_locked(emulators[i + 1])->caps && !g_ptr_array_find_with_equal_func(binaries, emulators[i + 1], g_str_equal, NULL))
            g_ptr_array_add(binaries, emulators[i + 1]);
    lock_leave(&known.lock);
    for (unsigned i = 1; i < MIN(binaries->len, MIN(g_get_num_processors(), PROBES_MAX)); i++) {
        GThread *t = g_thread_try_new("probe", get_unknown, &u, NULL);
        if (t)
            g_ptr_array_add(threads, t);
    }
    (void)get_unknown(&u);
    pool_wait_begin();
    for (unsigned i = 0; i < threads->len; i++)
        (void)g_thread_join(threads->pdata[i]);
    pool_wait_end();
}

void qemu_caps_cache_clear(void)
{
    LOCK_SCOPE(&known.lock);
    GHashTableIter i;
    void *p;

    if (!known.entries)
        return;
    g_hash_table_iter_init(&i, known.entries);
    while (g_hash_table_iter_next(&i, NULL, &p))
        if (!((Entry *)p)->probing)
            g_hash_table_iter_remove(&i);
}

/* Emulators. */

/* Architecture of documents, name of the program. In the order in which clients have seen them. */
static const struct {
    const char *arch, *program;
} programs[] = {
    { "alpha", "alpha" },       { "armv6l", "arm" },         { "armv7l", "arm" },     { "aarch64", "aarch64" },
    { "cris", "cris" },         { "i686", "i386" },          { "loongarch64", "loongarch64" },
    { "lm32", "lm32" },         { "m68k", "m68k" },          { "microblaze", "microblaze" },
    { "microblazeel", "microblazeel" }, { "mips", "mips" },  { "mipsel", "mipsel" },  { "mips64", "mips64" },
    { "mips64el", "mips64el" }, { "or32", "or32" },          { "ppc", "ppc" },        { "ppc64", "ppc64" },
    { "ppc64le", "ppc64" },     { "riscv32", "riscv32" },    { "riscv64", "riscv64" }, { "s390x", "s390x" },
    { "sh4", "sh4" },           { "sh4eb", "sh4eb" },        { "sparc", "sparc" },    { "sparc64", "sparc64" },
    { "unicore32", "unicore32" }, { "x86_64", "x86_64" },    { "xtensa", "xtensa" },  { "xtensaeb", "xtensaeb" },
};

char *qemu_emulator_find(const char *arch)
{
    static const char *const other[] = { "/usr/libexec/qemu-kvm", "/usr/bin/qemu-kvm", "/usr/bin/kvm" };

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
        if (!g_str_equal(programs[i].arch, arch))
            continue;
        g_autofree char *name = g_strconcat("qemu-system-", programs[i].program, NULL);
        char *path = g_find_program_in_path(name);
        if (path)
            return path;
        /* A daemon's PATH may be anything. */
        path = g_build_filename("/usr/bin", name, NULL);
        if (access(path, X_OK) == 0)
            return path;
        g_free(path);
    }

    struct utsname u;
    if (uname(&u) == 0 && g_str_equal(u.machine, arch))
        for (unsigned i = 0; i < G_N_ELEMENTS(other); i++)
            if (access(other[i], X_OK) == 0)
                return g_strdup(other[i]);
    return NULL;
}

char **qemu_emulators(void)
{
    g_autoptr(GStrvBuilder) b = g_strv_builder_new();

    for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
        g_autofree char *path = qemu_emulator_find(programs[i].arch);
        if (path) {
            g_strv_builder_add(b, programs[i].arch);
            g_strv_builder_add(b, path);
        }
    }
    return g_strv_builder_end(b);
}
