/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order of the command line, and what the pieces share. Nothing is left out silently: what a
 * document asks for is in the result or is the reason of a refusal. Pure but for the callbacks of
 * the context; any thread, one Cmd per call.
 */
#include "drivers/qemu/cmdline.h"

#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"
#include "drivers/qemu/prepare.h"

void cmd_arg(Cmd *c, const char *arg)
{
    if (c->plug) {
        c->plug->refused = g_intern_string(arg);
        return;
    }
    g_ptr_array_add(c->argv, g_strdup(arg));
}

void cmd_opt(Cmd *c, const char *option, const char *value)
{
    cmd_arg(c, option);
    if (!c->plug)
        cmd_arg(c, value);
}

void cmd_optf(Cmd *c, const char *option, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    char *value = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    cmd_opt(c, option, value);
    g_free(value);
}

void cmd_env(Cmd *c, const char *name, const char *value)
{
    g_ptr_array_add(c->env, g_strdup_printf("%s=%s", name, value));
}

void cmd_json(Cmd *c, const char *option, JsonObject *o)
{
    /* Options that once took text alone; the others had JSON from the start. */
    static const struct {
        const char *option, *first;
        QemuCap json;
    } texts[] = {
        { "-device", "driver", QEMU_CAP_DEVICE_JSON },
        { "-netdev", "type", QEMU_CAP_NETDEV_JSON },
        { "-object", "qom-type", QEMU_CAP_OBJECT_JSON },
    };
    if (c->plug) {
        plug_steps_option(c->plug, option, o);
        return;
    }
    g_autoptr(JsonObject) owned = o;
    const char *first = NULL;
    for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
        if (strcmp(option, texts[i].option) == 0 && !cmd_has(c, texts[i].json))
            first = texts[i].first;
    }
    cmd_arg(c, option);
    g_ptr_array_add(c->argv, first ? props_text(owned, first) : json_text(owned));
}

/* On s390x a PCI device has a companion that carries its identifiers. */
static void add_zpci(Cmd *c, const char *alias)
{
    for (unsigned i = 0; i < list_len(c->def->devices); i++) {
        const DeviceInfo *info = &((const Device *)list_at(c->def->devices, i))->info;
        const PciAddress *a = &info->address.u.pci;
        if (g_strcmp0(info->alias, alias) != 0 || info->address.type != ADDRESS_PCI ||
            !a->zpci_uid.set)
            continue;
        g_autofree char *id = g_strdup_printf("zpci%u", a->zpci_uid.v);
        cmd_json(c, "-device",
                 props_new(P_STR("driver", "zpci"), P_UINT("uid", a->zpci_uid.v),
                           P_UINT("fid", a->zpci_fid.v), P_STR("target", alias), P_STR("id", id)));
        return;
    }
}

static bool names_cap(const GPtrArray *names, QemuCap cap)
{
    for (LIST_EACH(const StrItem, s, names))
        if (g_strcmp0(s->s, qemu_cap_name(cap)) == 0)
            return true;
    return false;
}

bool cmd_has(const Cmd *c, QemuCap cap)
{
    const QemuNamespace *ns = c->def->qemu;

    if (ns && names_cap(ns->caps_del, cap))
        return false;
    return qemu_caps_has(c->caps, cap) || (ns && names_cap(ns->caps_add, cap));
}

