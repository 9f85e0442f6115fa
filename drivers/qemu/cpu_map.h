/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPU models and features by name, and finding the model that describes a processor. Tables are
 * constant; the sets made from their words are computed once. Any thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define CPU_FEATURES_MAX 256

/* The tables (cpu_map_data.c). */
enum { CPU_EAX, CPU_EBX, CPU_ECX, CPU_EDX };
enum { CPU_FEATURE_MSR = 1, CPU_FEATURE_NOT_MIGRATABLE = 2 };
enum { CPU_USE_HOST = 1, CPU_USE_GUEST = 2 };
typedef struct CpuFeatureRow {
    const char *name;
    uint32_t leaf, sub; /* CPUID inputs; leaf is the index when CPU_FEATURE_MSR */
    uint8_t reg, bit, flags;
    const char *aliases; /* words */
} CpuFeatureRow;
typedef struct CpuVendorRow {
    const char *name, *string;
} CpuVendorRow;
typedef struct CpuModelRow {
    const char *name, *vendor;
    unsigned use;
    const char *signatures; /* "family:model" or "family:model:first-last" words */
    const char *base, *features, *removed;
} CpuModelRow;
extern const CpuFeatureRow cpu_x86_features[];
extern const CpuVendorRow cpu_x86_vendors[];
extern const CpuModelRow cpu_x86_models[];
extern const unsigned cpu_x86_n_features, cpu_x86_n_vendors, cpu_x86_n_models;
extern const char *const cpu_ppc64_models[], *const cpu_arm_models[];

/* Sets of features, by row number. */
typedef struct CpuFeatures {
    uint64_t w[CPU_FEATURES_MAX / 64];
} CpuFeatures;
static inline bool cpu_features_has(const CpuFeatures *f, unsigned i) { return f->w[i / 64] >> (i % 64) & 1; }
static inline void cpu_features_add(CpuFeatures *f, unsigned i) { f->w[i / 64] |= UINT64_C(1) << (i % 64); }
static inline void cpu_features_del(CpuFeatures *f, unsigned i) { f->w[i / 64] &= ~(UINT64_C(1) << (i % 64)); }

/* Row of a feature by any of its names, -1 when unknown. */
int cpu_feature_find(const char *name);

typedef struct CpuModel {
    const CpuModelRow *row;
    CpuFeatures features; /* what it promises */
    CpuFeatures removed;  /* what it once promised and some emulators no longer give */
} CpuModel;
const CpuModel *cpu_model_find(const char *name); /* x86; NULL: unknown */
/* "unknown" when the table does not tell; never NULL. */
const char *cpu_model_vendor(const char *name);

/* A processor, as CPUID or an emulator describes it. */
typedef struct CpuData {
    char vendor[13]; /* CPUID string; "" unknown */
    unsigned family, model, stepping; /* all 0: unknown */
    CpuFeatures features;
} CpuData;
/* What one CPUID leaf says; leaves 0 and 1 give vendor and signature. */
void cpu_data_add_cpuid(CpuData *d, uint32_t leaf, uint32_t sub, const uint32_t reg[4]);
void cpu_data_add_msr(CpuData *d, uint32_t index, uint64_t value);
const char *cpu_data_vendor(const CpuData *d); /* name in documents, NULL: unknown */

typedef struct CpuDecoded {
    const CpuModel *model;
    const char *vendor; /* name, may be NULL */
    GArray *features;   /* of CpuDecodedFeature, in table order, then disabled, then removed */
} CpuDecoded;
typedef struct CpuDecodedFeature {
    unsigned feature;
    bool require; /* false: the model promises it, the processor lacks it */
} CpuDecodedFeature;

/*
 * The model that says most about the processor. guest: missing features may be disabled and models
 * must be usable in guests; otherwise the processor must have all that its model promises.
 * allowed (may be NULL): is the model among those to choose from? False when none fits.
 */
bool cpu_decode(const CpuData *d, bool guest, bool (*allowed)(const char *model, void *data), void *data,
                CpuDecoded *ret, GError **err);
void cpu_decoded_clear(CpuDecoded *d);
