/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The driver's handlers, by file; the table that puts them together is in driver.c. */
#pragma once

#include "drivers/common/handlers.h"
#include "protocols/qemu_handlers.h"

#define HANDLER_V(name) bool qemu_##name(Call *c, const DomainView *v, const remote_##name##_args *a, remote_##name##_ret *r, GError **err)
#define HANDLER_Q(name) bool qemu_##name(Call *c, DomainQuery *q, const remote_##name##_args *a, remote_##name##_ret *r, GError **err)
#define HANDLER_QN(name) bool qemu_##name(Call *c, DomainQuery *q, const remote_##name##_args *a, GError **err)
#define HANDLER_T(name) bool qemu_##name(Call *c, DomainTurn *t, const remote_##name##_args *a, GError **err)
#define HANDLER_Q(name) bool qemu_##name(Call *c, DomainQuery *q, const remote_##name##_args *a, remote_##name##_ret *r, GError **err)
#define HANDLER_C(name) bool qemu_##name(Call *c, const remote_##name##_args *a, remote_##name##_ret *r, GError **err)
#define HANDLER_R(name) bool qemu_##name(Call *c, remote_##name##_ret *r, GError **err)

/* handlers_life.c */
HANDLER_T(domain_create);
bool qemu_domain_create_with_flags(Call *c, DomainTurn *t, const remote_domain_create_with_flags_args *a, remote_domain_create_with_flags_ret *r, GError **err);
bool qemu_domain_create_xml(Call *c, DomainTurn *t, const remote_domain_create_xml_args *a, remote_domain_create_xml_ret *r, GError **err);
HANDLER_T(domain_destroy);
HANDLER_T(domain_destroy_flags);
HANDLER_QN(domain_shutdown);
HANDLER_QN(domain_shutdown_flags);
HANDLER_QN(domain_reboot);
HANDLER_T(domain_reset);
HANDLER_T(domain_suspend);
HANDLER_T(domain_resume);

/* handlers_host.c */
HANDLER_R(node_get_info);
HANDLER_C(node_get_cpu_map);
HANDLER_C(node_get_cpu_stats);
HANDLER_C(node_get_memory_stats);
HANDLER_C(node_get_sev_info);
HANDLER_R(node_get_free_memory);
HANDLER_C(node_get_cells_free_memory);
HANDLER_R(node_get_security_model);
HANDLER_C(connect_get_sysinfo);
HANDLER_R(connect_get_capabilities);
HANDLER_C(connect_get_domain_capabilities);
HANDLER_C(connect_get_cpu_model_names);
HANDLER_C(connect_domain_xml_to_native);
HANDLER_R(connect_get_version);
HANDLER_C(connect_get_max_vcpus);
HANDLER_R(connect_is_secure);

/* handlers_cpu.c */
HANDLER_C(connect_compare_cpu);
HANDLER_C(connect_compare_hypervisor_cpu);
HANDLER_C(connect_baseline_cpu);
HANDLER_C(connect_baseline_hypervisor_cpu);
HANDLER_C(node_get_free_pages);

/* fd_groups.c */
bool qemu_domain_fd_associate(Call *c, DomainTurn *t, const remote_domain_fd_associate_args *a, GError **err);
/* handlers_console.c */
bool qemu_domain_open_console(Call *c, const DomainView *v, const remote_domain_open_console_args *a, GError **err);
bool qemu_domain_open_channel(Call *c, const DomainView *v, const remote_domain_open_channel_args *a, GError **err);
/* handlers_display.c */
bool qemu_domain_open_graphics(Call *c, DomainQuery *query, const remote_domain_open_graphics_args *a, GError **err);
bool qemu_domain_open_graphics_fd(Call *c, DomainQuery *query, const remote_domain_open_graphics_fd_args *a, GError **err);
/* handlers_guest.c */
HANDLER_V(domain_get_info);
HANDLER_V(domain_get_control_info);
bool qemu_domain_monitor_command(Call *c, DomainQuery *q, const qemu_domain_monitor_command_args *a, qemu_domain_monitor_command_ret *r, GError **err);

