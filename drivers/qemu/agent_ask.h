/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A handler's conversation with the guest's agent: finds the channel, or says as users know it why there
 * is none; steps out of the domain's turn; asks. Workers.
 */
#pragma once

#include "drivers/qemu/agent.h"
#include "drivers/qemu/guest.h"
#include "rpc/call.h"

typedef struct AgentAsk {
    Call *call;
    Agent *agent;
    const DomainView *view;
    AgentCall how;
    bool began;
} AgentAsk;

/* The agent's channel in a live definition; NULL: the guest has none. */
const ChrDef *agent_channel(const DomainDef *live);

/* An AgentAsk is ended by agent_ask_end() also after this failed. The view must outlive it. */
bool agent_ask_begin(AgentAsk *k, Call *c, const DomainView *v, GError **err);
void agent_ask_end(AgentAsk *k);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AgentAsk, agent_ask_end)

/* agent_call() with what agent_ask_begin() found. */
bool agent_ask(AgentAsk *k, const char *cmd, JsonObject *args, JsonObject **ret, GError **err);
/* The answer must be a list of at most max elements (an error otherwise). lacks_ok: an agent without the
 * command is fine, *ret is NULL then. */
bool agent_ask_list(AgentAsk *k, const char *cmd, JsonObject *args, size_t max, bool lacks_ok,
                    JsonObject **ret, GError **err);
bool agent_ask_object(AgentAsk *k, const char *cmd, bool lacks_ok, JsonObject **ret, GError **err);
bool agent_ask_number(AgentAsk *k, const char *cmd, JsonObject *args, int64_t min, int64_t max,
                      int64_t *ret, GError **err);

/* Guest CPUs as the guest's own system knows them. */
typedef struct AgentCpu {
    int64_t id;
    bool online, can_offline;
} AgentCpu;
GArray *agent_ask_cpus(AgentAsk *k, GError **err);
/* Makes the listed ones (of cpus: those whose 'online' is to change hold the new value) so; may take several
 * rounds, as agents do what they can. */
bool agent_ask_set_cpus(AgentAsk *k, const GArray *cpus, GError **err);
/* The first n of the guest's CPUs that can be, and no others. */
bool agent_ask_set_cpu_count(AgentAsk *k, unsigned n, GError **err);

/* The target names ("vda") of the disks on which the guest's file system or disk lies, by what the guest
 * says of their addresses; NULL: none of ours. */
const char *agent_disk_target(const DomainDef *live, JsonObject *disk);
