/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The value type QemuCaps: flags by name, machines and CPU models by accelerator, look-ups. No
 * knowledge of how the facts were found. Invariant: after its filler hands it out a QemuCaps is
 * constant, so readers need no lock; only the reference count changes.
 */
#include "drivers/qemu/caps.h"

#include <string.h>

/* clang-format off */
#define ROW(name, word) { #name, word },
static const struct { const char *id, *word; } flags[] = { QEMU_CAP_ROWS(ROW, ROW) };
#undef ROW
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(flags) == QEMU_CAP_N_);

static const char *const accel_names[QEMU_ACCEL_N_] = { "kvm", "qemu", "hvf" };

static void machine_free(void *p)
{
    QemuMachine *m = p;

    g_free(m->name);
    g_free(m->alias);
    g_free(m->default_cpu);
    g_free(m->default_ram_id);
    g_free(m);
}

static void cpu_free(void *p)
{
    QemuCpuModel *m = p;

    g_free(m->name);
    g_free(m->type_name);
    g_strfreev(m->blockers);
    g_free(m);
}

static void prop_free(void *p)
{
    QemuCpuProp *m = p;

    g_free(m->name);
    g_free(m->string);
    g_free(m);
}

QemuCaps *qemu_caps_new(const char *binary, const char *arch)
{
    QemuCaps *c = g_new0(QemuCaps, 1);

    c->refs = 1;
    c->binary = g_strdup(binary);
    c->arch = g_strdup(arch);
    c->gic = g_array_new(false, true, sizeof(QemuGic));
    for (unsigned a = 0; a < QEMU_ACCEL_N_; a++) {
        c->accel[a].machines = g_ptr_array_new_with_free_func(machine_free);
        c->accel[a].cpus = g_ptr_array_new_with_free_func(cpu_free);
        c->accel[a].host_cpu.props = g_ptr_array_new_with_free_func(prop_free);
    }
    return c;
}

QemuCaps *qemu_caps_ref(QemuCaps *c)
{
    if (c)
        g_atomic_int_inc(&c->refs);
    return c;
}

void qemu_caps_unref(QemuCaps *c)
{
    if (!c || !g_atomic_int_dec_and_test(&c->refs))
        return;
    for (unsigned a = 0; a < QEMU_ACCEL_N_; a++) {
        g_ptr_array_unref(c->accel[a].machines);
        g_ptr_array_unref(c->accel[a].cpus);
        g_ptr_array_unref(c->accel[a].host_cpu.props);
        g_free(c->accel[a].host_cpu.model);
    }
    g_array_unref(c->gic);
    if (c->sev) {
        g_free(c->sev->pdh);
        g_free(c->sev->cert_chain);
        g_free(c->sev->cpu0_id);
        g_free(c->sev);
    }
    if (c->sgx) {
        g_array_unref(c->sgx->sections);
        g_free(c->sgx);
    }
    g_strfreev(c->hyperv);
    g_free(c->host_key);
    g_free(c->package);
    g_free(c->arch);
    g_free(c->binary);
    g_free(c);
}

void qemu_caps_set(QemuCaps *c, QemuCap f)
{
    if (f < QEMU_CAP_N_)
        c->flags[f / 64] |= UINT64_C(1) << (f % 64);
}

void qemu_caps_clear(QemuCaps *c, QemuCap f)
{
    if (f < QEMU_CAP_N_)
        c->flags[f / 64] &= ~(UINT64_C(1) << (f % 64));
}

const char *qemu_cap_name(QemuCap f)
{
    return f < QEMU_CAP_N_ ? flags[f].word : NULL;
}

QemuCap qemu_cap_from_name(const char *word)
{
    for (unsigned i = 0; i < QEMU_CAP_N_; i++)
        if (strcmp(flags[i].word, word) == 0)
            return i;
    return QEMU_CAP_N_;
}

QemuCap qemu_cap_from_identifier(const char *id)
{
    if (g_str_has_prefix(id, "QEMU_CAPS_"))
        id += strlen("QEMU_CAPS_");
    for (unsigned i = 0; i < QEMU_CAP_N_; i++)
        if (strcmp(flags[i].id, id) == 0)
            return i;
    return QEMU_CAP_N_;
}

