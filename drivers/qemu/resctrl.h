/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Parts of caches and memory bandwidth; automatic placement. Any thread. */
#pragma once

#include "conf/domain.h"

/* Can this guest have what it asks for here? */
bool resctrl_possible(const DomainDef *d, GError **err);
