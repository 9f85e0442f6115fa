/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SMBIOS data of a host: <sysinfo> with processors and memory modules. Conventions: conf/types.h. */
#pragma once

#include "conf/domain_os.h"
#include "conf/kinds.h"

CONF_STRUCTS_BEGIN

typedef struct HostSysinfo {
    GPtrArray *bios, *system, *chassis; /* SysinfoEntry */
    GPtrArray *boards;                  /* SysinfoBoard */
    GPtrArray *processors;              /* SysinfoBoard: one for each socket */
    GPtrArray *memory_devices;          /* SysinfoBoard: one for each module */
    GPtrArray *oem_strings;             /* StrItem */
} HostSysinfo;

CONF_STRUCTS_END

DOC_KIND_DECLARE(host_sysinfo, HostSysinfo)
