/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The administrator's "daemon" hook (util/hook.h): told of start, reload and shutdown, in that order, without
 * anybody waiting, but for the shutdown. Loop thread. */
#pragma once

/* operation "start", suboperation NULL, extra "start"; "reload", "begin", "SIGHUP"; "shutdown", NULL, "shutdown".
 * Texts are constants. */
void daemon_hook(const char *operation, const char *suboperation, const char *extra);
/* Until the last of them has ended. */
void daemon_hook_wait(void);
