/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of steps and who walks it (start.h). The order makes the crash of this daemon at any moment
 * harmless: the launcher's marker and the record of the intent exist before anything else does. The
 * marker is removed only after the status of the running guest was written; until then a restart kills
 * the emulator (launch.h) and undoes every step.
 */
#define LOG_SOURCE "qemu.start"
#include "drivers/qemu/start.h"

#include <string.h>

#include "drivers/qemu/bandwidth.h"
#include "drivers/qemu/cgroup.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/perf.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/host_shutdown.h"
#include "drivers/qemu/machined.h"
#include "drivers/qemu/net_device.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/secrets.h"
#include "util/error.h"
#include "util/log.h"

void start_name_files(Start *s)
{
    g_autofree char *short_name = qemu_short_name(s->status->id, s->def->name);
    g_autofree char *leaf = g_strdup_printf("domain-%s", short_name);

    s->status->lib_dir = g_build_filename(qemu.lib, leaf, NULL);
    s->status->monitor_path = g_build_filename(s->status->lib_dir, "monitor.sock", NULL);
}

static bool start_record(Start *s, GError **err)
{
    s->launch = qemu_launch_new(s->def->name, s->def->uuid.v, err);
    if (!s->launch)
        return false;
    start_name_files(s);
    return start_note(s, err);
}

/* clang-format off */
const StartStep start_steps[] = {
    { "definition", start_definition, .tell = start_tell_definition, .looks = true },
    { "volumes", start_volumes, .tell = start_tell_volumes, .looks = true },
    { "images", start_images, .tell = start_tell_images, .looks = true },
    { "devices", start_devices, .looks = true },
    /* Ended by start_guest(), last of all. */
    { "record", start_record, .tell = start_tell_record, .check = start_check_record },
    { "secrets", start_secrets, .tell = start_tell_secrets },
    { "hook prepare", start_hook_prepare, start_undo_hook_prepare },
    { "directories", start_directories, start_undo_directories, .tell = start_tell_directories,
        .check = start_check_directories },
    { "firmware variables", start_nvram, start_undo_nvram, .tell = start_tell_nvram, .check = start_check_nvram },
    { "helpers", start_helpers, start_undo_helpers, start_helpers_again, .check = start_check_helpers },
    { "display ports", start_ports, start_undo_ports, start_ports_again, start_tell_ports, start_check_ports },
    { "network devices", start_net_names, start_undo_net_devices }, /* made when the command line needs them */
    { "command line", start_command_line, start_undo_command_line, .tell = start_tell_command_line,
        .check = start_check_command_line },
    { "bandwidth", start_bandwidth, start_undo_bandwidth, .tell = start_tell_bandwidth },
    { "private devices", start_private_dev, .tell = start_tell_private_dev }, /* descriptors of ours alone */
    { "labels", start_labels, start_undo_labels, .tell = start_tell_labels, .check = start_check_labels },
    { "hook start", start_hook_start, start_undo_hook_start },
    { "launch", start_launch, start_undo_launch, .tell = start_tell_launch, .check = start_check_launch },
    { "machine", start_machine, start_undo_machine, .tell = start_tell_machine },
    { "control group", start_cgroup, start_undo_cgroup, .tell = start_tell_cgroup, .check = start_check_cgroup },
    { "placement", start_placement, .tell = start_tell_placement },
    { "performance counters", start_perf, start_undo_perf, start_perf_again },
    { "monitor", start_monitor },
    { "set-up", start_set_up },
    { "threads", start_threads },
    { "state", start_state },
    { "hook started", start_hook_started },
    { "resume", start_resume },
    { 0 },
};
/* clang-format on */

bool start_note(Start *s, GError **err)
{
    return turn_write_intent(s->t, s->def, &s->status->base, err);
}

/* From the i-th step down to the first. */
static void undo_from(const Run *r, unsigned i)
{
    do {
        if (start_steps[i].undo)
            start_steps[i].undo(r);
    } while (i-- > 0);
}

