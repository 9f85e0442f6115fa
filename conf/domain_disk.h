/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks and the storage sources below them. A source is one layer of a backing chain; its
 * backing layer hangs below it. StorageSource.format comes from <driver type> for the
 * top layer and from <format type> for backing layers.
 */
#pragma once

#include "conf/device.h"

typedef enum StorageType {
    STORAGE_NONE, STORAGE_FILE, STORAGE_BLOCK, STORAGE_DIR, STORAGE_NETWORK, STORAGE_VOLUME,
    STORAGE_NVME, STORAGE_VHOSTUSER, STORAGE_VHOSTVDPA, _STORAGE_TYPE_N,
} StorageType;
extern const EnumTable storage_type_names;

typedef enum StorageFormat {
    FORMAT_NONE, FORMAT_RAW, FORMAT_DIR, FORMAT_BOCHS, FORMAT_CLOOP, FORMAT_DMG, FORMAT_ISO,
    FORMAT_VPC, FORMAT_VDI, FORMAT_FAT, FORMAT_VHD, FORMAT_PLOOP, FORMAT_COW, FORMAT_QCOW,
    FORMAT_QCOW2, FORMAT_QED, FORMAT_VMDK, FORMAT_AUTO, _STORAGE_FORMAT_N,
} StorageFormat;
extern const EnumTable storage_format_names;

typedef enum StorageProtocol {
    PROTOCOL_NONE, PROTOCOL_NBD, PROTOCOL_RBD, PROTOCOL_SHEEPDOG, PROTOCOL_GLUSTER, PROTOCOL_ISCSI,
    PROTOCOL_HTTP, PROTOCOL_HTTPS, PROTOCOL_FTP, PROTOCOL_FTPS, PROTOCOL_TFTP, PROTOCOL_SSH,
    PROTOCOL_VXHS, PROTOCOL_NFS, _STORAGE_PROTOCOL_N,
} StorageProtocol;
extern const EnumTable storage_protocol_names;

typedef enum HostTransport { TRANSPORT_TCP, TRANSPORT_UNIX, TRANSPORT_RDMA, _HOST_TRANSPORT_N } HostTransport;
extern const EnumTable host_transport_names;

typedef enum StartupPolicy { STARTUP_DEFAULT, STARTUP_MANDATORY, STARTUP_REQUISITE, STARTUP_OPTIONAL, _STARTUP_N } StartupPolicy;
extern const EnumTable startup_policy_names;

typedef enum PoolMode { POOL_MODE_DEFAULT, POOL_MODE_HOST, POOL_MODE_DIRECT, _POOL_MODE_N } PoolMode;
extern const EnumTable pool_mode_names;

typedef enum EncryptionFormat { ENCRYPTION_DEFAULT, ENCRYPTION_QCOW, ENCRYPTION_LUKS, ENCRYPTION_LUKS2, ENCRYPTION_LUKS_ANY, _ENCRYPTION_FORMAT_N } EncryptionFormat;
extern const EnumTable encryption_format_names;
typedef enum EncryptionEngine { ENGINE_DEFAULT, ENGINE_QEMU, ENGINE_LIBRBD, _ENCRYPTION_ENGINE_N } EncryptionEngine;
extern const EnumTable encryption_engine_names;

typedef enum SecretType { SECRET_NONE, SECRET_CEPH, SECRET_ISCSI, SECRET_PASSPHRASE, SECRET_VOLUME, SECRET_TLS, _SECRET_TYPE_N } SecretType;
extern const EnumTable secret_type_names;

typedef enum DiskDevice { DISK_DEVICE_DISK, DISK_DEVICE_CDROM, DISK_DEVICE_FLOPPY, DISK_DEVICE_LUN, _DISK_DEVICE_N } DiskDevice;
extern const EnumTable disk_device_names;

typedef enum DiskBus {
    DISK_BUS_NONE, DISK_BUS_IDE, DISK_BUS_FDC, DISK_BUS_SCSI, DISK_BUS_VIRTIO, DISK_BUS_XEN,
    DISK_BUS_USB, DISK_BUS_UML, DISK_BUS_SATA, DISK_BUS_SD, DISK_BUS_NVME, _DISK_BUS_N,
} DiskBus;
extern const EnumTable disk_bus_names;

