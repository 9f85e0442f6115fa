/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Documents of definitions that are asked for again and again. Any thread. */
#pragma once

#include "drivers/common/domain.h"

/* domain_format() of the definition that s holds (def), remembered when it is asked for a second time. */
char *xml_cache_format(SharedDef *s, const DomainDef *def, unsigned flags, int id, GError **err);
void xml_cache_clear(void);
