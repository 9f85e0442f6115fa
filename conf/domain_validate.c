/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What must hold in any definition, whoever runs it: names are unique, references resolve, sets do
 * not overlap. Limits of a hypervisor belong to its policy. Reads only; any thread.
 */
#include <string.h>

#include "conf/validate-internal.h"
#include "util/api.h"
#include "util/error.h"

static bool validate_disks(const DomainDef *d, GError **err)
{
    g_autoptr(GHashTable) names = g_hash_table_new(g_str_hash, g_str_equal);
    const DiskDef *disk;

    for (guint i = 0; (disk = domain_next(d, DEVICE_DISK, &i));) {
        const DiskDef *other = g_hash_table_lookup(names, disk->dst);
        if (other) {
            error_set(err, VIR_ERR_XML_ERROR, "target '%s' duplicated for disk sources '%s' and '%s'", disk->dst,
                      other->src.path ? other->src.path : "", disk->src.path ? disk->src.path : "");
            return false;
        }
        g_hash_table_insert(names, disk->dst, (void *)disk);
    }
    return true;
}

/* Companion controllers share the index of their master. */
static bool validate_usb_controller(const DomainDef *d, const ControllerDef *c, GError **err)
{
    bool companion = c->dev.info.master_startport.set, has_master = false;
    const ControllerDef *o;

    for (guint i = 0; (o = domain_next(d, DEVICE_CONTROLLER, &i));) {
        if (o == c || o->type != CONTROLLER_USB || o->dev.info.master_startport.set)
            continue;
        has_master = true; /* of another index: the emulator says what it thinks of that */
        if (!companion && o->index.v == c->index.v) {
            error_set(err, VIR_ERR_XML_ERROR, "duplicate USB controllers with index '%u'", c->index.v);
            return false;
        }
    }
    if (companion && !has_master)
        error_set(err, VIR_ERR_XML_ERROR, "USB controller '%u' is a companion, and no USB controller is a master", c->index.v);
    return !companion || has_master;
}

static bool validate_controllers(const DomainDef *d, GError **err)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
    const ControllerDef *c;

    for (guint i = 0; (c = domain_next(d, DEVICE_CONTROLLER, &i));) {
        if (c->type == CONTROLLER_USB) {
            if (!validate_usb_controller(d, c, err))
                return false;
            continue;
        }
        if (!g_hash_table_add(seen, GUINT_TO_POINTER(c->type << 20 | (c->index.v & 0xfffff)))) {
            error_set(err, VIR_ERR_XML_ERROR, "multiple '%s' controllers with index '%u'",
                      enum_name(&controller_type_names, c->type), c->index.v);
            return false;
        }
    }
    return true;
}

static bool validate_unique(const DomainDef *d, GError **err)
{
    static const DeviceKind once[] = { DEVICE_MEMBALLOON, DEVICE_NVRAM, DEVICE_REDIRFILTER,
                                       DEVICE_IOMMU, DEVICE_VSOCK };
    g_autoptr(GHashTable) aliases = g_hash_table_new(g_str_hash, g_str_equal),
                          orders = g_hash_table_new(NULL, NULL);

    for (unsigned k = 0; k < G_N_ELEMENTS(once); k++) {
        if (domain_count(d, once[k]) > 1) {
            error_set(err, VIR_ERR_XML_ERROR, "only a single %s device is supported",
                      device_kind_element(once[k]));
            return false;
        }
    }
    for (guint i = 0; i < d->devices->len; i++) {
        const Device *dev = d->devices->pdata[i];
        if (dev->kind == DEVICE_CONSOLE && ((const ChrDef *)dev)->is_serial_alias)
            continue;
        /* A controller and its companions are one device to users; the emulator does not see this name. */
        if (dev->kind == DEVICE_CONTROLLER && dev->info.master_startport.set)
            continue;
        if (dev->info.alias && !g_hash_table_add(aliases, dev->info.alias)) {
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "non unique alias detected: %s", dev->info.alias);
            return false;
        }
        if (dev->info.boot_order &&
            !g_hash_table_add(orders, GUINT_TO_POINTER(dev->info.boot_order))) {
            error_set(err, VIR_ERR_XML_ERROR, "boot order '%u' used for more than one device",
                      dev->info.boot_order);
            return false;
        }
    }
    if (g_hash_table_size(orders) && list_len(d->os.boot)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "per-device boot elements cannot be used together with os/boot elements");
        return false;
    }
    return true;
}

bool domain_arch_is_known(const char *arch)
{
    static const char *const arches[] = {
        "alpha", "armv6l", "armv7b", "armv7l", "aarch64", "cris", "i686", "ia64", "itanium", "lm32", "loongarch64", "m68k",
        "microblaze", "microblazeel", "mips", "mipsel", "mips64", "mips64el", "openrisc", "parisc", "parisc64", "ppc", "ppc64",
        "ppc64le", "ppcemb", "riscv32", "riscv64", "s390", "s390x", "sh4", "sh4eb", "sparc", "sparc64", "unicore32", "x86_64",
        "xtensa", "xtensaeb", NULL
    };

    return g_strv_contains(arches, arch);
}

