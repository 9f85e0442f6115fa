/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One word is one register of one CPUID leaf; together they are leaves (cpu_words.h). Pure. */
#include "drivers/qemu/cpu_words.h"

#include "util/enum.h"
#include "util/error.h"

enum { WORDS_MAX = 1000 };

typedef struct Word {
    int reg;
    unsigned leaf, sub, bits;
} Word;

ENUM_TABLE(registers, "register", 4, "EAX", "EBX", "ECX", "EDX"); /* as CPU_EAX, ... */

static const JsonRow rows[] = {
    JSON_ENUM(Word, reg, "cpuid-register", &registers, JSON_REQUIRED),
    JSON_UINT(Word, leaf, "cpuid-input-eax", JSON_REQUIRED),
    JSON_UINT(Word, sub, "cpuid-input-ecx", JSON_OPTIONAL),
    JSON_UINT(Word, bits, "features", JSON_REQUIRED),
};

static gint by_input(gconstpointer a, gconstpointer b)
{
    const CpuLeaf *x = a, *y = b;

    return x->leaf != y->leaf ? (x->leaf > y->leaf ? 1 : -1) : (x->sub > y->sub) - (x->sub < y->sub);
}

static CpuLeaf *leaf_of(GArray *leaves, const Word *w)
{
    for (unsigned i = 0; i < leaves->len; i++) {
        CpuLeaf *l = &g_array_index(leaves, CpuLeaf, i);
        if (l->leaf == w->leaf && l->sub == w->sub)
            return l;
    }
    CpuLeaf new = { .leaf = w->leaf, .sub = w->sub };
    g_array_append_val(leaves, new);
    return &g_array_index(leaves, CpuLeaf, leaves->len - 1);
}

GArray *cpu_words_read(JsonObject *words, GError **err)
{
    g_autoptr(GArray) leaves = g_array_new(false, true, sizeof(CpuLeaf));

    if (!json_object_is_type(words, json_type_array) || json_len(words) > WORDS_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "feature-words is not a list of at most %d words", WORDS_MAX);
        return NULL;
    }
    for (size_t i = 0; i < json_len(words); i++) {
        Word w = { 0 };
        if (!json_read(json_object_array_get_idx(words, i), "feature-words", rows, G_N_ELEMENTS(rows), &w, err))
            return NULL;
        if (w.bits)
            leaf_of(leaves, &w)->reg[w.reg] |= w.bits;
    }
    g_array_sort(leaves, by_input);
    return g_steal_pointer(&leaves);
}

void cpu_words_features(const GArray *leaves, CpuData *ret)
{
    *ret = (CpuData){ 0 };
    for (unsigned i = 0; i < leaves->len; i++) {
        const CpuLeaf *l = &g_array_index(leaves, CpuLeaf, i);
        cpu_data_add_cpuid(ret, l->leaf, l->sub, l->reg);
    }
}