QemuAccel qemu_accel_from_name(const char *type)
{
    if (!type)
        return QEMU_ACCEL_N_;
    if (strcmp(type, "tcg") == 0)
        return QEMU_ACCEL_TCG;
    for (unsigned a = 0; a < QEMU_ACCEL_N_; a++)
        if (strcmp(accel_names[a], type) == 0)
            return a;
    return QEMU_ACCEL_N_;
}

const char *qemu_accel_name(QemuAccel a)
{
    return a < QEMU_ACCEL_N_ ? accel_names[a] : NULL;
}

const QemuMachine *qemu_caps_machine(const QemuCaps *c, QemuAccel a, const char *name)
{
    if (!c || a >= QEMU_ACCEL_N_)
        return NULL;
    QemuAccelCaps *accel = (QemuAccelCaps *)&c->accel[a];
    /* The defaults of each device ask for the same machine. */
    const QemuMachine *last = atomic_load(&accel->last);
    if (last && name && g_str_equal(last->name, name))
        return last;
    for (unsigned i = 0; i < accel->machines->len; i++) {
        const QemuMachine *m = accel->machines->pdata[i];
        if (name ? g_str_equal(m->name, name) || g_strcmp0(m->alias, name) == 0 : m->is_default) {
            atomic_store(&accel->last, m);
            return m;
        }
    }
    return NULL;
}

const char *qemu_caps_machine_canonical(const QemuCaps *c, QemuAccel a, const char *name)
{
    const QemuMachine *m = qemu_caps_machine(c, a, name);

    return m ? m->name : name;
}

const QemuCpuModel *qemu_caps_cpu(const QemuCaps *c, QemuAccel a, const char *name)
{
    if (!c || a >= QEMU_ACCEL_N_)
        return NULL;
    for (unsigned i = 0; i < c->accel[a].cpus->len; i++) {
        const QemuCpuModel *m = c->accel[a].cpus->pdata[i];
        if (g_str_equal(m->name, name))
            return m;
    }
    return NULL;
}

const QemuCpuProp *qemu_caps_host_cpu_prop(const QemuCaps *c, QemuAccel a, const char *name)
{
    if (!c || a >= QEMU_ACCEL_N_)
        return NULL;
    for (unsigned i = 0; i < c->accel[a].host_cpu.props->len; i++) {
        const QemuCpuProp *p = c->accel[a].host_cpu.props->pdata[i];
        if (g_str_equal(p->name, name))
            return p;
    }
    return NULL;
}

bool qemu_caps_accel_usable(const QemuCaps *c, QemuAccel a)
{
    static const QemuCap need[QEMU_ACCEL_N_] = { QEMU_CAP_KVM, QEMU_CAP_TCG, QEMU_CAP_HVF };

    if (!c || a >= QEMU_ACCEL_N_ || c->accel[a].machines->len == 0)
        return false;
    /* Emulators older than the "tcg" flag always had it. */
    return qemu_caps_has(c, need[a]) || (a == QEMU_ACCEL_TCG && c->version < 5001000);
}

QemuMachine *qemu_caps_add_machine(QemuCaps *c, QemuAccel a, const char *name)
{
    QemuMachine *m = g_new0(QemuMachine, 1);

    m->name = g_strdup(name);
    g_ptr_array_add(c->accel[a].machines, m);
    return m;
}

QemuCpuModel *qemu_caps_add_cpu(QemuCaps *c, QemuAccel a, const char *name)
{
    QemuCpuModel *m = g_new0(QemuCpuModel, 1);

    m->name = g_strdup(name);
    g_ptr_array_add(c->accel[a].cpus, m);
    return m;
}

QemuCpuProp *qemu_caps_add_host_cpu_prop(QemuCaps *c, QemuAccel a, const char *name)
{
    QemuCpuProp *p = g_new0(QemuCpuProp, 1);

    p->name = g_strdup(name);
    g_ptr_array_add(c->accel[a].host_cpu.props, p);
    return p;
}
