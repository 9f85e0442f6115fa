/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * From a definition to the argument vector of the emulator. Pure: nothing is opened or created
 * here; what exists only at start time (descriptors, ports that were chosen, image chains that were
 * probed) is in the definition or comes from the QemuCmdlineContext. The same definition, caps and
 * context always give the same text, in the order that today's tools read.
 *
 * The definition must have been through defaults and address assignment, and qemu_prepare_run()
 * must have been called on it (prepare.h). Any thread.
 */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/caps.h"
#include "drivers/qemu/plug_steps.h"

/* Descriptors that the emulator inherits. The number given back is the one in the child. */
typedef enum QemuFdRole {
    QEMU_FD_MONITOR,      /* listening unix socket of the QMP monitor; dev NULL */
    QEMU_FD_CHR_LISTEN,   /* listening unix socket of a character device */
    QEMU_FD_CHR_FILE,     /* output file of a character device, write-only */
    QEMU_FD_CHR_LOG,      /* log file of a character device, write-only */
    QEMU_FD_TAP,          /* tap or macvtap, one per queue */
    QEMU_FD_VHOST_NET,    /* /dev/vhost-net, one per queue */
    QEMU_FD_VHOST_VSOCK,  /* /dev/vhost-vsock with the CID set */
    QEMU_FD_VHOST_SCSI,   /* /dev/vhost-scsi */
    QEMU_FD_VDPA,         /* vhost-vdpa device node */
    QEMU_FD_TPM,          /* passthrough: the TPM device */
    QEMU_FD_TPM_CANCEL,   /* passthrough: its cancel file */
    QEMU_FD_SLIRP,        /* passt, slirp-helper: stream socket to the helper */
    QEMU_FD_VIRTIOFS,     /* unused by the command line when a socket path is known */
    QEMU_FD_GPU,          /* vhost-user-gpu: connected socket */
    _QEMU_FD_ROLE_N,
} QemuFdRole;

typedef struct QemuCmdlineContext {
    int id;                       /* the domain's id, part of directory names by the caller */
    const char *emulator;         /* NULL: def->emulator */
    const char *lib_dir;          /* private directory of this run: master key, HOME, sockets */
    const char *master_key_path;  /* NULL: lib_dir "/master-key.aes" */
    const char *monitor_path;     /* instead of a descriptor: path=…,server=on,wait=off */
    const char *memory_backing_dir; /* parent of file-backed RAM, "/var/lib/libvirt/qemu/ram" */
    const char *tpm_socket;       /* of the TPM emulator for this run; NULL: lib_dir "/swtpm.sock" */
    const char *vnc_listen, *spice_listen; /* when the document leaves the address open */
    const char *rendernode;       /* of this host, for graphics that need one and name none */
    bool vnc_auto_unix_socket, spice_auto_unix_socket;
    const char *vnc_tls_dir, *spice_tls_dir, *vnc_sasl_dir, *spice_sasl_dir;
    const char *chardev_tls_dir, *chardev_tls_secret; /* secret: its uuid, the key is encrypted */
    const char *nbd_tls_dir, *nbd_tls_secret;
    const char *vnc_tls_secret;
    bool vnc_tls, vnc_tls_verify, vnc_sasl, vnc_password_always;
    bool spice_tls, spice_sasl, spice_password;
    bool chardev_tls, chardev_tls_verify, nbd_tls;
    bool no_sandbox;              /* no seccomp filter even when the emulator has one */
    bool vhost_net;               /* /dev/vhost-net is there: the default for virtio under KVM */
    bool set_process_name, dump_guest_core, log_timestamp;
    bool incoming;                /* -incoming defer */
    const char *incoming_uri;     /* NULL: "defer" */
    const char *const *hugepage_dirs; /* "2048:/dev/hugepages" = KiB:mount, NULL-terminated */
    uint64_t default_hugepage_kib;
    /* The number a descriptor will have in the child: index counts queues. dev is the device (its
     * alias is info.alias). -1 with *err when there is none. */
    int (*fd)(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err);
    /* Appends the numbers (int) that the descriptors of this name will have in the child. NULL: documents
     * with <source fdgroup=…/> are refused. */
    bool (*fd_group)(void *opaque, const char *name, GArray *fds, GError **err);
    /* Base64 of a secret encrypted with the master key (AES-256-CBC), and its base64 IV.
     * NULL: documents with secrets are refused. */
    bool (*secret)(void *opaque, const SecretRef *ref, const char *alias, char **ret_data,
                   char **ret_iv, GError **err);
    /* Whether a block device is a CD-ROM drive of this host. NULL: told by its name. */
    bool (*is_cdrom)(void *opaque, const char *path);
    /* Whether this host has a NUMA node. NULL: not looked for. */
    bool (*host_node)(unsigned node);
    /* Path of the generic SCSI device ("/dev/sg3") behind a host device. NULL: they are refused. */
    char *(*scsi_device)(void *opaque, const HostdevDef *h, GError **err);
    /* For a running emulator: a number that no descriptor set of it has yet. */
    bool (*next_fdset)(void *opaque, unsigned *ret, GError **err);
    const char *pr_socket; /* of the helper for persistent reservations of this run; NULL: there is none */
    void *opaque;
} QemuCmdlineContext;

/* Whether a connection of a guest's is encrypted: what the document leaves open is the host's to say. */
static inline bool cmd_chr_tls(const QemuCmdlineContext *ctx, const ChrSource *s)
{
    return s->type == CHR_TCP && (s->tls == TRI_ABSENT ? ctx->chardev_tls : tri_is_yes(s->tls));
}

static inline bool cmd_source_tls(const QemuCmdlineContext *ctx, const StorageSource *s)
{
    return s->type == STORAGE_NETWORK && s->protocol == PROTOCOL_NBD && (s->tls == TRI_ABSENT ? ctx->nbd_tls : tri_is_yes(s->tls));
}

/*
 * argv: owned strings, argv[0] the emulator, NULL-terminated. env: "NAME=value" strings likewise.
 * VIR_ERR_CONFIG_UNSUPPORTED names the element when the document asks for what this emulator, or
 * this version of the driver, cannot do.
 */
bool qemu_cmdline_build(const DomainDef *def, const QemuCaps *caps, const QemuCmdlineContext *ctx,
                        GPtrArray **ret_argv, GPtrArray **ret_env, GError **err);

/* The steps that give a running emulator one device more, or (removing) that can be taken back once the guest
 * has given it up. dev has its alias, address and node numbers, and is one of def's. */
PlugSteps *qemu_plug_steps(const DomainDef *def, const Device *dev, const QemuCaps *caps, const QemuCmdlineContext *ctx,
                           bool removing, GError **err);
/* Of a medium alone: the nodes of its images. */
PlugSteps *qemu_plug_medium(const DomainDef *def, const DiskDef *disk, const QemuCaps *caps, const QemuCmdlineContext *ctx,
                            bool removing, GError **err);
