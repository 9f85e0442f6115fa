/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tuning in definitions. Pure; any thread. */
#include "drivers/qemu/tuning.h"

#include <string.h>

static void drop_list(GPtrArray **list)
{
    if (*list && !(*list)->len)
        g_ptr_array_unref(g_steal_pointer(list));
}

void tuning_drop_empty(DomainDef *d)
{
    static const CpuTuning no_cpu;
    static const BlkioTuning no_blkio;
    CpuTuning *t = d->cputune;

    if (t) {
        drop_list(&t->vcpu_pins);
        drop_list(&t->iothread_pins);
        drop_list(&t->vcpu_scheds);
        drop_list(&t->iothread_scheds);
        if (memcmp(t, &no_cpu, sizeof(*t)) == 0)
            g_clear_pointer(&d->cputune, g_free);
    }
    if (d->blkiotune) {
        drop_list(&d->blkiotune->devices);
        if (memcmp(d->blkiotune, &no_blkio, sizeof(no_blkio)) == 0)
            g_clear_pointer(&d->blkiotune, g_free);
    }
}
