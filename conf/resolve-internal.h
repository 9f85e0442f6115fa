/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Between the files of the resolve stage. */
#pragma once

#include "conf/domain.h"

void domain_order(DomainDef *d);
