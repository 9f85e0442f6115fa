/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The QEMU driver: its handler tables, its configuration, what happens at start and stop. init() is
 * quick: it reads state files and queues a reconnect turn per running guest; whoever asks about such
 * a guest waits behind that turn, whoever asks about another does not.
 */
#define LOG_SOURCE "qemu.driver"
#include "drivers/qemu/driver.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "drivers/common/job.h"
#include "drivers/common/uri.h"
#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/cgroup.h"
#include "drivers/qemu/guest.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/host.h"
#include "drivers/qemu/host_shutdown.h"
#include "drivers/qemu/launch.h"
#include "drivers/qemu/metrics.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/process.h"
#include "drivers/qemu/save.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/loop.h"
#include "util/paths.h"

QemuDriver qemu;

/* Policy: what definitions need to know of the host's emulators ----------------------------------- */

/* One document asks about its emulator some twenty times. Whether the file is still the same one is
 * looked up once in this time. */
enum { EMULATOR_KEPT_USEC = G_USEC_PER_SEC / 4 };

static struct {
    Lock lock; /* of all */
    const char *arch, *path; /* interned: a few in all */
    uint64_t path_until;
    char *asked;    /* the emulator that caps are of */
    QemuCaps *caps; /* NULL: it cannot be asked; the log has the reason */
    uint64_t caps_until;
} last = { .lock = LOCK_INIT };

static const char *emulator_for(void *opaque, const char *arch)
{
    uint64_t now = now_usec();
    (void)opaque;

    LOCK_SCOPE(&last.lock);
    if (now >= last.path_until || g_strcmp0(last.arch, arch) != 0) {
        g_autofree char *found = qemu_emulator_find(arch);

        last.arch = g_intern_string(arch);
        last.path = g_intern_string(found);
        last.path_until = now + EMULATOR_KEPT_USEC;
    }
    return last.path;
}

static bool last_caps(const char *path, QemuCaps **ret)
{
    LOCK_SCOPE(&last.lock);
    if (now_usec() >= last.caps_until || g_strcmp0(last.asked, path) != 0)
        return false;
    *ret = qemu_caps_ref(last.caps);
    return true;
}

static void keep_caps(const char *path, QemuCaps *caps)
{
    LOCK_SCOPE(&last.lock);
    g_free(last.asked);
    last.asked = g_strdup(path);
    qemu_caps_unref(last.caps);
    last.caps = qemu_caps_ref(caps);
    last.caps_until = now_usec() + EMULATOR_KEPT_USEC;
}

static QemuCaps *lookup_caps(void *opaque, const char *emulator, const char *arch, const char *virt_type)
{
    const char *path = emulator ? emulator : emulator_for(opaque, arch);
    g_autoptr(GError) error = NULL;
    QemuCaps *caps = NULL;
    (void)virt_type;

    if (!path || last_caps(path, &caps))
        return caps;
    caps = qemu_caps_get(path, &error);
    if (!caps)
        log_warn("cannot find out what '%s' can do: %s", path, error->message);
    keep_caps(path, caps);
    return caps;
}

static bool update_cpu(DomainDef *def, GError **err)
{
    g_autoptr(QemuCaps) caps = def->emulator ? qemu_caps_get(def->emulator, err) : NULL;

    if (!def->emulator)
        return true; /* nobody to ask: as it is written */
    return caps && qemu_prepare_cpu(def, caps, err);
}

static bool has_managed_save(const char *name)
{
    g_autofree char *path = save_managed_path(name);
    return access(path, F_OK) == 0;
}

static bool may_rename(const DomainView *v, GError **err)
{
    if (!v->managed_save)
        return true;
    error_set(err, VIR_ERR_OPERATION_INVALID, "domain with a managed saved state can't be renamed");
    return false;
}

