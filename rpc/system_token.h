/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The word by which daemons of one host know one another: RUN/common/system.token, 32 hex digits that only their
 * user can read. A daemon that asks another one for something on a client's behalf shows it beside the client's
 * identity. Whichever daemon comes first makes it, today's hosts' as well. Reads a file each time, so that nobody
 * keeps it in memory; any thread that may wait.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The token, made when there is none; to be freed with system_token_free(). */
char *system_token(GError **err);
void system_token_free(char *token);
/* Whether this is it. One that cannot be read is nobody's, and *err says why. */
bool system_token_is(const char *presented, GError **err);
