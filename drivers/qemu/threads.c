/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The list of a guest's threads (threads.h): from the emulator's answer, in the status, and what the
 * kernel tells of one.
 */
#include "drivers/qemu/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/qemu/host.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/vcpu_slots.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/xml.h"

struct GuestThreads {
    gatomicrefcount refs;
    GArray *list; /* GuestThread */
};

static const char *const kind_names[] = {
    [THREAD_EMULATOR] = "emulator", [THREAD_VCPU] = "vcpu", [THREAD_IOTHREAD] = "iothread"
};

static GuestThreads *threads_new(void)
{
    GuestThreads *t = g_new0(GuestThreads, 1);

    g_atomic_ref_count_init(&t->refs);
    t->list = g_array_new(false, false, sizeof(GuestThread));
    return t;
}

GuestThreads *threads_ref(GuestThreads *t)
{
    if (t)
        g_atomic_ref_count_inc(&t->refs);
    return t;
}

void threads_unref(GuestThreads *t)
{
    if (!t || !g_atomic_ref_count_dec(&t->refs))
        return;
    g_array_unref(t->list);
    g_free(t);
}

static void add(GuestThreads *t, ThreadKind kind, unsigned id, int64_t tid)
{
    GuestThread one = { kind, id, (pid_t)tid };

    if (tid > 0 && tid <= INT_MAX)
        g_array_append_val(t->list, one);
}

unsigned threads_count(const GuestThreads *t)
{
    return t ? t->list->len : 0;
}
const GuestThread *threads_at(const GuestThreads *t, unsigned i)
{
    return &g_array_index(t->list, GuestThread, i);
}

const GuestThread *threads_find(const GuestThreads *t, ThreadKind kind, unsigned id)
{
    for (unsigned i = 0; i < threads_count(t); i++) {
        const GuestThread *one = threads_at(t, i);
        if (one->kind == kind && one->id == id)
            return one;
    }
    return NULL;
}

/* The emulator's answer ------------------------------------------------------------------------ */

/* Without a thread for each, all are done by one: then none has its own. */
static bool shared(const GArray *cpus)
{
    return cpus->len > 1 &&
           g_array_index(cpus, QmpCpu, 0).thread_id == g_array_index(cpus, QmpCpu, 1).thread_id;
}

static bool some_plugged(const GArray *cpus)
{
    for (unsigned i = 0; i < cpus->len; i++)
        if (vcpu_plugged(g_array_index(cpus, QmpCpu, i).qom_path))
            return true;
    return false;
}

/* Which number each has: those of a start are the first ones, in their order; among others the slots tell. */
static bool add_vcpus(GuestThreads *t, const GArray *cpus, Qmp *mon, GError **err)
{
    g_autoptr(JsonObject) answer = NULL;
    g_autoptr(GArray) slots = NULL;

    if (some_plugged(cpus)) {
        if (!qmp_call(mon, "query-hotpluggable-cpus", NULL, &answer, 0, err))
            return false;
        slots = vcpu_slots_read(answer);
    }
    g_autoptr(GArray) states = vcpu_states(slots, cpus, slots ? vcpu_slots_room(slots) : cpus->len);
    for (unsigned id = 0; id < states->len; id++) {
        const VcpuState *v = &g_array_index(states, VcpuState, id);
        if (v->cpu)
            add(t, THREAD_VCPU, id, v->cpu->thread_id);
    }
    return true;
}

GuestThreads *threads_read(Qmp *mon, GError **err)
{
    g_autoptr(GArray) cpus = qmp_query_cpus_fast(mon, err);
    g_autoptr(GArray) iothreads = cpus ? qmp_query_iothreads(mon, err) : NULL;
    uint64_t id;

    if (!iothreads)
        return NULL;
    g_autoptr(GuestThreads) t = threads_new();
    if (!shared(cpus) && !add_vcpus(t, cpus, mon, err))
        return NULL;
    for (unsigned i = 0; i < iothreads->len; i++) {
        const QmpIothread *o = &g_array_index(iothreads, QmpIothread, i);
        if (o->id && g_str_has_prefix(o->id, "iothread") &&
            g_ascii_string_to_unsigned(o->id + strlen("iothread"), 10, 1, UINT32_MAX, &id, NULL))
            add(t, THREAD_IOTHREAD, (unsigned)id, o->thread_id);
    }
    return g_steal_pointer(&t);
}

/* The status file ------------------------------------------------------------------------------ */

void threads_format(const GuestThreads *t, GString *out)
{
    for (unsigned i = 0; i < threads_count(t); i++) {
        const GuestThread *one = threads_at(t, i);
        g_string_append_printf(out, "    <thread kind='%s' id='%u' tid='%d'/>\n",
                               kind_names[one->kind], one->id, (int)one->tid);
    }
}

static bool number(const xmlNode *n, const char *name, uint64_t *ret)
{
    const char *text = xml_attr_get(n, name);
    return text && g_ascii_string_to_unsigned(text, 10, 0, INT_MAX, ret, NULL);
}

GuestThreads *threads_parse(const xmlNode *parent)
{
    GuestThreads *t = threads_new();
    uint64_t id, tid;

    for (const xmlNode *n = parent->children; n; n = n->next) {
        if (n->type != XML_ELEMENT_NODE || !g_str_equal((const char *)n->name, "thread") ||
            !number(n, "id", &id) || !number(n, "tid", &tid))
            continue;
        const char *kind = xml_attr_get(n, "kind");
        add(t, g_strcmp0(kind, kind_names[THREAD_VCPU]) == 0 ? THREAD_VCPU : THREAD_IOTHREAD,
            (unsigned)id, (int64_t)tid);
    }
    return t;
}

const char *thread_group(ThreadKind kind, unsigned id, char *buf)
{
    enum { ROOM = 32 };

    if (kind == THREAD_EMULATOR)
        return kind_names[kind];
    g_snprintf(buf, ROOM, "%s%u", kind_names[kind], id);
    return buf;
}

/* The kernel ----------------------------------------------------------------------------------- */

Bitmap *host_online_cpus(void)
{
    g_autofree uint8_t *map = NULL;
    size_t bytes = 0;
    Bitmap *b = bitmap_new();

    if (host_cpu_map(&map, &bytes, NULL, NULL) < 0)
        (void)bitmap_set(b, 0); /* a host has one */
    for (size_t i = 0; i < bytes * 8; i++)
        if (map[i / 8] & (1u << (i % 8)))
            (void)bitmap_set(b, (unsigned)i);
    return b;
}

bool thread_affinity(pid_t tid, Bitmap **ret, GError **err)
{
    g_autofree cpu_set_t *set = CPU_ALLOC(BITMAP_MAX);
    size_t size = CPU_ALLOC_SIZE(BITMAP_MAX);

    CPU_ZERO_S(size, set);
    if (sched_getaffinity(tid, size, set) < 0) {
        error_set_errno(err, errno, "cannot get CPU affinity of process %d", (int)tid);
        return false;
    }
    *ret = bitmap_new();
    for (unsigned i = 0; i < BITMAP_MAX; i++)
        if (CPU_ISSET_S(i, size, set))
            (void)bitmap_set(*ret, i);
    return true;
}