static const DomainDriver domain_driver = {
    .attach = guest_attach,
    .detach = guest_detach,
    .interrupt = guest_interrupt,
    .interrupt_failed = guest_interrupt_failed,
    .unresponsive_since = guest_unresponsive_since,
    .has_managed_save = has_managed_save,
    .remove_managed_save = save_remove_managed,
    .may_rename = may_rename,
    .status_format = qemu_status_format,
    .status_parse = qemu_status_parse,
    .update_cpu = update_cpu,
    .policy = &qemu_policy,
    .policy_data = &qemu.policy,
    .stored_policy_data = &qemu.stored_policy,
    .subdir = "qemu",
};

QemuPolicyData qemu_policy_data(const QemuConfig *c)
{
    return (QemuPolicyData){
        .lookup_caps = lookup_caps,
        .emulator = emulator_for,
        .host_arch = host_arch(),
        .vnc_listen = c->vnc_listen,
        .spice_listen = c->spice_listen,
        .nvram_dir = g_build_filename(paths()->lib, "qemu", "nvram", NULL),
        .channel_dir = g_build_filename(paths()->lib, "qemu", "channel", "target", NULL),
        .spice_tls = c->spice_tls,
        .host_audio = g_getenv("QEMU_AUDIO_DRV"),
        .vnc_host_audio = c->vnc_allow_host_audio,
        .nographics_host_audio = c->nographics_allow_host_audio,
    };
}

void qemu_policy_data_clear(QemuPolicyData *p)
{
    g_free((char *)p->nvram_dir);
    g_free((char *)p->channel_dir);
}

/* Life of the driver ------------------------------------------------------------------------------ */

/* Guests' emulators make files there. */
static bool make_guest_dir(const char *path, unsigned mode, GError **err)
{
    const QemuConfig *c = qemu.config;

    if (!path_make_dir(path, mode, err))
        return false;
    if (paths()->session || (c->uid == geteuid() && c->gid == getegid()) || chown(path, c->uid, c->gid) == 0)
        return true;
    error_set_errno(err, errno, "unable to set ownership of '%s' to %u:%u", path, (unsigned)c->uid, (unsigned)c->gid);
    return false;
}

static bool make_dirs(GError **err)
{
    static const char *const below[] = { "channel", "channel/target", "dump", "nvram", "ram", "save", "snapshot" };
    g_autofree char *log = g_build_filename(paths()->log, "qemu", NULL);
    g_autofree char *cache = g_build_filename(paths()->cache, "qemu", NULL);

    qemu.lib = g_build_filename(paths()->lib, "qemu", NULL);
    qemu.run = g_build_filename(paths()->run, "qemu", NULL);
    if (!make_guest_dir(qemu.lib, 0751, err) || !path_make_dir(qemu.run, 0755, err) || !path_make_dir(log, 0700, err) ||
        !path_make_dir(cache, 0750, err))
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(below); i++) {
        g_autofree char *dir = g_build_filename(qemu.lib, below[i], NULL);
        if (!make_guest_dir(dir, 0750, err))
            return false;
    }
    return true;
}

static bool driver_init(const DriverContext *ctx, GError **err)
{
    g_autoptr(GPtrArray) live = NULL;

    qemu.ctx = ctx;
    host_set_uuid(ctx->host_uuid);
    qemu.config = qemu_config_load(err);
    if (!qemu.config || !make_dirs(err))
        return false;
    host_set_guest_user(qemu.config->uid, qemu.config->gid);
    qemu.policy = qemu_policy_data(qemu.config);
    guest_cgroups_init(qemu.config);
    qemu.stored_policy = qemu.policy;
    qemu.stored_policy.keep_hardware = true;
    if (!domains_open(&domain_driver, ctx, &live, err) ||
        !qemu_launch_recover(process_known, NULL, err))
        return false;
    for (unsigned i = 0; i < live->len; i++)
        domain_run_turn(live->pdata[i], "reconnect", true, process_reconnect, NULL);
    return true;
}

