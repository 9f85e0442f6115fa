/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tuning in definitions. */
#pragma once

#include "conf/domain.h"

/* An element that says nothing is not written: for definitions that lost the last of it. */
void tuning_drop_empty(DomainDef *d);
