/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the validate stage. */
#pragma once

#include "conf/domain.h"

bool validate_devices(const DomainDef *d, GError **err);
bool validate_tuning(const DomainDef *d, GError **err); /* cputune, numatune, cpu, memory */
