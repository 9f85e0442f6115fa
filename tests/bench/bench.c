/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a daemon costs, beside what the same bytes cost with nobody looking at them. In one run it
 * measures a daemon directly, the same daemon through the proxy, and bare servers that move as many
 * bytes (limits.c). Only the ratios are to be compared between machines and days.
 *
 * Nothing of ours is linked in (wire.c). One process measures; servers and loads are its children.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/bench/measures.h"

static const struct {
    const char *name;
    void (*run)(const Targets *t);
} sections[] = {
    { "calls", bench_calls },     { "connections", bench_connections }, { "events", bench_events },
    { "streams", bench_streams }, { "fairness", bench_fairness },
    { "guests", bench_guests },
};
enum { N_SECTIONS = sizeof(sections) / sizeof(sections[0]) };

static _Noreturn void usage(void)
{
    fprintf(
        stderr,
        "usage: bench [-s SECONDS] [-t SECTION] [-S STREAM-SOCKET] DAEMON-SOCKET [PROXY-SOCKET]\n\n"
        "SECTION: one of");
    for (unsigned i = 0; i < N_SECTIONS; i++)
        fprintf(stderr, " %s", sections[i].name);
    fprintf(
        stderr,
        "\nSTREAM-SOCKET: where the proxy looks for the daemon of storage; we are that daemon\n");
    exit(2);
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

Quantiles quantiles(uint32_t *samples, size_t n)
{
    qsort(samples, n, sizeof(samples[0]), compare);
    return (Quantiles){ samples[n / 2], samples[n * 99 / 100] };
}

int main(int argc, char **argv)
{
    char dir[] = "/tmp/modvirt-bench-XXXXXX";
    const char *only = NULL;
    struct rlimit files;
    Targets t = { .seconds = 1, .dir = dir };
    int c;

    while ((c = getopt(argc, argv, "s:t:S:")) != -1) {
        if (c == 's')
            t.seconds = atof(optarg);
        else if (c == 't')
            only = optarg;
        else if (c == 'S')
            t.streams = optarg;
        else
            usage();
    }
    if (argc - optind < 1 || argc - optind > 2 || t.seconds <= 0)
        usage();
    t.daemon = argv[optind];
    t.proxy = argv[optind + 1]; /* NULL behind the last */
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    if (!mkdtemp(dir))
        die(dir);
    printf("%.1f s per figure\n%-7s %-10s %36s %14s %10s\n", t.seconds, "path", "what", "ours",
           "bare", "ratio");
    for (unsigned i = 0; i < N_SECTIONS; i++)
        if (!only || !strcmp(only, sections[i].name))
            sections[i].run(&t);
    rmdir(dir);
    return 0;
}