/* handlers_input.c */
bool qemu_domain_send_key(Call *c, DomainQuery *q, const remote_domain_send_key_args *a, GError **err);
bool qemu_domain_inject_nmi(Call *c, DomainQuery *q, const remote_domain_inject_nmi_args *a, GError **err);
bool qemu_domain_screenshot(Call *c, DomainQuery *q, const remote_domain_screenshot_args *a, remote_domain_screenshot_ret *r, GError **err);
/* handlers_device.c */
HANDLER_T(domain_attach_device);
HANDLER_T(domain_attach_device_flags);
HANDLER_T(domain_detach_device);
HANDLER_T(domain_detach_device_flags);
HANDLER_T(domain_detach_device_alias);
HANDLER_T(domain_update_device_flags);

/* handlers_tune.c */
HANDLER_V(domain_get_scheduler_type);
HANDLER_Q(domain_get_scheduler_parameters);
HANDLER_Q(domain_get_scheduler_parameters_flags);
HANDLER_T(domain_set_scheduler_parameters);
HANDLER_T(domain_set_scheduler_parameters_flags);
HANDLER_Q(domain_get_memory_parameters);
HANDLER_T(domain_set_memory_parameters);
/* handlers_blkio.c */
HANDLER_Q(domain_get_blkio_parameters);
HANDLER_T(domain_set_blkio_parameters);
HANDLER_Q(domain_get_numa_parameters);
HANDLER_T(domain_set_numa_parameters);
/* handlers_pin.c */
HANDLER_V(domain_get_vcpus);
HANDLER_V(domain_get_vcpu_pin_info);
HANDLER_V(domain_get_emulator_pin_info);
HANDLER_Q(domain_get_iothread_info);
HANDLER_T(domain_pin_vcpu);
HANDLER_T(domain_pin_vcpu_flags);
HANDLER_T(domain_pin_emulator);
HANDLER_T(domain_pin_iothread);
HANDLER_T(domain_set_iothread_params);

/* handlers_iotune.c */
HANDLER_Q(domain_get_block_io_tune);
HANDLER_T(domain_set_block_io_tune);
/* handlers_usage.c */
HANDLER_V(domain_get_cpu_stats);
/* handlers_node.c */
HANDLER_C(node_get_memory_parameters);
bool qemu_node_set_memory_parameters(Call *c, const remote_node_set_memory_parameters_args *a, GError **err);
HANDLER_C(node_alloc_pages);
bool qemu_node_suspend_for_duration(Call *c, const remote_node_suspend_for_duration_args *a, GError **err);
/* bandwidth.c */
HANDLER_Q(domain_get_interface_parameters);
HANDLER_T(domain_set_interface_parameters);
/* perf.c */
HANDLER_Q(domain_get_perf_events);
HANDLER_T(domain_set_perf_events);
/* handlers_vcpu.c */
HANDLER_T(domain_set_vcpus);
HANDLER_T(domain_set_vcpus_flags);
HANDLER_T(domain_set_vcpu);
HANDLER_T(domain_set_memory);
HANDLER_T(domain_set_memory_flags);
HANDLER_T(domain_set_max_memory);

/* handlers_iothread.c */
/* Lists those that are only counted: they have the lowest free numbers. */
void iothreads_list_all(DomainDef *d);
/* NULL: it is not listed. ret_at may be NULL. */
IothreadDef *iothreads_find(const DomainDef *d, unsigned id, guint *ret_at);
HANDLER_T(domain_add_iothread);
HANDLER_T(domain_del_iothread);

/* handlers_block.c */
bool qemu_domain_block_resize(Call *c, DomainTurn *t, const remote_domain_block_resize_args *a, GError **err);

/* handlers_lifecycle.c */
bool qemu_domain_set_lifecycle_action(Call *c, DomainTurn *t, const remote_domain_set_lifecycle_action_args *a, GError **err);

