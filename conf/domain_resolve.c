/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * After reading, before defaults: everything that the document alone decides. Missing numbers are
 * filled in (indices, ports, cell ids), values that imply each other are made to agree, identity is
 * generated. Nothing here knows a driver or a machine. Idempotent: a resolved definition is
 * unchanged by a second pass.
 */
#include <string.h>

#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"

static void resolve_memory(DomainDef *d, bool update)
{
    uint64_t cells = 0, devices = 0;
    const MemoryDef *m;

    for (guint i = 0; (m = domain_next(d, DEVICE_MEMORY, &i));)
        devices += m->size;

    if (d->cpu) {
        for (unsigned i = 0; i < list_len(d->cpu->cells); i++)
            cells += ((const NumaCell *)list_at(d->cpu->cells, i))->memory;
    }
    /* With cells the memory is what they and the devices hold; existing guests keep theirs. */
    if (cells && (update || !d->memory))
        d->memory = cells + devices;
    if (!d->current_memory || d->current_memory > d->memory)
        d->current_memory = d->memory;
}

static bool resolve_vcpus(DomainDef *d, GError **err)
{
    if (!d->vcpus_max)
        d->vcpus_max = 1;
    if (!d->vcpus)
        d->vcpus = d->vcpus_max;
    if (d->vcpus > d->vcpus_max) {
        error_set(err, VIR_ERR_XML_ERROR,
                  "domain/vcpu/@current: maxvcpus must not be less than current vcpus (%u < %u)",
                  d->vcpus_max, d->vcpus);
        return false;
    }
    if (d->placement == VCPU_PLACEMENT_DEFAULT) {
        bool automatic = !d->cpuset && d->numatune && d->numatune->placement == NUMA_PLACEMENT_AUTO;
        d->placement = automatic ? VCPU_PLACEMENT_AUTO : VCPU_PLACEMENT_STATIC;
    }
    if (d->placement == VCPU_PLACEMENT_AUTO && !d->numatune)
        d->numatune = g_new0(NumaTuning, 1);
    NumaTuning *n = d->numatune;
    if (n && d->placement == VCPU_PLACEMENT_AUTO && !n->nodeset && n->placement == NUMA_PLACEMENT_DEFAULT) {
        n->memory = 1; /* memory goes where the CPUs are put */
        n->placement = NUMA_PLACEMENT_AUTO;
    }
    /* An empty or negated set says nothing. */
    if (d->cpuset && (d->placement == VCPU_PLACEMENT_AUTO || bitmap_is_empty(d->cpuset)))
        g_clear_pointer(&d->cpuset, bitmap_free);
    return true;
}

/* The number that stands for "no limit" in the API says what a missing element says. */
static void resolve_memory_limits(DomainDef *d)
{
    static const uint64_t unlimited = UINT64_C(9007199254740991); /* KiB */
    MemoryTuning *t = &d->memtune;
    OptU64 *limits[] = { &t->hard_limit, &t->soft_limit, &t->swap_hard_limit };

    for (unsigned i = 0; i < G_N_ELEMENTS(limits); i++) {
        if (limits[i]->set && limits[i]->v >= unlimited)
            *limits[i] = (OptU64){ 0 };
    }
}

/* Real-time threads of the lowest priority have always been written one by one. */
static void resolve_schedulers(GPtrArray *list)
{
    for (unsigned i = 0; i < list_len(list); i++) {
        SchedDef *s = list_at(list, i);
        if ((s->policy != SCHED_POLICY_FIFO && s->policy != SCHED_POLICY_RR) || s->priority.v != 0 || !s->ids)
            continue;
        int first = bitmap_next(s->ids, 0);
        unsigned at = i;
        for (int n = first; n >= 0 && (n = bitmap_next(s->ids, (unsigned)n + 1)) >= 0;) {
            SchedDef *one = g_new0(SchedDef, 1);
            *one = *s;
            one->ids = bitmap_new();
            (void)bitmap_set(one->ids, (unsigned)n);
            g_ptr_array_insert(list, (int)++at, one);
        }
        if (at > i) {
            bitmap_free(s->ids);
            s->ids = bitmap_new();
            (void)bitmap_set(s->ids, (unsigned)first);
            i = at;
        }
    }
}

static void resolve_iothreads(DomainDef *d)
{
    unsigned n = list_len(d->iothread_defs);
    if (n > d->iothreads)
        d->iothreads = n;
}

static void resolve_cells(CpuDef *cpu)
{
    for (unsigned i = 0; i < list_len(cpu->cells); i++) {
        NumaCell *c = list_at(cpu->cells, i);
        if (!c->id.set)
            c->id = (OptU32){ 1, i };
    }
}

/* The chip's four functions: one for fast devices, three companions for slow ones. */
static bool is_ich9_usb(const ControllerDef *c)
{
    return c->type == CONTROLLER_USB && c->model >= USB_ICH9_EHCI1 && c->model <= USB_ICH9_UHCI3;
}

/* Does the function belong to the chip that the controller before it is a part of? */
static bool completes(const DomainDef *d, const ControllerDef *before, const ControllerDef *c)
{
    const ControllerDef *o;

    if (!before || !is_ich9_usb(before) || !is_ich9_usb(c))
        return false;
    for (guint i = 0; (o = domain_next(d, DEVICE_CONTROLLER, &i));)
        if (o->type == CONTROLLER_USB && o->index.set && o->index.v == before->index.v && o->model == c->model)
            return false;
    return true;
}

