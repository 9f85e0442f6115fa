/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smaller devices as rows: one table each, nothing else to know. */
#include "conf/domain_misc.h"

#include "conf/device-internal.h"
#include "util/api.h"

/* clang-format off */
ENUM_TABLE(input_type_names, "input type", _INPUT_TYPE_N, "mouse", "tablet", "keyboard", "passthrough", "evdev");
ENUM_TABLE(input_bus_names, "input bus", _INPUT_BUS_N, "default", "ps2", "usb", "xen", "parallels", "virtio");
ENUM_TABLE(virtio_model_names, "virtio model", _VIRTIO_MODEL_N, "default", "virtio", "virtio-transitional", "virtio-non-transitional");
ENUM_TABLE(input_grab_names, "grab", _INPUT_GRAB_N, NULL, "all");
ENUM_TABLE(grab_toggle_names, "grab toggle", _GRAB_TOGGLE_N, NULL, "ctrl-ctrl", "alt-alt", "shift-shift", "meta-meta", "scrolllock", "ctrl-scrolllock");
ENUM_TABLE(watchdog_model_names, "watchdog model", _WATCHDOG_MODEL_N, "i6300esb", "ib700", "diag288", "itco");
ENUM_TABLE(watchdog_action_names, "watchdog action", _WATCHDOG_ACTION_N, "reset", "shutdown", "poweroff", "pause", "dump", "none", "inject-nmi");
ENUM_TABLE(balloon_model_names, "memory balloon model", _BALLOON_MODEL_N, "virtio", "xen", "none", "virtio-transitional", "virtio-non-transitional");
ENUM_TABLE(rng_model_names, "rng model", _RNG_MODEL_N, "virtio", "virtio-transitional", "virtio-non-transitional");
ENUM_TABLE(rng_backend_names, "rng backend", _RNG_BACKEND_N, "random", "egd", "builtin");
ENUM_TABLE(tpm_model_names, "tpm model", _TPM_MODEL_N, "default", "tpm-tis", "tpm-crb", "tpm-spapr", "spapr-tpm-proxy");
ENUM_TABLE(tpm_backend_names, "tpm backend", _TPM_BACKEND_N, "passthrough", "emulator", "external");
ENUM_TABLE(tpm_version_names, "tpm version", _TPM_VERSION_N, "default", "1.2", "2.0");
ENUM_TABLE(tpm_source_names, "tpm source", _TPM_SOURCE_N, NULL, "file", "dir");
ENUM_TABLE(panic_model_names, "panic model", _PANIC_MODEL_N, "default", "isa", "pseries", "hyperv", "s390", "pvpanic");
ENUM_TABLE(hub_type_names, "hub type", _HUB_TYPE_N, "usb");
ENUM_TABLE(shmem_model_names, "shmem model", _SHMEM_MODEL_N, "ivshmem", "ivshmem-plain", "ivshmem-doorbell");
ENUM_TABLE(shmem_role_names, "shmem role", _SHMEM_ROLE_N, "default", "master", "peer");
ENUM_TABLE(memory_model_names, "memory model", _MEMORY_MODEL_N, NULL, "dimm", "nvdimm", "virtio-pmem", "virtio-mem", "sgx-epc");
ENUM_TABLE(memory_access_names, "memory access", _MEMORY_ACCESS_N, "default", "shared", "private");
ENUM_TABLE(iommu_model_names, "iommu model", _IOMMU_MODEL_N, "intel", "smmuv3", "virtio", "amd");
ENUM_TABLE(granule_mode_names, "granule mode", _GRANULE_MODE_N, NULL, "host");
ENUM_TABLE(pstore_backend_names, "pstore backend", _PSTORE_BACKEND_N, "acpi-erst");
ENUM_TABLE(vsock_model_names, "vsock model", _VSOCK_MODEL_N, "default", "virtio", "virtio-transitional", "virtio-non-transitional");
ENUM_TABLE(crypto_model_names, "crypto model", _CRYPTO_MODEL_N, "virtio");
ENUM_TABLE(crypto_type_names, "crypto type", _CRYPTO_TYPE_N, "qemu");
ENUM_TABLE(crypto_backend_names, "crypto backend", _CRYPTO_BACKEND_N, "builtin", "lkcf");