/* <qemu:override>: the user's own values for properties of one device. */
static bool override_properties(const Cmd *c, const char *alias, JsonObject *o, GError **err)
{
    const QemuNamespace *ns = c->def->qemu;
    for (unsigned i = 0; alias && ns && i < list_len(ns->overrides); i++) {
        const QemuOverride *over = list_at(ns->overrides, i);
        if (g_strcmp0(over->alias, alias) != 0)
            continue;
        for (unsigned p = 0; p < list_len(over->properties); p++) {
            const QemuProperty *prop = list_at(over->properties, p);
            const char *type = prop->type ? prop->type : "", *value = prop->value ? prop->value : "";
            JsonObject *v = NULL;
            if (strcmp(type, "remove") == 0) {
                json_object_object_del(o, prop->name);
                continue;
            }
            if (strcmp(type, "string") == 0)
                v = json_object_new_string(value);
            else if (strcmp(type, "bool") == 0)
                v = json_object_new_boolean(strcmp(value, "true") == 0);
            else if (strcmp(type, "signed") == 0)
                v = json_object_new_int64(g_ascii_strtoll(value, NULL, 10));
            else if (strcmp(type, "unsigned") == 0)
                v = json_object_new_uint64(g_ascii_strtoull(value, NULL, 10));
            if (!v)
                return qemu_refuse(err, "qemu:override of device '%s': property '%s' has type '%s'", alias, prop->name, type);
            json_object_object_add(o, prop->name, v);
        }
    }
    return true;
}

bool cmd_device(Cmd *c, const char *alias, JsonObject *o, GError **err)
{
    g_autoptr(JsonObject) owned = o;
    if (!owned || !override_properties(c, alias, owned, err))
        return false;
    if (alias && arch_is_s390(c->def->os.arch))
        add_zpci(c, alias);
    cmd_json(c, "-device", g_steal_pointer(&owned));
    return true;
}

int cmd_fd(Cmd *c, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    if (c->plug && c->plug->removing)
        return 0; /* what is only taken back needs none */
    if (!c->ctx->fd) {
        (void)qemu_refuse(err, "no descriptor can be handed to device '%s' here",
                         dev && dev->info.alias ? dev->info.alias : "monitor");
        return -1;
    }
    return c->ctx->fd(c->ctx->opaque, role, dev, index, err);
}

bool cmd_secret(Cmd *c, const SecretRef *ref, const char *alias, GError **err)
{
    g_autofree char *data = NULL, *iv = NULL;
    if (c->plug && c->plug->removing) {
        plug_steps_add(c->plug, PLUG_OBJECT, alias, NULL, -1);
        return true;
    }
    if (!c->ctx->secret)
        return qemu_refuse(err, "secret for '%s': secrets are not available", alias);
    if (!c->ctx->secret(c->ctx->opaque, ref, alias, &data, &iv, err))
        return false;
    cmd_json(c, "-object",
             props_new(P_STR("qom-type", "secret"), P_STR("id", alias), P_STR("data", data),
                       P_STR("keyid", "masterKey0"), P_STR("iv", iv), P_STR("format", "base64")));
    return true;
}

char *cmd_fd_word(Cmd *c, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    static const char *const names[_QEMU_FD_ROLE_N] = { [QEMU_FD_VHOST_NET] = "vhostfd", [QEMU_FD_CHR_LISTEN] = "listen" };

    int fd = cmd_fd(c, role, dev, index, err);
    if (fd < 0)
        return NULL;
    if (!c->plug)
        return g_strdup_printf("%d", fd);
    g_autofree char *name = g_strdup_printf("%s-%s-%u", names[role] ? names[role] : "fd", dev->info.alias, index);
    plug_steps_add(c->plug, PLUG_GETFD, name, json_make(J_STR("fdname", name)), fd);
    return g_steal_pointer(&name);
}

/* The number of a set that nobody has yet. */
static bool next_set(Cmd *c, unsigned *ret, GError **err)
{
    if (!c->plug) {
        *ret = c->fdset++;
        return true;
    }
    if (!c->plug->fdset_known && !c->plug->removing && c->ctx->next_fdset &&
        !c->ctx->next_fdset(c->ctx->opaque, &c->plug->next_fdset, err))
        return false;
    c->plug->fdset_known = true;
    *ret = c->plug->next_fdset++;
    return true;
}

static void add_to_set(Cmd *c, unsigned set, int fd, const char *opaque)
{
    if (c->plug)
        plug_steps_add(c->plug, PLUG_ADD_FD, opaque, json_make(J_UINT("fdset-id", set), J_STR("opaque", opaque)), fd);
    else
        cmd_optf(c, "-add-fd", "set=%u,fd=%d,opaque=%s", set, fd, opaque);
}

