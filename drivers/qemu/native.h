/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line that a document would get, as text for people and their shells. */
#pragma once

#include "drivers/qemu/cmdline.h"
#include "drivers/qemu/defaults.h"
#include "drivers/qemu/prepare.h"

/* QemuCmdlineContext.secret for who only looks: the text shows that there is one, and not what it is. */
bool native_hidden_secret(void *opaque, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err);

/*
 * Environment and arguments for a shell. wrapped: an option and its value on a line; otherwise all on one
 * line, the monitor by its path, as clients know it. Nothing is opened or created: descriptors are numbered from 3 in the order in which a start would hand them over, displays
 * get the ports from 5900. lib: the parent of the private directory that the text names; base: the
 * settings of the host (fd, id, lib_dir and secret are not looked at).
 */
char *qemu_native_argv(const char *xml, size_t len, const QemuPolicyData *policy, const QemuRun *run,
                       const QemuCmdlineContext *base, const char *lib, bool wrapped, GError **err);
