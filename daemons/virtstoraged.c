/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon of storage pools. */
#include "daemons/main.h"

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &(DaemonSpec){ .name = "virtstoraged", .socket_prefix = "virtstoraged",
                                                  .module = "storage", .builtin = BUILTIN_DRIVER });
}
