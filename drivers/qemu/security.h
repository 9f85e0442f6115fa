/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * As whom a guest's emulator runs and whose its files are meanwhile: the traditional permissions ("dac").
 * Models of the kernel (SELinux, AppArmor) are not served; a document that asks for one is refused. An
 * unprivileged daemon has no model at all: its guests run as its user.
 */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/access.h"
#include "drivers/qemu/start.h"

/* Settles the labels of the live definition of a guest that starts: checks those that are given, adds the
 * one that is not. */
bool security_choose(DomainDef *d, GError **err);
/* The model "dac" in a live definition; NULL: the daemon is unprivileged. */
const SeclabelDef *security_label(const DomainDef *live);
/* Whom the emulator of this live definition runs as. */
void security_creds(const DomainDef *live, Creds *ret);

/* Lends all files of a device to a running guest (owner.h) as the definition's label has it, and takes them
 * back. private_dev: the directory of the guest's own /dev (private_dev.h), where its nodes are then made and
 * removed; -1: it has none. For hotplug; after a failed lend nothing is lent. */
bool security_lend_device(const DomainDef *live, const Device *dev, int private_dev, GError **err);
void security_return_device(const DomainDef *live, const Device *dev, int private_dev);
/* Paths of all files that would be lent for it; free with g_strfreev. */
char **security_files(const DomainDef *live, const Device *dev, int private_dev);
