/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a running emulator is told to get a device: a list of QMP commands, each with the command that takes it
 * back. The pieces of the command line (cmdline*.c) make the list instead of options; the same list, read
 * backwards, is what has to go after the guest has given the device up.
 */
#pragma once

#include <stdbool.h>

#include "util/json.h"

typedef struct PlugSteps PlugSteps;

typedef enum PlugCommand {
    PLUG_OBJECT,
    PLUG_CHARDEV,
    PLUG_BLOCK,
    PLUG_NETDEV,
    PLUG_DEVICE,
    PLUG_GETFD,    /* a descriptor by name, gone when the next command takes it */
    PLUG_ADD_FD,   /* a descriptor in a set of its own, open as long as somebody uses the set */
    PLUG_WATCHDOG,
    PLUG_THROTTLE,
    PLUG_LINK,
    _PLUG_COMMAND_N,
} PlugCommand;

typedef struct PlugStep {
    PlugCommand command;
    char *id;         /* by which it is taken back */
    JsonObject *args;
    int fd;           /* borrowed; -1 none */
    char *pty;        /* of a character device, once it is made: the terminal's path */
    bool done;
} PlugStep;

struct PlugSteps {
    GPtrArray *list;       /* PlugStep */
    bool removing;         /* the list is only read backwards: nothing is opened for it */
    unsigned next_fdset;   /* number of the next set, once it is known */
    bool fdset_known;
    const char *refused;   /* an option that has no command */
};

PlugSteps *plug_steps_new(bool removing);
void plug_steps_free(PlugSteps *s);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlugSteps, plug_steps_free)
/* args is taken. */
void plug_steps_add(PlugSteps *s, PlugCommand command, const char *id, JsonObject *args, int fd);
/* What an option of the command line ("-device", ...) says; o is taken. */
void plug_steps_option(PlugSteps *s, const char *option, JsonObject *o);
/* Moves the steps of other in front of the first device of s. */
void plug_steps_before_device(PlugSteps *s, PlugSteps *other);
