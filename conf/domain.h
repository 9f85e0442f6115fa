/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The definition of a guest: the document clients define, as a struct. Runtime identity (the id)
 * and state are not part of it. Conventions (absent values, ownership): conf/types.h.
 *
 * Threads: a DomainDef has no lock. Published definitions are immutable and may be read by anyone;
 * to change one, change a copy. The functions below are pure and may run on any thread.
 */
#pragma once

#include "conf/device.h"
#include "conf/domain_chr.h"
#include "conf/domain_controller.h"
#include "conf/domain_cpu.h"
#include "conf/domain_disk.h"
#include "conf/domain_graphics.h"
#include "conf/domain_hostdev.h"
#include "conf/domain_misc.h"
#include "conf/domain_net.h"
#include "conf/domain_os.h"
#include "conf/domain_tune.h"
#include "conf/policy.h"

typedef enum VirtType {
    VIRT_NONE, VIRT_QEMU, VIRT_KQEMU, VIRT_KVM, VIRT_XEN, VIRT_LXC, VIRT_UML, VIRT_OPENVZ, VIRT_TEST,
    VIRT_VMWARE, VIRT_HYPERV, VIRT_VBOX, VIRT_PHYP, VIRT_PARALLELS, VIRT_BHYVE, VIRT_VZ, VIRT_HVF,
    VIRT_XENFV, _VIRT_TYPE_N,
} VirtType;
extern const EnumTable virt_type_names;

typedef enum LifecycleAction {
    ACTION_NONE, /* not written */
    ACTION_DESTROY, ACTION_RESTART, ACTION_RENAME_RESTART, ACTION_PRESERVE,
    ACTION_COREDUMP_DESTROY, ACTION_COREDUMP_RESTART, _LIFECYCLE_ACTION_N,
} LifecycleAction;
extern const EnumTable lifecycle_action_names;
typedef enum LockfailureAction { LOCKFAIL_NONE, LOCKFAIL_POWEROFF, LOCKFAIL_RESTART, LOCKFAIL_PAUSE, LOCKFAIL_IGNORE, _LOCKFAIL_N } LockfailureAction;
extern const EnumTable lockfailure_names;
typedef enum VcpuPlacement { VCPU_PLACEMENT_DEFAULT, VCPU_PLACEMENT_STATIC, VCPU_PLACEMENT_AUTO, _VCPU_PLACEMENT_N } VcpuPlacement;
extern const EnumTable vcpu_placement_names;
typedef enum SeclabelType { SECLABEL_DEFAULT, SECLABEL_NONE, SECLABEL_DYNAMIC, SECLABEL_STATIC, _SECLABEL_TYPE_N } SeclabelType;
extern const EnumTable seclabel_type_names;
typedef enum LaunchSecurity { LAUNCH_NONE, LAUNCH_SEV, LAUNCH_SEV_SNP, LAUNCH_S390_PV, LAUNCH_TDX, _LAUNCH_SECURITY_N } LaunchSecurity;
extern const EnumTable launch_security_names;

CONF_STRUCTS_BEGIN

typedef struct SeclabelDef {
    SeclabelType type;
    Tristate relabel;
    char *model;
    char *label;
    char *imagelabel; /* live */
    char *baselabel;
} SeclabelDef;

typedef struct LaunchSecurityDef {
    LaunchSecurity type;
    Tristate kernel_hashes;
    OptU32 cbitpos, reduced_phys_bits;
    OptU64 policy;
    char *dh_cert, *session;
    Tristate author_key, vcek;
    char *guest_visible_workarounds, *id_block, *id_auth, *host_data;
    char *mr_config_id, *mr_owner, *mr_owner_config;
    char *quote_service_path;
    Flag quote_service;       /* <quoteGenerationService/> was written */
    Flag _pad;
} LaunchSecurityDef;

typedef struct KeywrapDef {
    char *name; /* "aes", "dea" */
    Tristate state;
    Flag _pad;
} KeywrapDef;

typedef struct PerfEvent {
    char *name;
    Tristate enabled;
    Flag _pad;
} PerfEvent;

