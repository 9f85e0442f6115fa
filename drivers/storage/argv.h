/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The words of a command, made one by one: nothing goes through a shell. A word is either ours (an
 * option) or somebody's (an operand), and an operand that the program would take for an option is refused.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Argv {
    GPtrArray *words; /* char *; the first is the program's name */
    char *bad;        /* the first operand that cannot be passed */
} Argv;

Argv *argv_new(const char *program);
void argv_free(Argv *a);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Argv, argv_free)

void argv_words(Argv *a, ...) G_GNUC_NULL_TERMINATED; /* ours */
void argv_wordf(Argv *a, const char *fmt, ...) G_GNUC_PRINTF(2, 3);
/* Somebody's: a path, the name of a group, "host:/dir". */
void argv_operand(Argv *a, const char *text);

/* Can it be run? */
bool argv_check(const Argv *a, GError **err);
/* A line for people, quoted as a shell would want it. */
char *argv_text(const Argv *a);

/* Options that are one word, "a=1,b=2": what is added last ends it. Commas in values are doubled. */
typedef struct ArgvList {
    GString *s;
} ArgvList;
void argv_list_add(ArgvList *l, const char *name, const char *value);
void argv_list_addf(ArgvList *l, const char *name, const char *fmt, ...) G_GNUC_PRINTF(3, 4);
void argv_list_flag(ArgvList *l, const char *name); /* a word without a value */
/* Adds option and list, when there is anything in it, and empties it. option NULL: the list alone. */
void argv_list_end(ArgvList *l, Argv *a, const char *option);
