/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptions that the files of conf/ share with each other. */
#pragma once

#include "conf/domain.h"
#include "conf/row.h"

extern const ConfDesc device_head_desc, device_info_desc, device_address_desc, pci_address_desc,
    drive_address_desc, virtio_options_desc;
extern const ConfDesc storage_desc, top_storage_desc, reconnect_desc, seclabel_desc, chr_source_desc, net_ip_desc,
    net_route_desc, str_text_desc, vlan_desc, vport_desc, bandwidth_desc, rate_desc, filter_param_desc;

extern const ConfDesc sysinfo_entry_desc, sysinfo_board_desc, cpu_topology_desc, cpu_phys_desc;
extern const ConfDesc iotune_desc, disk_iothread_desc;
extern const ConfDesc secret_ref_desc, encryption_desc, storage_private_desc, storage_auth_desc, storage_permissions_desc, pool_extent_desc, backup_desc;

extern const ConfDesc disk_desc, controller_desc, lease_desc, filesystem_desc, net_desc, smartcard_desc,
    serial_desc, parallel_desc, console_desc, channel_desc, input_desc, tpm_desc, graphics_desc,
    audio_desc, sound_desc, video_desc, hostdev_desc, redirdev_desc, redirfilter_desc, hub_desc,
    watchdog_desc, memballoon_desc, rng_desc, nvram_desc, panic_desc, shmem_desc, memory_desc,
    iommu_desc, vsock_desc, crypto_desc, pstore_desc;

extern const ConfDesc host_cpu_desc, os_desc, features_desc, clock_desc, sysinfo_desc, cpu_desc, domain_desc;
extern const ConfDesc memory_backing_desc, memory_tuning_desc, cpu_tuning_desc, blkio_desc, numatune_desc,
    iothread_desc, vcpu_desc, idmap_desc;

/* All descriptions, NULL at the end: for self-tests. */
extern const ConfDesc *const conf_all_descs[];

/* A domain inside of another document: an element of it, and text to be placed there. */
DomainDef *domain_parse_element(xmlNode *root, unsigned flags, const ConfPolicy *policy, void *policy_data,
                                GError **err);
char *domain_format_inside(const DomainDef *d, unsigned flags, const DomainFormatContext *ctx, unsigned indent,
                           GError **err);

/* The common first row of every device. Where it stands, boot, alias and address are written. */
#define CONF_DEVICE_HEAD(T) CONF_STRUCT(T, dev, "", device_head_desc, CF_ABI, "")

int device_kind_find(const char *element);
Device *device_parse_element(ConfParser *p, xmlNode *el, GError **err);
