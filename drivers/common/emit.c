/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Messages of domain events. The callback id (first member) is left 0: the hub fills it in per
 * subscriber. Strings are borrowed: event_new() encodes at once. Worker threads.
 */
#include "drivers/common/emit.h"

#include <string.h>

#include "drivers/common/params.h"
#include "protocols/qemu_types.h"
#include "protocols/remote_procs.h"
#include "protocols/remote_types.h"

static remote_nonnull_domain wire_domain(const DomainView *v)
{
    remote_nonnull_domain d = { .name = v->name, .id = v->id };

    memcpy(d.uuid, v->uuid, sizeof(v->uuid));
    return d;
}

#define EMIT_PLAIN(t, PROC, type, ...)                                                                                 \
    do {                                                                                                               \
        const DomainView *view_ = turn_view(t);                                                                        \
        remote_domain_event_##type##_msg m_ = { __VA_ARGS__ };                                                         \
        turn_emit(t, event_new(OBJECT_DOMAIN, REMOTE_PROC_DOMAIN_EVENT_##PROC, view_->uuid, view_->name,               \
                               (xdrproc_t)xdr_remote_domain_event_##type##_msg, &m_));                                 \
    } while (0)
/* The message types of the callback family wrap the older ones ('msg') or are flat; the newest have lost the
 * word. */
#define EMIT(t, PROC, type, ...) EMIT_PLAIN(t, CALLBACK_##PROC, callback_##type, __VA_ARGS__)

#define DOM(t) wire_domain(turn_view(t))
/* Wire strings are not const in the generated types; encoding does not change them. */
#define STR(s) ((char *)((s) ? (s) : ""))

void emit_lifecycle(DomainTurn *t, int event, int detail)
{
    EMIT(t, LIFECYCLE, lifecycle, .msg = { .dom = DOM(t), .event = event, .detail = detail });
}

void emit_reboot(DomainTurn *t)
{
    EMIT(t, REBOOT, reboot, .msg = { .dom = DOM(t) });
}

void emit_rtc_change(DomainTurn *t, int64_t offset)
{
    EMIT(t, RTC_CHANGE, rtc_change, .msg = { .dom = DOM(t), .offset = offset });
}

void emit_watchdog(DomainTurn *t, int action)
{
    EMIT(t, WATCHDOG, watchdog, .msg = { .dom = DOM(t), .action = action });
}

void emit_io_error(DomainTurn *t, const char *path, const char *alias, int action,
                   const char *reason)
{
    EMIT(t, IO_ERROR, io_error,
         .msg = { .dom = DOM(t), .srcPath = STR(path), .devAlias = STR(alias), .action = action });
    EMIT(t, IO_ERROR_REASON, io_error_reason,
         .msg = { .dom = DOM(t),
                  .srcPath = STR(path),
                  .devAlias = STR(alias),
                  .action = action,
                  .reason = STR(reason) });
}

void emit_graphics(DomainTurn *t, int phase, const GraphicsPeer *local, const GraphicsPeer *remote,
                   const char *auth_scheme, const char *x509_dname, const char *sasl_username)
{
    remote_domain_event_graphics_identity subject[2];
    unsigned n = 0;

    if (x509_dname)
        subject[n++] =
            (remote_domain_event_graphics_identity){ .type = "x509dname", .name = STR(x509_dname) };
    if (sasl_username)
        subject[n++] = (remote_domain_event_graphics_identity){ .type = "saslUsername",
                                                                .name = STR(sasl_username) };
    EMIT(t, GRAPHICS, graphics,
         .msg = { .dom = DOM(t),
                  .phase = phase,
                  .local = { .family = local->family,
                             .node = STR(local->node),
                             .service = STR(local->service) },
                  .remote = { .family = remote->family,
                              .node = STR(remote->node),
                              .service = STR(remote->service) },
                  .authScheme = STR(auth_scheme),
                  .subject = { .subject_len = n, .subject_val = subject } });
}

void emit_balloon_change(DomainTurn *t, uint64_t actual_kib)
{
    EMIT(t, BALLOON_CHANGE, balloon_change, .msg = { .dom = DOM(t), .actual = actual_kib });
}

void emit_tray_change(DomainTurn *t, const char *alias, int reason)
{
    EMIT(t, TRAY_CHANGE, tray_change,
         .msg = { .dom = DOM(t), .devAlias = STR(alias), .reason = reason });
}

void emit_metadata_change(DomainTurn *t, int type, const char *nsuri)
{
    EMIT(t, METADATA_CHANGE, metadata_change, .dom = DOM(t), .type = type, .nsuri = (char *)nsuri);
}

void emit_pm_wakeup(DomainTurn *t)
{
    EMIT(t, PMWAKEUP, pmwakeup, .msg = { .dom = DOM(t) });
}

void emit_pm_suspend(DomainTurn *t)
{
    EMIT(t, PMSUSPEND, pmsuspend, .msg = { .dom = DOM(t) });
}

void emit_pm_suspend_disk(DomainTurn *t)
{
    EMIT(t, PMSUSPEND_DISK, pmsuspend_disk, .msg = { .dom = DOM(t) });
}

void emit_job_completed(DomainTurn *t, const ParamList *params)
{
    EMIT(t, JOB_COMPLETED, job_completed, .dom = DOM(t),
         .params = { .params_len = params->len, .params_val = params->val });
}

void emit_device_removed(DomainTurn *t, const char *alias)
{
    EMIT(t, DEVICE_REMOVED, device_removed, .msg = { .dom = DOM(t), .devAlias = STR(alias) });
}

void emit_device_added(DomainTurn *t, const char *alias)
{
    EMIT(t, DEVICE_ADDED, device_added, .dom = DOM(t), .devAlias = (char *)alias);
}

void emit_device_removal_failed(DomainTurn *t, const char *alias)
{
    EMIT(t, DEVICE_REMOVAL_FAILED, device_removal_failed, .dom = DOM(t), .devAlias = (char *)alias);
}

void emit_agent_lifecycle(DomainTurn *t, int state, int reason)
{
    EMIT(t, AGENT_LIFECYCLE, agent_lifecycle, .dom = DOM(t), .state = state, .reason = reason);
}

void emit_tunable(DomainTurn *t, ParamList *params)
{
    if (params->len)
        EMIT(t, TUNABLE, tunable, .dom = DOM(t),
             .params = { .params_len = params->len, .params_val = params->val });
    params_clear(params);
}

void emit_block_threshold(DomainTurn *t, const char *dev, const char *path, uint64_t threshold, uint64_t excess)
{
    EMIT_PLAIN(t, BLOCK_THRESHOLD, block_threshold, .dom = DOM(t), .dev = STR(dev), .path = (char *)path,
               .threshold = threshold, .excess = excess);
}

void emit_memory_failure(DomainTurn *t, int recipient, int action, unsigned flags)
{
    EMIT_PLAIN(t, MEMORY_FAILURE, memory_failure, .dom = DOM(t), .recipient = recipient, .action = action,
               .flags = flags);
}

void emit_memory_device_size_change(DomainTurn *t, const char *alias, uint64_t kib)
{
    EMIT_PLAIN(t, MEMORY_DEVICE_SIZE_CHANGE, memory_device_size_change, .dom = DOM(t), .alias = STR(alias), .size = kib);
}

void emit_disk_change(DomainTurn *t, const char *old_path, const char *new_path, const char *alias, int reason)
{
    EMIT(t, DISK_CHANGE, disk_change,
         .msg = { .dom = DOM(t), .oldSrcPath = (char *)old_path, .newSrcPath = (char *)new_path,
                  .devAlias = STR(alias), .reason = reason });
}

void emit_control_error(DomainTurn *t)
{
    EMIT(t, CONTROL_ERROR, control_error, .msg = { .dom = DOM(t) });
}

void emit_qemu_monitor(const DomainView *v, const char *event, int64_t seconds, uint32_t micros,
                       const char *details)
{
    qemu_domain_monitor_event_msg m = {
        .dom = wire_domain(v),
        .event = STR(event),
        .seconds = seconds,
        .micros = micros,
        .details = (char *)details,
    };
    if (!event_wanted_qemu_monitor())
        return; /* guests can make many of these */
    event_publish(event_new_qemu_monitor(v->uuid, v->name, event,
                                         (xdrproc_t)xdr_qemu_domain_monitor_event_msg, &m));
}