typedef enum DiskCache { DISK_CACHE_DEFAULT, DISK_CACHE_NONE, DISK_CACHE_WRITETHROUGH, DISK_CACHE_WRITEBACK, DISK_CACHE_DIRECTSYNC, DISK_CACHE_UNSAFE, _DISK_CACHE_N } DiskCache;
extern const EnumTable disk_cache_names;
typedef enum DiskError { DISK_ERROR_DEFAULT, DISK_ERROR_STOP, DISK_ERROR_REPORT, DISK_ERROR_IGNORE, DISK_ERROR_ENOSPACE, _DISK_ERROR_N } DiskError;
extern const EnumTable disk_error_names;
typedef enum DiskIo { DISK_IO_DEFAULT, DISK_IO_NATIVE, DISK_IO_THREADS, DISK_IO_URING, _DISK_IO_N } DiskIo;
extern const EnumTable disk_io_names;
typedef enum DiskDiscard { DISK_DISCARD_DEFAULT, DISK_DISCARD_UNMAP, DISK_DISCARD_IGNORE, _DISK_DISCARD_N } DiskDiscard;
extern const EnumTable disk_discard_names;
typedef enum DetectZeroes { DETECT_ZEROES_DEFAULT, DETECT_ZEROES_OFF, DETECT_ZEROES_ON, DETECT_ZEROES_UNMAP, _DETECT_ZEROES_N } DetectZeroes;
extern const EnumTable detect_zeroes_names;
typedef enum DiskTray { DISK_TRAY_CLOSED, DISK_TRAY_OPEN, _DISK_TRAY_N } DiskTray;
extern const EnumTable disk_tray_names;
typedef enum SnapshotLocation { SNAPSHOT_DEFAULT, SNAPSHOT_NO, SNAPSHOT_INTERNAL, SNAPSHOT_EXTERNAL, SNAPSHOT_MANUAL, _SNAPSHOT_LOCATION_N } SnapshotLocation;
extern const EnumTable snapshot_location_names;
typedef enum GeometryTrans { GEOMETRY_DEFAULT, GEOMETRY_NONE, GEOMETRY_AUTO, GEOMETRY_LBA, _GEOMETRY_TRANS_N } GeometryTrans;
extern const EnumTable geometry_trans_names;
typedef enum DiskModel { DISK_MODEL_DEFAULT, DISK_MODEL_VIRTIO, DISK_MODEL_VIRTIO_TRANSITIONAL, DISK_MODEL_VIRTIO_NON_TRANSITIONAL, DISK_MODEL_USB_STORAGE, DISK_MODEL_USB_BOT, _DISK_MODEL_N } DiskModel;
extern const EnumTable disk_model_names;
typedef enum MirrorJob { MIRROR_NONE, MIRROR_COPY, MIRROR_ACTIVE_COMMIT, _MIRROR_JOB_N } MirrorJob;
extern const EnumTable mirror_job_names;
typedef enum MirrorReady { MIRROR_NOT_READY, MIRROR_READY, MIRROR_PIVOT, MIRROR_ABORT, _MIRROR_READY_N } MirrorReady;
extern const EnumTable mirror_ready_names;
typedef enum HistogramType { HISTOGRAM_ALL, HISTOGRAM_READ, HISTOGRAM_WRITE, HISTOGRAM_ZONE, HISTOGRAM_FLUSH, _HISTOGRAM_N } HistogramType;
extern const EnumTable histogram_names;
typedef enum SgioMode { SGIO_DEFAULT, SGIO_FILTERED, SGIO_UNFILTERED, _SGIO_N } SgioMode;
extern const EnumTable sgio_names;

CONF_STRUCTS_BEGIN

typedef struct DeviceSeclabel { /* <seclabel> inside a source */
    char *model;
    Tristate relabel;
    Tristate labelskip;
    char *label;
} DeviceSeclabel;

