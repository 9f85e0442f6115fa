/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs that serve one guest beside its emulator: TPM emulator, file server, network. They are a step of
 * the start, are found again after a restart of ours by what the status says, are watched while the guest
 * runs, and end with it.
 */
#pragma once

#include "drivers/qemu/start.h"
#include "util/spawn.h"

/* Of a helper, in the status. */
typedef struct HelperRecord {
    char *device; /* alias */
    char *program;
    pid_t pid;
    uint64_t start_time;
} HelperRecord;

HelperRecord *helper_record_new(const char *device, const char *program, pid_t pid,
                                uint64_t start_time);
HelperRecord *helper_record_copy(const HelperRecord *r);
void helper_record_free(void *record);

/* Steps (start.h). */
bool start_helpers(Start *s, GError **err);
void start_undo_helpers(const Run *r);
void start_helpers_again(const Run *r);
bool start_check_helpers(const Start *s, GError **err);

/* At the end of the daemon, without the monitor thread: nobody is watched any more. */
void helper_stop(void);

/* One helper for a device of s, from what the functions below found. argv: without a path it is looked for.
 * Its output goes to a log of its own, LOG/qemu/NAME-ALIAS-PROGRAM.log. fds are copied. */
bool helper_spawn(Start *s, const char *device, const char *const *argv, const SpawnUser *user,
                  const SpawnFd *fds, unsigned n_fds, GError **err);
/* A listening socket in the run's directory that the emulator may connect to; the path in *ret_path. */
int helper_listen(const Start *s, const char *leaf, char **ret_path, GError **err);
/* A program of the host by name, or by absolute path; NULL with *err, which says for which device and what to
 * install. */
char *helper_find(const char *program, const char *what, GError **err);

/* helper_tpm.c */
bool helper_tpm_start(Start *s, const TpmDef *t, GError **err);
bool helper_tpm_check(const DomainDef *def, const TpmDef *t, GError **err);
/* Whether the guest has an emulated TPM, of which nothing is stored yet. */
bool helper_tpm_is_new(const DomainDef *def);
/* Everything that emulated TPMs of this guest ever stored. */
void helper_tpm_forget(const Uuid uuid);
/* A definition goes away (flags: VIR_DOMAIN_UNDEFINE_*), or a guest without one has ended (0). */
void helper_tpm_undefined(const DomainDef *def, unsigned flags);
/* helper_virtiofs.c */
bool helper_virtiofs_start(Start *s, const FsDef *f, GError **err);
char *helper_virtiofs_program(const FsDef *f, GError **err);
/* helper_passt.c; the emulator's end goes to s->res. */
bool helper_passt_start(Start *s, const NetDef *n, GError **err);
