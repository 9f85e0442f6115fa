/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An operation that writes a file about a running guest (save, dump): a job, during which the guest is
 * usually paused. What it is about stands in the status, so that a daemon that finds a guest in the
 * middle of one can put things right. Workers, within the domain's turn.
 */
#pragma once

#include "drivers/common/job.h"
#include "drivers/qemu/guest.h"

typedef struct FileOp {
    DomainTurn *t;
    Guest *g;
    Qmp *q;
    DomainJob *job;
    char *path;
    int file;       /* open for writing */
    bool made_file; /* what is in it is ours: it goes when the operation fails */
    bool runs;      /* it is to run when the operation is over */
    bool live;      /* and it runs meanwhile, but for moments */
} FileOp;

typedef struct FileOpKind {
    int operation;     /* VIR_DOMAIN_JOB_OPERATION_* */
    int paused_reason; /* VIR_DOMAIN_PAUSED_*; 0: the guest runs on */
    const char *what, *fixed; /* as in turn_begin_job() */
} FileOpKind;

/* Opens the file, begins the job, pauses the guest. After a failure all is as before. */
bool file_op_begin(FileOp *op, DomainTurn *t, const char *path, const FileOpKind *kind, GError **err);
/* The guest goes on, if it ran before, for this VIR_DOMAIN_RUNNING_* reason. */
bool file_op_resume(FileOp *op, int reason, GError **err);
/* Has it on record that the file is whole, before anybody is told: from here on it is kept. */
bool file_op_keep(FileOp *op, GError **err);
/* The file stays and is whole. The job has ended; what follows is the turn's. */
void file_op_succeed(FileOp *op);
/* The file goes, the guest goes on, the turn is committed. why: for the job. */
void file_op_fail(FileOp *op, int reason, const GError *why);

/* For a guest that is found in the middle of an operation of a daemon that was killed: the monitor is
 * connected (q), or the process is gone (NULL). True: the guest is saved, whole; its run is to end, or
 * has ended, as saved. */
bool file_op_recover(DomainTurn *t, Qmp *q);