typedef struct SecretRef { /* by uuid or by usage */
    SecretType type;
    OptUuid uuid;
    char *usage;
} SecretRef;

typedef struct StorageAuth {
    char *username;
    SecretRef secret;
} StorageAuth;

typedef struct EncryptionCipher {
    char *name, *mode, *hash;
    uint32_t size;
    Flag _pad;
} EncryptionCipher;

typedef struct EncryptionIvgen {
    char *name, *hash;
} EncryptionIvgen;

typedef struct StorageEncryption {
    EncryptionFormat format;
    EncryptionEngine engine;
    GPtrArray *secrets; /* SecretRef */
    EncryptionCipher *cipher;
    EncryptionIvgen *ivgen;
} StorageEncryption;

typedef struct StorageHost {
    HostTransport transport;
    Flag _pad;
    char *name;
    uint32_t port; /* 0: the protocol's own */
    Flag _pad2;
    char *socket;
} StorageHost;

typedef struct StorageCookie {
    char *name, *value;
} StorageCookie;

typedef struct StorageSlice {
    char *type; /* "storage" */
    uint64_t offset, size;
} StorageSlice;

typedef struct Reconnect {
    Tristate enabled;
    OptU32 timeout; /* seconds */
    Flag _pad;
} Reconnect;

typedef struct Reservations {
    Tristate managed, enabled;
    char *source_type, *source_path, *source_mode;
} Reservations;

typedef struct NodeName { /* a node of the emulator's block graph */
    char *type, *name;
} NodeName;

typedef struct PrivateSecret {
    char *type, *alias;
} PrivateSecret;

typedef struct StoragePrivate { /* <privateData>, in status files only */
    GPtrArray *node_names;     /* NodeName */
    char *reservations_alias;  /* of the helper's object */
    char *rel_path;            /* as it is written in the layer above */
    GPtrArray *secrets;        /* PrivateSecret */
    char *tls_alias;
    GPtrArray *fdsets;         /* PrivateSecret: type and alias of passed descriptors */
    Tristate threshold_by_index; /* clients set a threshold by the layer's number */
    PoolMode pool_mode;
    char *pool, *volume;       /* the source is this volume, looked up for this run; clients see .pool_mode and these */
} StoragePrivate;

/* All attributes that a <source> may carry; which are meaningful says .type. */
typedef struct StorageSource {
    StorageType type;
    StorageFormat format;
    StorageProtocol protocol;  /* network */
    PoolMode pool_mode;        /* volume */
    char *path;                /* file, block, dir: path; vhostuser socket; vhostvdpa device */
    char *name;                /* network: volume, export or image name, NULL allowed */
    char *query;               /* network http: query part */
    char *pool, *volume;       /* volume */
    GPtrArray *hosts;          /* StorageHost, network */
    char *tls_hostname;
    Tristate tls;
    Tristate ssl_verify;
    char *snapshot;            /* network rbd */
    char *config_file;         /* network rbd */
    char *initiator;           /* network iscsi: iqn */
    char *nfs_user, *nfs_group;
    char *ssh_username, *ssh_keyfile, *ssh_agentsock, *known_hosts;
    GPtrArray *cookies;        /* StorageCookie */
    uint64_t readahead;        /* bytes */
    OptU64 timeout;            /* seconds */
    uint64_t reconnect_delay;  /* nbd, seconds */
    uint64_t nvme_namespace;
    PciAddress nvme_address;
    Tristate nvme_managed;
    StartupPolicy startup_policy;
    Reconnect vhost_reconnect;
    GPtrArray *seclabels;      /* DeviceSeclabel */
    StorageEncryption *encryption;
    StorageAuth *auth;
    Reservations *reservations;
    GPtrArray *slices;         /* StorageSlice */
    char *fdgroup;
    uint32_t index;            /* live: node number, 0 none */
    Flag encryption_outside;   /* written as <disk><encryption>, kept there */
    Flag auth_outside;
    Flag backing_none;         /* <backingStore/>: the chain ends here for certain */
    uint64_t metadata_cache_size; /* bytes, of qcow2 */
    StoragePrivate *priv;      /* own files */
    OptU32 tls_from_config;    /* own files: 1: .tls is a setting of the host */
    struct StorageSource *data; /* the guest's data, when .path has the qcow2 metadata only */
    struct StorageSource *backing; /* NULL: unknown (or none, see backing_none) */
} StorageSource;

