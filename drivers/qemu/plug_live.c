/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Attach and detach (plug_live.h). A device is put into the definition, given a place and a name, and made
 * by the steps that the command line's pieces say; whatever fails, the steps are taken back and the definition
 * is as it was. A device leaves in two parts: the guest gives it up, which may take any time or never
 * happen, and then what it was made of is taken back. Who notices that, the call or a later event, makes no
 * difference. Invariant: a device is in the definition exactly as long as the emulator has it.
 */
#define LOG_SOURCE "qemu.plug"
#include "drivers/qemu/plug_live.h"

#include <string.h>

#include "drivers/qemu/device_find.h"
#include "drivers/qemu/plug.h"
#include "drivers/qemu/plug_run.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/error.h"
#include "util/log.h"
#include "util/loop.h"

/* ---- what a running guest can get ---------------------------------------------------------------- */

static bool refuse(GError **err, int code, const char *fmt, ...) G_GNUC_PRINTF(3, 4);

static bool refuse(GError **err, int code, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    g_autofree char *text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    error_set(err, code, "%s", text);
    return false;
}

static bool check_attach(const PlugLive *l, const Device *dev, GError **err)
{
    const DomainDef *d = l->def;

    if (!(plug_kind(dev->kind) & PLUG_LIVE_ATTACH))
        return refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "live attach of device '%s' is not supported", device_kind_word(dev->kind));
    switch (dev->kind) {
    case DEVICE_CONTROLLER: {
        const ControllerDef *c = (const ControllerDef *)dev;
        const char *type = enum_name(&controller_type_names, c->type);
        if (c->type != CONTROLLER_SCSI)
            return refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "'%s' controller cannot be hot plugged.", type);
        if (c->index.set && domain_find_controller(d, c->type, c->index.v)) {
            error_set(err, VIR_ERR_OPERATION_FAILED, "target %s:%u already exists", type, c->index.v);
            return false;
        }
        return true;
    }
    case DEVICE_INPUT: {
        const InputDef *in = (const InputDef *)dev;
        if (in->bus == INPUT_BUS_PS2 || in->bus == INPUT_BUS_XEN || in->bus == INPUT_BUS_PARALLELS)
            return refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "input device on bus '%s' cannot be hot plugged.", enum_name(&input_bus_names, in->bus));
        return true;
    }
    case DEVICE_FILESYSTEM:
        return ((const FsDef *)dev)->driver == FS_DRIVER_VIRTIOFS ||
               refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "only virtiofs filesystems can be hotplugged");
    case DEVICE_CONSOLE:
        return (((const ChrDef *)dev)->target != CHR_TARGET_NONE && ((const ChrDef *)dev)->target != CONSOLE_SERIAL) ||
               refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "attaching serial console is not supported");
    case DEVICE_CHANNEL:
        return !device_find_if_any(d, dev) || refuse(err, VIR_ERR_OPERATION_INVALID, "chardev already exists");
    case DEVICE_WATCHDOG:
        return !domain_count(d, DEVICE_WATCHDOG) || refuse(err, VIR_ERR_OPERATION_INVALID, "domain already has a watchdog");
    case DEVICE_VSOCK:
        return !domain_count(d, DEVICE_VSOCK) || refuse(err, VIR_ERR_OPERATION_INVALID, "the domain already has a vsock device");
    case DEVICE_MEMORY: return plug_check_memory(d, (const MemoryDef *)dev, err);
    default: return true;
    }
}

/* ---- attach -------------------------------------------------------------------------------------- */

static void take_out(DomainDef *d, Device *dev)
{
    guint at;

    if (g_ptr_array_find(d->devices, dev, &at))
        device_free(g_ptr_array_steal_index(d->devices, at));
}

/* A disk on a SCSI bus brings the controllers that its place needs. They are made between the disk's image and
 * the disk, so that an image that cannot be opened leaves nothing behind. */
