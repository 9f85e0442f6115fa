/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where QemuCaps come from: the emulator is asked over QMP when somebody first wants to know, the
 * answer is kept in memory and in CACHE/qemu/capabilities, and asked for again when the binary, the
 * host's CPU or kernel, or this program changed.
 */
#pragma once

#include "drivers/qemu/caps.h"
#include "drivers/qemu/qmp.h"

/* Cached or probed; a reference. Blocks for the time of a probe (about a second) when it must;
 * threads that ask for the same binary wait for one probe. Workers only. */
QemuCaps *qemu_caps_get(const char *binary, GError **err);
/* The same for who needs no more than what caps.h says of brief: a tenth of the time when nothing is known. */
QemuCaps *qemu_caps_get_brief(const char *binary, GError **err);
/* Makes all of them known briefly, several at a time; emulators: as qemu_emulators() has them. Errors are those
 * that qemu_caps_get_brief() will have. */
void qemu_caps_get_all_brief(char *const *emulators);
/* Probes now, no cache. */
QemuCaps *qemu_caps_probe(const char *binary, GError **err);
/* Forgets what is in memory (a reload, tests). */
void qemu_caps_cache_clear(void);

/* Path of the emulator for guests of an architecture ("x86_64", "aarch64" …); NULL when none is
 * installed. */
char *qemu_emulator_find(const char *arch);
/* All emulators in the PATH directories and libexec, one per architecture; NULL-terminated pairs
 * arch, path, arch, path … */
char **qemu_emulators(void);

/* The JSON values of a file, one after the other; an array that owns them. */
GPtrArray *qemu_recording_load(const char *path, GError **err);
/* Replies that were recorded (pairs of command and reply, one JSON value after the other). */
QemuCaps *qemu_caps_from_recording(const char *path, const char *binary, GError **err);
/* Either of the two kinds of file: a recording, or what qemu_caps_load_xml() reads. */
QemuCaps *qemu_caps_load(const char *path, const char *binary, GError **err);

/* Where replies come from: a live monitor or a recording. */
typedef struct CapsSource {
    /* false: the command failed; a missing command is a failure with VIR_ERR_OPERATION_UNSUPPORTED. */
    bool (*call)(void *data, const char *cmd, JsonObject *args, JsonObject **ret, GError **err);
    void *data;
} CapsSource;
typedef enum CapsPass {
    CAPS_BRIEF,  /* what QemuCaps.brief says */
    CAPS_ALL,    /* under the best accelerator */
    CAPS_SECOND, /* after CAPS_ALL, what differs under the second accelerator: CPU models, machines */
} CapsPass;
/* The rules from replies to flags, machines and models. */
bool qemu_caps_query(QemuCaps *c, const CapsSource *src, CapsPass pass, GError **err);
