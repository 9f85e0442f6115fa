/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a driver's domains: definitions in SYSCONFDIR/libvirt/DRIVER/NAME.xml, autostart links
 * beside them, status in RUNDIR/libvirt/DRIVER/NAME.xml. Names and places are those of today's
 * hosts, so that guests are found when the daemons are exchanged.
 */
#pragma once

#include "drivers/common/domain.h"

/* Reads status and identities into the registry; what a definition says otherwise is read when it is
 * first needed (view_config()). A file that cannot be read is left as it is and
 * named in the log. ret_live: domains with a status file (references), to be reconnected. */
bool store_load(GPtrArray **ret_live, GError **err);
