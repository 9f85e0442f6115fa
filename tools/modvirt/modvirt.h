/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The modvirt tool: one program, one row per command. A command gets its own argv (argv[0] is its
 * name) and returns the exit status: 0 fine, 1 what was asked about is not, 2 wrong usage or trouble.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

enum { EXIT_OK = 0, EXIT_NO = 1, EXIT_TROUBLE = 2 };

typedef struct Command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *usage; /* behind the name */
    const char *what;  /* one line */
} Command;

extern const Command commands[]; /* ends with name NULL */

/* "modvirt validate: text" to stderr; returns EXIT_TROUBLE. */
int trouble(const char *command, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
int usage_error(const Command *c);
const Command *command_find(const char *name);
/* A whole file ("-": standard input) of at most max bytes. */
char *read_document(const char *path, gsize max, gsize *ret_len, GError **err);

int cmd_validate(int argc, char **argv);
int cmd_convert(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_schema(int argc, char **argv);
int cmd_reference(int argc, char **argv);
int cmd_calls(int argc, char **argv);
int cmd_cancel(int argc, char **argv);
int cmd_can_i(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_events(int argc, char **argv);

/* Daemons are asked by way of the proxy whose admin socket this is. */
void daemons_by_proxy(const char *admin_socket);

/* Where everything is, from MODVIRT_ROOT and who asks; once is enough. */
bool paths_ready(GError **err);