char *cmd_fd_set(Cmd *c, QemuFdRole role, const Device *dev, const char *opaque, GError **err)
{
    unsigned set;
    int fd = cmd_fd(c, role, dev, 0, err);

    if (fd < 0 || !next_set(c, &set, err))
        return NULL;
    add_to_set(c, set, fd, opaque);
    return g_strdup_printf("/dev/fdset/%u", set);
}

char *cmd_fd_group(Cmd *c, const char *name, const char *opaque, unsigned *ret_n, GError **err)
{
    g_autoptr(GArray) fds = g_array_new(false, true, sizeof(int));
    unsigned set;

    if (c->plug && c->plug->removing)
        g_array_set_size(fds, 1); /* the set goes with its first member */
    else if (!c->ctx->fd_group)
        return (void)qemu_refuse(err, "the descriptors '%s' are known to a running daemon only", name), NULL;
    else if (!c->ctx->fd_group(c->ctx->opaque, name, fds, err))
        return NULL;
    if (!next_set(c, &set, err))
        return NULL;
    for (unsigned i = 0; i < fds->len; i++) {
        g_autofree char *member = g_strdup_printf("%s%u", opaque, i);
        add_to_set(c, set, g_array_index(fds, int, i), member);
    }
    *ret_n = fds->len;
    return g_strdup_printf("/dev/fdset/%u", set);
}

char *cmd_short_name(const Cmd *c)
{
    return qemu_short_name(c->ctx->id, c->def->name);
}

unsigned cmd_boot_index(const Cmd *c, const Device *dev)
{
    return c->boot ? GPOINTER_TO_UINT(g_hash_table_lookup(c->boot, dev)) : dev->info.boot_order;
}

/* <os><boot dev> names kinds: the first device of each kind gets the place of its kind. */
static void plan_boot(Cmd *c)
{
    unsigned place[_BOOT_DEV_N] = { 0 };
    if (list_len(c->def->os.boot) == 0)
        return;
    c->boot = g_hash_table_new(NULL, NULL);
    for (unsigned i = 0; i < list_len(c->def->os.boot); i++) {
        const BootItem *b = list_at(c->def->os.boot, i);
        if (b->dev < _BOOT_DEV_N)
            place[b->dev] = i + 1;
    }
    guint pos = 0;
    DiskDef *disk;
    while ((disk = domain_next(c->def, DEVICE_DISK, &pos))) {
        unsigned *p = disk->device == DISK_DEVICE_CDROM    ? &place[BOOT_CDROM]
                      : disk->device == DISK_DEVICE_FLOPPY ? &place[BOOT_FD] : &place[BOOT_HD];
        if (*p)
            g_hash_table_insert(c->boot, disk, GUINT_TO_POINTER(*p));
        *p = 0;
    }
    pos = 0;
    NetDef *net = domain_next(c->def, DEVICE_INTERFACE, &pos);
    if (net && place[BOOT_NETWORK])
        g_hash_table_insert(c->boot, net, GUINT_TO_POINTER(place[BOOT_NETWORK]));
}

/* ---- addresses and the start of a device -------------------------------------------------------- */

char *cmd_bus(const Cmd *c, ControllerType type, unsigned index)
{
    const ControllerDef *ctl = domain_find_controller(c->def, type, index);
    if (!ctl)
        return NULL;
    /* The buses of the machine itself have the emulator's names, whatever the user calls them. */
    if (type == CONTROLLER_PCI && index == 0 && ctl->model == PCIE_ROOT)
        return g_strdup("pcie.0");
    if (type == CONTROLLER_PCI && index == 0 && ctl->model == PCI_ROOT)
        return g_strdup(qemu_machine_numbers_pci_buses(c->def) ? "pci.0" : "pci");
    if (index == 0 && ((type == CONTROLLER_IDE && qemu_machine_has_ide(c->def)) ||
                       (type == CONTROLLER_SATA && qemu_machine_is_q35(c->def))))
        return g_strdup("ide");
    return g_strdup(ctl->dev.info.alias);
}

