/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The daemon of secrets. */
#include "daemons/main.h"

#include <stddef.h>

#ifdef BUILTIN_DRIVERS
#include "rpc/driver.h"
extern const Driver driver;
#define BUILTIN &driver
#else
#define BUILTIN NULL
#endif

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &(DaemonSpec){ .name = "virtsecretd", .socket_prefix = "virtsecretd",
                                                  .module = "secret", .builtin = BUILTIN });
}