void start_undo_all(const Run *r)
{
    undo_from(r, G_N_ELEMENTS(start_steps) - 1);
}

void start_again(const Run *r)
{
    for (const StartStep *step = start_steps; step->name; step++)
        if (step->again)
            step->again(r);
}

static bool interrupted(const Start *s)
{
    return atomic_load(&s->g->destroying);
}

/* What users know first, the step behind it. */
static void tell_failure(const Start *s, const StartStep *step, GError **error)
{
    if (interrupted(s)) {
        g_clear_error(error);
        error_set(error, VIR_ERR_OPERATION_ABORTED,
                  "the domain was destroyed while it was starting");
        return;
    }
    if (s->launch)
        qemu_launch_explain(s->launch, error);
    g_autofree char *text =
        g_strdup_printf("%s (step '%s' of the start)", (*error)->message, step->name);
    g_free((*error)->message);
    (*error)->message = g_steal_pointer(&text);
}

static void forget_process(Start *s)
{
    lock_enter(&s->g->lock);
    pidref_done(&s->g->starting);
    s->g->starting = PIDREF_NONE;
    lock_leave(&s->g->lock);
}

static void undo_start(Start *s, unsigned failed)
{
    const Run run = { s->def->name, s->status->id, s->def, s->status, s->g };

    guest_set_qmp(s->g, NULL);
    qemu_launch_kill(s->launch);
    s->status->starting = true;
    undo_from(&run, failed);
    turn_drop_intent(s->t);
    qemu_launch_undo(s->launch);
}

static void start_free(Start *s)
{
    resources_release(&s->res);
    private_dev_done(&s->dev);
    qmp_unref(s->qmp);
    qemu_caps_unref(s->caps);
    g_clear_pointer(&s->argv, g_ptr_array_unref);
    g_clear_pointer(&s->env, g_ptr_array_unref);
    if (!s->def_given)
        domain_free(s->def);
    driver_status_unref(&s->status->base);
}

/* The turn of the start is given up, with all that it changed; why the guest is off is news all the same. */
static void record_failure(DomainTurn *t, void *unused)
{
    (void)unused;
    if (t && !view_active(turn_view(t)))
        turn_set_state(t, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
}

bool start_guest(DomainTurn *t, DomainDef *def, const StartHow *how, GError **err)
{
    Start s = {
        .t = t, .g = turn_driver_data(t), .how = how, .def = def, .status = qemu_status_new(), .dev = { .root = -1 }
    };
    g_autoptr(GError) error = NULL;
    const StartStep *step = start_steps;

    atomic_store(&s.g->destroying, false);
    atomic_store(&s.g->shutdown, SHUTDOWN_NONE);
    atomic_store(&s.g->fake_reboot, false);
    atomic_store(&s.g->pause_reason, -1);
    s.status->starting = true;
    s.status->agent_timeout = atomic_load(&s.g->agent_timeout);
    resources_init(&s.res, s.g);

    while (step->name && !interrupted(&s) && step->run(&s, &error))
        step++;
    bool ok = !step->name;
    forget_process(&s);
    if (ok) {
        qemu_launch_commit(s.launch);
        turn_require_status(t, false); /* it is on record; what the caller adds must not fail a guest that runs */
        host_shutdown_look();
    } else {
        tell_failure(&s, step, &error);
        undo_start(&s, (unsigned)(step - start_steps));
        if (s.def_given)
            turn_set_live(t, NULL);
        turn_set_status(t, NULL);
        turn_set_id(t, -1);
        turn_set_state(t, VIR_DOMAIN_SHUTOFF, VIR_DOMAIN_SHUTOFF_FAILED);
        if (!turn_is_new(t))
            domain_run_turn(turn_domain(t), "record of a failed start", true, record_failure, NULL);
        g_propagate_error(err, g_steal_pointer(&error));
    }
    start_free(&s);
    return ok;
}
