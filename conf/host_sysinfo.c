/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The rows of a host's SMBIOS data; entries are those that guests have. */
#include "conf/host_sysinfo.h"

#include "conf/device-internal.h"
#include "conf/domain.h"

/* clang-format off */
#define S HostSysinfo
static const ConfField host_sysinfo_rows[] = {
    CONF_CONST("@type", "smbios"),
    CONF_LIST(S, bios, "bios/entry", sysinfo_entry_desc, 0, "firmware"),
    CONF_LIST(S, system, "system/entry", sysinfo_entry_desc, 0, "computer"),
    CONF_LIST(S, boards, "baseBoard", sysinfo_board_desc, 0, "boards"),
    CONF_LIST(S, chassis, "chassis/entry", sysinfo_entry_desc, 0, "chassis"),
    CONF_LIST(S, processors, "processor", sysinfo_board_desc, 0, "processors"),
    CONF_LIST(S, memory_devices, "memory_device", sysinfo_board_desc, 0, "memory modules"),
    CONF_LIST(S, oem_strings, "oemStrings/entry", str_text_desc, 0, "vendor's strings"),
};
#undef S
CONF_DESC(host_sysinfo_desc, HostSysinfo, host_sysinfo_rows);
/* clang-format on */

const DocKind host_sysinfo_kind = { .name = "sysinfo", .root = "sysinfo", .desc = &host_sysinfo_desc };
DOC_KIND_DEFINE(host_sysinfo, HostSysinfo)
