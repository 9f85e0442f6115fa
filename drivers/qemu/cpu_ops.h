/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Comparing processors and finding what several have in common, on documents as clients send them:
 * <cpu> of a host (from capabilities) or of a guest. x86 and ppc64; other architectures answer "not supported".
 * Any thread; pure but for the host's own processor.
 */
#pragma once

#include "drivers/qemu/caps.h"
#include "drivers/qemu/cpu_map.h"
#include "util/xml.h"

typedef enum CpuPolicySet { CPU_SET_FORCE, CPU_SET_REQUIRE, CPU_SET_OPTIONAL, CPU_SET_DISABLE, CPU_SET_FORBID, CPU_SET_N } CpuPolicySet;

typedef struct CpuSpec {
    bool guest;  /* its features have policies */
    bool has_mode;
    bool strict; /* match='strict': more than asked for is wrong, too */
    char *arch, *model, *vendor; /* may be NULL */
    CpuFeatures sets[CPU_SET_N]; /* REQUIRE includes the model's features */
} CpuSpec;

/* A <cpu> document, or <domainCapabilities>, <capabilities> or <domain> that holds one. */
bool cpu_spec_parse(const char *xml, CpuSpec *ret, GError **err);
void cpu_spec_clear(CpuSpec *s);
/* The processor of this host. */
void cpu_spec_host(CpuSpec *ret);

/* VIR_CPU_COMPARE_*: can what b asks for run on a? why (may be NULL): the reason of INCOMPATIBLE. */
int cpu_compare(const CpuSpec *host, const CpuSpec *b, char **why);
/* The processor that guests of an emulator can have. */
bool cpu_spec_guest(const QemuCaps *caps, QemuAccel accel, CpuSpec *ret, GError **err);
/* The <cpu> in a document, NULL: none. */
xmlNode *cpu_document_find(xmlNode *root);
/* cpu_ppc64.c: what compare and baseline are there. */
int cpu_ppc64_compare(const char *host_xml, const char *xml, unsigned flags, GError **err);
char *cpu_ppc64_baseline(const char *const *xmls, unsigned n, GError **err);
/* virsh hypervisor-cpu-compare: b against such a processor. */
int qemu_cpu_compare_to(const CpuSpec *host, const char *xml, unsigned flags, GError **err);
/* virsh cpu-compare; flags VIR_CONNECT_COMPARE_CPU_*; -1 on error. */
int qemu_cpu_compare_host(const char *xml, unsigned flags, GError **err);
/* virsh cpu-baseline; flags VIR_CONNECT_BASELINE_CPU_*. */
char *qemu_cpu_baseline(const char *const *xmls, unsigned n, unsigned flags, GError **err);
/* virsh hypervisor-cpu-baseline: the same of processors of guests, and of models that this emulator has; caps NULL: any
 * emulator. */
char *qemu_cpu_baseline_for(const QemuCaps *caps, QemuAccel accel, const char *const *xmls, unsigned n, unsigned flags,
                            GError **err);
