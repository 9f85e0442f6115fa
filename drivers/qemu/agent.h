/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The program inside a guest that answers questions about it: the client side of its protocol, on a
 * virtio channel. One command at a time. Everything that it says is the guest's, so every answer is
 * bounded in size, depth and time, and whoever reads one expects anything.
 *
 * A call holds its worker until it ends, and nothing else: callers leave the domain's turn before
 * (call_wait_begin()), so a silent agent keeps nobody from working on its guest. Any thread may close
 * or abort; the call that is under way then fails at once.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "util/json.h"

#define AGENT_CHANNEL    "org.qemu.guest_agent.0"
#define AGENT_ANSWER_MAX (10 * 1024 * 1024)

enum { /* seconds, besides positive numbers; the numbers are those of the protocol */
       AGENT_FOREVER = -2, /* until the guest, the daemon or the client goes */
       AGENT_DEFAULT = -1,
       AGENT_NOWAIT = 0, /* what is there at once */
};

typedef struct Agent Agent;

typedef struct AgentCall {
    const char *path; /* of the socket behind the channel */
    int timeout; /* of the command; AGENT_* or seconds. Getting the agent's attention has 5 s of its own,
                       * or this when it is less */
    bool no_answer; /* the command ends the agent or its guest: then silence is success */
    bool may_lack;  /* an agent that does not have the command is fine: true and no result */
    bool (*cancelled)(const void *data); /* asked twice a second; may be NULL */
    const void *data;
} AgentCall;

Agent *agent_new(void);
void agent_free(Agent *a); /* nobody is in it */
/* Connects now rather than at the first call: an agent that finds nobody connected looks again and again. */
bool agent_connect(Agent *a, const char *path, GError **err);
/* The guest is about to end or to sleep: what a command without an answer waits for. */
void agent_guest_went_down(Agent *a);
/* The channel was closed on the guest's side, or the run ended. */
void agent_close(Agent *a);

/*
 * Runs a command and waits. args is taken (NULL: none). ret (may be NULL) receives "return".
 * VIR_ERR_AGENT_UNRESPONSIVE: it did not answer in time or went away; VIR_ERR_INTERNAL_ERROR "unable to
 * execute QEMU agent command 'x': its words", or what it said made no sense; VIR_ERR_OPERATION_TIMEOUT:
 * others keep it busy. After a timeout the command may still be carried out.
 */
bool agent_call(Agent *a, const AgentCall *how, const char *cmd, JsonObject *args, JsonObject **ret,
                GError **err);
/* A whole command as text; the answer comes back as it is (compact JSON). */
bool agent_call_raw(Agent *a, const AgentCall *how, const char *text, char **ret, GError **err);

/* For tests and fuzzing: the next call uses this connected socket (taken). */
void agent_use_socket(Agent *a, int fd);