static const ConfField input_rows[] = {
    CONF_ENUM(InputDef, type, "@type", input_type_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "what the guest sees"),
    CONF_ENUM(InputDef, bus, "@bus", input_bus_names, CF_ABI, "bus in the guest"),
    CONF_ENUM(InputDef, model, "@model", virtio_model_names, CF_ABI, "virtio model"),
    CONF_STRUCT(InputDef, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_STR(InputDef, source, "source/@evdev", CF_REQUIRED, "event device of the host", WHEN(InputDef, type, BIT(INPUT_PASSTHROUGH))),
    CONF_STR(InputDef, source, "source/@dev", CF_VIEW | CF_REQUIRED, "event device of the host", WHEN(InputDef, type, BIT(INPUT_EVDEV))),
    CONF_ENUM(InputDef, grab, "source/@grab", input_grab_names, 0, "grab all devices"),
    CONF_ENUM(InputDef, grab_toggle, "source/@grabToggle", grab_toggle_names, 0, "keys that release them"),
    CONF_ONOFF(InputDef, repeat, "source/@repeat", 0, "repeat keys"),
    CONF_DEVICE_HEAD(InputDef),
};
CONF_DESC(input_desc, InputDef, input_rows);

static const ConfField watchdog_rows[] = {
    CONF_ENUM(WatchdogDef, model, "@model", watchdog_model_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "device model"),
    CONF_ENUM(WatchdogDef, action, "@action", watchdog_action_names, CF_ALWAYS | CF_ABI, "when it fires"),
    CONF_DEVICE_HEAD(WatchdogDef),
};
CONF_DESC(watchdog_desc, WatchdogDef, watchdog_rows);

static const ConfField memballoon_rows[] = {
    CONF_ENUM(MemballoonDef, model, "@model", balloon_model_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "device model"),
    CONF_ONOFF(MemballoonDef, autodeflate, "@autodeflate", CF_ABI, "give memory back before the guest runs out"),
    CONF_ONOFF(MemballoonDef, free_page_reporting, "@freePageReporting", CF_ABI, "free pages go to the host"),
    CONF_U32(MemballoonDef, stats_period, "stats/@period", 0, "seconds between statistics"),
    CONF_DEVICE_HEAD(MemballoonDef),
    CONF_STRUCT(MemballoonDef, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
};
static bool memballoon_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    MemballoonDef *b = v;
    if (b->model == BALLOON_NONE) /* no device has no place */
        conf_clear(&device_info_desc, &b->dev.info);
    return true;
}
CONF_DESC(memballoon_desc, MemballoonDef, memballoon_rows, .parsed = memballoon_parsed);

#define R RngDef
static const ConfField rng_rows[] = {
    CONF_ENUM(R, model, "@model", rng_model_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "device model"),
    CONF_U32(R, rate_bytes, "rate/@bytes", CF_ABI, "bytes per period"),
    CONF_U32(R, rate_period, "rate/@period", CF_ABI, "milliseconds"),
    CONF_ENUM(R, backend, "backend/@model", rng_backend_names, CF_ONCE | CF_REQUIRED | CF_ALWAYS, "source of entropy"),
    CONF_STR(R, path, "backend/text()", 0, "device of the host", WHEN(R, backend, BIT(RNG_RANDOM))),
    CONF_ENUM(R, chr.type, "backend/@type", chr_type_names, CF_VIEW | CF_REQUIRED, "connection to the daemon", WHEN(R, backend, BIT(RNG_EGD))),
    CONF_STRUCT(R, chr, "backend", chr_source_desc, 0, "connection to the daemon", WHEN(R, backend, BIT(RNG_EGD))),
    CONF_STRUCT(R, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_DEVICE_HEAD(R),
};
static bool rng_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    RngDef *r = v;
    if (r->path && !*r->path)
        g_clear_pointer(&r->path, g_free);
    return true;
}
#undef R
CONF_DESC(rng_desc, RngDef, rng_rows, .parsed = rng_parsed);

static const ConfField bank_rows[] = { CONF_STR(StrItem, s, "name()", 0, "hash") };
CONF_DESC(pcr_bank_desc, StrItem, bank_rows);

#define T TpmDef
#define ON(m) WHEN(T, backend, m)
static const ConfField tpm_rows[] = {
    CONF_ENUM(T, model, "@model", tpm_model_names, CF_ABI, "device model"),
    CONF_ENUM(T, backend, "backend/@type", tpm_backend_names, CF_ONCE | CF_REQUIRED | CF_ALWAYS, "what is behind it"),
    CONF_ENUM(T, version, "backend/@version", tpm_version_names, CF_ABI, "TPM version", ON(BIT(TPM_EMULATOR))),
    CONF_YESNO(T, persistent_state, "backend/@persistent_state", 0, "state outlives a transient guest", ON(BIT(TPM_EMULATOR))),
    CONF_HIDDEN(T, debug_set, 0), CONF_U32(T, debug, "backend/@debug", 0, "log level", ON(BIT(TPM_EMULATOR))),
    CONF_STR(T, path, "backend/device/@path", 0, "device of the host", ON(BIT(TPM_PASSTHROUGH))),
    CONF_ENUM(T, source_type, "backend/source/@type", tpm_source_names, 0, "kind of state", ON(BIT(TPM_EMULATOR))),
    CONF_STR(T, source_path, "backend/source/@path", 0, "where the state is", ON(BIT(TPM_EMULATOR))),
    CONF_UUID(T, encryption_secret, "backend/encryption/@secret", 0, "secret that encrypts the state", ON(BIT(TPM_EMULATOR))),
    CONF_LIST(T, pcr_banks, "backend/active_pcr_banks/*", pcr_bank_desc, 0, "hash banks", ON(BIT(TPM_EMULATOR))),
    CONF_STR(T, profile, "backend/profile/@source", 0, "profile", ON(BIT(TPM_EMULATOR))),
    CONF_STR(T, profile_remove_disabled, "backend/profile/@removeDisabled", 0, "", ON(BIT(TPM_EMULATOR))),
    CONF_STR(T, profile_name, "backend/profile/@name", CF_LIVE_INPUT, "profile that the state was made with", ON(BIT(TPM_EMULATOR))),
    CONF_ENUM(T, chr.type, "backend/source/@type", chr_type_names, CF_VIEW | CF_REQUIRED, "connection", ON(BIT(TPM_EXTERNAL))),
    CONF_STRUCT(T, chr, "backend", chr_source_desc, 0, "connection", ON(BIT(TPM_EXTERNAL))),
    CONF_DEVICE_HEAD(T), CONF_PAD(T, _pad), CONF_PAD(T, _pad2),
};
static bool tpm_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    T *t = v;
    if (t->backend == TPM_PASSTHROUGH && !t->path)
        t->path = g_strdup("/dev/tpm0");
    if (t->persistent_state == TRI_NO)
        t->persistent_state = TRI_ABSENT;
    return true;
}
#undef T
#undef ON
CONF_DESC(tpm_desc, TpmDef, tpm_rows, .parsed = tpm_parsed);

