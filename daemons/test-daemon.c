/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A daemon with a driver that has no objects, for tests of the daemon itself. "busy" in the
 * environment makes it refuse to leave when idle.
 */
#include <stddef.h>

#include "daemons/main.h"
#include "protocols/remote_handlers.h"
#include "rpc/driver.h"

static bool driver_init(const DriverContext *ctx, GError **err)
{
    return true;
}

static unsigned driver_busy(void)
{
    return g_getenv("TEST_DAEMON_BUSY") ? 1 : 0;
}

static const RemoteHandlers handlers;
static const char *const schemes[] = { "qemu", NULL };
static const Driver test_driver = {
    .name = "QEMU",
    .schemes = schemes,
    .error_source = VIR_FROM_QEMU,
    .remote = &handlers,
    .init = driver_init,
    .busy = driver_busy,
};

int main(int argc, char **argv)
{
    return daemon_main(argc, argv,
                       &(DaemonSpec){ .name = "virtqemud",
                                      .socket_prefix = "virtqemud",
                                      .builtin = &test_driver });
}
