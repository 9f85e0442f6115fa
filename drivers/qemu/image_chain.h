/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The image files of a guest as they are on this host: whether they are there, and what lies below. */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/access.h"

/* A medium that a start goes on without, or with its whole disk. */
typedef struct MissingImage {
    char *target, *alias, *path;
    bool with_disk;
} MissingImage;
void missing_image_free(void *m);
/* The disk's startup policy lets a start go on without its image. resumes: of a guest that ran before. */
bool image_may_be_missing(const DiskDef *disk, bool resumes);
/* Empties the drive, or takes the disk out of d; how many devices that are fewer. */
unsigned images_leave_out(DomainDef *d, DiskDef *disk, GPtrArray *dropped);

/* Fills in the layers below each disk's image that the document leaves open, from the images' own
 * headers, and sees that every one can be reached. A medium with a startup policy that allows it is
 * left out when it is missing, and told of in dropped (MissingImage). resumes: a guest that ran before.
 * Blocks. */
bool images_resolve(DomainDef *d, const Creds *as, bool resumes, GPtrArray *dropped, GError **err);
/* One disk; for media and disks that come while the guest runs. */
bool images_resolve_disk(DiskDef *disk, const Creds *as, GError **err);
typedef bool (*ImageSkip)(const char *path);
/* Can they be used as they are now? mode of the top image by its disk. skip (may be NULL): which are not looked at. */
bool images_usable(const DomainDef *d, const Creds *as, ImageSkip skip, GError **err);
