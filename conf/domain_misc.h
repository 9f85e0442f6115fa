/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The smaller devices: input, watchdog, balloon, rng, tpm, panic, hub, shmem, memory, … */
#pragma once

#include "conf/domain_chr.h"

typedef enum InputType { INPUT_MOUSE, INPUT_TABLET, INPUT_KEYBOARD, INPUT_PASSTHROUGH, INPUT_EVDEV, _INPUT_TYPE_N } InputType;
extern const EnumTable input_type_names;
typedef enum InputBus { INPUT_BUS_NONE, INPUT_BUS_PS2, INPUT_BUS_USB, INPUT_BUS_XEN, INPUT_BUS_PARALLELS, INPUT_BUS_VIRTIO, _INPUT_BUS_N } InputBus;
extern const EnumTable input_bus_names;
typedef enum VirtioModel { VIRTIO_MODEL_DEFAULT, VIRTIO_MODEL_VIRTIO, VIRTIO_MODEL_TRANSITIONAL, VIRTIO_MODEL_NON_TRANSITIONAL, _VIRTIO_MODEL_N } VirtioModel;
extern const EnumTable virtio_model_names;
typedef enum InputGrab { INPUT_GRAB_DEFAULT, INPUT_GRAB_ALL, _INPUT_GRAB_N } InputGrab;
extern const EnumTable input_grab_names;
typedef enum GrabToggle { GRAB_TOGGLE_DEFAULT, GRAB_CTRL_CTRL, GRAB_ALT_ALT, GRAB_SHIFT_SHIFT, GRAB_META_META, GRAB_SCROLLLOCK, GRAB_CTRL_SCROLLLOCK, _GRAB_TOGGLE_N } GrabToggle;
extern const EnumTable grab_toggle_names;

typedef enum WatchdogModel { WATCHDOG_I6300ESB, WATCHDOG_IB700, WATCHDOG_DIAG288, WATCHDOG_ITCO, _WATCHDOG_MODEL_N } WatchdogModel;
extern const EnumTable watchdog_model_names;
typedef enum WatchdogAction { WATCHDOG_RESET, WATCHDOG_SHUTDOWN, WATCHDOG_POWEROFF, WATCHDOG_PAUSE, WATCHDOG_DUMP, WATCHDOG_NONE, WATCHDOG_INJECT_NMI, _WATCHDOG_ACTION_N } WatchdogAction;
extern const EnumTable watchdog_action_names;

typedef enum BalloonModel { BALLOON_VIRTIO, BALLOON_XEN, BALLOON_NONE, BALLOON_VIRTIO_TRANSITIONAL, BALLOON_VIRTIO_NON_TRANSITIONAL, _BALLOON_MODEL_N } BalloonModel;
extern const EnumTable balloon_model_names;

typedef enum RngModel { RNG_VIRTIO, RNG_VIRTIO_TRANSITIONAL, RNG_VIRTIO_NON_TRANSITIONAL, _RNG_MODEL_N } RngModel;
extern const EnumTable rng_model_names;
typedef enum RngBackend { RNG_RANDOM, RNG_EGD, RNG_BUILTIN, _RNG_BACKEND_N } RngBackend;
extern const EnumTable rng_backend_names;

typedef enum TpmModel { TPM_DEFAULT, TPM_TIS, TPM_CRB, TPM_SPAPR, TPM_SPAPR_PROXY, _TPM_MODEL_N } TpmModel;
extern const EnumTable tpm_model_names;
typedef enum TpmBackend { TPM_PASSTHROUGH, TPM_EMULATOR, TPM_EXTERNAL, _TPM_BACKEND_N } TpmBackend;
extern const EnumTable tpm_backend_names;
typedef enum TpmVersion { TPM_VERSION_DEFAULT, TPM_1_2, TPM_2_0, _TPM_VERSION_N } TpmVersion;
extern const EnumTable tpm_version_names;
typedef enum TpmSourceType { TPM_SOURCE_DEFAULT, TPM_SOURCE_FILE, TPM_SOURCE_DIR, _TPM_SOURCE_N } TpmSourceType;
extern const EnumTable tpm_source_names;

