/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the QEMU driver adds to a document when it is defined: machine name, implicit controllers
 * and devices, default models, addresses. The result is what "virsh dumpxml" shows afterwards, so it
 * is part of the interface: a guest keeps its hardware when it moves between drivers.
 */
#pragma once

#include "conf/policy.h"
#include "drivers/qemu/caps.h"

typedef struct QemuPolicyData {
    /*
     * Caps of the emulator that would run this kind of guest; a new reference. emulator is NULL when
     * the document names none. NULL when they are not known: documents are still accepted, and what
     * depends on the emulator stays as it is. Must not report errors. May be NULL.
     */
    QemuCaps *(*lookup_caps)(void *opaque, const char *emulator, const char *arch, const char *virt_type);
    /* Path of the emulator for an architecture, owned by the callee; NULL when there is none. */
    const char *(*emulator)(void *opaque, const char *arch);
    void *opaque;
    const char *host_arch;             /* NULL: of this build */
    const char *vnc_listen, *spice_listen; /* "127.0.0.1" when NULL */
    const char *nvram_dir;             /* "/var/lib/libvirt/qemu/nvram" */
    const char *channel_dir;           /* "/var/lib/libvirt/qemu/channel/target" */
    bool spice_tls;                    /* SPICE may use TLS ports */
    const char *host_audio;            /* QEMU_AUDIO_DRV of this process, where a guest may use it: */
    bool vnc_host_audio, nographics_host_audio;
    bool keep_hardware;                /* the document is of an existing guest: no new USB topology */
} QemuPolicyData;

/* data of its functions: const QemuPolicyData *, required. */
extern const ConfPolicy qemu_policy;
