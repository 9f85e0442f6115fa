/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by domain.c, turn.c and job.c only. */
#pragma once

#include "drivers/common/domain.h"
#include "drivers/common/internal.h"

struct Domain {
    Object object;
    struct DomainJob *job, *completed; /* under the object's lock: the one that runs, the last one that did */
};

/* job.c */
struct DomainJob *domain_job_unref(struct DomainJob *j);
