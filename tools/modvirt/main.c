/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* modvirt COMMAND …: see modvirt.h. */
#include "tools/modvirt/modvirt.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

/* clang-format off */
const Command commands[] = {
    { "validate",  cmd_validate,  "[--json] [--kind KIND] FILE...", "check documents of any kind, strictly; FILE may be - (standard input); 0: all valid, 1: not, 2: trouble" },
    { "convert",   cmd_convert,   "[--from KIND] [--to KIND|qemu-argv] [--driver NAME [--capabilities FILE]] [--live|--inactive|--migratable] [--secure] FILE", "show a document as it is understood" },
    { "plan",      cmd_plan,      "[--json] [--driver NAME] [--capabilities FILE] FILE", "what a start would do and what would be refused; what a redefinition changes; 0: it can be started, 1: not, 2: trouble" },
    { "schema",    cmd_schema,    "[KIND]", "RELAX NG schema of a kind; without: list the kinds" },
    { "reference", cmd_reference, "DIR", "write a reference page per kind of document" },
    { "calls",     cmd_calls,     "[DAEMON]", "calls in flight: who, what, how long, waiting for what" },
    { "cancel",    cmd_cancel,    "DAEMON:NUMBER", "end a call, as 'calls' names it" },
    { "can-i",     cmd_can_i,     "[--user USER] [--pid PID] [--daemon DAEMON] OBJECT:PERMISSION [NAME]", "would it be granted?" },
    { "doctor",    cmd_doctor,    "[--json]", "look for what is wrong on this host" },
    { "metrics",   cmd_metrics,   "[DAEMON]", "figures of a daemon in OpenMetrics text" },
    { "events",    cmd_events,    "[--since PLACE] [--follow] [--json] [DAEMON]", "what happened, from the journal; PLACE: as a line began" },
    { NULL, NULL, NULL, NULL },
};
/* clang-format on */

const Command *command_find(const char *name)
{
    for (const Command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

int trouble(const char *command, const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "modvirt %s: ", command);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return EXIT_TROUBLE;
}

int usage_error(const Command *c)
{
    fprintf(stderr, "usage: modvirt %s %s\n", c->name, c->usage);
    return EXIT_TROUBLE;
}

char *read_document(const char *path, gsize max, gsize *ret_len, GError **err)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    auto_fd fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
    guint8 buf[65536];
    ssize_t n;

    if (fd < 0) {
        error_set_errno(err, errno, "cannot open '%s'", path);
        return NULL;
    }
    while ((n = read(fd, buf, sizeof(buf))) > 0) {
        if (bytes->len + (gsize)n > max) {
            error_set(err, VIR_ERR_XML_ERROR, "'%s' is larger than %" G_GSIZE_FORMAT " bytes", path, max);
            return NULL;
        }
        g_byte_array_append(bytes, buf, (guint)n);
    }
    if (n < 0) {
        error_set_errno(err, errno, "cannot read '%s'", path);
        return NULL;
    }
    *ret_len = bytes->len;
    g_byte_array_append(bytes, (const guint8 *)"", 1);
    return (char *)g_byte_array_free(g_steal_pointer(&bytes), FALSE);
}

static int help(FILE *out)
{
    fprintf(out, "usage: modvirt [--proxy ADMIN-SOCKET] COMMAND ...\n\n"
                 "  --proxy    ask daemons by way of the virtproxyd whose socket this is\n");
    for (const Command *c = commands; c->name; c++)
        fprintf(out, "  %-10s %s\n             modvirt %s %s\n", c->name, c->what, c->name, c->usage);
    return out == stdout ? EXIT_OK : EXIT_TROUBLE;
}

int main(int argc, char **argv)
{
    setlocale(LC_ALL, "C.UTF-8");
    if (argc > 2 && strcmp(argv[1], "--proxy") == 0) {
        daemons_by_proxy(argv[2]);
        argc -= 2;
        argv += 2;
    }
    if (argc < 2)
        return help(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
        return help(stdout);
    const Command *c = command_find(argv[1]);
    if (!c) {
        fprintf(stderr, "modvirt: there is no command '%s'; see modvirt --help\n", argv[1]);
        return EXIT_TROUBLE;
    }
    if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
        printf("modvirt %s: %s\nusage: modvirt %s %s\n", c->name, c->what, c->name, c->usage);
        return EXIT_OK;
    }
    return c->run(argc - 1, argv + 1);
}