/* Lowest index that no controller of the type has; functions of one USB chip share theirs. */
static void resolve_controllers(DomainDef *d)
{
    ControllerDef *c, *before = NULL;

    for (guint i = 0; (c = domain_next(d, DEVICE_CONTROLLER, &i));) {
        if (!c->index.set) {
            unsigned n = 0;
            while (domain_find_controller(d, c->type, n))
                n++;
            c->index = (OptU32){ 1, completes(d, before, c) ? before->index.v : n };
        }
        if (c->type == CONTROLLER_USB)
            before = c;
    }
}

static void resolve_ports(DomainDef *d, DeviceKind kind)
{
    ChrDef *c;
    uint32_t next = 0;

    for (guint i = 0; (c = domain_next(d, kind, &i));) {
        if (!c->port.set)
            c->port = (OptU32){ 1, next };
        next = MAX(next, c->port.v + 1);
    }
}

static DiskBus bus_of_name(const DiskDef *disk)
{
    static const struct {
        const char *prefix;
        DiskBus bus;
    } buses[] = {
        { "hd", DISK_BUS_IDE },    { "sd", DISK_BUS_SCSI }, { "fd", DISK_BUS_FDC },
        { "vd", DISK_BUS_VIRTIO }, { "xvd", DISK_BUS_XEN }, { "ubd", DISK_BUS_UML },
        { "nvme", DISK_BUS_NVME },
    };

    if (disk->device == DISK_DEVICE_FLOPPY)
        return DISK_BUS_FDC;
    for (unsigned i = 0; i < G_N_ELEMENTS(buses); i++) {
        if (g_str_has_prefix(disk->dst, buses[i].prefix))
            return buses[i].bus;
    }
    return DISK_BUS_IDE;
}

static void resolve_disks(DomainDef *d)
{
    DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        if (disk->bus == DISK_BUS_NONE)
            disk->bus = bus_of_name(disk);
        if (disk->device == DISK_DEVICE_CDROM)
            disk->readonly = 1;
        /* Not to be snapshotted is what read-only means already. */
        if (disk->readonly && disk->snapshot == SNAPSHOT_NO)
            disk->snapshot = SNAPSHOT_DEFAULT;
    }
}

/* Options of the virtio back end are read for no other model; one queue is what there is anyway. */
static void resolve_nets(DomainDef *d)
{
    NetDef *n;

    for (guint i = 0; (n = domain_next(d, DEVICE_INTERFACE, &i));) {
        if (n->queues == 1)
            n->queues = 0;
        if (n->type == NET_HOSTDEV || g_str_has_prefix(n->model ? n->model : "virtio", "virtio"))
            continue;
        n->driver = NET_DRIVER_DEFAULT;
        n->queues = 0;
        g_clear_pointer(&n->backend_vhost, g_free);
    }
}

/* Devices that say nothing are none. */
static void drop_empty_filters(DomainDef *d)
{
    const RedirfilterDef *f;

    for (guint i = 0; (f = domain_next(d, DEVICE_REDIRFILTER, &i));) {
        if (!list_len(f->rules))
            device_free(g_ptr_array_steal_index(d->devices, --i));
    }
}

static bool resolve_name(const DomainDef *d, GError **err)
{
    if (!strchr(d->name, '/') && !strchr(d->name, '\n'))
        return true;
    error_set(
        err, VIR_ERR_XML_ERROR,
        "domain/name: '%.100s' contains a character that names must not have ('/' or a line end)",
        d->name);
    return false;
}

bool domain_resolve(DomainDef *d, unsigned flags, GError **err)
{
    if (!resolve_name(d, err))
        return false;
    if (!d->uuid.set) {
        uuid_generate(d->uuid.v);
        d->uuid.set = 1;
        d->uuid_generated = 1;
    }
    if (d->cpu)
        resolve_cells(d->cpu);
    resolve_memory(d, flags & DOMAIN_PARSE_ABI_UPDATE);
    if (!resolve_vcpus(d, err))
        return false;
    resolve_iothreads(d);
    if (d->on_poweroff == ACTION_NONE)
        d->on_poweroff = ACTION_DESTROY;
    if (d->on_reboot == ACTION_NONE)
        d->on_reboot = ACTION_RESTART;
    if (d->on_crash == ACTION_NONE)
        d->on_crash = ACTION_DESTROY;
    resolve_controllers(d);
    resolve_disks(d);
    resolve_ports(d, DEVICE_SERIAL);
    resolve_ports(d, DEVICE_PARALLEL);
    ChrDef *console;
    guint n_consoles = 0, pos = 0;
    while ((console = domain_next(d, DEVICE_CONSOLE, &pos)))
        console->port = (OptU32){ 1, n_consoles++ }; /* what a document says has never counted */
    resolve_memory_limits(d);
    if (d->cputune) {
        resolve_schedulers(d->cputune->vcpu_scheds);
        resolve_schedulers(d->cputune->iothread_scheds);
    }
    resolve_nets(d);
    drop_empty_filters(d);
    if (d->os.bootmenu != TRI_YES)
        d->os.bootmenu_timeout = (OptU32){ 0, 0 };
    domain_order(d);
    return true;
}
