/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the benchmarks speak: raw frames over unix sockets. Nothing of ours is linked in, so that the
 * client costs the same in every row. Every failure ends the program.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
    PROC_OPEN = 1,
    PROC_NODE_INFO = 6,
    PROC_CREATE_XML = 10,
    PROC_DEFINE = 11,
    PROC_DESTROY = 12,
    PROC_XML = 14,
    PROC_UNDEFINE = 35,
    PROC_AUTH_LIST = 66,
    PROC_LIB_VERSION = 157,
    PROC_VOL_UPLOAD = 208,
    PROC_VOL_DOWNLOAD = 209,
    PROC_LIST_ALL = 273,
    PROC_EVENT_REGISTER = 316,
    PROC_STATS = 344,
    PROC_SET_IDENTITY = 419,
};
enum { TYPE_CALL, TYPE_REPLY, TYPE_EVENT, TYPE_STREAM };
enum { STATUS_OK, STATUS_ERROR, STATUS_CONTINUE };
enum { HEAD = 28, STREAM_DATA = 262120, FRAME_MAX = 1 << 20 };

typedef struct Frame {
    uint32_t len, proc, type, serial, status;
} Frame;

_Noreturn void die(const char *what);
uint64_t now_ns(void);
void put32(uint8_t *p, uint32_t v);
uint32_t get32(const uint8_t *p);
/* A frame of the remote program at out; returns its length. payload NULL: room is left for it. */
size_t make_frame(uint8_t *out, const Frame *f, const void *payload, size_t n);
size_t make_call(uint8_t *out, uint32_t proc, const void *payload, size_t n);
/* Appends a string as XDR has it. */
size_t put_string(uint8_t *p, const char *s);
void write_all(int fd, const void *data, size_t n);
/* false: end of stream before anything was read. */
bool read_all(int fd, void *data, size_t n);
/* One whole frame into buf (FRAME_MAX); false at the end. */
bool read_frame(int fd, uint8_t *buf, Frame *ret);
int connect_to(const char *path);
int listen_at(const char *path);
/* Sends one call and takes its answer (events in between are dropped); returns its whole length. */
size_t call(int fd, const uint8_t *request, size_t n);
/* Authentication list and open. */
int open_session(const char *path, const char *uri);
/* Kilobytes of the process at the other end of a socket that are its own (Pss_Anon); 0: not told. */
unsigned long peer_memory_kib(int fd);
/* Processor time of a process so far. */
uint64_t cpu_ns(int pid);
int peer_pid(int fd);
