/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Starting, stopping, pausing: handlers that have the domain's turn. Workers. */
#include "drivers/common/emit.h"
#include "drivers/qemu/agent_ask.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/qmp_cmds.h"
#include "drivers/qemu/save.h"
#include "drivers/qemu/start.h"
#include "util/error.h"

static bool need_running(const DomainTurn *t, GError **err)
{
    if (view_active(turn_view(t)))
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
    return false;
}

static StartHow start_how(unsigned wire)
{
    return (StartHow){ .flags = ((wire & VIR_DOMAIN_START_PAUSED) ? START_PAUSED : 0) |
                                ((wire & VIR_DOMAIN_START_AUTODESTROY) ? START_AUTODESTROY : 0) |
                                ((wire & VIR_DOMAIN_START_RESET_NVRAM) ? START_RESET_NVRAM : 0) };
}

static bool create(DomainTurn *t, unsigned flags, GError **err)
{
    const DomainView *v = turn_view(t);

    if (view_active(v)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is already running");
        return false;
    }
    if (!v->config) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain has no definition to start");
        return false;
    }
    StartHow how = start_how(flags);
    if (v->managed_save && (flags & VIR_DOMAIN_START_FORCE_BOOT)) {
        if (!save_remove_managed(v->name, err))
            return false;
        turn_set_managed_save(t, false);
    } else if (v->managed_save) {
        RestoreHow restore = { .bypass_cache = flags & VIR_DOMAIN_START_BYPASS_CACHE,
                               .running = (flags & VIR_DOMAIN_START_PAUSED) ? 0 : -1,
                               .flags = how.flags & (START_AUTODESTROY | START_RESET_NVRAM),
                               .managed = true };
        int restored = restore_managed(t, &restore, err);
        if (restored)
            return restored > 0;
    }
    const DomainDef *def = view_config(v, NULL, err);
    return def && start_guest(t, domain_copy(def), &how, err);
}

bool qemu_domain_create(Call *c, DomainTurn *t, const remote_domain_create_args *a, GError **err)
{
    (void)c;
    (void)a;
    return create(t, 0, err);
}

bool qemu_domain_create_with_flags(Call *c, DomainTurn *t,
                                   const remote_domain_create_with_flags_args *a,
                                   remote_domain_create_with_flags_ret *r, GError **err)
{
    (void)c;
    if (!create(t, a->flags, err))
        return false;
    common_wire_domain(turn_view(t), &r->dom);
    return true;
}

bool qemu_domain_create_xml(Call *c, DomainTurn *t, const remote_domain_create_xml_args *a,
                            remote_domain_create_xml_ret *r, GError **err)
{
    const DomainView *v = turn_view(t);
    (void)c;

    if (view_active(v)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain '%s' is already active", v->name);
        return false;
    }
    DomainDef *def =
        common_parse_client_xml(t, a->xml_desc, a->flags & VIR_DOMAIN_START_VALIDATE, err);
    StartHow how = start_how(a->flags);
    if (!def || !start_guest(t, def, &how, err))
        return false;
    common_wire_domain(turn_view(t), &r->dom);
    return true;
}

static bool destroy(DomainTurn *t, bool graceful, GError **err)
{
    if (!need_running(t, err))
        return false;
    return process_stop(t, VIR_DOMAIN_SHUTOFF_DESTROYED, VIR_DOMAIN_EVENT_STOPPED_DESTROYED,
                        graceful, err);
}

bool qemu_domain_destroy(Call *c, DomainTurn *t, const remote_domain_destroy_args *a, GError **err)
{
    (void)c;
    (void)a;
    return destroy(t, false, err);
}

bool qemu_domain_destroy_flags(Call *c, DomainTurn *t, const remote_domain_destroy_flags_args *a,
                               GError **err)
{
    (void)c;
    return destroy(t, a->flags & VIR_DOMAIN_DESTROY_GRACEFUL, err);
}

/* One command to the monitor of a running guest. */
static bool tell(DomainTurn *t, bool (*command)(Qmp *, GError **), GError **err)
{
    if (!need_running(t, err))
        return false;
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    return q && command(q, err);
}

/* Whether the guest's coming shutdown is half of a reboot is told to the event handler at once, and to the
 * status when the domain has a turn for it. */
static void plan_reboot_turn(DomainTurn *t, void *unused)
{
    (void)unused;
    if (t && view_active(turn_view(t)))
        process_plan_reboot(t, atomic_load(&((Guest *)turn_driver_data(t))->fake_reboot));
}

static bool power_button(DomainQuery *q, bool reboot, GError **err)
{
    Guest *g = domain_driver_data(q->domain);
    g_autoptr(Qmp) qmp = guest_qmp(g, err);

    if (!qmp)
        return false;
    if (view_status(q->view)->fake_reboot != reboot || atomic_load(&g->fake_reboot) != reboot) {
        atomic_store(&g->fake_reboot, reboot);
        domain_run_turn(q->domain, "plan of a reboot", false, plan_reboot_turn, NULL);
    }
    call_set_waiting(q->call, "monitor");
    return qmp_system_powerdown(qmp, err);
}