typedef enum PanicModel { PANIC_DEFAULT, PANIC_ISA, PANIC_PSERIES, PANIC_HYPERV, PANIC_S390, PANIC_PVPANIC, _PANIC_MODEL_N } PanicModel;
extern const EnumTable panic_model_names;
typedef enum HubType { HUB_USB, _HUB_TYPE_N } HubType;
extern const EnumTable hub_type_names;
typedef enum ShmemModel { SHMEM_IVSHMEM, SHMEM_IVSHMEM_PLAIN, SHMEM_IVSHMEM_DOORBELL, _SHMEM_MODEL_N } ShmemModel;
extern const EnumTable shmem_model_names;
typedef enum ShmemRole { SHMEM_ROLE_DEFAULT, SHMEM_MASTER, SHMEM_PEER, _SHMEM_ROLE_N } ShmemRole;
extern const EnumTable shmem_role_names;
typedef enum MemoryModel { MEMORY_NONE, MEMORY_DIMM, MEMORY_NVDIMM, MEMORY_VIRTIO_PMEM, MEMORY_VIRTIO_MEM, MEMORY_SGX_EPC, _MEMORY_MODEL_N } MemoryModel;
extern const EnumTable memory_model_names;
typedef enum MemoryAccess { MEMORY_ACCESS_DEFAULT, MEMORY_ACCESS_SHARED, MEMORY_ACCESS_PRIVATE, _MEMORY_ACCESS_N } MemoryAccess;
extern const EnumTable memory_access_names;
typedef enum IommuModel { IOMMU_INTEL, IOMMU_SMMUV3, IOMMU_VIRTIO, IOMMU_AMD, _IOMMU_MODEL_N } IommuModel;
extern const EnumTable iommu_model_names;
typedef enum VsockModel { VSOCK_DEFAULT, VSOCK_VIRTIO, VSOCK_VIRTIO_TRANSITIONAL, VSOCK_VIRTIO_NON_TRANSITIONAL, _VSOCK_MODEL_N } VsockModel;
extern const EnumTable vsock_model_names;
typedef enum CryptoModel { CRYPTO_VIRTIO, _CRYPTO_MODEL_N } CryptoModel;
extern const EnumTable crypto_model_names;
typedef enum CryptoType { CRYPTO_QEMU, _CRYPTO_TYPE_N } CryptoType;
extern const EnumTable crypto_type_names;
typedef enum CryptoBackend { CRYPTO_BACKEND_BUILTIN, CRYPTO_BACKEND_LKCF, _CRYPTO_BACKEND_N } CryptoBackend;
extern const EnumTable crypto_backend_names;
typedef enum GranuleMode { GRANULE_NONE, GRANULE_HOST, _GRANULE_MODE_N } GranuleMode;
extern const EnumTable granule_mode_names;
typedef enum PstoreBackend { PSTORE_ACPI_ERST, _PSTORE_BACKEND_N } PstoreBackend;
extern const EnumTable pstore_backend_names;

CONF_STRUCTS_BEGIN

typedef struct InputDef {
    Device dev;
    InputType type;
    InputBus bus;
    VirtioModel model;
    InputGrab grab;
    GrabToggle grab_toggle;
    Tristate repeat;
    char *source;          /* passthrough: evdev; evdev: dev */
    VirtioOptions virtio;
} InputDef;

typedef struct WatchdogDef {
    Device dev;
    WatchdogModel model;
    WatchdogAction action;
} WatchdogDef;

typedef struct MemballoonDef {
    Device dev;
    BalloonModel model;
    Tristate autodeflate, free_page_reporting;
    uint32_t stats_period; /* seconds, 0: off */
    VirtioOptions virtio;
} MemballoonDef;

typedef struct RngDef {
    Device dev;
    RngModel model;
    RngBackend backend;
    uint32_t rate_bytes, rate_period; /* bytes per period (ms, 0: default) */
    char *path;                       /* random: file */
    ChrSource chr;                    /* egd */
    VirtioOptions virtio;
} RngDef;

typedef struct TpmDef {
    Device dev;
    TpmModel model;
    TpmBackend backend;
    TpmVersion version;
    Tristate persistent_state;
    char *path;               /* passthrough: device/@path */
    OptUuid encryption_secret;
    Flag debug_set;
    uint32_t debug;
    Flag _pad;
    TpmSourceType source_type; /* emulator */
    Flag _pad2;
    char *source_path;
    ChrSource chr;            /* external: source */
    GPtrArray *pcr_banks;     /* StrItem, active_pcr_banks children */
    char *profile, *profile_remove_disabled, *profile_name;
} TpmDef;

typedef struct PanicDef {
    Device dev;
    PanicModel model;
    Flag _pad;
} PanicDef;

typedef struct HubDef {
    Device dev;
    HubType type;
    Flag _pad;
} HubDef;

typedef struct NvramDef {
    Device dev;
} NvramDef;

typedef struct ShmemDef {
    Device dev;
    char *name;
    ShmemModel model;
    ShmemRole role;
    uint64_t size;        /* MiB, 0: default */
    Flag server_enabled;
    Flag msi_enabled;
    char *server_path;
    uint32_t msi_vectors;
    Tristate msi_ioeventfd;
} ShmemDef;

typedef struct MemoryDef {
    Device dev;
    MemoryModel model;
    MemoryAccess access;
    Tristate discard;
    Flag pmem;
    OptUuid uuid;
    Flag readonly;
    char *path;               /* source/path */
    uint64_t pagesize;        /* KiB */
    Bitmap *nodemask;
    uint64_t size;            /* KiB */
    OptU32 node;
    uint64_t label_size;      /* KiB */
    uint64_t block_size;      /* KiB, virtio-mem */
    OptU64 requested, current; /* KiB, virtio-mem; current is live */
    OptU64 address_base;
    Tristate dynamic_memslots;
    Flag _pad2;
} MemoryDef;

typedef struct IommuDef {
    Device dev;
    IommuModel model;
    Tristate intremap, caching_mode, eim, iotlb;
    uint32_t aw_bits;
    Tristate dma_translation, xtsup;
    Tristate pt;
    GranuleMode granule_mode;
    OptU32 pci_bus;
    uint64_t granule;         /* KiB */
} IommuDef;

typedef struct VsockDef {
    Device dev;
    VsockModel model;
    Tristate auto_cid;
    uint32_t cid;
    Flag _pad;
    VirtioOptions virtio;
} VsockDef;

typedef struct CryptoDef {
    Device dev;
    CryptoModel model;
    CryptoType type;
    CryptoBackend backend;
    uint32_t queues;
    VirtioOptions virtio;
} CryptoDef;

typedef struct PstoreDef {
    Device dev;
    PstoreBackend backend;
    Flag _pad;
    char *path;
    uint64_t size;            /* KiB */
} PstoreDef;

typedef struct LeaseDef {
    Device dev;
    char *lockspace, *key, *path;
    uint64_t offset;
} LeaseDef;

CONF_STRUCTS_END