static bool validate_os(const DomainDef *d, GError **err)
{
    const OsDef *os = &d->os;
    const char *problem = NULL;
    Tristate secure_boot = TRI_ABSENT, enrolled = TRI_ABSENT;

    for (unsigned i = 0; i < list_len(os->firmware_features); i++) {
        const FirmwareFeatureDef *f = list_at(os->firmware_features, i);
        if (f->name == FIRMWARE_SECURE_BOOT)
            secure_boot = f->enabled;
        else
            enrolled = f->enabled;
    }
    if (os->arch && !domain_arch_is_known(os->arch)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "unknown architecture %.50s", os->arch);
        return false;
    }
    if (os->type == OS_NONE && !os->bootloader) {
        error_set(err, VIR_ERR_XML_ERROR, "domain/os: an os <type> must be specified");
        return false;
    }
    if (!os->firmware && list_len(os->firmware_features))
        problem = "firmware features are for a firmware that is chosen automatically";
    else if (os->firmware == FIRMWARE_BIOS && os->nvram)
        problem = "firmware type 'bios' does not support nvram";
    else if (enrolled == TRI_YES && secure_boot == TRI_NO)
        problem =
            "firmware feature 'enrolled-keys' cannot be enabled when firmware feature 'secure-boot' is disabled";
    else if (os->firmware && os->loader && os->loader->type)
        problem =
            "loader attribute 'type' cannot be specified when firmware autoselection is enabled";
    else if (os->loader && os->loader->stateless == TRI_YES && os->nvram)
        problem = "NVRAM is not permitted when loader is stateless";
    if (problem)
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "domain/os: %s", problem);
    return !problem;
}

/* "01/31/2022", or the last two digits of a year. */
static bool is_bios_date(const char *text)
{
    guint64 part[3];
    g_auto(GStrv) words = g_strsplit(text, "/", -1);

    if (g_strv_length(words) != 3)
        return false;
    for (unsigned i = 0; i < 3; i++)
        if (!g_ascii_string_to_unsigned(words[i], 10, 0, 9999, &part[i], NULL))
            return false;
    return part[0] >= 1 && part[0] <= 12 && part[1] >= 1 && part[1] <= 31 && (part[2] < 100 || part[2] >= 1900);
}

/* A uuid for the guest's firmware that is not the domain's is a mistake. */
static bool validate_sysinfo(const DomainDef *d, GError **err)
{
    for (unsigned i = 0; i < list_len(d->sysinfos); i++) {
        const Sysinfo *s = list_at(d->sysinfos, i);
        for (LIST_EACH(const SysinfoEntry, e, s->bios)) {
            if (g_strcmp0(e->name, "date") == 0 && e->value && !is_bios_date(e->value)) {
                error_set(err, VIR_ERR_INVALID_ARG, "Invalid BIOS 'date' format");
                return false;
            }
        }
        for (unsigned k = 0; k < list_len(s->system); k++) {
            const SysinfoEntry *e = list_at(s->system, k);
            Uuid uuid;
            if (strcmp(e->name, "uuid") || !e->value)
                continue;
            if (!uuid_parse(e->value, uuid) || !uuid_equal(uuid, d->uuid.v)) {
                error_set(err, VIR_ERR_XML_ERROR, "UUID mismatch between <uuid> and <sysinfo>");
                return false;
            }
        }
    }
    return true;
}

static bool validate_timers(const ClockDef *c, GError **err)
{
    for (unsigned i = 0; i < list_len(c->timers); i++) {
        const ClockTimer *t = list_at(c->timers, i);
        for (unsigned j = 0; j < i; j++) {
            if (t->name == ((const ClockTimer *)list_at(c->timers, j))->name) {
                error_set(err, VIR_ERR_XML_ERROR, "domain/clock/timer: '%s' given twice",
                          enum_name(&timer_name_names, t->name));
                return false;
            }
        }
    }
    return true;
}

static bool validate_vcpus(const DomainDef *d, GError **err)
{
    if (!list_len(d->vcpu_defs))
        return true;
    for (unsigned i = 0; i < list_len(d->vcpu_defs); i++) {
        const VcpuDef *v = list_at(d->vcpu_defs, i);
        if (v->id >= d->vcpus_max) {
            error_set(err, VIR_ERR_XML_ERROR,
                      "domain/vcpus/vcpu: vcpu id '%u' is out of range of maximum vcpu count",
                      v->id);
            return false;
        }
    }
    return true;
}

static bool driver_validate(const DomainDef *d, const ConfPolicy *policy, void *data, GError **err)
{
    if (!policy)
        return true;
    for (guint i = 0; policy->device_validate && i < d->devices->len; i++) {
        if (!policy->device_validate(d, d->devices->pdata[i], data, err))
            return false;
    }
    return !policy->domain_validate || policy->domain_validate(d, data, err);
}

bool domain_validate(const DomainDef *d, const ConfPolicy *policy, void *policy_data, GError **err)
{
    return validate_disks(d, err) && validate_controllers(d, err) && validate_unique(d, err) &&
           validate_devices(d, err) && validate_parts(d, err) && validate_os(d, err) && validate_sysinfo(d, err) &&
           validate_tuning(d, err) && validate_timers(&d->clock, err) && validate_vcpus(d, err) &&
           driver_validate(d, policy, policy_data, err);
}