static PlugSteps *missing_controllers(PlugLive *l, const Device *dev, GPtrArray *added, GError **err)
{
    g_autoptr(PlugSteps) all = plug_steps_new(false);
    const DeviceAddress *a = &dev->info.address;
    bool scsi = a->type == ADDRESS_DRIVE &&
                ((dev->kind == DEVICE_DISK && ((const DiskDef *)dev)->bus == DISK_BUS_SCSI) ||
                 (dev->kind == DEVICE_HOSTDEV && ((const HostdevDef *)dev)->type == HOSTDEV_SCSI));
    enum { CONTROLLERS_MAX = 32 };

    if (scsi && a->u.drive.controller >= CONTROLLERS_MAX) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "SCSI controller %u: at most %d can be plugged", a->u.drive.controller, CONTROLLERS_MAX);
        return NULL;
    }
    for (unsigned i = 0; scsi && i <= a->u.drive.controller; i++) {
        if (domain_find_controller(l->def, CONTROLLER_SCSI, i))
            continue;
        ControllerDef *c = (ControllerDef *)device_new(DEVICE_CONTROLLER);
        c->type = CONTROLLER_SCSI;
        c->index = (OptU32){ 1, i };
        for (unsigned k = 0; k < i && c->model == CONTROLLER_MODEL_DEFAULT; k++) {
            const ControllerDef *o = domain_find_controller(l->def, CONTROLLER_SCSI, k);
            c->model = o ? o->model : CONTROLLER_MODEL_DEFAULT;
        }
        Device *settled = plug_settle(l, &c->dev, err);
        if (!settled)
            return NULL;
        domain_add_device(l->def, settled);
        g_ptr_array_add(added, settled);
        if (!plug_place(l, settled, err))
            return NULL;
        g_autoptr(PlugSteps) one = qemu_plug_steps(l->def, settled, l->caps, l->ctx, false, err);
        if (!one)
            return NULL;
        while (one->list->len > 0)
            g_ptr_array_add(all->list, g_ptr_array_steal_index(one->list, 0));
    }
    return g_steal_pointer(&all);
}

/* Paths of terminals are the emulator's choice. */
static void note_terminal(Device *dev, const PlugSteps *steps)
{
    ChrDef *chr = (ChrDef *)dev;
    bool is_chr = dev->kind == DEVICE_SERIAL || dev->kind == DEVICE_PARALLEL || dev->kind == DEVICE_CONSOLE ||
                  dev->kind == DEVICE_CHANNEL;
    ChrSource *src = is_chr ? &chr->src : dev->kind == DEVICE_REDIRDEV ? &((RedirdevDef *)dev)->src : NULL;

    for (unsigned i = 0; src && src->type == CHR_PTY && i < steps->list->len; i++) {
        const PlugStep *s = steps->list->pdata[i];
        if (!s->pty)
            continue;
        g_free(src->path);
        src->path = g_strdup(s->pty);
        if (dev->kind == DEVICE_CONSOLE) {
            g_free(chr->tty);
            chr->tty = g_strdup(s->pty);
        }
    }
}

static bool make(PlugLive *l, Device *dev, PlugSteps *before, GError **err)
{
    g_autoptr(PlugSteps) steps = qemu_plug_steps(l->def, dev, l->caps, l->ctx, false, err);
    if (!steps)
        return false;
    plug_steps_before_device(steps, before);
    if ((l->set_up && !l->set_up(l->opaque, dev, err)) || !plug_run(steps, l->mon, err))
        return false;
    note_terminal(dev, steps);
    return true;
}

/* A controller that was made before the disk was refused has been told to go; it may still be there. */
static void drop_controllers(PlugLive *l, const GPtrArray *controllers)
{
    g_auto(GStrv) there = NULL;
    bool known = controllers->len && qmp_device_list(l->mon, &there, NULL);

    for (unsigned i = 0; i < controllers->len; i++) {
        Device *c = controllers->pdata[i];
        if (known && c->info.alias && g_strv_contains((const char *const *)there, c->info.alias))
            l->partial = true;
        else
            take_out(l->def, c);
    }
}