static bool pci_props(const Cmd *c, const DeviceInfo *info, JsonObject *o, GError **err)
{
    const PciAddress *a = &info->address.u.pci;
    g_autofree char *bus = cmd_bus(c, CONTROLLER_PCI, a->bus);
    if (!bus)
        return qemu_refuse(err, "device '%s': there is no PCI controller %u", info->alias, a->bus);
    g_autofree char *addr = a->function ? g_strdup_printf("0x%x.0x%x", a->slot, a->function)
                                        : g_strdup_printf("0x%x", a->slot);
    const ControllerDef *root = domain_find_controller(c->def, CONTROLLER_PCI, a->bus);
    if (root->model == PCI_ROOT && root->pci_name == PCI_NAME_SPAPR_PHB && root->target_index.v) {
        g_free(bus);
        bus = g_strdup_printf("%s.0", root->dev.info.alias);
    }
    props_add(o, P_STR("bus", bus), P_TRI("multifunction", a->multifunction), P_STR("addr", addr),
              P_UINT_NZ("acpi-index", info->acpi_index));
    return true;
}

bool cmd_address(const Cmd *c, const DeviceInfo *info, JsonObject *o, GError **err)
{
    const DeviceAddress *a = &info->address;
    switch (a->type) {
    case ADDRESS_PCI:
        return pci_props(c, info, o, err);
    case ADDRESS_USB: {
        g_autofree char *alias = cmd_bus(c, CONTROLLER_USB, a->u.usb.bus);
        if (!alias)
            return qemu_refuse(err, "device '%s': there is no USB controller %u", info->alias, a->u.usb.bus);
        g_autofree char *bus = g_strdup_printf("%s.0", alias);
        props_add(o, P_STR("bus", bus), P_STR("port", a->u.usb.port));
        return true;
    }
    case ADDRESS_VIRTIO_SERIAL: {
        g_autofree char *alias = cmd_bus(c, CONTROLLER_VIRTIO_SERIAL, a->u.serial.controller);
        if (!alias)
            return qemu_refuse(err, "device '%s': there is no virtio-serial controller %u", info->alias,
                              a->u.serial.controller);
        g_autofree char *bus = g_strdup_printf("%s.%u", alias, a->u.serial.bus);
        props_add(o, P_STR("bus", bus), P_OPT("nr", a->u.serial.port));
        return true;
    }
    case ADDRESS_CCID: {
        g_autofree char *alias = cmd_bus(c, CONTROLLER_CCID, a->u.ccid.controller);
        if (!alias)
            return qemu_refuse(err, "device '%s': there is no ccid controller %u", info->alias, a->u.ccid.controller);
        g_autofree char *bus = g_strdup_printf("%s.0", alias);
        props_add(o, P_STR("bus", bus));
        return true;
    }
    case ADDRESS_SPAPR_VIO:
        props_add(o, P_OPT("reg", a->u.vio.reg));
        return true;
    case ADDRESS_ISA:
        props_add(o, P_UINT("iobase", a->u.isa.iobase.v), P_UINT_NZ("irq", a->u.isa.irq.v));
        return true;
    case ADDRESS_CCW: {
        g_autofree char *devno = g_strdup_printf("%x.%x.%04x", a->u.ccw.cssid.v, a->u.ccw.ssid.v, a->u.ccw.devno.v);
        props_add(o, P_STR("devno", devno));
        return true;
    }
    case ADDRESS_DIMM:
        props_add(o, P_UINT("slot", a->u.dimm.slot), P_OPT("addr", a->u.dimm.base));
        return true;
    case ADDRESS_NONE: case ADDRESS_DRIVE: case ADDRESS_VIRTIO_S390: case ADDRESS_VIRTIO_MMIO:
    case ADDRESS_UNASSIGNED: case _ADDRESS_TYPE_N:
        break;
    }
    return true;
}

