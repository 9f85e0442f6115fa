/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The emulator's threads that have a meaning for users: those of vCPUs and of I/O threads. The emulator
 * is asked for their ids when they come into being; the status keeps them, so that nobody waits for its
 * monitor to look at one. Any thread.
 */
#pragma once

#include <libxml/tree.h>

#include "conf/domain.h"
#include "drivers/qemu/qmp.h"
#include "util/cgroup.h"

struct Start;
struct QemuStatus;
struct DomainTurn;

typedef enum ThreadKind { THREAD_EMULATOR, THREAD_VCPU, THREAD_IOTHREAD } ThreadKind;

typedef struct GuestThread {
    ThreadKind kind;
    unsigned id;
    pid_t tid;
} GuestThread;

/* Counted, immutable; NULL: none are known. */
typedef struct GuestThreads GuestThreads;
GuestThreads *threads_ref(GuestThreads *t);
void threads_unref(GuestThreads *t);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GuestThreads, threads_unref)
unsigned threads_count(const GuestThreads *t);
const GuestThread *threads_at(const GuestThreads *t, unsigned i);
/* NULL: there is no such one, or it has no thread of its own. */
const GuestThread *threads_find(const GuestThreads *t, ThreadKind kind, unsigned id);

/* Asks the emulator. */
GuestThreads *threads_read(Qmp *mon, GError **err);
/* Of a running guest, again, after something was plugged; places those that are new (with their pins and
 * limits) and puts all into the turn's status. */
bool threads_refresh(struct DomainTurn *t, Qmp *mon, GError **err);
/* For the status file: "<thread kind='vcpu' id='0' tid='17'/>" each. */
void threads_format(const GuestThreads *t, GString *out);
GuestThreads *threads_parse(const xmlNode *parent);

/* The name of its control group; buf holds 32 characters. */
const char *thread_group(ThreadKind kind, unsigned id, char *buf);

/* Steps of a start: the process enters its group and its CPUs; its threads theirs. */
bool start_placement(struct Start *s, GError **err);
bool start_threads(struct Start *s, GError **err);

/* CPUs of the host that are online. Never NULL. */
Bitmap *host_online_cpus(void);
/* Where this one may run by the definition: its pin, else the guest's set, else all. */
Bitmap *thread_cpus(const DomainDef *d, ThreadKind kind, unsigned id);

/* Moves a thread (or with THREAD_EMULATOR all others of the process) to these CPUs. */
bool thread_pin(const struct QemuStatus *s, const Cgroup *g, ThreadKind kind, unsigned id,
                const Bitmap *cpus, GError **err);
bool thread_affinity(pid_t tid, Bitmap **ret, GError **err);