/* handlers_migrate.c */
bool qemu_domain_migrate_set_max_speed(Call *c, DomainQuery *q, const remote_domain_migrate_set_max_speed_args *a, GError **err);
bool qemu_domain_migrate_get_max_speed(Call *c, DomainQuery *q, const remote_domain_migrate_get_max_speed_args *a, remote_domain_migrate_get_max_speed_ret *r, GError **err);
bool qemu_domain_migrate_set_max_downtime(Call *c, DomainQuery *q, const remote_domain_migrate_set_max_downtime_args *a, GError **err);
bool qemu_domain_migrate_get_max_downtime(Call *c, DomainQuery *q, const remote_domain_migrate_get_max_downtime_args *a, remote_domain_migrate_get_max_downtime_ret *r, GError **err);
bool qemu_domain_migrate_set_compression_cache(Call *c, DomainQuery *q, const remote_domain_migrate_set_compression_cache_args *a, GError **err);
bool qemu_domain_migrate_get_compression_cache(Call *c, DomainQuery *q, const remote_domain_migrate_get_compression_cache_args *a, remote_domain_migrate_get_compression_cache_ret *r, GError **err);
/* handlers_figures.c */
#define HANDLER_Q(name) bool qemu_##name(Call *c, DomainQuery *q, const remote_##name##_args *a, remote_##name##_ret *r, GError **err)
#define HANDLER_QN(name) bool qemu_##name(Call *c, DomainQuery *q, const remote_##name##_args *a, GError **err)
HANDLER_Q(domain_block_stats);
HANDLER_Q(domain_block_stats_flags);
HANDLER_Q(domain_get_block_info);
HANDLER_Q(domain_get_block_job_info);
HANDLER_T(domain_block_job_abort);
HANDLER_T(domain_block_job_set_speed);
HANDLER_QN(domain_migrate_start_post_copy);
HANDLER_T(domain_set_launch_security_state);
HANDLER_Q(domain_get_disk_errors);
HANDLER_V(domain_interface_stats);
HANDLER_Q(domain_memory_stats);
HANDLER_T(domain_set_memory_stats_period);
HANDLER_QN(domain_start_dirty_rate_calc);

/* handlers_peek.c */
HANDLER_Q(domain_memory_peek);
HANDLER_Q(domain_block_peek);
HANDLER_T(domain_set_block_threshold);
HANDLER_Q(domain_get_launch_security_info);
HANDLER_QN(domain_graphics_reload);

/* handlers_stats.c */
HANDLER_C(connect_get_all_domain_stats);

/* handlers_agent.c */
bool qemu_domain_agent_command(Call *c, DomainQuery *q, const qemu_domain_agent_command_args *a, qemu_domain_agent_command_ret *r, GError **err);
bool qemu_domain_agent_set_response_timeout(Call *c, DomainTurn *t, const remote_domain_agent_set_response_timeout_args *a, remote_domain_agent_set_response_timeout_ret *r, GError **err);
HANDLER_Q(domain_fsfreeze);
HANDLER_Q(domain_fsthaw);
HANDLER_QN(domain_fstrim);
HANDLER_Q(domain_get_time);
HANDLER_QN(domain_set_time);
HANDLER_Q(domain_get_guest_vcpus);
HANDLER_QN(domain_set_guest_vcpus);
HANDLER_V(domain_get_vcpus_flags);
HANDLER_QN(domain_set_user_password);
HANDLER_Q(domain_authorized_ssh_keys_get);
HANDLER_QN(domain_authorized_ssh_keys_set);
HANDLER_Q(domain_get_hostname);
HANDLER_QN(domain_pm_suspend_for_duration);
HANDLER_T(domain_pm_wakeup);

/* handlers_guestinfo.c */
HANDLER_Q(domain_get_guest_info);
HANDLER_Q(domain_get_fsinfo);
HANDLER_Q(domain_interface_addresses);
/* handlers_save.c */
HANDLER_T(domain_save);
HANDLER_T(domain_save_flags);
HANDLER_T(domain_save_params);
HANDLER_T(domain_managed_save);
HANDLER_V(domain_has_managed_save_image);
HANDLER_T(domain_managed_save_remove);
HANDLER_V(domain_managed_save_get_xml_desc);
HANDLER_T(domain_managed_save_define_xml);
bool qemu_domain_restore(Call *c, const remote_domain_restore_args *a, GError **err);
bool qemu_domain_restore_flags(Call *c, const remote_domain_restore_flags_args *a, GError **err);
bool qemu_domain_restore_params(Call *c, const remote_domain_restore_params_args *a, GError **err);
HANDLER_C(domain_save_image_get_xml_desc);
bool qemu_domain_save_image_define_xml(Call *c, const remote_domain_save_image_define_xml_args *a, GError **err);
HANDLER_T(domain_core_dump);
HANDLER_T(domain_core_dump_with_format);

/* handlers_undefine.c */
HANDLER_T(domain_undefine);
HANDLER_T(domain_undefine_flags);

/* handlers_none.c */
HANDLER_V(domain_snapshot_num);
HANDLER_V(domain_snapshot_list_names);
HANDLER_V(domain_list_all_snapshots);
HANDLER_V(domain_has_current_snapshot);
HANDLER_V(domain_list_all_checkpoints);
HANDLER_V(domain_get_messages);
HANDLER_V(domain_get_security_label);
HANDLER_V(domain_get_security_label_list);
