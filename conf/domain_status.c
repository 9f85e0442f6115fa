/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of status files that other daemons wrote. Words whose meaning only a driver knows (states,
 * phases, flags of the emulator) stay words. The domain is read and written by its own functions.
 */
#include "conf/domain_status.h"

#include <string.h>

#include "conf/device-internal.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
static const ConfField taint_rows[] = { CONF_STR(StrItem, s, "@flag", CF_REQUIRED, "why nobody supports this guest") };
CONF_DESC(status_taint_desc, StrItem, taint_rows);
static const ConfField namespace_rows[] = { CONF_STR(StrItem, s, "name()", 0, "kind of namespace") };
CONF_DESC(status_namespace_desc, StrItem, namespace_rows);
static const ConfField flag_rows[] = { CONF_STR(StrItem, s, "@name", CF_REQUIRED, "what the emulator can do") };
CONF_DESC(status_flag_desc, StrItem, flag_rows);
static const ConfField alias_rows[] = { CONF_STR(StrItem, s, "@alias", CF_REQUIRED, "device in the emulator") };
CONF_DESC(status_alias_desc, StrItem, alias_rows);
static const ConfField vcpu_rows[] = {
    CONF_U32(StatusVcpu, id, "@id", CF_REQUIRED | CF_ALWAYS, "virtual CPU"), CONF_U32(StatusVcpu, pid, "@pid", CF_REQUIRED | CF_ALWAYS, "its thread"),
};
CONF_DESC(status_vcpu_desc, StatusVcpu, vcpu_rows);
static const ConfField param_rows[] = {
    CONF_STR(StatusParam, name, "@name", CF_REQUIRED, "parameter"), CONF_STR(StatusParam, value, "@value", CF_REQUIRED, "value"),
};
CONF_DESC(status_param_desc, StatusParam, param_rows);
static const ConfField slirp_rows[] = {
    CONF_STR(StatusSlirp, alias, "@alias", CF_REQUIRED, "interface"), CONF_U32(StatusSlirp, pid, "@pid", CF_REQUIRED, "process", CONF_NUM(num_positive)),
    CONF_PAD(StatusSlirp, _pad),
};
CONF_DESC(status_slirp_desc, StatusSlirp, slirp_rows);

static const ConfField store_rows[] = {
    CONF_ENUM(StatusStore, src.type, "@type", storage_type_names, CF_VIEW, "where it is"),
    CONF_ENUM(StatusStore, src.format, "@format", storage_format_names, CF_VIEW, "format"),
    CONF_STRUCT(StatusStore, src, "", top_storage_desc, 0, "the source"),
};
CONF_DESC(status_store_desc, StatusStore, store_rows);

static const ConfField job_disk_rows[] = {
    CONF_STR(StatusJobDisk, target, "@dev", CF_REQUIRED, "disk"),
    CONF_YESNO(StatusJobDisk, migrating, "@migrating", 0, "whether it is copied"),
    CONF_OPTIONAL(StatusJobDisk, source, "migrationSource", status_store_desc, 0, "where to"),
    CONF_PAD(StatusJobDisk, _pad),
};
CONF_DESC(status_job_disk_desc, StatusJobDisk, job_disk_rows);

#define J StatusJob
static const ConfField job_rows[] = {
    CONF_STR(J, type, "@type", CF_REQUIRED, "short call"),
    CONF_STR(J, async, "@async", 0, "long call"),
    CONF_STR(J, phase, "@phase", 0, "how far it is"),
    CONF_OPT32(J, flags, "@flags", 0, "flags of the call", CONF_NUM(num_hex)),
    CONF_OPT64(J, started, "@asyncStarted", 0, "ms since the epoch"),
    CONF_LIST(J, disks, "disk", status_job_disk_desc, 0, "disks that migrate"),
    CONF_RAW(J, bitmaps, "tempBlockDirtyBitmaps", 0, "bitmaps to be removed"),
    CONF_FLAG(J, has_params, "migParams", 0, ""),
    CONF_LIST(J, migration_params, "migParams/param", status_param_desc, 0, "to be set back afterwards"),
    CONF_PAD(J, _pad),
};
#undef J
CONF_DESC(status_job_desc, StatusJob, job_rows);

