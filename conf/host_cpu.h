/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The processor as a document of its own: <cpu> as guests are asked for it (CpuDef), and <cpu> as a
 * host describes itself (HostCpuDef, it has an <arch>). Conventions: conf/types.h.
 */
#pragma once

#include "conf/domain_cpu.h"
#include "conf/kinds.h"

CONF_STRUCTS_BEGIN

typedef struct HostCpuPages {
    uint64_t size; /* KiB */
} HostCpuPages;

typedef struct HostCpuDef {
    char *arch;
    char *model, *vendor;
    uint32_t microcode;
    OptU32 family, model_number, stepping; /* signature */
    Tristate tsc_scaling;
    Flag has_tsc, _pad;                    /* counter is written; resolve: when the frequency is known */
    uint64_t tsc_frequency;                /* Hz, 0: unknown */
    CpuPhysAddr *maxphysaddr;
    CpuTopology *topology;
    GPtrArray *words;                      /* StrItem: what old processors may lack, as "pae" */
    GPtrArray *features;                   /* CpuFeature */
    GPtrArray *pages;                      /* HostCpuPages: sizes of pages */
} HostCpuDef;

CONF_STRUCTS_END

DOC_KIND_DECLARE(guest_cpu, CpuDef)
DOC_KIND_DECLARE(host_cpu, HostCpuDef)
