/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a driver adds to the stages after parsing. conf knows no hypervisor: machine defaults,
 * implicit devices and limits of an emulator come in here. Every member may be NULL/0.
 *
 * Order: parse → resolve → defaults (conf, then .device_defaults per device in document order, then
 * .domain_defaults, which may add devices: those get .device_defaults, too, before
 * .domain_assign) → validate (conf, then .device_validate, .domain_validate).
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

struct DomainDef;
struct Device;

enum { /* ConfPolicy.features */
    CONF_POLICY_SERIAL_CONSOLE = 1 << 0,  /* the first serial port and the first console are one */
    CONF_POLICY_NAME_SLASH = 1 << 1,      /* '/' is allowed in names */
    CONF_POLICY_WIDE_SCSI = 1 << 2,       /* 16 units per SCSI target row instead of 7 */
    CONF_POLICY_OFFLINE_VCPUPIN = 1 << 3,
    CONF_POLICY_INDIVIDUAL_VCPUS = 1 << 4, /* <vcpus> is understood */
    CONF_POLICY_USER_ALIAS = 1 << 5,      /* "ua-" aliases persist */
    CONF_POLICY_DISK_FD = 1 << 6,
    CONF_POLICY_NET_MODEL_STRING = 1 << 7,
};

typedef struct ConfPolicy {
    const char *name; /* for messages */
    unsigned features;
    uint8_t mac_prefix[3]; /* all zero: 52:54:00 */
    unsigned sata_ports;   /* of a controller; 0: 6 */
    const char *default_arch;      /* when <type> has no @arch; NULL: the host's */
    bool (*device_defaults)(struct DomainDef *d, struct Device *dev, void *data, GError **err);
    bool (*domain_defaults)(struct DomainDef *d, void *data, GError **err);
    /* After all defaults: addresses, indices that depend on the whole. */
    bool (*domain_assign)(struct DomainDef *d, void *data, GError **err);
    bool (*device_validate)(const struct DomainDef *d, const struct Device *dev, void *data, GError **err);
    bool (*domain_validate)(const struct DomainDef *d, void *data, GError **err);
} ConfPolicy;
