/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the validate stage. */
#pragma once

#include "conf/domain.h"

bool validate_devices(const DomainDef *d, GError **err);
bool validate_misc(const DomainDef *d, const Device *dev, GError **err); /* one device; not disks, interfaces */
bool validate_parts(const DomainDef *d, GError **err);
/* What is wrong with a route by itself, NULL: nothing. */
char *route_problem(const NetRoute *r);
/* The same of a list of addresses and one of routes. Free. */
char *addresses_problem(const GPtrArray *ips, const GPtrArray *routes);
bool validate_net(const NetDef *n, GError **err);
const char *teaming_problem(TeamingType type, const char *persistent);
/* of: the device that has them, for messages. */
bool validate_device_seclabels(const GPtrArray *labels, const char *of, GError **err);
bool validate_tuning(const DomainDef *d, GError **err); /* cputune, numatune, cpu, memory */