typedef struct EnvVar {
    char *name, *value;
} EnvVar;

/* xmlns:qemu = http://libvirt.org/schemas/domain/qemu/1.0 */
typedef struct QemuNamespace {
    GPtrArray *args;     /* StrItem: extra command line */
    GPtrArray *env;      /* EnvVar */
    GPtrArray *caps_add, *caps_del; /* StrItem: capability names */
    char *deprecation;   /* qemu:deprecation/@behavior */
    GPtrArray *overrides; /* QemuOverride */
} QemuNamespace;

typedef struct QemuProperty {
    char *name, *type, *value;
} QemuProperty;

typedef struct QemuOverride {
    char *alias;
    GPtrArray *properties; /* QemuProperty */
} QemuOverride;

typedef struct DomainDef {
    VirtType virt;
    Flag genid_set;           /* <genid/> was written */
    OptUuid uuid;             /* set after parsing: generated when missing */
    OptUuid hwuuid;           /* unset: the guest's hardware shows .uuid */
    OptUuid genid;            /* unset with genid_set: to be generated at start */
    Flag uuid_generated;      /* it was not in the document */
    int32_t document_id;      /* of the running guest that the document was of; for tools */
    Tristate iommufd;         /* for all host devices */
    char *iommufd_fdgroup;    /* descriptors that the client passed */
    char *name, *title, *description;
    char *metadata;           /* whole <metadata> element as it came, NULL none */
    /* memory, KiB */
    uint64_t memory;          /* total, memory devices included */
    uint64_t current_memory;  /* balloon target; resolve: <= memory */
    uint64_t max_memory;      /* 0: no hotplug */
    uint32_t memory_slots;
    Tristate dump_core;
    MemoryBacking *backing;
    MemoryTuning memtune;
    BlkioTuning *blkiotune;
    NumaTuning *numatune;
    CpuTuning *cputune;
    /* vcpus */
    uint32_t vcpus_max, vcpus; /* resolve: 1 <= vcpus <= vcpus_max */
    VcpuPlacement placement;
    uint32_t iothreads;        /* resolve: >= number of iothread_defs */
    Bitmap *cpuset;
    GPtrArray *vcpu_defs;      /* VcpuDef */
    GPtrArray *iothread_defs;  /* IothreadDef */
    OptI32 default_iothread_min, default_iothread_max;
    char *partition;           /* resource/partition */
    char *appid;               /* resource/fibrechannel/@appid */
    GPtrArray *sysinfos;       /* Sysinfo */
    OsDef os;
    GPtrArray *uid_map, *gid_map; /* IdMap */
    GPtrArray *throttle_groups;   /* DiskIotune, each with a group_name */
    Features features;
    CpuDef *cpu;
    CpuDef *cpu_asked;        /* running guest: .cpu before the emulator had its say; NULL: as it is */
    ClockDef clock;
    LifecycleAction on_poweroff, on_reboot, on_crash;
    LockfailureAction on_lockfailure;
    Tristate pm_s3, pm_s4;     /* suspend-to-mem, suspend-to-disk */
    GPtrArray *perf;           /* PerfEvent */
    char *emulator;
    GPtrArray *devices;        /* Device, never NULL, see conf/device.h */
    GPtrArray *seclabels;      /* SeclabelDef */
    GPtrArray *keywrap;        /* KeywrapDef */
    LaunchSecurityDef *launch_security;
    QemuNamespace *qemu;
    char *other_namespace;     /* elements of other known namespaces, as they came */
} DomainDef;

CONF_STRUCTS_END

enum { /* domain_parse() flags */
    DOMAIN_PARSE_INACTIVE = 1 << 0,  /* from a client: live-only values are ignored */
    DOMAIN_PARSE_STRICT = 1 << 1,    /* unknown names are errors, listed with their places */
    DOMAIN_PARSE_NO_DEFAULTS = 1 << 2, /* stop after resolve (own files: defaults are in them) */
    DOMAIN_PARSE_NO_VALIDATE = 1 << 3,
    DOMAIN_PARSE_ABI_UPDATE = 1 << 5, /* a new guest: its layout may follow the newest rules */
    DOMAIN_PARSE_STATUS = 1 << 4,    /* our own status file: live values and private ones */
};

