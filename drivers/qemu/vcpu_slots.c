/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Slots and those that sit in them (vcpu_slots.h). What ties them is the object: that of a vCPU is the
 * slot's, or lies below it. Topologies are not compared: emulators were seen that number them differently in
 * the two answers.
 */
#include "drivers/qemu/vcpu_slots.h"

#include <string.h>

#include "util/bitmap.h"

const char *vcpu_plugged(const char *qom_path)
{
    static const char plugged[] = "/machine/peripheral/";

    return qom_path && g_str_has_prefix(qom_path, plugged) ? qom_path + strlen(plugged) : NULL;
}

GArray *vcpu_slots_read(JsonObject *answer)
{
    GArray *slots = g_array_new(false, true, sizeof(VcpuSlot));
    unsigned next = 0;

    for (size_t i = json_len(answer); i > 0 && next < BITMAP_MAX; i--) {
        JsonObject *o = json_object_array_get_idx(answer, i - 1);
        int64_t count = json_get_i64(o, "vcpus-count", 1);
        VcpuSlot s = { .first = next,
                       .count = (unsigned)CLAMP(count, 1, BITMAP_MAX),
                       .type = json_get_str(o, "type"),
                       .path = json_get_str(o, "qom-path"),
                       .place = json_get(o, "props") };
        s.alias = vcpu_plugged(s.path);
        next += s.count;
        g_array_append_val(slots, s);
    }
    return slots;
}

VcpuSlot *vcpu_slots_find(const GArray *slots, unsigned id)
{
    for (unsigned i = 0; i < slots->len; i++) {
        VcpuSlot *s = &g_array_index(slots, VcpuSlot, i);
        if (id >= s->first && id < s->first + s->count)
            return s;
    }
    return NULL;
}

static VcpuSlot *slot_of(GArray *slots, const QmpCpu *c)
{
    for (unsigned i = 0; c->qom_path && i < slots->len; i++) {
        VcpuSlot *s = &g_array_index(slots, VcpuSlot, i);
        size_t len = s->path ? strlen(s->path) : 0;
        if (len && strncmp(c->qom_path, s->path, len) == 0 && (c->qom_path[len] == '\0' || c->qom_path[len] == '/'))
            return s;
    }
    return NULL;
}

unsigned vcpu_slots_room(const GArray *slots)
{
    const VcpuSlot *last = slots && slots->len ? &g_array_index(slots, VcpuSlot, slots->len - 1) : NULL;

    return last ? last->first + last->count : 0;
}

GArray *vcpu_states(GArray *slots, const GArray *cpus, unsigned max)
{
    GArray *states = g_array_sized_new(false, true, sizeof(VcpuState), max);
    bool listed = max > 0 && vcpu_slots_room(slots) == max;
    unsigned last = 0;

    g_array_set_size(states, max);
    for (unsigned i = 0; listed && i < slots->len; i++) {
        VcpuSlot *s = &g_array_index(slots, VcpuSlot, i);
        s->order = 0;
        for (unsigned k = 0; k < s->count; k++)
            g_array_index(states, VcpuState, s->first + k).slot = s;
    }
    for (unsigned i = 0; i < cpus->len; i++) {
        const QmpCpu *c = &g_array_index(cpus, QmpCpu, i);
        VcpuSlot *s = listed ? slot_of(slots, c) : NULL;
        unsigned at = s ? s->first : listed ? max : i, end = s ? s->first + s->count : MIN(at + 1, max);

        while (at < end && g_array_index(states, VcpuState, at).cpu)
            at++;
        if (at >= end)
            continue; /* more than the slot says that it holds */
        g_array_index(states, VcpuState, at).cpu = c;
        if (s && !s->order)
            s->order = ++last;
    }
    return states;
}
