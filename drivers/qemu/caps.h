/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What one emulator binary can do: version, machines, CPU models, and a set of named flags that the
 * command line, hotplug and domain capabilities ask for. A QemuCaps is filled by probing
 * (caps_probe.c) or from a cache file (caps_xml.c), then shared and never changed: any thread may
 * read one that it holds a reference to. Setters are for the two fillers and for tests, before
 * sharing.
 */
#pragma once

#include <glib.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "drivers/qemu/caps_flags.h"

/* clang-format off */
#define QEMU_CAP_ENUM_(name, word) QEMU_CAP_##name,
typedef enum QemuCap { QEMU_CAP_ROWS(QEMU_CAP_ENUM_, QEMU_CAP_ENUM_) QEMU_CAP_N_ } QemuCap;
#undef QEMU_CAP_ENUM_
/* clang-format on */

/* Ways to run guest code. Machines and CPU models may differ between them. */
typedef enum QemuAccel { QEMU_ACCEL_KVM, QEMU_ACCEL_TCG, QEMU_ACCEL_HVF, QEMU_ACCEL_N_ } QemuAccel;

typedef struct QemuMachine {
    char *name;   /* "pc-i440fx-7.2" */
    char *alias;  /* "pc", NULL: none */
    char *default_cpu;    /* type name such as "qemu64-x86_64-cpu", NULL: none */
    char *default_ram_id; /* "pc.ram", NULL: the machine has no named RAM */
    unsigned max_cpus;
    bool hotplug_cpus, is_default, numa_mem, deprecated;
} QemuMachine;

typedef enum QemuUsable { QEMU_USABLE_UNKNOWN, QEMU_USABLE_YES, QEMU_USABLE_NO } QemuUsable;

typedef struct QemuCpuModel {
    char *name;      /* "qemu64" */
    char *type_name; /* "qemu64-x86_64-cpu", NULL: not told */
    QemuUsable usable;
    bool deprecated;
    char **blockers; /* features that this host lacks, NULL when none or not told */
} QemuCpuModel;

typedef enum QemuPropType { QEMU_PROP_BOOL, QEMU_PROP_STRING, QEMU_PROP_NUMBER } QemuPropType;

typedef struct QemuCpuProp {
    char *name;
    QemuPropType type;
    bool boolean;
    int64_t number;
    char *string;
    QemuUsable migratable; /* UNKNOWN: not told */
} QemuCpuProp;

/* The CPU that this host offers through an accelerator, as the emulator expands it. */
typedef struct QemuHostCpu {
    char *model; /* NULL: not known */
    bool migratability; /* whether props tell what can migrate */
    GPtrArray *props;   /* of QemuCpuProp */
} QemuHostCpu;

typedef struct QemuAccelCaps {
    GPtrArray *machines; /* of QemuMachine, in the emulator's order */
    _Atomic(const struct QemuMachine *) last; /* the one that was found last; not part of the value */
    GPtrArray *cpus;     /* of QemuCpuModel, in the emulator's order */
    QemuHostCpu host_cpu;
} QemuAccelCaps;

typedef struct QemuGic {
    unsigned version;
    bool kernel, emulated;
} QemuGic;

typedef struct QemuSev {
    unsigned cbitpos, reduced_phys_bits, max_guests, max_es_guests;
    char *pdh, *cert_chain, *cpu0_id;
} QemuSev;

typedef struct QemuSgxSection {
    unsigned node;
    uint64_t kib;
} QemuSgxSection;

typedef struct QemuSgx {
    bool flc, sgx1, sgx2;
    uint64_t section_kib;
    GArray *sections; /* of QemuSgxSection */
} QemuSgx;

#define QEMU_CAP_WORDS_ ((QEMU_CAP_N_ + 63) / 64)

typedef struct QemuCaps {
    int refs; /* atomic */
    char *binary;
    char *arch; /* "x86_64", as in domain XML */
    unsigned version; /* major * 1000000 + minor * 1000 + micro */
    char *package;
    uint64_t flags[QEMU_CAP_WORDS_];
    QemuAccelCaps accel[QEMU_ACCEL_N_];
    GArray *gic; /* of QemuGic */
    QemuSev *sev;
    QemuSgx *sgx;
    char **hyperv; /* enlightenments that KVM offers here, NULL: none or not told */
    bool brief; /* only version, architecture, whether there is KVM, and the machines under the best accelerator */
    /* What the cache entry depends on; 0 when it came from elsewhere. */
    int64_t binary_ctime; /* ns */
    uint64_t binary_size;
    char *host_key; /* kernel, CPU, KVM and the emulator's modules at probing time */
} QemuCaps;

QemuCaps *qemu_caps_new(const char *binary, const char *arch);
QemuCaps *qemu_caps_ref(QemuCaps *c);
void qemu_caps_unref(QemuCaps *c);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(QemuCaps, qemu_caps_unref)

static inline bool qemu_caps_has(const QemuCaps *c, QemuCap f)
{
    return c && f < QEMU_CAP_N_ && (c->flags[f / 64] >> (f % 64) & 1);
}
void qemu_caps_set(QemuCaps *c, QemuCap f);
void qemu_caps_clear(QemuCaps *c, QemuCap f);

/* The stored word of a flag, and back: QEMU_CAP_N_ when unknown. */
const char *qemu_cap_name(QemuCap f);
QemuCap qemu_cap_from_name(const char *word);
/* "QEMU_CAPS_KVM" style identifier (the corpus names flags so), or "KVM": QEMU_CAP_N_ when unknown. */
QemuCap qemu_cap_from_identifier(const char *id);
/* "kvm", "qemu" (TCG), "hvf" as <domain type=…> says; QEMU_ACCEL_N_ when it is none of them. */
QemuAccel qemu_accel_from_name(const char *type);
const char *qemu_accel_name(QemuAccel a);

/* By name or alias; NULL when the emulator lacks it. name NULL: the default machine. */
const QemuMachine *qemu_caps_machine(const QemuCaps *c, QemuAccel a, const char *name);
/* Canonical name of a machine or alias; the name itself when it is not known. */
const char *qemu_caps_machine_canonical(const QemuCaps *c, QemuAccel a, const char *name);
const QemuCpuModel *qemu_caps_cpu(const QemuCaps *c, QemuAccel a, const char *name);
const QemuCpuProp *qemu_caps_host_cpu_prop(const QemuCaps *c, QemuAccel a, const char *name);
/* True when guests of this kind can run: the flag and at least one machine are there. */
bool qemu_caps_accel_usable(const QemuCaps *c, QemuAccel a);

/* For fillers; the lists take ownership. */
QemuMachine *qemu_caps_add_machine(QemuCaps *c, QemuAccel a, const char *name);
QemuCpuModel *qemu_caps_add_cpu(QemuCaps *c, QemuAccel a, const char *name);
QemuCpuProp *qemu_caps_add_host_cpu_prop(QemuCaps *c, QemuAccel a, const char *name);

/*
 * Reads the cache format (caps_xml.c), which is also the form in which recorded emulators are kept.
 * Unknown elements and flags are skipped. NULL with *err when it is not such a file.
 */
QemuCaps *qemu_caps_load_xml(const char *path, GError **err);
QemuCaps *qemu_caps_parse_xml(const char *what, const char *text, size_t len, GError **err);
char *qemu_caps_format_xml(const QemuCaps *c);