JsonObject *cmd_virtio(const Cmd *c, const char *base, const DeviceInfo *info, VirtioModel model,
                       const VirtioOptions *opts, GError **err)
{
    const char *bus = NULL;
    switch (info->address.type) {
    case ADDRESS_PCI: case ADDRESS_NONE: case ADDRESS_DRIVE: bus = "-pci"; break;
    case ADDRESS_CCW: bus = "-ccw"; break;
    case ADDRESS_VIRTIO_MMIO: bus = "-device"; break;
    case ADDRESS_VIRTIO_S390: bus = "-s390"; break;
    default: break;
    }
    if (!bus) {
        (void)qemu_refuse(err, "device '%s' cannot have an address of type '%s'", info->alias,
                         enum_name(&address_type_names, info->address.type));
        return NULL;
    }
    const char *mode = model == VIRTIO_MODEL_TRANSITIONAL ? "-transitional"
                       : model == VIRTIO_MODEL_NON_TRANSITIONAL ? "-non-transitional" : "";
    if (*mode && info->address.type != ADDRESS_PCI) {
        (void)qemu_refuse(err, "device '%s': virtio (non-)transitional models are for PCI only", info->alias);
        return NULL;
    }
    g_autofree char *driver = g_strconcat(base, bus, mode, NULL);
    return props_new(P_STR("driver", driver), P_TRI("iommu_platform", opts->iommu), P_TRI("ats", opts->ats),
                     P_TRI("packed", opts->packed), P_TRI("page-per-vq", opts->page_per_vq));
}

void cmd_rom(const DeviceInfo *info, JsonObject *o)
{
    const char *file = info->rom_enabled == TRI_NO ? "" : info->rom_file;
    props_add(o, P_UINT_IF("rombar", info->rom_bar != TRI_ABSENT, info->rom_bar == TRI_YES), P_STR("romfile", file));
}

/* ---- the pieces that are a line or two --------------------------------------------------------- */

static bool cmd_environment(Cmd *c, GError **err)
{
    const char *path = g_getenv("PATH");
    cmd_env(c, "LC_ALL", "C");
    cmd_env(c, "PATH", path ? path : "/bin:/usr/bin");
    cmd_env(c, "HOME", c->ctx->lib_dir);
    static const char *const pass[] = { "USER", "LOGNAME", "TMPDIR" };
    for (unsigned i = 0; i < G_N_ELEMENTS(pass); i++) {
        if (g_getenv(pass[i]))
            cmd_env(c, pass[i], g_getenv(pass[i]));
    }
    static const char *const xdg[][2] = { { "XDG_DATA_HOME", ".local/share" }, { "XDG_CACHE_HOME", ".cache" },
                                          { "XDG_CONFIG_HOME", ".config" } };
    for (unsigned i = 0; i < G_N_ELEMENTS(xdg); i++) {
        g_autofree char *dir = g_build_filename(c->ctx->lib_dir, xdg[i][1], NULL);
        cmd_env(c, xdg[i][0], dir);
    }
    return true;
}

static bool cmd_name(Cmd *c, GError **err)
{
    GString *s = g_string_new("guest=");
    props_escape(s, c->def->name);
    if (c->ctx->set_process_name) {
        g_string_append(s, ",process=qemu:");
        props_escape(s, c->def->name);
    }
    g_string_append(s, ",debug-threads=on");
    cmd_opt(c, "-name", s->str);
    g_string_free(s, TRUE);
    return true;
}

static bool cmd_compat(Cmd *c, GError **err)
{
    const char *how = c->def->qemu ? c->def->qemu->deprecation : NULL;
    static const struct { const char *word, *input, *output; } rows[] = {
        { "omit", NULL, "hide" }, { "reject", "reject", "hide" }, { "crash", "crash", "hide" },
    };
    if (!how || strcmp(how, "none") == 0)
        return true;
    for (unsigned i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (strcmp(how, rows[i].word) == 0) {
            cmd_json(c, "-compat", props_new(P_STR("deprecated-output", rows[i].output),
                                             P_STR("deprecated-input", rows[i].input)));
            return true;
        }
    }
    return qemu_refuse(err, "qemu:deprecation behavior '%s'", how);
}