static const ConfField panic_rows[] = {
    CONF_ENUM(PanicDef, model, "@model", panic_model_names, CF_ABI, "device model"),
    CONF_DEVICE_HEAD(PanicDef), CONF_PAD(PanicDef, _pad),
};
CONF_DESC(panic_desc, PanicDef, panic_rows);

static const ConfField hub_rows[] = {
    CONF_ENUM(HubDef, type, "@type", hub_type_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "bus"),
    CONF_DEVICE_HEAD(HubDef), CONF_PAD(HubDef, _pad),
};
static bool hub_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    DeviceAddress *a = &((HubDef *)v)->dev.info.address;
    if (a->type != ADDRESS_USB && a->type != ADDRESS_NONE) /* it has no other place than a port */
        conf_clear(&device_address_desc, a);
    return true;
}
CONF_DESC(hub_desc, HubDef, hub_rows, .parsed = hub_parsed);

static const ConfField nvram_rows[] = { CONF_DEVICE_HEAD(NvramDef) };
CONF_DESC(nvram_desc, NvramDef, nvram_rows);

static const ConfSize size_shmem = { 1, 20, "M" };
static const ConfField shmem_rows[] = {
    CONF_STR(ShmemDef, name, "@name", CF_REQUIRED | CF_NOT_EMPTY | CF_ABI, "name on the host"),
    CONF_ENUM(ShmemDef, role, "@role", shmem_role_names, 0, "what happens at migration"),
    CONF_ENUM(ShmemDef, model, "model/@type", shmem_model_names, CF_ALWAYS | CF_ABI, "device model"),
    CONF_SIZE(ShmemDef, size, "size/text()", size_shmem, CF_ABI, "size"),
    CONF_FLAG(ShmemDef, server_enabled, "server", 0, "memory from a server"),
    CONF_STR(ShmemDef, server_path, "server/@path", 0, "its socket"),
    CONF_FLAG(ShmemDef, msi_enabled, "msi", CF_ABI, "interrupts"),
    CONF_U32(ShmemDef, msi_vectors, "msi/@vectors", CF_ABI, "vectors"),
    CONF_ONOFF(ShmemDef, msi_ioeventfd, "msi/@ioeventfd", CF_ABI, "handle I/O in a thread"),
    CONF_DEVICE_HEAD(ShmemDef),
};
static bool shmem_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    ShmemDef *s = v;
    if (s->model == SHMEM_IVSHMEM) /* it cannot be migrated in any role */
        s->role = SHMEM_ROLE_DEFAULT;
    return true;
}
CONF_DESC(shmem_desc, ShmemDef, shmem_rows, .parsed = shmem_parsed);

