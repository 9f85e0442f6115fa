/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Firmware descriptors: JSON documents in which distributions say what a firmware image is for. Their
 * language is QEMU's docs/interop/firmware.json.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum { FIRMWARE_DESCRIPTOR_MAX = 256 << 10 }; /* bytes of one */

/* Is it one, strictly: no member and no word that the language does not have? The error lists all that is wrong,
 * one per line, each with its place ("targets[0]/machines"). Any thread. */
bool firmware_descriptor_check(const char *text, gsize len, GError **err);
