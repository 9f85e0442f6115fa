/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between a volume and a stream: the pipe that is read for the client (pump_read.c), and the pieces that come from
 * it (pump_write.c), which pass a pipe too on their way to the process that works apart. Waits for the client are
 * signs of life; only the volume can hang. Workers, and the process that works apart.
 */
#pragma once

#include "drivers/storage/run.h"

typedef struct Pump {
    const char *path;
    int fd;           /* of the volume, -1: not open yet; stays the caller's */
    uint64_t offset;
    uint64_t length;  /* 0: to the end */
    bool framed;      /* when read: holes are told (util/stream_frame.h) */
    bool synced;      /* when written: done when it is on the storage, whose server tells of a failed write then only */
} Pump;

/* What is written, piece by piece. */
typedef struct PumpPiece {
    const uint8_t *bytes; /* NULL: a hole */
    uint64_t n;           /* 0: this is the end */
} PumpPiece;
typedef struct PumpSource {
    bool (*next)(void *data, PumpPiece *ret, GError **err); /* ret stays good until the next */
    void *data;
} PumpSource;

/* The file or device; -1 with *err. */
int pump_open(const char *path, bool write, GError **err);
/* Whether a file may have such bytes at all. What is behind the end of this one reads as nothing and may be written. */
bool pump_check_range(const char *path, uint64_t offset, uint64_t length, GError **err);
/* A reader that has gone is no error: true. */
bool pump_read(const Pump *p, int pipe, const StorageJob *job, GError **err);
/* Until the end of what comes. */
bool pump_write(const Pump *p, const PumpSource *from, const StorageJob *job, GError **err);
/* Hands on what comes, to whoever has the other end of the pipe and pump_write_pipe(). One that has gone is no error. */
bool pump_forward(const PumpSource *from, int pipe, const StorageJob *job, GError **err);
bool pump_write_pipe(const Pump *p, int pipe, const StorageJob *job, GError **err);

/* For both: where it ends. */
uint64_t pump_volume_end(int fd);
/* Waits for the other end of a pipe that does not block. */
bool pump_wait(int pipe, short events, const StorageJob *job, GError **err);
typedef enum Moved { MOVED, MOVE_GONE, MOVE_FAILED } Moved;
/* Writes all of it, or finds that nobody reads any more. */
Moved pump_put(int pipe, const void *buf, size_t n, const StorageJob *job, GError **err);
