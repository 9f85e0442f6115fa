/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One guest's trouble and the others: 100 guests run, questions about them are asked one after the other,
 * and again while the emulator of one is stopped. The rest of them should not notice. The machines are
 * empty but for a drive, which is what the daemon has to ask emulators about.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/measures.h"

enum { GUESTS = 100, STUCK = GUESTS / 2, ROUNDS = 5, SAMPLES = 500000, UUID = 16 };

static const char uri[] = "qemu:///system";
static const char emulator[] = "/usr/bin/qemu-system-x86_64";

typedef struct Guest {
    char name[32];
    uint8_t uuid[UUID];
} Guest;

typedef struct Asker {
    const char *metrics; /* socket of figures for collectors */
    const Guest *guests;
    int fd;
    unsigned next; /* of the guests that are well */
} Asker;

static const Guest *next_well(Asker *a)
{
    a->next = (a->next + 1) % GUESTS;
    if (a->next == STUCK)
        a->next++;
    return &a->guests[a->next];
}

/* As on the wire: name, uuid, no id. */
static size_t put_guest(uint8_t *p, const Guest *g)
{
    size_t n = put_string(p, g->name);

    memcpy(p + n, g->uuid, UUID);
    put32(p + n + UUID, (uint32_t)-1);
    return n + UUID + 4;
}

static void ask(const Asker *a, uint32_t proc, const uint8_t *args, size_t n)
{
    uint8_t request[1024];

    call(a->fd, request, make_call(request, proc, args, n));
}

static void ask_list(Asker *a)
{
    uint8_t args[8];

    put32(args, 1); /* with results */
    put32(args + 4, 0);
    ask(a, PROC_LIST_ALL, args, sizeof(args));
}

static void ask_xml(Asker *a)
{
    uint8_t args[128];
    size_t n = put_guest(args, next_well(a));

    put32(args + n, 0);
    ask(a, PROC_XML, args, n + 4);
}

/* guest NULL: of all. */
static void ask_stats(Asker *a, const Guest *guest)
{
    uint8_t args[128];
    size_t n = 4;

    put32(args, guest ? 1 : 0);
    if (guest)
        n += put_guest(args + n, guest);
    put32(args + n, 0);
    put32(args + n + 4, 0);
    ask(a, PROC_STATS, args, n + 8);
}

static void ask_stats_of_one(Asker *a)
{
    ask_stats(a, next_well(a));
}

static void ask_stats_of_all(Asker *a)
{
    ask_stats(a, NULL);
}

static void ask_metrics(Asker *a)
{
    static const char get[] = "GET /metrics HTTP/1.0\r\n\r\n";
    static char buf[65536];
    int fd = connect_to(a->metrics);

    write_all(fd, get, sizeof(get) - 1);
    while (read(fd, buf, sizeof(buf)) > 0)
        ;
    close(fd);
}

static const struct {
    const char *name;
    void (*ask)(Asker *a);
} questions[] = {
    { "list", ask_list },
    { "dumpxml of another", ask_xml },
    { "stats of another", ask_stats_of_one },
    { "stats of all", ask_stats_of_all },
    { "metrics of all", ask_metrics },
};
enum { N_QUESTIONS = sizeof(questions) / sizeof(questions[0]) };

static double once_ms(void (*f)(Asker *a), Asker *a)
{
    uint64_t start = now_ns();

    f(a);
    return (now_ns() - start) / 1e6;
}

typedef struct Samples {
    uint32_t ns[SAMPLES];
    size_t n;
} Samples;

static void measure(Asker *a, void (*f)(Asker *a), double seconds, Samples *s)
{
    uint64_t end = now_ns() + (uint64_t)(seconds * 1e9), t;

    while ((t = now_ns()) < end && s->n < SAMPLES) {
        f(a);
        s->ns[s->n++] = (uint32_t)(now_ns() - t);
    }
}

static void measure_all(Asker *a, double seconds, Samples *samples)
{
    for (unsigned i = 0; i < N_QUESTIONS; i++)
        if (questions[i].ask != ask_metrics || *a->metrics)
            measure(a, questions[i].ask, seconds, &samples[i]);
}

static bool has_word(const char *args, size_t n, const char *word)
{
    for (const char *p = args; p < args + n; p += strlen(p) + 1)
        if (!strncmp(p, word, strlen(word)))
            return true;
    return false;
}

static pid_t emulator_of(const Guest *g)
{
    char word[64], path[300], args[16384];
    DIR *proc = opendir("/proc");
    pid_t found = 0;

    snprintf(word, sizeof(word), "guest=%s,", g->name);
    for (struct dirent *e; proc && !found && (e = readdir(proc));) {
        snprintf(path, sizeof(path), "/proc/%s/cmdline", e->d_name);
        int fd = isdigit((unsigned char)e->d_name[0]) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
        ssize_t n = fd >= 0 ? read(fd, args, sizeof(args) - 1) : 0;
        if (fd >= 0)
            close(fd);
        args[n > 0 ? n : 0] = '\0';
        if (n > 0 && strstr(args, "qemu") && has_word(args, (size_t)n, word))
            found = atoi(e->d_name);
    }
    if (proc)
        closedir(proc);
    if (!found) {
        errno = ESRCH;
        die(g->name);
    }
    return found;
}

