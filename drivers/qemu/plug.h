/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices that come, go and change while a guest exists. plug_config.c edits the definition for the next
 * start; plug_live.c and its companions change the running guest. Workers, with the domain's turn.
 */
#pragma once

#include "conf/domain.h"

/* Which changes of a kind can be made where. */
enum {
    PLUG_CONFIG_ATTACH = 1 << 0, /* and detach */
    PLUG_CONFIG_UPDATE = 1 << 1,
    PLUG_LIVE_ATTACH = 1 << 2, /* and detach */
    PLUG_LIVE_UPDATE = 1 << 3,
};
unsigned plug_kind(DeviceKind kind);

/* Change a definition (an own copy: after a failure it is to be thrown away). dev is what the client's document
 * says, without defaults; taken by attach and update. */
bool plug_config_attach(DomainDef *d, Device *dev, GError **err);
bool plug_config_detach(DomainDef *d, const Device *like, GError **err);
bool plug_config_update(DomainDef *d, Device *dev, GError **err);
bool plug_config_detach_alias(DomainDef *d, const char *alias, GError **err);

/* Memory is counted in the definition as a whole. */
void plug_count_memory(DomainDef *d, const MemoryDef *m, bool added);
/* Is there room for one more memory device of this size? */
bool plug_check_memory(const DomainDef *d, const MemoryDef *m, GError **err);