static bool cmd_master_key(Cmd *c, GError **err)
{
    g_autofree char *path = c->ctx->master_key_path ? g_strdup(c->ctx->master_key_path)
                                                    : g_build_filename(c->ctx->lib_dir, "master-key.aes", NULL);
    cmd_arg(c, "-S");
    cmd_json(c, "-object", props_new(P_STR("qom-type", "secret"), P_STR("id", "masterKey0"),
                                     P_STR("format", "raw"), P_STR("file", path)));
    return true;
}

static bool cmd_overcommit(Cmd *c, GError **err)
{
    bool locked = c->def->backing && c->def->backing->locked;
    cmd_optf(c, "-overcommit", "mem-lock=%s", locked ? "on" : "off");
    return true;
}

static bool iothread_defined(const DomainDef *d, unsigned id)
{
    for (unsigned i = 0; i < list_len(d->iothread_defs); i++) {
        if (((const IothreadDef *)list_at(d->iothread_defs, i))->id == id)
            return true;
    }
    return false;
}

static bool cmd_iothreads(Cmd *c, GError **err)
{
    const DomainDef *d = c->def;
    unsigned n = list_len(d->iothread_defs), next = 1;
    OptI32 min = d->default_iothread_min, max = d->default_iothread_max;
    enum { IOTHREADS_MAX = 1024 };

    if (MAX(n, d->iothreads) > 0 && !cmd_has(c, QEMU_CAP_OBJECT_IOTHREAD))
        return qemu_refuse(err, "iothreads are not supported by this emulator");
    if (MAX(n, d->iothreads) > IOTHREADS_MAX)
        return qemu_refuse(err, "iothreads: at most %d are possible, not %u", IOTHREADS_MAX, MAX(n, d->iothreads));

    for (unsigned i = 0; i < MAX(n, d->iothreads); i++) {
        const IothreadDef *t = i < n ? list_at(d->iothread_defs, i) : NULL;
        while (!t && iothread_defined(d, next))
            next++;
        g_autofree char *id = g_strdup_printf("iothread%u", t ? t->id : next++);
        JsonObject *o = props_new(P_STR("qom-type", "iothread"), P_STR("id", id));
        if (t)
            props_add(o, P_UINT_IF("thread-pool-min", t->pool_min.set && t->pool_min.v >= 0, (uint64_t)t->pool_min.v),
                      P_UINT_IF("thread-pool-max", t->pool_max.set && t->pool_max.v >= 0, (uint64_t)t->pool_max.v),
                      P_OPT("poll-max-ns", t->poll_max), P_OPT("poll-grow", t->poll_grow), P_OPT("poll-shrink", t->poll_shrink));
        cmd_json(c, "-object", o);
    }
    if ((min.set && min.v >= 0) || (max.set && max.v >= 0))
        cmd_json(c, "-object", props_new(P_STR("qom-type", "main-loop"), P_STR("id", "main-loop"),
                                         P_UINT_IF("thread-pool-min", min.set && min.v >= 0, (uint64_t)min.v),
                                         P_UINT_IF("thread-pool-max", max.set && max.v >= 0, (uint64_t)max.v)));
    return true;
}

static bool cmd_uuid(Cmd *c, GError **err)
{
    char text[37];
    uuid_format(c->def->hwuuid.set ? c->def->hwuuid.v : c->def->uuid.v, text);
    cmd_opt(c, "-uuid", text);
    return true;
}

static bool cmd_genid(Cmd *c, GError **err)
{
    char text[37];
    if (!c->def->genid_set)
        return true;
    uuid_format(c->def->genid.v, text);
    return cmd_device(c, NULL, props_new(P_STR("driver", "vmgenid"), P_STR("guid", text), P_STR("id", "vmgenid0")), err);
}