bool plug_live_attach(PlugLive *l, Device *take, GError **err)
{
    g_autoptr(Device) raw = take;
    g_autoptr(GPtrArray) controllers = g_ptr_array_new();

    if (!check_attach(l, raw, err))
        return false;
    /* Attaching a disk to a drive that is there is to put it in. */
    DiskDef *disk = (DiskDef *)raw;
    bool removable = raw->kind == DEVICE_DISK && (disk->device == DISK_DEVICE_CDROM || disk->device == DISK_DEVICE_FLOPPY);
    DiskDef *drive = removable ? domain_find_disk(l->def, disk->dst) : NULL;
    if (drive && (disk->bus == DISK_BUS_NONE || disk->bus == drive->bus))
        return plug_live_update(l, g_steal_pointer(&raw), false, err);

    Device *dev = plug_settle(l, g_steal_pointer(&raw), err);
    if (!dev)
        return false;
    domain_add_device(l->def, dev);
    bool ok = (!l->find || l->find(l->opaque, dev, err)) && plug_place(l, dev, err), lent = false;
    if (dev->kind == DEVICE_MEMORY)
        plug_count_memory(l->def, (const MemoryDef *)dev, true);
    g_autoptr(PlugSteps) before = ok ? missing_controllers(l, dev, controllers, err) : NULL;
    if (before)
        lent = !l->lend || l->lend(l->opaque, dev, err);
    if (!lent || !make(l, dev, before, err)) {
        if (lent && l->give_back)
            l->give_back(l->opaque, dev);
        if (dev->kind == DEVICE_MEMORY)
            plug_count_memory(l->def, (const MemoryDef *)dev, false);
        take_out(l->def, dev);
        drop_controllers(l, controllers);
        return false;
    }
    domain_order(l->def);
    for (unsigned i = 0; l->added && i < controllers->len; i++)
        l->added(l->opaque, controllers->pdata[i]);
    if (l->added)
        l->added(l->opaque, dev);
    return true;
}

/* ---- detach -------------------------------------------------------------------------------------- */

static bool in_use(const DomainDef *d, const ControllerDef *c)
{
    for (unsigned i = 0; i < list_len(d->devices); i++) {
        const Device *dev = list_at(d->devices, i);
        const DeviceAddress *a = &dev->info.address;
        bool scsi = (dev->kind == DEVICE_DISK && ((const DiskDef *)dev)->bus == DISK_BUS_SCSI) ||
                    (dev->kind == DEVICE_HOSTDEV && ((const HostdevDef *)dev)->type == HOSTDEV_SCSI);
        if (scsi && a->type == ADDRESS_DRIVE && a->u.drive.controller == c->index.v)
            return true;
    }
    return false;
}

/* What the document alone tells; before the device is looked for. */
static bool check_detach_like(const Device *like, GError **err)
{
    if (!(plug_kind(like->kind) & PLUG_LIVE_ATTACH))
        return refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "live detach of device '%s' is not supported", device_kind_word(like->kind));
    if (like->kind == DEVICE_CONTROLLER && ((const ControllerDef *)like)->type != CONTROLLER_SCSI)
        return refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "'%s' controller cannot be hot unplugged.",
                           enum_name(&controller_type_names, ((const ControllerDef *)like)->type));
    if (like->kind == DEVICE_INPUT && ((const InputDef *)like)->bus == INPUT_BUS_PS2)
        return refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "input device on bus '%s' cannot be detached", "ps2");
    return true;
}

static bool check_detach(const PlugLive *l, const Device *dev, GError **err)
{
    const PciAddress *a = &dev->info.address.u.pci;

    if (!check_detach_like(dev, err))
        return false;
    if (dev->kind == DEVICE_DISK) {
        const DiskDef *disk = (const DiskDef *)dev;
        if (disk->device == DISK_DEVICE_FLOPPY)
            return refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "disk device type '%s' cannot be detached", "floppy");
        if (disk->bus != DISK_BUS_VIRTIO && disk->bus != DISK_BUS_USB && disk->bus != DISK_BUS_SCSI)
            return refuse(err, VIR_ERR_OPERATION_UNSUPPORTED, "This type of disk cannot be hot unplugged");
    }
    if (dev->kind == DEVICE_CONTROLLER && in_use(l->def, (const ControllerDef *)dev)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "device cannot be detached: device is busy");
        return false;
    }
    if (dev->info.address.type == ADDRESS_PCI && (a->multifunction == TRI_YES || a->function)) {
        for (unsigned i = 0; i < list_len(l->def->devices); i++) {
            const Device *o = list_at(l->def->devices, i);
            const PciAddress *b = &o->info.address.u.pci;
            if (o == dev || o->info.address.type != ADDRESS_PCI || b->domain != a->domain || b->bus != a->bus || b->slot != a->slot)
                continue;
            error_set(err, VIR_ERR_OPERATION_FAILED, "cannot hot unplug multifunction PCI device: %04x:%02x:%02x.%x", a->domain,
                      a->bus, a->slot, a->function);
            return false;
        }
    }
    return true;
}

/* The guest has given it up: everything else goes. */
static void finish(PlugLive *l, Device *dev)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(PlugSteps) steps = qemu_plug_steps(l->def, dev, l->caps, l->ctx, true, &error);

    if (steps)
        plug_run_back(steps, l->mon);
    else
        log_warn("what '%s' was made of is not known and stays in the emulator: %s", dev->info.alias, error->message);
    if (dev->kind == DEVICE_MEMORY)
        plug_count_memory(l->def, (const MemoryDef *)dev, false);
    if (l->give_back)
        l->give_back(l->opaque, dev);
    if (l->removed)
        l->removed(l->opaque, dev);
    take_out(l->def, dev);
}

