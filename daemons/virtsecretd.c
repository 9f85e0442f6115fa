/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon of secrets. */
#include "daemons/main.h"

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &(DaemonSpec){ .name = "virtsecretd", .socket_prefix = "virtsecretd",
                                                  .module = "secret", .builtin = BUILTIN_DRIVER });
}