#define B StatusBlockJob
static const ConfField block_job_rows[] = {
    CONF_STR(B, name, "@name", CF_REQUIRED, "job in the emulator"),
    CONF_STR(B, type, "@type", CF_REQUIRED, "what it does"),
    CONF_STR(B, state, "@state", CF_REQUIRED, "state"),
    CONF_STR(B, new_state, "@newstate", 0, "state that was told and not yet handled"),
    CONF_STR(B, broken_type, "@brokentype", 0, "what it was"),
    CONF_OPT32(B, flags, "@jobflags", 0, "flags of the call", CONF_NUM(num_hex)),
    CONF_YESNO(B, shallow, "@shallownew", 0, "copy: the destination has its layers"),
    CONF_STR(B, disk, "disk/@dst", 0, "disk"),
    CONF_YESNO(B, mirror, "disk/@mirror", 0, "the disk's mirror belongs to it"),
    CONF_OPTIONAL(B, chain, "chains/disk", status_store_desc, 0, "layers that no disk uses any more"),
    CONF_OPTIONAL(B, mirror_chain, "chains/mirror", status_store_desc, 0, "same, of the mirror"),
    CONF_STR(B, error, "errmsg/text()", 0, "why it failed"),
    CONF_STR(B, base, "base/@node", 0, "lowest layer"),
    CONF_STR(B, top, "top/@node", 0, "highest layer"),
    CONF_STR(B, top_parent, "topparent/@node", 0, "layer above that"),
    CONF_FLAG(B, delete_committed, "deleteCommittedImages", 0, "remove what was committed"),
    CONF_STR(B, create_mode, "create/@mode", 0, "'storage': the file, else its format"),
    CONF_OPTIONAL(B, create_source, "src", status_store_desc, 0, "what is created"),
    CONF_STR(B, bitmap, "bitmap/@name", 0, "bitmap of a backup"),
    CONF_OPTIONAL(B, store, "store", status_store_desc, 0, "where a backup goes"),
    CONF_PAD(B, _pad),
};
#undef B
CONF_DESC(status_block_job_desc, StatusBlockJob, block_job_rows);
/* clang-format on */

/* ---- the domain ---- */

static bool status_domain_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    DomainStatus *s = base;

    if (!el) {
        error_set(err, VIR_ERR_XML_ERROR, "domstatus: 'domain' is missing");
        return false;
    }
    const char *id = xml_attr_get(el, "id");
    s->id = id ? (int32_t)g_ascii_strtoll(id, NULL, 10) : 0;
    s->domain = domain_parse_element(el, DOMAIN_PARSE_STATUS | DOMAIN_PARSE_NO_DEFAULTS | DOMAIN_PARSE_NO_VALIDATE,
                                     NULL, NULL, err);
    return s->domain != NULL;
}

static void status_domain_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const DomainStatus *s = base;
    const DomainFormatContext ctx = { .id = s->id };

    conf_format_at(f, NULL, 0);
    g_autofree char *text = s->domain ? domain_format_inside(s->domain, DOMAIN_FORMAT_STATUS, &ctx,
                                                             f->w.base + f->w.depth, NULL) : NULL;
    if (text)
        xml_raw(&f->w, g_strstrip(text));
    else
        f->failed = true;
}
static const ConfCustom status_domain = { status_domain_parse, status_domain_format, NULL, NULL };

