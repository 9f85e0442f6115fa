/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Interfaces of a definition by what clients call them. Pure. */
#pragma once

#include "conf/domain.h"

/* By MAC address or name of the host's device; NULL: none. */
const NetDef *net_find(const DomainDef *def, const char *word);
/* What the interface is, once a network has been resolved. */
NetType net_actual_type(const NetDef *n);
/* The host's device counts as the guest does (macvtap), not the other way round (tap). */
bool net_shares_host_view(const NetDef *n);
