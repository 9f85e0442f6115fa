/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon of QEMU guests. */
#include "daemons/main.h"

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &(DaemonSpec){ .name = "virtqemud", .socket_prefix = "virtqemud",
                                                  .module = "qemu", .builtin = BUILTIN_DRIVER });
}
