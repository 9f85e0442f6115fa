/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What an emulator has of a guest's vCPUs: slots, each for one vCPU or for the threads of a core, from two of
 * its answers (query-hotpluggable-cpus, query-cpus-fast). Users know a vCPU by its number, counted
 * through the slots; the emulator by an index of its own, which is another one as soon as slots are filled in
 * another order. Pure; any thread.
 */
#pragma once

#include "drivers/qemu/qmp_cmds.h"

typedef struct VcpuSlot {
    unsigned first, count;   /* numbers of its vCPUs */
    unsigned order;          /* in which it was filled, from 1; 0: it is empty, or nobody asked */
    const char *type, *path; /* borrowed of the answer; path NULL: empty */
    const char *alias;       /* of the device that was plugged into it; NULL: it was there from the start */
    JsonObject *place;
} VcpuSlot;

/* The emulator lists slots from the last to the first. answer (borrowed) is what slots point into. */
GArray *vcpu_slots_read(JsonObject *answer);
/* The one of a vCPU; NULL: there is none. */
VcpuSlot *vcpu_slots_find(const GArray *slots, unsigned id);
/* For how many vCPUs there are slots; slots NULL: 0. */
unsigned vcpu_slots_room(const GArray *slots);
/* An object of a device that was plugged: its name there, else NULL. */
const char *vcpu_plugged(const char *qom_path);

typedef struct VcpuState {
    const VcpuSlot *slot; /* NULL: the machine has no slots, or none for it */
    const QmpCpu *cpu;    /* NULL: it is not there */
} VcpuState;

/*
 * All vCPUs of a guest that can have max of them (of VcpuState; points into slots and cpus), and in which
 * order slots were filled. A machine that plugs nothing, and one whose slots are not for max vCPUs, has its
 * vCPUs as they are listed.
 */
GArray *vcpu_states(GArray *slots, const GArray *cpus, unsigned max);
/* It is not there, and could be, or it was plugged. */
static inline bool vcpu_state_removable(const VcpuState *s)
{
    return s->slot && (!s->slot->path || s->slot->alias);
}
