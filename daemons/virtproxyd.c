/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon behind the traditional socket: passes calls on to the others. */
#include "daemons/main.h"

int main(int argc, char **argv)
{
    return daemon_main(
        argc, argv,
        &(DaemonSpec){ .name = "virtproxyd", .socket_prefix = "libvirt", .proxy = true });
}
