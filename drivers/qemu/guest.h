/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU driver's side of a domain: its monitor, its process, and what the status file keeps of
 * both. A Guest lives as long as its Domain; its monitor comes and goes with each run.
 */
#pragma once

#include <libxml/tree.h>

#include "drivers/common/turn.h"
#include "drivers/qemu/figures.h"
#include "drivers/qemu/stats_kept.h"
#include "drivers/qemu/agent.h"
#include "drivers/qemu/perf.h"
#include "drivers/qemu/qmp.h"
#include "drivers/qemu/threads.h"
#include "util/lock.h"
#include "util/pidref.h"

typedef struct Guest {
    Domain *domain;           /* owner, not a reference */
    Lock lock;                /* of qmp, of making agent, and where said */
    Qmp *qmp;                 /* NULL: not running */
    Agent *agent;             /* NULL: not spoken to yet */
    atomic_int agent_timeout; /* of its commands: AGENT_* or seconds */
    PidRef starting;          /* under lock: process of a start in progress, for destroy to end */
    atomic_bool destroying;
    atomic_int pause_reason; /* why QEMU is about to stop: set by the event before STOP; -1 none */
    atomic_int shutdown;     /* GuestShutdown */
    atomic_uint pending;     /* monitor events that wait for a turn */
    atomic_uint_least64_t migrate_speed; /* MiB/s that migrations may take, plus 1; 0: no limit */
    Figures figures;
    StatsPlace stats;
    PerfFds perf;             /* under lock */
    GHashTable *fd_groups;    /* under lock; fd_groups.h; NULL: none */
    atomic_bool stopped_told; /* the hook heard of the end of this run */
    atomic_bool stops_itself; /* STOP and RESUME are our own doing: an operation tells of them */
    atomic_bool fake_reboot; /* the next SHUTDOWN is the first half of a reboot that we asked for */
} Guest;

typedef enum GuestShutdown { SHUTDOWN_NONE, SHUTDOWN_BY_GUEST, SHUTDOWN_BY_HOST } GuestShutdown;

/* What must survive a restart of ours. Immutable, like the view that it hangs on. */
typedef struct QemuStatus {
    DriverStatus base;
    int id;
    bool starting; /* written before the start touched the host: there may be less than it says */
    pid_t pid;     /* 0: not there yet */
    uint64_t start_time; /* of pid, clock ticks since boot */
    char *monitor_path;
    char *lib_dir;   /* private directory of this run */
    int64_t started; /* seconds since the epoch */
    bool fake_reboot;
    bool clock_base_set;
    int64_t clock_base; /* seconds that a variable clock was ahead when the guest started */
    unsigned last_node; /* highest number that a plugged block node got; 0: none was plugged */
    /* An operation that writes a file about the guest is under way: file_op.h. 0: none */
    int job;
    char *job_file;
    bool job_made_file, job_paused; /* the file is this job's; it ran before */
    char *loaded_from; /* the managed image that the guest was started from; it is to go */
    char **lent; /* files of a device that was coming when we were killed; NULL: none */
    char *medium; /* a drive with the medium that was coming then (its document); NULL: none */
    bool private_dev; /* it has a /dev of its own (private_dev.h) */
    bool makes_nvram; /* the file of firmware variables is this start's */
    bool makes_tpm;   /* so is the TPM's state */
    GuestThreads *threads; /* NULL: not known yet */
    char *machine, *scope; /* as systemd-machined has it, and the control group that it made; NULL: none */
    GPtrArray *helpers;    /* HelperRecord (helper.h) */
    int agent_timeout;
} QemuStatus;

static inline const QemuStatus *view_status(const DomainView *v)
{
    return (const QemuStatus *)v->status;
}
QemuStatus *qemu_status_new(void);
QemuStatus *qemu_status_copy(const QemuStatus *s);
void qemu_status_format(const DriverStatus *s, GString *out);
DriverStatus *qemu_status_parse(const xmlNode *modvirt, GError **err);

void *guest_attach(Domain *d);
void guest_detach(void *guest);
/* A reference to the monitor; NULL and VIR_ERR_OPERATION_INVALID when there is none. */
Qmp *guest_qmp(Guest *g, GError **err);
void guest_set_qmp(Guest *g, Qmp *take); /* NULL ends the agent's connection as well */
/* Its agent's connection, made when first asked for; lives as long as the guest. */
Agent *guest_agent(Guest *g);
/* The channel was closed or the guest is gone: calls under way fail. */
void guest_close_agent(Guest *g);
/* DomainDriver.interrupt, .interrupt_failed and .unresponsive_since */
void guest_interrupt(Domain *d, bool destroy);
void guest_interrupt_failed(Domain *d);
uint64_t guest_unresponsive_since(Domain *d);

/* What the monitor's callbacks do (events.c). data: the domain, referenced. */
extern const QmpOps guest_qmp_ops;
