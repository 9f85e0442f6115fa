/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command line of a daemon. */
#pragma once

#include <stdbool.h>

#include "daemons/main.h"

typedef struct Options {
    const char *config;   /* NULL: the default one, which may be missing */
    const char *pid_file; /* NULL: the default one */
    const char *root;     /* NULL: none */
    bool background, verbose, listen;
    unsigned timeout_sec; /* idle exit; 0: never */
} Options;

/* False: the process ends with *ret_status (help and version printed, or the command line is wrong
 * and the reason is on stderr). */
bool options_parse(int argc, char **argv, const DaemonSpec *spec, Options *ret, int *ret_status);