static void make_guests(Asker *a, Guest *guests)
{
    char xml[512];
    uint8_t args[768];

    for (unsigned i = 0; i < GUESTS; i++) {
        Guest *g = &guests[i];

        snprintf(g->name, sizeof(g->name), "modvirt-bench-%03u", i);
        memcpy(g->uuid, "modvirt-bench\0\0", UUID);
        g->uuid[6] = 0x40, g->uuid[8] = 0x80, g->uuid[UUID - 1] = (uint8_t)i;
        int len = snprintf(xml, sizeof(xml), "<domain type='qemu'><name>%s</name><uuid>", g->name);
        for (unsigned k = 0; k < UUID; k++)
            len += snprintf(xml + len, sizeof(xml) - (size_t)len, "%02x", g->uuid[k]);
        snprintf(xml + len, sizeof(xml) - (size_t)len,
                 "</uuid><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os>"
                 "<devices><emulator>%s</emulator><disk type='file' device='cdrom'><target dev='hda'/></disk>"
                 "<controller type='usb' model='none'/><memballoon model='none'/></devices></domain>",
                 emulator);
        size_t n = put_string(args, xml);
        put32(args + n, 0);
        ask(a, PROC_CREATE_XML, args, n + 4);
    }
}

static void destroy(Asker *a, const Guest *g)
{
    uint8_t args[128];

    ask(a, PROC_DESTROY, args, put_guest(args, g));
}

static void destroy_stuck(Asker *a)
{
    destroy(a, &a->guests[STUCK]);
}

/* RUN/virtqemud-sock -> RUN/virtqemud-metrics-sock; "" when there is none. */
static void metrics_socket(const char *daemon, char *ret, size_t size)
{
    size_t stem = strlen(daemon) - (strlen(daemon) > 5 ? strlen("-sock") : 0);

    snprintf(ret, size, "%.*s-metrics-sock", (int)stem, daemon);
    if (access(ret, F_OK) < 0)
        *ret = '\0';
}

static void print_rows(Samples *stopped, Samples *well)
{
    printf("%-7s %-10s %32s %14s\n", "", "", "one of them stopped", "all well");
    for (unsigned i = 0; i < N_QUESTIONS; i++) {
        if (!stopped[i].n || !well[i].n)
            continue;
        Quantiles s = quantiles(stopped[i].ns, stopped[i].n), w = quantiles(well[i].ns, well[i].n);
        printf("%-7s %-10s %-20s p50 %11.3f ms %11.3f ms %8.2f x\n", "direct", "guests", questions[i].name, s.p50 / 1e6,
               w.p50 / 1e6, s.p50 / w.p50);
        printf("%-7s %-10s %-20s p99 %11.3f ms %11.3f ms %8.2f x   (of %zu and %zu)\n", "direct", "guests",
               questions[i].name, s.p99 / 1e6, w.p99 / 1e6, s.p99 / w.p99, stopped[i].n, well[i].n);
    }
}

static void signal_stuck(pid_t pid, int number)
{
    if (kill(pid, number) < 0)
        die("cannot stop an emulator");
}

/* In turns, so that what else the machine does meets both. */
static void compare(Asker *a, double seconds)
{
    static Samples well[N_QUESTIONS], stopped[N_QUESTIONS];
    pid_t pid = emulator_of(&a->guests[STUCK]);
    double first = 0;

    for (unsigned r = 0; r < ROUNDS; r++) {
        measure_all(a, seconds, well);
        signal_stuck(pid, SIGSTOP);
        double ms = once_ms(ask_stats_of_all, a);
        first = ms > first ? ms : first;
        measure_all(a, seconds, stopped);
        if (r + 1 < ROUNDS)
            signal_stuck(pid, SIGCONT);
        usleep(200000); /* it answers what it owes */
    }
    print_rows(stopped, well);
    printf("%-7s %-10s the first stats of all behind a stop: %.0f ms\n", "direct", "guests", first);
    printf("%-7s %-10s destroy of the stopped one: %.1f ms\n", "direct", "guests", once_ms(destroy_stuck, a));
}

void bench_guests(const Targets *t)
{
    static Guest guests[GUESTS];
    char metrics[160];
    Asker a = { .metrics = metrics, .guests = guests };

    if (access(emulator, X_OK) < 0) {
        printf("%-7s %-10s not measured: needs %s\n", "", "guests", emulator);
        return;
    }
    metrics_socket(t->daemon, metrics, sizeof(metrics));
    a.fd = open_session(t->daemon, uri);
    unsigned long before = peer_memory_kib(a.fd);
    uint64_t start = now_ns();
    make_guests(&a, guests);
    printf("%-7s %-10s %d started, one after the other: %.1f ms each; then %.0f KiB each in the daemon\n", "direct",
           "guests", GUESTS, (now_ns() - start) / 1e6 / GUESTS, ((double)peer_memory_kib(a.fd) - (double)before) / GUESTS);
    sleep(10); /* their firmware is done, and they idle */

    compare(&a, t->seconds);
    for (unsigned i = 0; i < GUESTS; i++)
        if (i != STUCK)
            destroy(&a, &guests[i]);
    close(a.fd);
}
