/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firmware that the host has, by the descriptors that distributions install
 * (firmware_files.h), and the guest's own copy of its variables.
 */
#pragma once

#include "conf/domain.h"

/* Turns <os firmware='…'> into loader, nvram and features of the first descriptor, by file name,
 * that fits. Nothing to do when the document names a loader. dirs as for firmware_files().
 * nvram_dir: where a file of variables goes that has no path yet. */
bool qemu_firmware_select(DomainDef *d, const char *const *dirs, const char *nvram_dir, GError **err);
/* Where the variables of a guest are, or go, whose document does not say so. */
char *qemu_firmware_nvram_path(const char *nvram_dir, const char *name, bool qcow2);
/* Whether the guest has a file of variables that does not exist yet. */
bool qemu_firmware_needs_nvram(const DomainDef *d);
/* What it is made from; NULL: there is nothing. For a guest that needs it. */
char *qemu_firmware_template(const DomainDef *d);
/* Makes the file of variables from its template when it does not exist; anew: in any case. Blocks. */
bool qemu_firmware_make_nvram(const DomainDef *d, bool anew, GError **err);
