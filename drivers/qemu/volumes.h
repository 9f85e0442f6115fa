/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Disks whose image is a volume of a storage pool (volume_source.h): what it is now, says the storage daemon. */
#pragma once

#include "conf/domain.h"
#include "drivers/common/turn.h"

/* Asks the storage daemon about all disks that are volumes, until one deadline; a definition without any asks nobody.
 * A volume that is not there, of a disk whose startup policy allows that, is left out and told of in dropped
 * (MissingImage). c: for whom, NULL: for ourselves. resumes: a guest that ran before. Blocks. */
bool volumes_find(DomainDef *d, Call *c, bool resumes, GPtrArray *dropped, GError **err);
/* One disk; for media and disks that come while the guest runs. */
bool volumes_find_disk(DiskDef *disk, Call *c, GError **err);
/* For a running guest that an older daemon recorded: its record names volumes, and not what they are. */
void volumes_find_again(DomainTurn *t);