static void autostart_turn(DomainTurn *t, void *unused)
{
    g_autoptr(GError) error = NULL;
    (void)unused;

    if (!t || view_active(turn_view(t)) || !turn_view(t)->config)
        return;
    turn_set_autostart_once(t, false); /* this is the once */
    const DomainDef *def = view_config(turn_view(t), NULL, &error);
    StartHow how = { 0 };
    RestoreHow restore = { .running = -1, .managed = true, .bypass_cache = qemu.config->auto_start_bypass_cache };
    int restored = turn_view(t)->managed_save ? restore_managed(t, &restore, &error) : 0;
    if (restored > 0)
        return;
    if (restored < 0 || !def || !start_guest(t, domain_copy(def), &how, &error))
        log_error("cannot autostart '%s': %s", turn_view(t)->name, error->message);
}

/* Autostart is for the start of the host, not of the daemon: a mark in the run directory, which is
 * empty after a boot, tells them apart. */
static void driver_start(void)
{
    g_autofree char *mark = g_build_filename(qemu.run, "autostarted", NULL);

    if (g_file_test(mark, G_FILE_TEST_EXISTS))
        return;
    if (!g_file_set_contents(mark, "", 0, NULL))
        log_warn("cannot write '%s'; guests that are to start with the host may start again with the daemon", mark);
    g_autoptr(GPtrArray) views = domains_views();
    for (unsigned i = 0; i < views->len; i++) {
        const DomainView *v = views->pdata[i];
        g_autoptr(Domain) d = (v->autostart || v->autostart_once) && !view_active(v) ? domains_find_uuid(v->uuid) : NULL;
        if (d)
            domain_run_turn(d, "autostart", false, autostart_turn, NULL);
    }
}

static void driver_stop(void)
{
    g_autoptr(GPtrArray) views = domains_views();

    objects_stop();
    for (unsigned i = 0; i < views->len; i++) {
        g_autoptr(Domain) d = domains_find_uuid(((const DomainView *)views->pdata[i])->uuid);
        if (d)
            guest_set_qmp(domain_driver_data(d), NULL);
    }
    host_shutdown_stop();
    qmp_loop_stop();
    helper_stop();
}

static void driver_done(void)
{
    domains_close();
    g_clear_pointer(&last.caps, qemu_caps_unref);
    qemu_caps_cache_clear();
    g_clear_pointer(&qemu.config, qemu_config_free);
    guest_cgroups_done();
}

static unsigned driver_busy(void)
{
    return domains_count_active();
}

static bool driver_open(Call *c, const char *uri, bool readonly, char **ret_uri, GError **err)
{
    (void)c;
    (void)readonly;
    return open_own_uri("qemu", "QEMU", uri, ret_uri, err);
}

/* Answers about migration come with migration. */
static int driver_supports_feature(int feature)
{
    enum { FEATURE_XML_MIGRATABLE = 11 };
    return feature == FEATURE_XML_MIGRATABLE;
}

/* Tables ------------------------------------------------------------------------------------------ */

#define COMPARE_CPU_FLAGS (VIR_CONNECT_COMPARE_CPU_FAIL_INCOMPATIBLE | VIR_CONNECT_COMPARE_CPU_VALIDATE_XML)
#define BASELINE_CPU_FLAGS (VIR_CONNECT_BASELINE_CPU_EXPAND_FEATURES | VIR_CONNECT_BASELINE_CPU_MIGRATABLE)

#define STATS_FLAGS (((VIR_CONNECT_GET_ALL_DOMAINS_STATS_OTHER << 1) - 1) | VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT | \
                     VIR_CONNECT_GET_ALL_DOMAINS_STATS_BACKING | VIR_CONNECT_GET_ALL_DOMAINS_STATS_ENFORCE_STATS)
/* Of questions that are answered with typed parameters. */
#define PARAM_FLAGS (COMMON_IMPACT_FLAGS | VIR_TYPED_PARAM_STRING_OKAY)

#define SAVE_FLAGS (VIR_DOMAIN_SAVE_BYPASS_CACHE | VIR_DOMAIN_SAVE_RUNNING | VIR_DOMAIN_SAVE_PAUSED)
#define DUMP_FLAGS (VIR_DUMP_CRASH | VIR_DUMP_LIVE | VIR_DUMP_BYPASS_CACHE | VIR_DUMP_RESET | VIR_DUMP_MEMORY_ONLY)