typedef struct DiskMirror {
    MirrorJob job;
    MirrorReady ready;
    StorageSource src;
} DiskMirror;

typedef struct DiskIotune { /* 0: no limit */
    uint64_t total_bytes_sec, read_bytes_sec, write_bytes_sec;
    uint64_t total_iops_sec, read_iops_sec, write_iops_sec;
    uint64_t total_bytes_sec_max, read_bytes_sec_max, write_bytes_sec_max;
    uint64_t total_iops_sec_max, read_iops_sec_max, write_iops_sec_max;
    uint64_t size_iops_sec;
    char *group_name;
    uint64_t total_bytes_sec_max_length, read_bytes_sec_max_length, write_bytes_sec_max_length;
    uint64_t total_iops_sec_max_length, read_iops_sec_max_length, write_iops_sec_max_length;
} DiskIotune;

typedef struct DiskIothread {
    uint32_t id;
    Flag _pad;
    GPtrArray *queues; /* DiskIothreadQueue */
} DiskIothread;

typedef struct DiskIothreadQueue {
    uint32_t id;
} DiskIothreadQueue;

typedef struct DiskStatistic {
    uint32_t interval; /* s */
} DiskStatistic;

typedef struct DiskHistogram {
    HistogramType type;
    Flag _pad;
    GPtrArray *bins; /* HistogramBin */
} DiskHistogram;

typedef struct HistogramBin {
    uint64_t start; /* ns */
} HistogramBin;

typedef struct DiskDef {
    Device dev;
    DiskDevice device;
    DiskModel model;
    Tristate rawio;
    SgioMode sgio;
    SnapshotLocation snapshot;
    DiskCache cache;
    DiskError error_policy, rerror_policy;
    DiskIo io;
    DiskDiscard discard;
    DetectZeroes detect_zeroes;
    Tristate discard_no_unref;
    Tristate copy_on_read;
    Tristate ioeventfd, event_idx;
    uint32_t iothread;
    uint32_t queues, queue_size;
    char *driver;              /* driver/@name */
    GPtrArray *iothreads;      /* DiskIothread */
    GPtrArray *statistics;     /* DiskStatistic */
    GPtrArray *histograms;     /* DiskHistogram */
    VirtioOptions virtio;
    StorageSource src;
    DiskMirror *mirror;
    char *dst;                 /* target/@dev: "vda" */
    DiskBus bus;
    DiskTray tray;             /* removable media, live */
    Tristate removable;
    uint32_t rotation_rate;
    char *serial, *wwn, *vendor, *product;
    char *domain_name;         /* backenddomain */
    Flag readonly, shareable, transient;
    Tristate transient_share;
    uint32_t logical_block_size, physical_block_size;
    uint32_t discard_granularity;
    GeometryTrans geometry_trans;
    uint32_t cylinders, heads, sectors;
    Flag _pad;
    DiskIotune iotune;
    GPtrArray *throttle_groups; /* StrItem */
    char *qom_name;            /* own files: path in the emulator's object tree */
    GPtrArray *node_names;     /* own files: NodeName, of the layer that copies on reads */
    char *auth_placement, *encryption_placement; /* own files: which secrets were found outside of the source */
} DiskDef;

CONF_STRUCTS_END

/* Does all that 'like' says of an image hold of 'have'? */
bool storage_source_says(const StorageSource *like, const StorageSource *have);
/* "vdb" → 1, "hda" → 0, "sdaa" → 26; -1 when it is not such a name. Partition digits are ignored. */
int disk_name_to_index(const char *name);
/* prefix "vd", 27 → "vdab" */
char *disk_index_to_name(const char *prefix, unsigned index);
