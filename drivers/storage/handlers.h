/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Handlers of pools and volumes. Types and lanes: the generated remote_handlers.h. */
#pragma once

#include "drivers/storage/storage.h"

/* handlers_list.c */
bool handle_connect_num_of_storage_pools(Call *c, remote_connect_num_of_storage_pools_ret *r, GError **err);
bool handle_connect_list_storage_pools(Call *c, const remote_connect_list_storage_pools_args *a, remote_connect_list_storage_pools_ret *r, GError **err);
bool handle_connect_num_of_defined_storage_pools(Call *c, remote_connect_num_of_defined_storage_pools_ret *r, GError **err);
bool handle_connect_list_defined_storage_pools(Call *c, const remote_connect_list_defined_storage_pools_args *a, remote_connect_list_defined_storage_pools_ret *r, GError **err);
bool handle_connect_list_all_storage_pools(Call *c, const remote_connect_list_all_storage_pools_args *a, remote_connect_list_all_storage_pools_ret *r, GError **err);
bool handle_storage_pool_lookup_by_name(Call *c, const remote_storage_pool_lookup_by_name_args *a, remote_storage_pool_lookup_by_name_ret *r, GError **err);
bool handle_storage_pool_lookup_by_uuid(Call *c, const remote_storage_pool_lookup_by_uuid_args *a, remote_storage_pool_lookup_by_uuid_ret *r, GError **err);
bool handle_storage_pool_lookup_by_volume(Call *c, const remote_storage_pool_lookup_by_volume_args *a, remote_storage_pool_lookup_by_volume_ret *r, GError **err);
bool handle_storage_pool_lookup_by_target_path(Call *c, const remote_storage_pool_lookup_by_target_path_args *a, remote_storage_pool_lookup_by_target_path_ret *r, GError **err);
bool handle_storage_pool_num_of_volumes(Call *c, const StoragePoolView *cap, const remote_storage_pool_num_of_volumes_args *a, remote_storage_pool_num_of_volumes_ret *r, GError **err);
bool handle_storage_pool_list_volumes(Call *c, const StoragePoolView *cap, const remote_storage_pool_list_volumes_args *a, remote_storage_pool_list_volumes_ret *r, GError **err);
bool handle_storage_pool_list_all_volumes(Call *c, const StoragePoolView *cap, const remote_storage_pool_list_all_volumes_args *a, remote_storage_pool_list_all_volumes_ret *r, GError **err);
bool handle_storage_vol_lookup_by_name(Call *c, const StoragePoolView *cap, const remote_storage_vol_lookup_by_name_args *a, remote_storage_vol_lookup_by_name_ret *r, GError **err);
bool handle_storage_vol_lookup_by_key(Call *c, const remote_storage_vol_lookup_by_key_args *a, remote_storage_vol_lookup_by_key_ret *r, GError **err);
bool handle_storage_vol_lookup_by_path(Call *c, const remote_storage_vol_lookup_by_path_args *a, remote_storage_vol_lookup_by_path_ret *r, GError **err);

/* The volume at a path, also one that has come by itself to the directory of an active pool. */
Object *storage_vol_find_path(Call *c, const char *path);