#define M MemoryDef
#define ON(m) WHEN(M, model, m)
#define NVDIMM BIT(MEMORY_NVDIMM)
#define VMEM BIT(MEMORY_VIRTIO_MEM)
static const ConfField memory_rows[] = {
    CONF_ENUM(M, model, "@model", memory_model_names, CF_REQUIRED | CF_ABI, "device model"),
    CONF_ENUM(M, access, "@access", memory_access_names, 0, "whether the host sees writes"),
    CONF_YESNO(M, discard, "@discard", 0, "drop the content at the end"),
    CONF_UUID(M, uuid, "uuid/text()", CF_ABI, "identity of the module", ON(NVDIMM)),
    CONF_STR(M, path, "source/path/text()", CF_REQUIRED, "file", ON(NVDIMM | BIT(MEMORY_VIRTIO_PMEM))),
    CONF_BITMAP(M, nodemask, "source/nodemask/text()", 0, "NUMA nodes of the host", ON(BIT(MEMORY_DIMM) | VMEM | BIT(MEMORY_SGX_EPC))),
    CONF_SIZE(M, pagesize, "source/pagesize/text()", size_kib, 0, "size of pages", ON(BIT(MEMORY_DIMM) | VMEM)),
    CONF_SIZE(M, pagesize, "source/alignsize/text()", size_kib, CF_VIEW, "alignment", ON(NVDIMM)),
    CONF_FLAG(M, pmem, "source/pmem", 0, "the file is persistent memory", ON(NVDIMM)),
    CONF_YESNO(M, dynamic_memslots, "target/@dynamicMemslots", 0, "slots as needed", ON(VMEM)),
    CONF_SIZE(M, size, "target/size/text()", size_kib, CF_REQUIRED | CF_ABI, "size"),
    CONF_OPT32(M, node, "target/node/text()", CF_ABI, "NUMA node of the guest"),
    CONF_SIZE(M, label_size, "target/label/size/text()", size_kib, CF_ABI, "label area", ON(NVDIMM)),
    CONF_FLAG(M, readonly, "target/readonly", CF_ABI, "the guest may not write", ON(NVDIMM)),
    CONF_SIZE(M, block_size, "target/block/text()", size_kib, CF_ABI, "granularity", ON(VMEM)),
    CONF_OPTSIZE(M, requested, "target/requested/text()", size_kib, 0, "what the guest should take", ON(VMEM)),
    CONF_OPTSIZE(M, current, "target/current/text()", size_kib, CF_LIVE, "what it took", ON(VMEM)),
    CONF_OPT64(M, address_base, "target/address/@base", CF_ABI, "guest physical address", CONF_NUM(num_hex), ON(VMEM | BIT(MEMORY_VIRTIO_PMEM))),
    CONF_DEVICE_HEAD(M), CONF_PAD(M, _pad2),
};
#undef M
#undef ON
CONF_DESC(memory_desc, MemoryDef, memory_rows);

