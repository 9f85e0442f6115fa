/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Streams through the proxy, both ways, beside the same conversation through a bare relay; the daemon
 * behind both is a process of ours that sends from memory and throws away, so that only the hop
 * counts. And what the hop takes of a processor, which says more where others use the machine, and what
 * the proxy keeps of its memory afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/measures.h"

static const char uri[] = "storage:///system";
enum { SERIAL = 1, ROUNDS = 5 };

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void expect_finished(int fd, uint8_t *buf)
{
    Frame f;

    do {
        if (!read_frame(fd, buf, &f)) {
            errno = ECONNRESET;
            die("the stream was cut off");
        }
    } while (f.type != TYPE_STREAM || f.status != STATUS_OK);
}

/* Megabytes per second. */
static double transfer(int fd, uint32_t proc, size_t bytes)
{
    static uint8_t buf[FRAME_MAX];
    Frame f = { .proc = proc, .type = TYPE_STREAM, .serial = SERIAL, .status = STATUS_CONTINUE };
    uint64_t start = now_ns();
    size_t done = 0;

    call(fd, buf, make_call(buf, proc, "", 0));
    while (done < bytes) {
        if (proc == PROC_VOL_UPLOAD) {
            write_all(fd, buf, make_frame(buf, &f, NULL, STREAM_DATA));
            done += STREAM_DATA;
            continue;
        }

        Frame in;

        if (!read_frame(fd, buf, &in) || in.status == STATUS_ERROR) {
            errno = ECONNRESET;
            die("the stream was cut off");
        }
        if (in.len == HEAD)
            break;
        done += in.len - HEAD;
    }
    f.status = STATUS_OK;
    write_all(fd, buf, make_frame(buf, &f, "", 0));
    expect_finished(fd, buf);
    return done / 1e6 / ((now_ns() - start) / 1e9);
}

void bench_streams(const Targets *t)
{
    static const struct {
        const char *name;
        uint32_t proc;
    } ways[] = { { "download", PROC_VOL_DOWNLOAD }, { "upload", PROC_VOL_UPLOAD } };
    size_t bytes = (size_t)(t->seconds * 5e8);
    char relay[128];

    if (!t->proxy || !t->streams)
        return;
    snprintf(relay, sizeof(relay), "%s/relay", t->dir);
    for (unsigned i = 0; i < 2; i++) {
        pid_t daemon = start_child(serve_streams, t->streams, &bytes);
        pid_t hop = start_child(serve_relay, relay, t->streams);
        double rates[2][ROUNDS], costs[2][ROUNDS], rate[2], cost[2];
        unsigned long before = 0, after = 0;

        /* In turns, and the first round warms up: whatever else the machine does, both have of it. */
        for (unsigned round = 0; round < 2 * (ROUNDS + 1); round++) {
            unsigned ours = round % 2;
            int fd = open_session(ours ? t->proxy : relay, uri);

            if (ours && round / 2 == 1)
                before = peer_memory_kib(fd);
            int pid = ours ? peer_pid(fd) : hop;
            uint64_t cpu = cpu_ns(pid);
            rate[ours] = transfer(fd, ways[i].proc, bytes);
            cost[ours] = (cpu_ns(pid) - cpu) * 1e3 / bytes;
            if (ours)
                after = peer_memory_kib(fd);
            if (round >= 2) {
                rates[ours][round / 2 - 1] = rate[ours];
                costs[ours][round / 2 - 1] = cost[ours];
            }
            close(fd);
            usleep(20000); /* the daemon serves one after the other */
        }
        for (unsigned ours = 0; ours < 2; ours++) {
            qsort(rates[ours], ROUNDS, sizeof(double), compare);
            rate[ours] = rates[ours][ROUNDS / 2];
            qsort(costs[ours], ROUNDS, sizeof(double), compare);
            cost[ours] = costs[ours][ROUNDS / 2];
        }
        printf("%-7s %-10s %-21s %13.0f MB/s %9.0f MB/s %8.2f x   (memory %+ld KiB)\n", "proxy",
               "stream", ways[i].name, rate[1], rate[0], rate[1] / rate[0],
               (long)after - (long)before);
        printf("%-7s %-10s %-21s %13.0f us/MB %8.0f us/MB %8.2f x\n", "proxy", "stream", "  processor time", cost[1], cost[0],
               cost[1] / cost[0]);
        end_child(hop, relay);
        end_child(daemon, t->streams);
    }
}