/* clang-format off */
#define D DomainStatus
static const ConfField status_rows[] = {
    CONF_STR(D, state, "@state", CF_REQUIRED, "state of the guest"),
    CONF_STR(D, reason, "@reason", CF_REQUIRED, "why it is in that state"),
    CONF_U32(D, pid, "@pid", CF_REQUIRED, "process of the emulator", CONF_NUM(num_positive)),
    CONF_LIST(D, taints, "taint", status_taint_desc, 0, "unsupported ways"),
    CONF_STR(D, monitor_path, "monitor/@path", CF_REQUIRED, "socket of the monitor"),
    CONF_STR(D, monitor_type, "monitor/@type", 0, "'unix'"),
    CONF_FLAG(D, dbus_daemon, "dbusDaemon", 0, "it has a bus of its own"),
    CONF_FLAG(D, dbus_vmstate, "dbusVMState", 0, "helpers have state to migrate"),
    CONF_LIST(D, namespaces, "namespaces/*", status_namespace_desc, 0, "namespaces of the emulator"),
    CONF_LIST(D, vcpus, "vcpus/vcpu", status_vcpu_desc, 0, "threads of CPUs"),
    CONF_LIST(D, capabilities, "qemuCaps/flag", status_flag_desc, 0, "what the emulator can do"),
    CONF_STR(D, lock_state, "lockstate/text()", 0, "of the lock manager"),
    CONF_OPTIONAL(D, job, "job", status_job_desc, 0, "call that was under way"),
    CONF_FLAG(D, fake_reboot, "fakereboot", 0, "a shutdown will be a reboot"),
    CONF_LIST(D, devices, "devices/device", status_alias_desc, 0, "devices in the emulator"),
    CONF_BITMAP(D, numad_nodes, "numad/@nodeset", 0, "chosen nodes"),
    CONF_BITMAP(D, numad_cpus, "numad/@cpuset", 0, "chosen CPUs"),
    CONF_STR(D, lib_dir, "libDir/@path", 0, "directory of the guest"),
    CONF_STR(D, channel_dir, "channelTargetDir/@path", 0, "directory of channel sockets"),
    CONF_OPTIONAL(D, original_cpu, "cpu", cpu_desc, 0, "CPU before the start"),
    CONF_FLAG(D, stdio_logd, "chardevStdioLogd", 0, "consoles are logged by the log daemon"),
    CONF_FLAG(D, remember_owner, "rememberOwner", 0, "owners of files are restored"),
    CONF_YESNO(D, allow_reboot, "allowReboot/@value", 0, "whether it may reboot"),
    CONF_FLAG(D, pr_daemon, "prDaemon", 0, "the reservations helper runs"),
    CONF_U64(D, node_index, "nodename/@index", CF_ALWAYS, "last block node"),
    CONF_U32(D, fdset_index, "fdset/@index", CF_ALWAYS, "last set of descriptors"),
    CONF_YESNO(D, blockjobs_active, "blockjobs/@active", 0, "some block job runs"),
    CONF_LIST(D, block_jobs, "blockjobs/blockjob", status_block_job_desc, 0, "block jobs"),
    CONF_LIST(D, slirps, "slirp/helper", status_slirp_desc, 0, "helpers of user networking"),
    CONF_OPTI32(D, agent_timeout, "agentTimeout/text()", 0, "seconds"),
    CONF_OPTIONAL(D, backup, "backups/domainbackup", backup_desc, 0, "backup that runs"),
    CONF_CUSTOM_VIEW(status_domain, "domain", "the guest"),
    CONF_OPTIONAL(D, domain, NULL, domain_desc, 0, ""),
    CONF_HIDDEN(D, id, 0), CONF_PAD(D, _pad),
};
#undef D
CONF_DESC(domain_status_desc, DomainStatus, status_rows);
/* clang-format on */

static bool status_resolve(void *def, unsigned flags, GError **err)
{
    DomainStatus *s = def;

    if (!s->agent_timeout.set)
        s->agent_timeout = (OptI32){ 1, -2 };
    domain_status_complete(s->domain);
    return true;
}

const DocKind domain_status_kind = {
    .name = "status", .root = "domstatus", .desc = &domain_status_desc, .tool_parse = DOMAIN_PARSE_STATUS,
    .tool_format = DOMAIN_FORMAT_STATUS, .resolve = status_resolve,
};
DOC_KIND_DEFINE(domain_status, DomainStatus)