static const ConfField iommu_rows[] = {
    CONF_ENUM(IommuDef, model, "@model", iommu_model_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "device model"),
    CONF_ONOFF(IommuDef, intremap, "driver/@intremap", CF_ABI, "interrupt remapping"),
    CONF_ONOFF(IommuDef, caching_mode, "driver/@caching_mode", CF_ABI, "caching mode"),
    CONF_ONOFF(IommuDef, eim, "driver/@eim", CF_ABI, "extended interrupt mode"),
    CONF_ONOFF(IommuDef, iotlb, "driver/@iotlb", CF_ABI, "device IOTLB"),
    CONF_U32(IommuDef, aw_bits, "driver/@aw_bits", CF_ABI, "address width"),
    CONF_ONOFF(IommuDef, dma_translation, "driver/@dma_translation", CF_ABI, "translate DMA"),
    CONF_ONOFF(IommuDef, xtsup, "driver/@xtsup", CF_ABI, "x2APIC"),
    CONF_ONOFF(IommuDef, pt, "driver/@passthrough", CF_ABI, "pass through"),
    CONF_OPT32(IommuDef, pci_bus, "driver/@pciBus", CF_ABI, "index of the PCI controller that it serves"),
    CONF_ENUM(IommuDef, granule_mode, "driver/granule/@mode", granule_mode_names, CF_ABI, "pages of the host's size"),
    CONF_SIZE(IommuDef, granule, "driver/granule/@size", size_kib, CF_ABI, "size of pages"),
    CONF_DEVICE_HEAD(IommuDef),
};
CONF_DESC(iommu_desc, IommuDef, iommu_rows);

static const ConfField vsock_rows[] = {
    CONF_ENUM(VsockDef, model, "@model", vsock_model_names, CF_ABI, "device model"),
    CONF_YESNO(VsockDef, auto_cid, "cid/@auto", CF_ABI, "choose an address at start"),
    CONF_U32(VsockDef, cid, "cid/@address", CF_ABI, "address of the guest", CONF_NUM(num_positive)),
    CONF_DEVICE_HEAD(VsockDef),
    CONF_STRUCT(VsockDef, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_PAD(VsockDef, _pad),
};
static bool vsock_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    VsockDef *s = v;
    if (s->auto_cid == TRI_ABSENT)
        s->auto_cid = s->cid ? TRI_NO : TRI_YES;
    return true;
}
CONF_DESC(vsock_desc, VsockDef, vsock_rows, .parsed = vsock_parsed);

static const ConfField crypto_rows[] = {
    CONF_ENUM(CryptoDef, model, "@model", crypto_model_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "device model"),
    CONF_ENUM(CryptoDef, type, "@type", crypto_type_names, CF_REQUIRED | CF_ALWAYS, "kind"),
    CONF_ENUM(CryptoDef, backend, "backend/@model", crypto_backend_names, CF_REQUIRED | CF_ALWAYS, "who computes"),
    CONF_U32(CryptoDef, queues, "backend/@queues", CF_ABI, "queues"),
    CONF_STRUCT(CryptoDef, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_DEVICE_HEAD(CryptoDef),
};
CONF_DESC(crypto_desc, CryptoDef, crypto_rows);

static const ConfField pstore_rows[] = {
    CONF_ENUM(PstoreDef, backend, "@backend", pstore_backend_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "what the guest sees"),
    CONF_STR(PstoreDef, path, "path/text()", CF_REQUIRED, "file that keeps the records"),
    CONF_SIZE(PstoreDef, size, "size/text()", size_kib, CF_REQUIRED | CF_ABI, "size"),
    CONF_DEVICE_HEAD(PstoreDef), CONF_PAD(PstoreDef, _pad),
};
CONF_DESC(pstore_desc, PstoreDef, pstore_rows);

static const ConfField lease_rows[] = {
    CONF_STR(LeaseDef, lockspace, "lockspace/text()", CF_REQUIRED, "lock space"),
    CONF_STR(LeaseDef, key, "key/text()", CF_REQUIRED, "name of the lease"),
    CONF_STR(LeaseDef, path, "target/@path", CF_REQUIRED, "file"),
    CONF_U64(LeaseDef, offset, "target/@offset", 0, "byte in the file"),
    CONF_DEVICE_HEAD(LeaseDef),
};
CONF_DESC(lease_desc, LeaseDef, lease_rows);
