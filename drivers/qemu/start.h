/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A start is a table of steps. Each says how it is done, how it is undone, and how it is taken up
 * again after a restart of ours. A failed start undoes its steps in reverse, from the one that failed; the
 * end of a run undoes all; so does a daemon that finds a start which a killed one had begun.
 *
 * To add a step: a row in the table of start.c, its functions in a file of its concern. The rules:
 *   - an undo sees a Run: what is on record, never what the start had in memory. What it needs to know,
 *     the step keeps in QemuStatus (guest.h) or in the live definition;
 *   - an undo is called for a step that failed half-way, that never ran (a killed daemon), and may be
 *     called twice: what is not there is no error. r->status->starting tells that the guest never ran;
 *   - what must be undone after a kill -9 is on record before it is done: the step 'record' writes
 *     status and definition as they are then; a step that learns more calls start_note() first.
 * Workers, within the domain's turn.
 */
#pragma once

#include "drivers/qemu/cmdline.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/private_dev.h"
#include "drivers/qemu/resources.h"

enum { START_PAUSED = 1 << 0, START_AUTODESTROY = 1 << 1, START_RESET_NVRAM = 1 << 2 };

/* How a guest is started; all zero: booted. */
typedef struct StartHow {
    unsigned flags;
    /* The guest ran before: the emulator waits for its state (-incoming defer), and load() brings it in
     * between the set-up and the first instruction. */
    bool (*load)(Qmp *mon, void *data, GError **err);
    void *data;
    const char *loaded_from; /* a managed image, on record until it is gone; NULL: none */
    int running_reason, paused_reason; /* VIR_DOMAIN_RUNNING_*, _PAUSED_*; 0: booted, by the user */
    int started_detail, resumed_detail, suspended_detail; /* VIR_DOMAIN_EVENT_STARTED_* … */
} StartHow;

/* What a run has on the host, for undo and again: from a start in progress or from the record. */
typedef struct Run {
    const char *name;
    int id;
    const DomainDef *def; /* live definition */
    const QemuStatus *status;
    Guest *guest;
} Run;

/* A start in progress. */
typedef struct Start {
    DomainTurn *t;
    Guest *g;
    const StartHow *how;
    DomainDef *def;     /* becomes the live definition */
    bool def_given;     /* it is the turn's by now */
    QemuStatus *status; /* becomes the run's record */
    QemuCaps *caps;
    QemuCmdlineContext ctx; /* for the step 'command line': earlier ones may fill in */
    Resources res;
    PrivateDev dev; /* from the step 'private devices' to 'launch' */
    GPtrArray *argv, *env;
    QemuLaunch *launch;
    Qmp *qmp; /* from the step 'monitor' on */
} Start;

typedef struct StartStep {
    const char *name; /* what errors, the log and `modvirt plan` call it */
    bool (*run)(Start *s, GError **err);
    void (*undo)(const Run *r);
    /* After a restart of ours, for a guest that runs: what we keep in memory about it. */
    void (*again)(const Run *r);
    /* For `modvirt plan`, changing nothing; def, caps and ctx of s are there. tell: what would be done,
     * lines (owned strings). check: what on this host would make it fail. */
    void (*tell)(const Start *s, GPtrArray *lines);
    bool (*check)(const Start *s, GError **err);
    bool looks; /* run() changes nothing on the host: a plan runs it */
} StartStep;

/* In the order of a start; ends with a row without name. */
extern const StartStep start_steps[];

/* Starts the emulator for def (taken) and commits the turn once the guest is on record. After a
 * failure nothing is left behind and the turn is as it was; the error names the step. */
bool start_guest(DomainTurn *t, DomainDef *def, const StartHow *how, GError **err);
/* Names of paths and files, from status->id and the definition's name. */
void start_name_files(Start *s);
/* Writes what undo would need to know from here on. Before the step 'resume'. */
bool start_note(Start *s, GError **err);
/* All undos, in reverse; the emulator has ended. */
void start_undo_all(const Run *r);
void start_again(const Run *r);

/* start_hooks.c */
bool start_hook_prepare(Start *s, GError **err);
bool start_hook_start(Start *s, GError **err);
bool start_hook_started(Start *s, GError **err);
void start_undo_hook_start(const Run *r);
void start_undo_hook_prepare(const Run *r);
/* op of the hook "qemu" with the document on its input, of a guest at rest with id -1; true without hooks. */
bool qemu_hook(const char *name, const char *op, const char *sub_op, const DomainDef *def, int id, GError **err);
/* The document of a guest that comes back from a file, and what the hook made of it: NULL when it is content. */
bool qemu_hook_restore(const char *name, const char *xml, char **changed, GError **err);

/* start_tell.c */
void start_tell_definition(const Start *s, GPtrArray *lines);
void start_tell_images(const Start *s, GPtrArray *lines);
void start_tell_record(const Start *s, GPtrArray *lines);
bool start_check_record(const Start *s, GError **err);
void start_tell_directories(const Start *s, GPtrArray *lines);
bool start_check_directories(const Start *s, GError **err);
void start_tell_nvram(const Start *s, GPtrArray *lines);
bool start_check_nvram(const Start *s, GError **err);
void start_tell_ports(const Start *s, GPtrArray *lines);
bool start_check_ports(const Start *s, GError **err);
void start_tell_command_line(const Start *s, GPtrArray *lines);
bool start_check_command_line(const Start *s, GError **err);
void start_tell_launch(const Start *s, GPtrArray *lines);
bool start_check_launch(const Start *s, GError **err);
/* start_steps.c */
bool start_definition(Start *s, GError **err);
bool start_directories(Start *s, GError **err);
void start_undo_directories(const Run *r);
char *start_memory_dir(const char *domain, int id);
bool start_images(Start *s, GError **err);
/* What of dropped (MissingImage) the start goes on without: to the log, and to clients. */
void start_note_missing(const Start *s, const GPtrArray *dropped);
bool start_devices(Start *s, GError **err);
bool start_nvram(Start *s, GError **err);
void start_undo_nvram(const Run *r);
bool start_ports(Start *s, GError **err);
void start_undo_ports(const Run *r);
void start_ports_again(const Run *r);
bool start_command_line(Start *s, GError **err);
void start_undo_command_line(const Run *r);
bool start_launch(Start *s, GError **err);
void start_undo_launch(const Run *r);
/* volumes.c */
bool start_volumes(Start *s, GError **err);
void start_tell_volumes(const Start *s, GPtrArray *lines);
/* security.c */
bool start_labels(Start *s, GError **err);
void start_undo_labels(const Run *r);
void start_tell_labels(const Start *s, GPtrArray *lines);
bool start_check_labels(const Start *s, GError **err);
/* start_monitor.c */
bool start_monitor(Start *s, GError **err);
bool start_set_up(Start *s, GError **err);
bool start_state(Start *s, GError **err);
bool start_resume(Start *s, GError **err);
