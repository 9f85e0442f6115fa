/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the language has and this driver does not do: a document that asks for it is refused, so that
 * nothing a client wants is lost without a word. A line leaves this file when the driver learns it.
 * Reads only; any thread.
 */
#include "drivers/qemu/validate.h"
#include "util/error.h"

typedef struct Asked {
    bool asked;
    const char *path;
} Asked;

/* The first that is asked for. */
static bool none(const Asked *a, unsigned n, const char *of, GError **err)
{
    for (unsigned i = 0; i < n; i++) {
        if (!a[i].asked)
            continue;
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s/%s is not supported by the QEMU driver", of,
                  a[i].path);
        return false;
    }
    return true;
}
#define NONE(of, err, ...)                                                                         \
    none((const Asked[]){ __VA_ARGS__ }, G_N_ELEMENTS(((const Asked[]){ __VA_ARGS__ })), of, err)
#define IF(x, p)                                                                                   \
    {                                                                                              \
        (x) != 0, p                                                                                \
    }

static bool validate_source(const StorageSource *s, const char *disk, GError **err)
{
    for (; s; s = s->backing) {
        if (!NONE(disk, err, IF(s->data != NULL, "source/dataStore")))
            return false;
    }
    return true;
}

static bool validate_one(const Device *dev, GError **err)
{
    const char *name = device_kind_element(dev->kind);

    switch (dev->kind) {
    case DEVICE_DISK: {
        const DiskDef *d = (const DiskDef *)dev;
        return NONE("disk", err, IF(list_len(d->throttle_groups), "throttlefilters"),
                    IF(list_len(d->statistics), "driver/statistics"),
                    IF(list_len(d->histograms), "driver/statistics/latency-histogram")) &&
               validate_source(&d->src, name, err);
    }
    case DEVICE_GRAPHICS:
        return NONE(name, err, IF(((const GraphicsDef *)dev)->wait == TRI_YES, "@wait"));
    case DEVICE_CONTROLLER:
        return NONE(name, err,
                    IF(list_len(((const ControllerDef *)dev)->iothreads), "driver/iothreads"));
    case DEVICE_HOSTDEV: {
        const HostdevDef *h = (const HostdevDef *)dev;
        bool pci = h->type == HOSTDEV_PCI;
        return NONE(name, err, IF(h->driver_model != NULL, "driver/@model"),
                    IF(h->iommufd == TRI_YES, "driver/@iommufd"),
                    IF(pci && h->display == TRI_YES, "@display"),
                    IF(pci && h->ramfb == TRI_YES, "@ramfb"));
    }
    case DEVICE_IOMMU: {
        const IommuDef *i = (const IommuDef *)dev;
        return NONE(name, err, IF(i->pci_bus.set, "driver/@pciBus"),
                    IF(i->granule || i->granule_mode, "driver/granule"),
                    IF(i->xtsup == TRI_YES, "driver/@xtsup"),
                    IF(i->pt == TRI_YES, "driver/@passthrough"),
                    IF(i->dma_translation == TRI_NO, "driver/@dma_translation"));
    }
    case DEVICE_MEMORY: {
        const MemoryDef *m = (const MemoryDef *)dev;
        return NONE(name, err, IF(m->dynamic_memslots == TRI_YES, "target/@dynamicMemslots"));
    }
    case DEVICE_FILESYSTEM:
        return NONE(name, err, IF(((const FsDef *)dev)->open_files.set, "binary/openfiles"));
    default:
        return true;
    }
}

bool qemu_validate_newer(const DomainDef *d, GError **err)
{
    const Features *f = &d->features;

    if (!NONE("domain", err, IF(list_len(d->throttle_groups), "throttlegroups"),
              IF(d->iommufd == TRI_YES, "iommufd"),
              IF(d->os.varstore.path || d->os.varstore.templ, "os/varstore"),
              IF(d->os.shim, "os/shim"),
              IF(d->cpu && d->cpu->deprecated_features, "cpu/@deprecated_features"),
              IF(f->hyperv && f->hyperv->mode == HYPERV_MODE_HOST_MODEL,
                 "features/hyperv/@mode='host-model'"),
              IF(f->hyperv && (f->hyperv->tlbflush_direct == TRI_YES ||
                               f->hyperv->tlbflush_extended == TRI_YES),
                 "features/hyperv/tlbflush/*"),
              IF(f->ras, "features/ras"), IF(f->ps2, "features/ps2"),
              IF(f->aia_given, "features/aia"),
              IF(f->async_teardown == TRI_YES, "features/async-teardown"),
              IF(d->launch_security && (d->launch_security->type == LAUNCH_TDX ||
                                        d->launch_security->type == LAUNCH_SEV_SNP),
                 "launchSecurity of this type")))
        return false;
    for (unsigned i = 0; i < d->devices->len; i++) {
        if (!validate_one(d->devices->pdata[i], err))
            return false;
    }
    return true;
}
