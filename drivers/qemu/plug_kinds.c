/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What can be done with which kind of device, in a definition and in a running guest (plug.h); and memory,
 * which counts in the size of the whole guest. Pure. */
#include "drivers/qemu/plug.h"
#include "util/error.h"

static const uint8_t kinds[_DEVICE_KIND_N] = {
    [DEVICE_DISK] = PLUG_CONFIG_ATTACH | PLUG_CONFIG_UPDATE | PLUG_LIVE_ATTACH | PLUG_LIVE_UPDATE,
    [DEVICE_INTERFACE] =
        PLUG_CONFIG_ATTACH | PLUG_CONFIG_UPDATE | PLUG_LIVE_ATTACH | PLUG_LIVE_UPDATE,
    [DEVICE_MEMORY] = PLUG_CONFIG_ATTACH | PLUG_CONFIG_UPDATE | PLUG_LIVE_ATTACH | PLUG_LIVE_UPDATE,
    [DEVICE_GRAPHICS] = PLUG_CONFIG_UPDATE | PLUG_LIVE_UPDATE,
    [DEVICE_CONTROLLER] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_LEASE] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_FILESYSTEM] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_SERIAL] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_PARALLEL] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_CONSOLE] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_CHANNEL] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_INPUT] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_HOSTDEV] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_REDIRDEV] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_RNG] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_SHMEM] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_WATCHDOG] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_VSOCK] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_CRYPTO] = PLUG_CONFIG_ATTACH | PLUG_LIVE_ATTACH,
    [DEVICE_SOUND] = PLUG_CONFIG_ATTACH,
};

unsigned plug_kind(DeviceKind kind)
{
    return kinds[kind];
}

void plug_count_memory(DomainDef *d, const MemoryDef *m, bool added)
{
    bool all = d->current_memory == d->memory;

    if (added)
        d->memory += m->size;
    else
        d->memory -= MIN(d->memory, m->size);
    if (all || d->current_memory > d->memory)
        d->current_memory = d->memory;
}

bool plug_check_memory(const DomainDef *d, const MemoryDef *m, GError **err)
{
    unsigned used = 0;
    const MemoryDef *o;

    if (!d->max_memory) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "cannot use/hotplug a memory device when domain 'maxMemory' is not defined");
        return false;
    }
    if (m->size > d->max_memory || d->memory > d->max_memory - m->size) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "Attaching memory device with size '%" G_GUINT64_FORMAT
                  "' would exceed domain's maxMemory config size '%" G_GUINT64_FORMAT "'",
                  m->size, d->max_memory);
        return false;
    }
    for (guint i = 0; (o = domain_next(d, DEVICE_MEMORY, &i));)
        used++;
    if (used >= d->memory_slots) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "no free memory device slot available");
        return false;
    }
    return true;
}