/* clang-format off */
static const RemoteHandlers remote_handlers = {
    .connect_get_version = { qemu_connect_get_version },
    .connect_get_max_vcpus = { qemu_connect_get_max_vcpus },
    .connect_get_sysinfo = { qemu_connect_get_sysinfo },
    .connect_get_capabilities = { qemu_connect_get_capabilities },
    .connect_get_domain_capabilities = { qemu_connect_get_domain_capabilities },
    .connect_get_cpu_model_names = { qemu_connect_get_cpu_model_names },
    .connect_domain_xml_to_native = { qemu_connect_domain_xml_to_native },
    .connect_compare_cpu = { qemu_connect_compare_cpu, COMPARE_CPU_FLAGS },
    .connect_compare_hypervisor_cpu = { qemu_connect_compare_hypervisor_cpu, COMPARE_CPU_FLAGS },
    .connect_baseline_cpu = { qemu_connect_baseline_cpu, BASELINE_CPU_FLAGS },
    .connect_baseline_hypervisor_cpu = { qemu_connect_baseline_hypervisor_cpu, BASELINE_CPU_FLAGS },
    .connect_is_secure = { qemu_connect_is_secure },
    .connect_get_all_domain_stats = { qemu_connect_get_all_domain_stats, STATS_FLAGS },
    .connect_list_all_domains = { common_connect_list_all_domains, COMMON_LIST_FLAGS },
    .connect_list_domains = { common_connect_list_domains },
    .connect_num_of_domains = { common_connect_num_of_domains },
    .connect_list_defined_domains = { common_connect_list_defined_domains },
    .connect_num_of_defined_domains = { common_connect_num_of_defined_domains },

    .node_get_info = { qemu_node_get_info },
    .node_get_cpu_map = { qemu_node_get_cpu_map },
    .node_get_cpu_stats = { qemu_node_get_cpu_stats },
    .node_get_memory_stats = { qemu_node_get_memory_stats },
    .node_get_sev_info = { qemu_node_get_sev_info, VIR_TYPED_PARAM_STRING_OKAY },
    .node_get_free_memory = { qemu_node_get_free_memory },
    .node_get_cells_free_memory = { qemu_node_get_cells_free_memory },
    .node_get_free_pages = { qemu_node_get_free_pages },
    .node_get_security_model = { qemu_node_get_security_model },

    .domain_lookup_by_id = { common_domain_lookup_by_id },
    .domain_lookup_by_name = { common_domain_lookup_by_name },
    .domain_lookup_by_uuid = { common_domain_lookup_by_uuid },

    .domain_define_xml = { common_domain_define_xml },
    .domain_define_xml_flags = { common_domain_define_xml_flags, VIR_DOMAIN_DEFINE_VALIDATE },
    .domain_undefine = { qemu_domain_undefine },
    .domain_undefine_flags = { qemu_domain_undefine_flags, (VIR_DOMAIN_UNDEFINE_KEEP_TPM << 1) - 1 },
    .domain_rename = { common_domain_rename },
    .domain_get_autostart_once = { common_domain_get_autostart_once },
    .domain_set_autostart_once = { common_domain_set_autostart_once },
    .domain_set_autostart = { common_domain_set_autostart },

    .domain_create = { qemu_domain_create },
    .domain_create_with_flags = { qemu_domain_create_with_flags, VIR_DOMAIN_START_PAUSED |
        VIR_DOMAIN_START_AUTODESTROY | VIR_DOMAIN_START_BYPASS_CACHE | VIR_DOMAIN_START_FORCE_BOOT |
        VIR_DOMAIN_START_RESET_NVRAM },
    .domain_create_xml = { qemu_domain_create_xml, VIR_DOMAIN_START_PAUSED | VIR_DOMAIN_START_AUTODESTROY |
        VIR_DOMAIN_START_VALIDATE | VIR_DOMAIN_START_RESET_NVRAM },
    .domain_destroy = { qemu_domain_destroy },
    .domain_destroy_flags = { qemu_domain_destroy_flags, VIR_DOMAIN_DESTROY_GRACEFUL },
    .domain_shutdown = { qemu_domain_shutdown },
    .domain_shutdown_flags = { qemu_domain_shutdown_flags, VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN |
        VIR_DOMAIN_SHUTDOWN_GUEST_AGENT },
    .domain_reboot = { qemu_domain_reboot, VIR_DOMAIN_REBOOT_ACPI_POWER_BTN | VIR_DOMAIN_REBOOT_GUEST_AGENT },
    .domain_reset = { qemu_domain_reset },
    .domain_suspend = { qemu_domain_suspend },
    .domain_resume = { qemu_domain_resume },

    .domain_attach_device = { qemu_domain_attach_device },
    .domain_attach_device_flags = { qemu_domain_attach_device_flags, COMMON_IMPACT_FLAGS },
    .domain_detach_device = { qemu_domain_detach_device },
    .domain_detach_device_flags = { qemu_domain_detach_device_flags, COMMON_IMPACT_FLAGS },
    .domain_detach_device_alias = { qemu_domain_detach_device_alias, COMMON_IMPACT_FLAGS },
    .domain_update_device_flags = { qemu_domain_update_device_flags, COMMON_IMPACT_FLAGS |
        VIR_DOMAIN_DEVICE_MODIFY_FORCE },
    .domain_add_iothread = { qemu_domain_add_iothread, COMMON_IMPACT_FLAGS },
    .domain_del_iothread = { qemu_domain_del_iothread, COMMON_IMPACT_FLAGS },

    .domain_get_scheduler_type = { qemu_domain_get_scheduler_type },
    .domain_get_scheduler_parameters = { qemu_domain_get_scheduler_parameters },
    .domain_get_scheduler_parameters_flags = { qemu_domain_get_scheduler_parameters_flags, PARAM_FLAGS },
    .domain_set_scheduler_parameters = { qemu_domain_set_scheduler_parameters },
    .domain_set_scheduler_parameters_flags = { qemu_domain_set_scheduler_parameters_flags, COMMON_IMPACT_FLAGS },
    .domain_get_memory_parameters = { qemu_domain_get_memory_parameters, PARAM_FLAGS },
    .domain_set_memory_parameters = { qemu_domain_set_memory_parameters, COMMON_IMPACT_FLAGS },
    .domain_get_blkio_parameters = { qemu_domain_get_blkio_parameters, PARAM_FLAGS },
    .domain_set_blkio_parameters = { qemu_domain_set_blkio_parameters, COMMON_IMPACT_FLAGS },
    .domain_get_numa_parameters = { qemu_domain_get_numa_parameters, PARAM_FLAGS },
    .domain_set_numa_parameters = { qemu_domain_set_numa_parameters, COMMON_IMPACT_FLAGS },
    .domain_set_vcpus = { qemu_domain_set_vcpus },
    .domain_set_vcpus_flags = { qemu_domain_set_vcpus_flags, COMMON_IMPACT_FLAGS | VIR_DOMAIN_VCPU_MAXIMUM |
        VIR_DOMAIN_VCPU_HOTPLUGGABLE | VIR_DOMAIN_VCPU_GUEST },
    .domain_set_vcpu = { qemu_domain_set_vcpu, COMMON_IMPACT_FLAGS },
    .domain_set_memory = { qemu_domain_set_memory },
    .domain_set_memory_flags = { qemu_domain_set_memory_flags, COMMON_IMPACT_FLAGS | VIR_DOMAIN_MEM_MAXIMUM },
    .domain_set_max_memory = { qemu_domain_set_max_memory },
    .domain_get_block_io_tune = { qemu_domain_get_block_io_tune, PARAM_FLAGS },
    .domain_set_block_io_tune = { qemu_domain_set_block_io_tune, COMMON_IMPACT_FLAGS },
    .domain_get_cpu_stats = { qemu_domain_get_cpu_stats, VIR_TYPED_PARAM_STRING_OKAY },
    .node_get_memory_parameters = { qemu_node_get_memory_parameters, VIR_TYPED_PARAM_STRING_OKAY },
    .node_set_memory_parameters = { qemu_node_set_memory_parameters },
    .node_alloc_pages = { qemu_node_alloc_pages, VIR_NODE_ALLOC_PAGES_SET },
    .node_suspend_for_duration = { qemu_node_suspend_for_duration },
    .domain_get_interface_parameters = { qemu_domain_get_interface_parameters, PARAM_FLAGS },
    .domain_set_interface_parameters = { qemu_domain_set_interface_parameters, COMMON_IMPACT_FLAGS },
    .domain_get_perf_events = { qemu_domain_get_perf_events, PARAM_FLAGS },
    .domain_set_perf_events = { qemu_domain_set_perf_events, COMMON_IMPACT_FLAGS },
    .domain_get_vcpus = { qemu_domain_get_vcpus },
    .domain_get_vcpu_pin_info = { qemu_domain_get_vcpu_pin_info, COMMON_IMPACT_FLAGS },
    .domain_get_emulator_pin_info = { qemu_domain_get_emulator_pin_info, COMMON_IMPACT_FLAGS },
    .domain_get_iothread_info = { qemu_domain_get_iothread_info, COMMON_IMPACT_FLAGS },
    .domain_pin_vcpu = { qemu_domain_pin_vcpu },
    .domain_pin_vcpu_flags = { qemu_domain_pin_vcpu_flags, COMMON_IMPACT_FLAGS },
    .domain_pin_emulator = { qemu_domain_pin_emulator, COMMON_IMPACT_FLAGS },
    .domain_pin_iothread = { qemu_domain_pin_iothread, COMMON_IMPACT_FLAGS },
    .domain_set_iothread_params = { qemu_domain_set_iothread_params, COMMON_IMPACT_FLAGS },

    .domain_get_state = { common_domain_get_state },
    .domain_get_info = { qemu_domain_get_info },
    .domain_get_xml_desc = { common_domain_get_xml_desc, COMMON_XML_FLAGS },
    .domain_get_os_type = { common_domain_get_os_type },
    .domain_get_max_memory = { common_domain_get_max_memory },
    .domain_get_max_vcpus = { common_domain_get_max_vcpus },
    .domain_get_vcpus_flags = { qemu_domain_get_vcpus_flags, COMMON_IMPACT_FLAGS |
        VIR_DOMAIN_VCPU_MAXIMUM | VIR_DOMAIN_VCPU_GUEST },
    .domain_get_autostart = { common_domain_get_autostart },
    .domain_set_metadata = { common_domain_set_metadata, COMMON_IMPACT_FLAGS },
    .domain_get_metadata = { common_domain_get_metadata, COMMON_IMPACT_FLAGS },
    .domain_is_active = { common_domain_is_active },
    .domain_is_persistent = { common_domain_is_persistent },
    .domain_is_updated = { common_domain_is_updated },
    .domain_block_stats = { qemu_domain_block_stats },
    .domain_block_stats_flags = { qemu_domain_block_stats_flags, VIR_TYPED_PARAM_STRING_OKAY },
    .domain_get_block_info = { qemu_domain_get_block_info },
    .domain_get_disk_errors = { qemu_domain_get_disk_errors },
    .domain_interface_stats = { qemu_domain_interface_stats },
    .domain_memory_stats = { qemu_domain_memory_stats },
    .domain_set_memory_stats_period = { qemu_domain_set_memory_stats_period, COMMON_IMPACT_FLAGS },
    .domain_start_dirty_rate_calc = { qemu_domain_start_dirty_rate_calc,
        VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_BITMAP | VIR_DOMAIN_DIRTYRATE_MODE_DIRTY_RING },
    .domain_memory_peek = { qemu_domain_memory_peek, VIR_MEMORY_VIRTUAL | VIR_MEMORY_PHYSICAL },
    .domain_block_peek = { qemu_domain_block_peek },
    .domain_set_lifecycle_action = { qemu_domain_set_lifecycle_action, COMMON_IMPACT_FLAGS },
    .domain_get_block_job_info = { qemu_domain_get_block_job_info, VIR_DOMAIN_BLOCK_JOB_INFO_BANDWIDTH_BYTES },
    .domain_block_job_abort = { qemu_domain_block_job_abort,
        VIR_DOMAIN_BLOCK_JOB_ABORT_ASYNC | VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT },
    .domain_block_job_set_speed = { qemu_domain_block_job_set_speed, VIR_DOMAIN_BLOCK_JOB_SPEED_BANDWIDTH_BYTES },
    .domain_block_resize = { qemu_domain_block_resize, VIR_DOMAIN_BLOCK_RESIZE_BYTES },
    .domain_set_block_threshold = { qemu_domain_set_block_threshold },
    .domain_set_launch_security_state = { qemu_domain_set_launch_security_state },
    .domain_get_launch_security_info = { qemu_domain_get_launch_security_info, VIR_TYPED_PARAM_STRING_OKAY },
    .domain_graphics_reload = { qemu_domain_graphics_reload },
    .domain_agent_set_response_timeout = { qemu_domain_agent_set_response_timeout },
    .domain_fsfreeze = { qemu_domain_fsfreeze },
    .domain_fsthaw = { qemu_domain_fsthaw },
    .domain_fstrim = { qemu_domain_fstrim },
    .domain_get_fsinfo = { qemu_domain_get_fsinfo },
    .domain_get_time = { qemu_domain_get_time },
    .domain_set_time = { qemu_domain_set_time, VIR_DOMAIN_TIME_SYNC },
    .domain_get_guest_info = { qemu_domain_get_guest_info },
    .domain_get_guest_vcpus = { qemu_domain_get_guest_vcpus },
    .domain_set_guest_vcpus = { qemu_domain_set_guest_vcpus },
    .domain_set_user_password = { qemu_domain_set_user_password, VIR_DOMAIN_PASSWORD_ENCRYPTED },
    .domain_authorized_ssh_keys_get = { qemu_domain_authorized_ssh_keys_get },
    .domain_authorized_ssh_keys_set = { qemu_domain_authorized_ssh_keys_set,
        VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND | VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE },
    .domain_get_hostname = { qemu_domain_get_hostname, VIR_DOMAIN_GET_HOSTNAME_LEASE | VIR_DOMAIN_GET_HOSTNAME_AGENT },
    .domain_interface_addresses = { qemu_domain_interface_addresses },
    .domain_pm_suspend_for_duration = { qemu_domain_pm_suspend_for_duration },
    .domain_pm_wakeup = { qemu_domain_pm_wakeup },
    .domain_get_control_info = { qemu_domain_get_control_info },
    .domain_get_job_info = { common_domain_get_job_info },
    .domain_get_job_stats = { common_domain_get_job_stats, VIR_DOMAIN_JOB_STATS_COMPLETED |
        VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED },
    .domain_migrate_set_max_speed = { qemu_domain_migrate_set_max_speed, VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY },
    .domain_migrate_start_post_copy = { qemu_domain_migrate_start_post_copy },
    .domain_migrate_get_max_speed = { qemu_domain_migrate_get_max_speed, VIR_DOMAIN_MIGRATE_MAX_SPEED_POSTCOPY },
    .domain_migrate_set_max_downtime = { qemu_domain_migrate_set_max_downtime },
    .domain_migrate_get_max_downtime = { qemu_domain_migrate_get_max_downtime },
    .domain_migrate_set_compression_cache = { qemu_domain_migrate_set_compression_cache },
    .domain_migrate_get_compression_cache = { qemu_domain_migrate_get_compression_cache },
    .domain_abort_job = { common_domain_abort_job },
    .domain_abort_job_flags = { common_domain_abort_job_flags, VIR_DOMAIN_ABORT_JOB_POSTCOPY },
    .domain_get_security_label = { qemu_domain_get_security_label },
    .domain_get_security_label_list = { qemu_domain_get_security_label_list },
    .domain_snapshot_num = { qemu_domain_snapshot_num, ~0u },
    .domain_snapshot_list_names = { qemu_domain_snapshot_list_names, ~0u },
    .domain_list_all_snapshots = { qemu_domain_list_all_snapshots, ~0u },
    .domain_has_current_snapshot = { qemu_domain_has_current_snapshot },
    .domain_list_all_checkpoints = { qemu_domain_list_all_checkpoints, ~0u },
    .domain_has_managed_save_image = { qemu_domain_has_managed_save_image },
    .domain_save = { qemu_domain_save },
    .domain_save_flags = { qemu_domain_save_flags, SAVE_FLAGS },
    .domain_save_params = { qemu_domain_save_params, SAVE_FLAGS },
    .domain_restore = { qemu_domain_restore },
    .domain_restore_flags = { qemu_domain_restore_flags, SAVE_FLAGS | VIR_DOMAIN_SAVE_RESET_NVRAM },
    .domain_restore_params = { qemu_domain_restore_params, SAVE_FLAGS | VIR_DOMAIN_SAVE_RESET_NVRAM },
    .domain_managed_save = { qemu_domain_managed_save, SAVE_FLAGS },
    .domain_managed_save_remove = { qemu_domain_managed_save_remove },
    .domain_managed_save_get_xml_desc = { qemu_domain_managed_save_get_xml_desc, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE },
    .domain_managed_save_define_xml = { qemu_domain_managed_save_define_xml, VIR_DOMAIN_SAVE_RUNNING |
        VIR_DOMAIN_SAVE_PAUSED },
    .domain_save_image_get_xml_desc = { qemu_domain_save_image_get_xml_desc, VIR_DOMAIN_SAVE_IMAGE_XML_SECURE },
    .domain_save_image_define_xml = { qemu_domain_save_image_define_xml, VIR_DOMAIN_SAVE_RUNNING |
        VIR_DOMAIN_SAVE_PAUSED },
    .domain_core_dump = { qemu_domain_core_dump, DUMP_FLAGS },
    .domain_core_dump_with_format = { qemu_domain_core_dump_with_format, DUMP_FLAGS },
    .domain_get_messages = { qemu_domain_get_messages, VIR_DOMAIN_MESSAGE_DEPRECATION | VIR_DOMAIN_MESSAGE_TAINTING },
    .domain_send_key = { qemu_domain_send_key },
    .domain_inject_nmi = { qemu_domain_inject_nmi },
    .domain_screenshot = { qemu_domain_screenshot },
    .domain_fd_associate = { qemu_domain_fd_associate, VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_RESTORE |
        VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE },
    .domain_open_graphics = { qemu_domain_open_graphics, VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH },
    .domain_open_graphics_fd = { qemu_domain_open_graphics_fd, VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH },
    .domain_open_channel = { qemu_domain_open_channel, VIR_DOMAIN_CHANNEL_FORCE },
    .domain_open_console = { qemu_domain_open_console, VIR_DOMAIN_CONSOLE_FORCE | VIR_DOMAIN_CONSOLE_SAFE },
};

static const QemuHandlers qemu_handlers = {
    .domain_agent_command = { qemu_domain_agent_command },
    .domain_monitor_command = { qemu_domain_monitor_command, VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP },
};

static const char *const schemes[] = { "qemu", NULL };

extern const Driver driver;
const Driver driver = {
    .name = "QEMU",
    .schemes = schemes,
    .error_source = VIR_FROM_QEMU,
    .remote = &remote_handlers,
    .qemu = &qemu_handlers,
    .objects = { [OBJECT_DOMAIN] = &object_class },
    .init = driver_init,
    .start = driver_start,
    .stop = driver_stop,
    .done = driver_done,
    .busy = driver_busy,
    .render_metrics = qemu_render_metrics,
    .open = driver_open,
    .supports_feature = driver_supports_feature,
};
/* clang-format on */