static bool has_device_step(PlugLive *l, const Device *dev)
{
    g_autoptr(PlugSteps) steps = dev->info.alias ? qemu_plug_steps(l->def, dev, l->caps, l->ctx, true, NULL) : NULL;

    for (unsigned i = 0; steps && i < steps->list->len; i++) {
        const PlugStep *s = steps->list->pdata[i];
        if (s->command == PLUG_DEVICE && g_strcmp0(s->id, dev->info.alias) == 0)
            return true;
    }
    return false;
}

typedef enum Answer { ANSWER_NONE, ANSWER_GONE, ANSWER_REFUSED } Answer;

static bool seen(QmpExpect *x)
{
    return qmp_expect_wait(x, 1, NULL, NULL); /* long past: only what came */
}

static Answer wait_for_guest(QmpExpect *gone, QmpExpect *const refused[2], uint64_t grace)
{
    enum { SLICE = 50 * 1000 };
    uint64_t end = now_usec() + grace;

    for (;;) {
        uint64_t now = now_usec();
        g_autoptr(GError) error = NULL;
        if (qmp_expect_wait(gone, MIN(end, now + SLICE), NULL, &error))
            return ANSWER_GONE;
        if (seen(refused[0]) || seen(refused[1]))
            return ANSWER_REFUSED;
        if (now >= end || !error_is(error, VIR_ERR_OPERATION_TIMEOUT))
            return ANSWER_NONE; /* what becomes of it the events tell */
    }
}

static bool detach(PlugLive *l, Device *dev, GError **err)
{
    if (!check_detach(l, dev, err))
        return false;
    if (!has_device_step(l, dev)) {
        finish(l, dev);
        return true;
    }
    const char *alias = dev->info.alias;
    g_autoptr(QmpExpect) gone = qmp_expect(l->mon, "DEVICE_DELETED", "device", alias);
    g_autoptr(QmpExpect) no = qmp_expect(l->mon, "DEVICE_UNPLUG_GUEST_ERROR", "device", alias);
    g_autoptr(QmpExpect) no_memory = qmp_expect(l->mon, "MEM_UNPLUG_ERROR", "device", alias);
    g_autoptr(GError) error = NULL;
    if (!qmp_device_del(l->mon, alias, &error) && !error_is(error, VIR_ERR_DEVICE_MISSING)) {
        g_propagate_error(err, g_steal_pointer(&error));
        return false;
    }
    switch (error ? ANSWER_GONE : wait_for_guest(gone, (QmpExpect *const[]){ no, no_memory }, l->grace)) {
    case ANSWER_GONE:
        finish(l, dev);
        return true;
    case ANSWER_REFUSED:
        error_set(err, VIR_ERR_OPERATION_FAILED, "unplug of device was rejected by the guest");
        return false;
    case ANSWER_NONE:
        break;
    }
    return true;
}

bool plug_live_detach(PlugLive *l, const Device *like, GError **err)
{
    if (!check_detach_like(like, err))
        return false;
    Device *dev = device_find(l->def, like, true, err);
    return dev && detach(l, dev, err);
}

bool plug_live_detach_alias(PlugLive *l, const char *alias, GError **err)
{
    Device *dev = domain_find_alias(l->def, alias);

    if (!dev) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "no device found with alias %s", alias);
        return false;
    }
    return detach(l, dev, err);
}

static bool is_missing(const Device *dev, char *const *there)
{
    return dev->info.alias && check_detach_like(dev, NULL) &&
           !g_strv_contains((const char *const *)there, dev->info.alias);
}

bool plug_live_misses(const DomainDef *def, char *const *there)
{
    for (unsigned i = 0; i < list_len(def->devices); i++)
        if (is_missing(list_at(def->devices, i), there))
            return true;
    return false;
}

void plug_live_gone(PlugLive *l, const char *alias, char *const *there)
{
    for (unsigned i = list_len(l->def->devices); i > 0; i--) {
        Device *dev = list_at(l->def->devices, i - 1);
        if (is_missing(dev, there) && (!alias || strcmp(alias, dev->info.alias) == 0) && has_device_step(l, dev))
            finish(l, dev);
    }
}
