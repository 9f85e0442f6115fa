/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Command line. The options are those that units, scripts and clients pass to such daemons. */
#include "daemons/options.h"

#include <getopt.h>
#include <glib.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { OPTION_ROOT = 1000 };

static void print_help(const DaemonSpec *spec)
{
    printf("Usage: %s [OPTION]...\n\n", spec->name);
    printf("  -h, --help             show this and exit\n"
           "  -V, --version          show the version and exit\n"
           "  -v, --verbose          log information, not only warnings\n"
           "  -d, --daemon           go to the background once ready\n"
           "  -f, --config FILE      configuration file\n"
           "  -p, --pid-file FILE    where to write the process id\n"
           "  -t, --timeout SECS     exit after so many seconds without clients and work\n");
    if (spec->proxy)
        printf("  -l, --listen           listen on TCP as well, as the configuration says\n");
    printf("      --root DIR         keep all state, sockets and configuration below DIR\n\n"
           "Signals: TERM and INT stop it (guests run on), HUP reads the configuration again.\n");
}

static bool parse_seconds(const char *text, unsigned *ret)
{
    guint64 v;

    if (!g_ascii_string_to_unsigned(text, 10, 0, INT_MAX, &v, NULL))
        return false;
    *ret = (unsigned)v;
    return true;
}

bool options_parse(int argc, char **argv, const DaemonSpec *spec, Options *ret, int *ret_status)
{
    static const struct option longs[] = {
        { "help", no_argument, NULL, 'h' },           { "version", no_argument, NULL, 'V' },
        { "verbose", no_argument, NULL, 'v' },        { "daemon", no_argument, NULL, 'd' },
        { "config", required_argument, NULL, 'f' },   { "pid-file", required_argument, NULL, 'p' },
        { "timeout", required_argument, NULL, 't' },  { "listen", no_argument, NULL, 'l' },
        { "root", required_argument, NULL, OPTION_ROOT }, { NULL, 0, NULL, 0 },
    };
    Options o = { 0 };
    int c;

    *ret_status = EXIT_FAILURE;
    while ((c = getopt_long(argc, argv, spec->proxy ? "hVvdf:p:t:l" : "hVvdf:p:t:", longs, NULL)) !=
           -1) {
        switch (c) {
        case 'h':
            print_help(spec);
            *ret_status = EXIT_SUCCESS;
            return false;
        case 'V':
            printf("%s (modvirt) %s\n", spec->name, MODVIRT_VERSION);
            *ret_status = EXIT_SUCCESS;
            return false;
        case 'v':
            o.verbose = true;
            break;
        case 'd':
            o.background = true;
            break;
        case 'f':
            o.config = optarg;
            break;
        case 'p':
            o.pid_file = optarg;
            break;
        case 't':
            if (!parse_seconds(optarg, &o.timeout_sec)) {
                fprintf(stderr, "%s: timeout '%s' is not a number of seconds\n", spec->name, optarg);
                return false;
            }
            break;
        case 'l':
            if (!spec->proxy) {
                fprintf(stderr, "%s: only virtproxyd listens on the network\n", spec->name);
                return false;
            }
            o.listen = true;
            break;
        case OPTION_ROOT:
            o.root = optarg;
            break;
        default: /* getopt has said what is wrong */
            return false;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "%s: unexpected argument '%s'\n", spec->name, argv[optind]);
        return false;
    }
    *ret = o;
    return true;
}
