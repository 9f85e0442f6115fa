/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a definition asks for that this driver leaves to nobody: parts of the processor's caches and of the
 * way to memory, nodes chosen by an advisor. A guest that needs them is not started without. Any thread.
 */
#include "drivers/qemu/resctrl.h"

#include <unistd.h>

#include "util/error.h"

static bool refuse(const char *text, GError **err)
{
    error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s", text);
    return false;
}

bool resctrl_possible(const DomainDef *d, GError **err)
{
    const CpuTuning *t = d->cputune;

    if (t && (list_len(t->cachetunes) || list_len(t->memorytunes)))
        return refuse(access("/sys/fs/resctrl/schemata", F_OK) < 0
                          ? "Resource control is not supported on this host"
                          : "cputune: <cachetune> and <memorytune> are not supported yet",
                      err);
    bool automatic = d->placement == VCPU_PLACEMENT_AUTO ||
                     (d->numatune && d->numatune->placement == NUMA_PLACEMENT_AUTO);
    if (automatic)
        return refuse(access("/usr/bin/numad", X_OK) < 0
                          ? "numad is not available on this host"
                          : "automatic placement of guests is not supported yet",
                      err);
    return true;
}