static bool ask_agent_to(DomainQuery *q, const char *mode, GError **err)
{
    g_auto(AgentAsk) k = { 0 };

    if (!agent_ask_begin(&k, q->call, q->view, err))
        return false;
    atomic_store(&((Guest *)domain_driver_data(q->domain))->fake_reboot, false);
    k.how.no_answer = true;
    return agent_ask(&k, "guest-shutdown", json_make(J_STR("mode", mode)), NULL, err);
}

/* The agent when it is asked for, or when nothing is and it is there; the power button when it is asked
 * for, or when the agent does not do it and nobody insisted on it. */
static bool go_down(DomainQuery *q, bool reboot, bool agent, bool acpi, GError **err)
{
    const char *mode = reboot ? "reboot" : "powerdown";
    const ChrDef *chr = agent_channel(q->view->live->def);
    bool try_agent = agent || (!acpi && chr && chr->state == CHANNEL_CONNECTED);

    if (agent && !acpi)
        return ask_agent_to(q, mode, err);
    if (!reboot && q->view->state != VIR_DOMAIN_RUNNING) { /* it would not notice */
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
        return false;
    }
    return (try_agent && ask_agent_to(q, mode, NULL)) || power_button(q, reboot, err);
}

static bool known_modes(unsigned flags, unsigned known, GError **err)
{
    if (!(flags & ~known))
        return true;
    error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED,
              "only the ACPI power button and the guest agent are supported");
    return false;
}

bool qemu_domain_shutdown(Call *c, DomainQuery *q, const remote_domain_shutdown_args *a,
                          GError **err)
{
    (void)c;
    (void)a;
    return go_down(q, false, false, false, err);
}

bool qemu_domain_shutdown_flags(Call *c, DomainQuery *q, const remote_domain_shutdown_flags_args *a,
                                GError **err)
{
    (void)c;
    return known_modes(a->flags,
                       VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN | VIR_DOMAIN_SHUTDOWN_GUEST_AGENT, err) &&
           go_down(q, false, a->flags & VIR_DOMAIN_SHUTDOWN_GUEST_AGENT,
                   a->flags & VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN, err);
}

bool qemu_domain_reboot(Call *c, DomainQuery *q, const remote_domain_reboot_args *a, GError **err)
{
    (void)c;
    return known_modes(a->flags, VIR_DOMAIN_REBOOT_ACPI_POWER_BTN | VIR_DOMAIN_REBOOT_GUEST_AGENT,
                       err) &&
           go_down(q, true, a->flags & VIR_DOMAIN_REBOOT_GUEST_AGENT,
                   a->flags & VIR_DOMAIN_REBOOT_ACPI_POWER_BTN, err);
}

bool qemu_domain_reset(Call *c, DomainTurn *t, const remote_domain_reset_args *a, GError **err)
{
    (void)c;
    (void)a;
    if (!tell(t, qmp_system_reset, err))
        return false;
    if (turn_view(t)->state == VIR_DOMAIN_CRASHED)
        turn_set_state(t, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_UNKNOWN);
    return true;
}

bool qemu_domain_suspend(Call *c, DomainTurn *t, const remote_domain_suspend_args *a, GError **err)
{
    (void)c;
    (void)a;
    if (!need_running(t, err))
        return false;
    switch (turn_view(t)->state) {
    case VIR_DOMAIN_PAUSED:
        return true;
    case VIR_DOMAIN_PMSUSPENDED:
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is pmsuspended");
        return false;
    case VIR_DOMAIN_SHUTDOWN:
    case VIR_DOMAIN_CRASHED:
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is shutting down or has crashed");
        return false;
    default:
        break;
    }
    if (!tell(t, qmp_stop, err))
        return false;
    turn_set_state(t, VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_SUSPENDED, VIR_DOMAIN_EVENT_SUSPENDED_PAUSED);
    return true;
}

bool qemu_domain_resume(Call *c, DomainTurn *t, const remote_domain_resume_args *a, GError **err)
{
    (void)c;
    (void)a;
    if (!need_running(t, err))
        return false;
    switch (turn_view(t)->state) {
    case VIR_DOMAIN_RUNNING:
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is already running");
        return false;
    case VIR_DOMAIN_PMSUSPENDED:
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is pmsuspended");
        return false;
    default:
        break;
    }
    if (!tell(t, qmp_cont, err))
        return false;
    turn_set_state(t, VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED);
    emit_lifecycle(t, VIR_DOMAIN_EVENT_RESUMED, VIR_DOMAIN_EVENT_RESUMED_UNPAUSED);
    return true;
}