static bool cmd_no_defaults(Cmd *c, GError **err)
{
    cmd_arg(c, "-no-user-config");
    cmd_arg(c, "-nodefaults");
    return true;
}

static bool cmd_incoming(Cmd *c, GError **err)
{
    if (c->ctx->incoming || c->ctx->incoming_uri)
        cmd_opt(c, "-incoming", c->ctx->incoming_uri ? c->ctx->incoming_uri : "defer");
    return true;
}

static bool cmd_sandbox(Cmd *c, GError **err)
{
    if (!c->ctx->no_sandbox && cmd_has(c, QEMU_CAP_SECCOMP_SANDBOX))
        cmd_opt(c, "-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
    return true;
}

static bool cmd_log_format(Cmd *c, GError **err)
{
    if (c->ctx->log_timestamp)
        cmd_opt(c, "-msg", "timestamp=on");
    return true;
}

static bool cmd_user_args(Cmd *c, GError **err)
{
    const QemuNamespace *ns = c->def->qemu;
    for (unsigned i = 0; ns && i < list_len(ns->args); i++)
        cmd_arg(c, ((const StrItem *)list_at(ns->args, i))->s);
    for (unsigned i = 0; ns && i < list_len(ns->env); i++) {
        const EnvVar *e = list_at(ns->env, i);
        cmd_env(c, e->name, e->value ? e->value : "");
    }
    return true;
}

bool qemu_cmdline_build(const DomainDef *def, const QemuCaps *caps, const QemuCmdlineContext *ctx,
                        GPtrArray **ret_argv, GPtrArray **ret_env, GError **err)
{
    /* The order is what users know, and in places what the emulator needs: objects come before the
     * devices that name them, controllers before what is plugged into them. */
    static bool (*const pieces[])(Cmd *, GError **) = {
        cmd_environment, cmd_name, cmd_compat, cmd_master_key, cmd_pflash, cmd_machine, cmd_accel, cmd_cpu,
        cmd_loader, cmd_memory, cmd_overcommit, cmd_smp, cmd_iothreads, cmd_numa, cmd_uuid, cmd_smbios, cmd_genid,
        cmd_display, cmd_no_defaults, cmd_monitor, cmd_clock, cmd_pm, cmd_boot, cmd_iommu, cmd_controller_globals,
        cmd_controllers, cmd_memory_devices, cmd_hubs, cmd_disks, cmd_filesystems, cmd_nets, cmd_smartcards,
        cmd_chrs, cmd_tpms, cmd_inputs, cmd_audio, cmd_graphics, cmd_videos, cmd_sounds, cmd_watchdogs,
        cmd_redirdevs, cmd_hostdevs, cmd_incoming, cmd_memballoon, cmd_rngs, cmd_misc_devices,
        cmd_launch_security, cmd_sandbox, cmd_late_devices, cmd_log_format, cmd_user_args,
    };
    const char *emulator = ctx->emulator ? ctx->emulator : def->emulator;
    if (!emulator) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "domain '%s' names no emulator", def->name);
        return false;
    }
    Cmd c = { .def = def, .caps = caps, .ctx = ctx };
    c.argv = g_ptr_array_new_with_free_func(g_free);
    c.env = g_ptr_array_new_with_free_func(g_free);
    plan_boot(&c);
    cmd_arg(&c, emulator);
    bool ok = true;
    for (unsigned i = 0; ok && i < G_N_ELEMENTS(pieces); i++)
        ok = pieces[i](&c, err);
    g_clear_pointer(&c.boot, g_hash_table_unref);
    if (!ok) {
        g_ptr_array_unref(c.argv);
        g_ptr_array_unref(c.env);
        return false;
    }
    g_ptr_array_add(c.argv, NULL);
    g_ptr_array_add(c.env, NULL);
    *ret_argv = c.argv;
    *ret_env = c.env;
    return true;
}
