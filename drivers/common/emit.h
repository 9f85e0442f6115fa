/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Domain events as clients know them: each function makes the message and adds it to the turn. */
#pragma once

#include "drivers/common/params.h"
#include "drivers/common/turn.h"

void emit_lifecycle(DomainTurn *t, int event, int detail);
void emit_reboot(DomainTurn *t);
void emit_rtc_change(DomainTurn *t, int64_t offset);
void emit_watchdog(DomainTurn *t, int action);
/* Both the plain and the reason variant. */
void emit_io_error(DomainTurn *t, const char *path, const char *alias, int action, const char *reason);
typedef struct GraphicsPeer {
    int family; /* VIR_DOMAIN_EVENT_GRAPHICS_ADDRESS_* */
    const char *node, *service;
} GraphicsPeer;
void emit_graphics(DomainTurn *t, int phase, const GraphicsPeer *local, const GraphicsPeer *remote,
                   const char *auth_scheme, const char *x509_dname, const char *sasl_username);
void emit_balloon_change(DomainTurn *t, uint64_t actual_kib);
void emit_tray_change(DomainTurn *t, const char *alias, int reason);
/* nsuri NULL: title or description. */
void emit_metadata_change(DomainTurn *t, int type, const char *nsuri);
void emit_pm_wakeup(DomainTurn *t);
void emit_pm_suspend(DomainTurn *t);
void emit_pm_suspend_disk(DomainTurn *t);
struct ParamList;
void emit_job_completed(DomainTurn *t, const struct ParamList *params);
void emit_device_added(DomainTurn *t, const char *alias);
void emit_device_removed(DomainTurn *t, const char *alias);
void emit_device_removal_failed(DomainTurn *t, const char *alias);
void emit_agent_lifecycle(DomainTurn *t, int state, int reason);
/* params: emptied; nothing is said when it is empty already. */
void emit_tunable(DomainTurn *t, ParamList *params);
void emit_block_threshold(DomainTurn *t, const char *dev, const char *path, uint64_t threshold, uint64_t excess);
void emit_memory_failure(DomainTurn *t, int recipient, int action, unsigned flags);
void emit_memory_device_size_change(DomainTurn *t, const char *alias, uint64_t kib);
void emit_disk_change(DomainTurn *t, const char *old_path, const char *new_path, const char *alias, int reason);
void emit_control_error(DomainTurn *t);
/* qemu program: every event of the monitor; published at once, whatever becomes of a turn. */
void emit_qemu_monitor(const DomainView *v, const char *event, int64_t seconds, uint32_t micros, const char *details);
