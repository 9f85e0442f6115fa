/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the engine and the device table. */
#pragma once

#include "conf/row.h"

/* The children of <devices>, appended to list (Device). */
bool conf_parse_devices(ConfParser *p, xmlNode *devices, GPtrArray *list, GError **err);
/* Devices in the order of their kinds; <devices> is open. */
void conf_format_devices(ConfFormatter *f, const GPtrArray *list);

/* Description of a device kind, NULL: no rows yet. */
const ConfDesc *device_desc(DeviceKind kind);
