/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The figures of a daemon, and the socket where collectors read them. Loop thread. */
#pragma once

#include "daemons/daemon.h"

/* OpenMetrics text; free. */
char *metrics_text(Daemon *d);
/* RUN/DAEMON-metrics-sock. Not a reason to fail: without it there is a line in the log. */
MetricsSocket *metrics_socket_open(Daemon *d);
MetricsSocket *metrics_socket_free(MetricsSocket *s);