/* handlers_pool.c */
bool handle_connect_get_storage_pool_capabilities(Call *c, const remote_connect_get_storage_pool_capabilities_args *a, remote_connect_get_storage_pool_capabilities_ret *r, GError **err);
bool handle_connect_find_storage_pool_sources(Call *c, const remote_connect_find_storage_pool_sources_args *a, remote_connect_find_storage_pool_sources_ret *r, GError **err);
bool handle_storage_pool_create_xml(Call *c, StoragePoolTurn *cap, const remote_storage_pool_create_xml_args *a, remote_storage_pool_create_xml_ret *r, GError **err);
bool handle_storage_pool_define_xml(Call *c, StoragePoolTurn *cap, const remote_storage_pool_define_xml_args *a, remote_storage_pool_define_xml_ret *r, GError **err);
bool handle_storage_pool_create(Call *c, StoragePoolTurn *cap, const remote_storage_pool_create_args *a, GError **err);
bool handle_storage_pool_build(Call *c, StoragePoolTurn *cap, const remote_storage_pool_build_args *a, GError **err);
bool handle_storage_pool_destroy(Call *c, StoragePoolTurn *cap, const remote_storage_pool_destroy_args *a, GError **err);
bool handle_storage_pool_delete(Call *c, StoragePoolTurn *cap, const remote_storage_pool_delete_args *a, GError **err);
bool handle_storage_pool_undefine(Call *c, StoragePoolTurn *cap, const remote_storage_pool_undefine_args *a, GError **err);
bool handle_storage_pool_refresh(Call *c, StoragePoolTurn *cap, const remote_storage_pool_refresh_args *a, GError **err);
bool handle_storage_pool_get_info(Call *c, const StoragePoolView *cap, const remote_storage_pool_get_info_args *a, remote_storage_pool_get_info_ret *r, GError **err);
bool handle_storage_pool_get_xml_desc(Call *c, const StoragePoolView *cap, const remote_storage_pool_get_xml_desc_args *a, remote_storage_pool_get_xml_desc_ret *r, GError **err);
bool handle_storage_pool_get_autostart(Call *c, const StoragePoolView *cap, const remote_storage_pool_get_autostart_args *a, remote_storage_pool_get_autostart_ret *r, GError **err);
bool handle_storage_pool_set_autostart(Call *c, StoragePoolTurn *cap, const remote_storage_pool_set_autostart_args *a, GError **err);
bool handle_storage_pool_is_active(Call *c, const StoragePoolView *cap, const remote_storage_pool_is_active_args *a, remote_storage_pool_is_active_ret *r, GError **err);
bool handle_storage_pool_is_persistent(Call *c, const StoragePoolView *cap, const remote_storage_pool_is_persistent_args *a, remote_storage_pool_is_persistent_ret *r, GError **err);

/* handlers_volume.c */
bool handle_storage_vol_create_xml(Call *c, StoragePoolTurn *cap, const remote_storage_vol_create_xml_args *a, remote_storage_vol_create_xml_ret *r, GError **err);
bool handle_storage_vol_create_xml_from(Call *c, StoragePoolTurn *cap, const remote_storage_vol_create_xml_from_args *a, remote_storage_vol_create_xml_from_ret *r, GError **err);
bool handle_storage_vol_delete(Call *c, StorageVolTurn *cap, const remote_storage_vol_delete_args *a, GError **err);
bool handle_storage_vol_get_info(Call *c, const StorageVolView *cap, const remote_storage_vol_get_info_args *a, remote_storage_vol_get_info_ret *r, GError **err);
bool handle_storage_vol_get_info_flags(Call *c, const StorageVolView *cap, const remote_storage_vol_get_info_flags_args *a, remote_storage_vol_get_info_flags_ret *r, GError **err);
bool handle_storage_vol_get_xml_desc(Call *c, const StorageVolView *cap, const remote_storage_vol_get_xml_desc_args *a, remote_storage_vol_get_xml_desc_ret *r, GError **err);
bool handle_storage_vol_get_path(Call *c, const StorageVolView *cap, const remote_storage_vol_get_path_args *a, remote_storage_vol_get_path_ret *r, GError **err);
bool handle_storage_vol_wipe(Call *c, StorageVolTurn *cap, const remote_storage_vol_wipe_args *a, GError **err);
bool handle_storage_vol_wipe_pattern(Call *c, StorageVolTurn *cap, const remote_storage_vol_wipe_pattern_args *a, GError **err);
bool handle_storage_vol_resize(Call *c, StorageVolTurn *cap, const remote_storage_vol_resize_args *a, GError **err);

/* handlers_stream.c */
bool handle_storage_vol_upload(Call *c, const StorageVolView *cap, const remote_storage_vol_upload_args *a, GError **err);
bool handle_storage_vol_download(Call *c, const StorageVolView *cap, const remote_storage_vol_download_args *a, GError **err);
