/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From QMP replies to flags; used by caps_query.c only. */
#pragma once

#include "drivers/qemu/caps_probe.h"

/* A command that may be absent or refused: then *ret stays NULL. False: the emulator is lost. */
bool caps_ask_maybe(const CapsSource *src, const char *cmd, JsonObject *args, JsonObject **ret, GError **err);

/* What has been asked so far. */
typedef struct CapsReplies CapsReplies;

/* Asks for the names of commands and types. */
CapsReplies *caps_replies_new(const CapsSource *src, GError **err);
void caps_replies_free(CapsReplies *r);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(CapsReplies, caps_replies_free)
bool caps_replies_has_command(const CapsReplies *r, const char *cmd);

/* Sets every flag that has a rule; c has its machines already. */
bool caps_rules_apply(QemuCaps *c, const CapsSource *src, CapsReplies *r, GError **err);
/* Then those that follow from version, architecture or other flags. */
void caps_rules_derive(QemuCaps *c, const CapsReplies *r);

bool qemu_arch_is_x86(const char *arch);
bool qemu_arch_is_arm(const char *arch);
