/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Between a volume and the pipe of a stream (pump.c). Waits for the other end of the pipe are signs of life;
 * only the volume can hang. Workers, and the process that works apart.
 */
#pragma once

#include "drivers/storage/run.h"

typedef struct Pump {
    const char *path;
    int fd;           /* of the volume, -1: not open yet; both stay the caller's */
    int pipe;
    uint64_t offset;
    uint64_t length;  /* 0: to the end */
    bool framed;      /* holes are told and taken (util/stream_frame.h) */
} Pump;

/* The file or device; -1 with *err. */
int pump_open(const char *path, bool write, GError **err);
/* Whether a file may have such bytes at all. What is behind the end of this one reads as nothing and may be written. */
bool pump_check_range(const char *path, uint64_t offset, uint64_t length, GError **err);
/* A reader that has gone is no error: true. */
bool pump_read(const Pump *p, const StorageJob *job, GError **err);
/* Until the end of what comes. */
bool pump_write(const Pump *p, const StorageJob *job, GError **err);
