/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which nodes of the host's /dev a definition needs in a guest's own (private_dev.h). Only what the emulator
 * opens by its path counts: taps, vhost-net and the like come as descriptors. One walk serves the start, hotplug
 * and `modvirt plan`. Workers.
 */
#include "drivers/qemu/private_dev.h"

#include "drivers/qemu/prepare.h"
#include "util/uuid.h"

typedef bool (*NodeFn)(const char *path, void *data, GError **err);

static bool each_layer(const StorageSource *top, NodeFn fn, void *data, GError **err);

/* The group of a device on a PCI bus or of a mediated one, and the container of all. */
static bool each_vfio(const char *sysfs, NodeFn fn, void *data, GError **err)
{
    g_autofree char *link = g_build_filename(sysfs, "iommu_group", NULL);
    g_autofree char *group = g_file_read_link(link, NULL);
    g_autofree char *name = group ? g_path_get_basename(group) : NULL;
    g_autofree char *path = name ? g_build_filename("/dev/vfio", name, NULL) : NULL;

    return fn("/dev/vfio/vfio", data, err) && (!path || fn(path, data, err));
}

static bool each_vfio_pci(const PciAddress *a, NodeFn fn, void *data, GError **err)
{
    g_autofree char *sysfs = g_strdup_printf("/sys/bus/pci/devices/%04x:%02x:%02x.%x", a->domain, a->bus, a->slot, a->function);
    return each_vfio(sysfs, fn, data, err);
}

static bool each_layer(const StorageSource *top, NodeFn fn, void *data, GError **err)
{
    for (const StorageSource *s = top; s; s = s->backing) {
        bool path = s->type == STORAGE_FILE || s->type == STORAGE_BLOCK || s->type == STORAGE_VHOSTVDPA;
        if ((path && s->path && !s->fdgroup && !fn(s->path, data, err)) ||
            (s->type == STORAGE_NVME && !each_vfio_pci(&s->nvme_address, fn, data, err)) ||
            (s->data && !each_layer(s->data, fn, data, err)))
            return false;
    }
    return true;
}

static bool each_of_hostdev(const HostdevDef *h, NodeFn fn, void *data, GError **err)
{
    char uuid[37];

    if (h->mode != HOSTDEV_SUBSYS || h->missing)
        return true;
    switch (h->type) {
    case HOSTDEV_USB: {
        g_autofree char *node = g_strdup_printf("/dev/bus/usb/%03u/%03u", h->usb_bus.v, h->usb_device.v);
        return !h->usb_bus.set || !h->usb_device.set || fn(node, data, err);
    }
    case HOSTDEV_PCI:
        return (h->iommufd != TRI_YES || fn("/dev/iommu", data, err)) && each_vfio_pci(&h->pci, fn, data, err);
    case HOSTDEV_MDEV: {
        uuid_format(h->mdev.v, uuid);
        g_autofree char *sysfs = g_build_filename("/sys/bus/mdev/devices", uuid, NULL);
        return each_vfio(sysfs, fn, data, err);
    }
    default:
        return true; /* by descriptor, or not for guests of this driver */
    }
}

static bool each_rendernode(const char *given, bool wanted, NodeFn fn, void *data, GError **err)
{
    g_autoptr(GDir) dri = wanted && !given ? g_dir_open("/dev/dri", 0, NULL) : NULL;
    const char *name;

    if (given && !fn(given, data, err))
        return false;
    /* The emulator takes one that it can open. */
    while (dri && (name = g_dir_read_name(dri))) {
        g_autofree char *path = g_build_filename("/dev/dri", name, NULL);
        if (g_str_has_prefix(name, "renderD") && !fn(path, data, err))
            return false;
    }
    return true;
}

static bool each_of_memory(const MemoryDef *m, NodeFn fn, void *data, GError **err)
{
    if (m->model == MEMORY_SGX_EPC)
        return fn("/dev/sgx_vepc", data, err) && fn("/dev/sgx_provision", data, err);
    return !m->path || fn(m->path, data, err);
}