enum { /* domain_format() flags */
    DOMAIN_FORMAT_SECURE = 1 << 0,     /* passwords too */
    DOMAIN_FORMAT_INACTIVE = 1 << 1,   /* no live-only values */
    DOMAIN_FORMAT_MIGRATABLE = 1 << 2, /* what an older destination may read */
    DOMAIN_FORMAT_STATUS = 1 << 3,     /* for our own status file: everything */
};

typedef struct DomainFormatContext {
    int id; /* id attribute; 0 or less: none, the document is that of an inactive guest */
} DomainFormatContext;

DomainDef *domain_new(void);
void domain_free(DomainDef *d);
DomainDef *domain_copy(const DomainDef *d);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(DomainDef, domain_free)

/* Parses, resolves, fills in defaults and validates. len bytes of xml need not be terminated.
 * Errors are VIR_ERR_XML_ERROR, VIR_ERR_CONFIG_UNSUPPORTED, … with line and path in the text. */
DomainDef *domain_parse(const char *xml, gsize len, unsigned flags, const ConfPolicy *policy,
                        void *policy_data, GError **err);

/* The document as clients read it, newline at the end. ctx may be NULL. */
char *domain_format(const DomainDef *d, unsigned flags, const DomainFormatContext *ctx, GError **err);

/* Same value in every field. *ret_path (may be NULL) gets the first differing place. */
bool domain_equal(const DomainDef *a, const DomainDef *b, char **ret_path);
/* Only what the guest can see: the check before restoring or migrating. */
bool domain_abi_equal(const DomainDef *a, const DomainDef *b, char **ret_path);

/* Name and uuid only, before permission is checked: bounded, allocates nothing else. */
bool domain_peek_identity(const char *xml, gsize len, char **ret_name, Uuid ret_uuid,
                          bool *ret_has_uuid, GError **err);

/* One device document (attach, detach, update), same stages. */
Device *device_parse(const char *xml, gsize len, unsigned flags, const DomainDef *d,
                     const ConfPolicy *policy, void *policy_data, GError **err);
char *device_format(const Device *dev, unsigned flags, GError **err);

/* The stages, callable alone: all of them (after a definition was put together from parts), and one by one. */
bool domain_complete(DomainDef *d, unsigned flags, const ConfPolicy *policy, void *policy_data, GError **err);
bool domain_resolve(DomainDef *d, unsigned flags, GError **err);
bool domain_defaults(DomainDef *d, const ConfPolicy *policy, void *policy_data, GError **err);
/* A guest without a word about audio: its sound goes where its display goes. The host's own output may
 * stand in with VNC, and without a display (AUDIO_NONE: it may not). */
void domain_imply_audio(DomainDef *d, AudioType with_vnc, AudioType without_display);
bool domain_validate(const DomainDef *d, const ConfPolicy *policy, void *policy_data, GError **err);
/* Has today's language a name for it? */
bool domain_arch_is_known(const char *arch);

/* Puts what has a canonical order into it: disks by bus and name, and lists by number. */
void domain_order(DomainDef *d);
/* Devices of one kind in document order: start with *pos = 0; NULL at the end.
 *   guint i = 0; DiskDef *disk; while ((disk = domain_next(d, DEVICE_DISK, &i))) … */
void *domain_next(const DomainDef *d, DeviceKind kind, guint *pos);
unsigned domain_count(const DomainDef *d, DeviceKind kind);

/* Takes the device. */
void domain_add_device(DomainDef *d, Device *dev);
/* Typed: zeroed device of a kind, already in the definition. */
void *domain_add(DomainDef *d, DeviceKind kind);
ControllerDef *domain_find_controller(const DomainDef *d, ControllerType type, unsigned index);
/* The controller, added when it is missing (with all of its type below index). */
ControllerDef *domain_ensure_controller(DomainDef *d, ControllerType type, unsigned index);
DiskDef *domain_find_disk(const DomainDef *d, const char *dst);
Device *domain_find_alias(const DomainDef *d, const char *alias);
