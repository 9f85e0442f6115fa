/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A document's processor made definite against one that is offered: what it leaves open (host-model,
 * minimum, optional features) is decided, and a model that is not to be had becomes one that is. Pure;
 * any thread.
 */
#pragma once

#include "conf/domain_cpu.h"
#include "drivers/qemu/cpu_map.h"

typedef struct CpuOffer {
    const char *model, *vendor; /* borrowed; vendor may be NULL */
    GPtrArray *features;        /* CpuFeature, required or disabled: where it differs from its model */
    CpuFeatures has;            /* all that it has (x86); empty: nobody knows */
} CpuOffer;

void cpu_offer_add(CpuOffer *o, const char *feature, bool require);
void cpu_offer_clear(CpuOffer *o);

/* host-model and match='minimum' become the offered model, exactly, with what the document adds or takes
 * away; optional features are required or disabled. All else stays. */
void cpu_settle(CpuDef *cpu, const CpuOffer *offer);

/* A custom x86 model that ALLOWED refuses: the nearest that it allows, the difference spelled out.
 * VIR_ERR_CONFIG_UNSUPPORTED when there is none or the document forbids it. */
bool cpu_translate(CpuDef *cpu, bool (*allowed)(const char *model, void *data), void *data, GError **err);
/* The same for ppc64, where a model may carry a revision that emulators do not tell apart (cpu_ppc64.c). */
bool cpu_ppc64_translate(CpuDef *cpu, bool (*allowed)(const char *model, void *data), void *data, GError **err);