static bool each_of_device(const Device *dev, NodeFn fn, void *data, GError **err)
{
    const ChrSource *chr = qemu_chr_source(dev);

    if (chr && chr->type == CHR_DEV && chr->path && !fn(chr->path, data, err))
        return false;
    switch (dev->kind) {
    case DEVICE_DISK:
        return each_layer(&((const DiskDef *)dev)->src, fn, data, err);
    case DEVICE_HOSTDEV:
        return each_of_hostdev((const HostdevDef *)dev, fn, data, err);
    case DEVICE_INTERFACE: {
        const NetDef *n = (const NetDef *)dev;
        return n->type != NET_HOSTDEV || each_vfio_pci(&n->src.pci, fn, data, err);
    }
    case DEVICE_MEMORY:
        return each_of_memory((const MemoryDef *)dev, fn, data, err);
    case DEVICE_INPUT: {
        const char *path = ((const InputDef *)dev)->source;
        return !path || fn(path, data, err);
    }
    case DEVICE_RNG: {
        const RngDef *r = (const RngDef *)dev;
        return r->backend != RNG_RANDOM || !r->path || fn(r->path, data, err);
    }
    case DEVICE_TPM: {
        const TpmDef *t = (const TpmDef *)dev;
        return t->backend != TPM_PASSTHROUGH || fn(t->path ? t->path : "/dev/tpm0", data, err);
    }
    case DEVICE_GRAPHICS: {
        const GraphicsDef *g = (const GraphicsDef *)dev;
        return each_rendernode(g->rendernode, g->gl == TRI_YES || g->type == GRAPHICS_EGL_HEADLESS, fn, data, err);
    }
    case DEVICE_VIDEO: {
        const VideoDef *v = (const VideoDef *)dev;
        return each_rendernode(v->rendernode, false, fn, data, err) && (v->blob != TRI_YES || fn("/dev/udmabuf", data, err));
    }
    default:
        return true;
    }
}

static bool each_of_rest(const DomainDef *d, NodeFn fn, void *data, GError **err)
{
    bool sev = d->launch_security && (d->launch_security->type == LAUNCH_SEV || d->launch_security->type == LAUNCH_SEV_SNP);
    return !sev || fn("/dev/sev", data, err);
}

static bool add(const char *path, void *root, GError **err)
{
    return private_dev_add(*(const int *)root, path, err);
}

bool private_dev_add_device(int root, const DomainDef *d, const Device *dev, GError **err)
{
    return dev ? each_of_device(dev, add, &root, err) : each_of_rest(d, add, &root, err);
}

typedef struct Removal {
    int root;
    const DomainDef *d;
    const Device *dev;
    char *node; /* of the path at hand */
} Removal;

/* False stops the walk: this one leads to the same node. */
static bool is_another(const char *path, void *data, GError **err)
{
    const Removal *r = data;
    g_autofree char *node = private_dev_node(path);

    (void)err;
    return g_strcmp0(node, r->node) != 0;
}

static bool remove_unused(const char *path, void *data, GError **err)
{
    Removal *r = data;

    r->node = private_dev_node(path);
    bool used = !r->node || !each_of_rest(r->d, is_another, r, err);
    for (const char *const *fixed = private_dev_fixed(); *fixed; fixed++)
        used = used || !is_another(*fixed, r, err);
    for (unsigned i = 0; i < list_len(r->d->devices); i++) {
        const Device *o = list_at(r->d->devices, i);
        used = used || (o != r->dev && !each_of_device(o, is_another, r, err));
    }
    if (!used)
        private_dev_remove(r->root, path);
    g_clear_pointer(&r->node, g_free);
    return true;
}

void private_dev_remove_device(int root, const DomainDef *d, const Device *dev)
{
    Removal r = { .root = root, .d = d, .dev = dev };
    (void)each_of_device(dev, remove_unused, &r, NULL);
}

static bool tell(const char *path, void *lines, GError **err)
{
    (void)err;
    if (private_dev_serves(path))
        g_ptr_array_add(lines, g_strdup_printf("and '%s'", path));
    return true;
}

void device_nodes_tell(const DomainDef *d, GPtrArray *lines)
{
    (void)each_of_rest(d, tell, lines, NULL);
    for (unsigned i = 0; i < list_len(d->devices); i++)
        (void)each_of_device(list_at(d->devices, i), tell, lines, NULL);
}
