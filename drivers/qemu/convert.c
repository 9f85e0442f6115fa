/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents as this driver understands them, for "modvirt convert": the stages of a definition with the
 * host's configuration, and with either this host's emulators or one that a file describes. Nothing is
 * started but, to find out what it can do, an emulator; nothing is stored.
 */
#include <string.h>

#include "conf/convert.h"
#include "conf/domain.h"
#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/cgroup.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/native.h"
#include "drivers/qemu/plan.h"
#include "util/error.h"
#include "util/log.h"
#include "util/paths.h"

static QemuCaps *described_caps(void *opaque, const char *emulator, const char *arch, const char *virt_type)
{
    QemuCaps *c = opaque;
    return !arch || g_strcmp0(arch, c->arch) == 0 || !c->arch ? qemu_caps_ref(c) : NULL;
}

static const char *described_emulator(void *opaque, const char *arch)
{
    const QemuCaps *c = opaque;
    return c->binary;
}

static QemuCaps *load_described(const char *path, GError **err)
{
    QemuCaps *c = qemu_caps_load(path, NULL, err);
    if (c && !c->binary)
        c->binary = g_strdup_printf("/usr/bin/qemu-system-%s", c->arch);
    return c;
}

static char *convert_domain(const ConvertRequest *r, const QemuPolicyData *policy, GError **err)
{
    g_autoptr(DomainDef) d = domain_parse(r->text, r->len, r->parse, &qemu_policy, (void *)policy, err);
    return d ? domain_format(d, r->format, NULL, err) : NULL;
}

static char *convert_argv(const ConvertRequest *r, const QemuPolicyData *policy, const QemuConfig *config, GError **err)
{
    QemuRun run = { .id = -1, .channel_dir = policy->channel_dir, .nvram_dir = policy->nvram_dir };
    QemuCmdlineContext ctx = { 0 };
    g_autofree char *lib = g_build_filename(paths()->lib, "qemu", NULL);
    qemu_config_cmdline(config, &ctx);
    return qemu_native_argv(r->text, r->len, policy, &run, &ctx, lib, true, err);
}

static char *plan_domain(const ConvertRequest *r, QemuPolicyData *policy, QemuConfig *config, QemuCaps *described,
                         GError **err)
{
    DomainDef *d = domain_parse(r->text, r->len, DOMAIN_PARSE_INACTIVE, &qemu_policy, policy, err);

    if (!d)
        return NULL;
    qemu.config = config;
    qemu.policy = *policy;
    qemu.lib = g_build_filename(paths()->lib, "qemu", NULL);
    qemu.run = g_build_filename(paths()->run, "qemu", NULL);
    guest_cgroups_init(config);
    char *out = qemu_plan(d, described);
    guest_cgroups_done();
    g_clear_pointer(&qemu.lib, g_free);
    g_clear_pointer(&qemu.run, g_free);
    return out;
}

static char *convert(const ConvertRequest *r, GError **err)
{
    g_autoptr(GError) ignored = NULL;
    g_autoptr(QemuCaps) described = NULL;
    bool argv = strcmp(r->to, "qemu-argv") == 0, plan = strcmp(r->to, "plan") == 0;

    if (!argv && !plan && strcmp(r->to, "domain") != 0) {
        error_set(err, VIR_ERR_NO_SUPPORT, "the QEMU driver does not convert to '%s'", r->to);
        return NULL;
    }
    if (r->capabilities && !(described = load_described(r->capabilities, err)))
        return NULL;
    /* Whoever may not read the configuration sees what it would be without. */
    QemuConfig *config = qemu_config_load(&ignored);
    if (!config) {
        log_warn("%s", ignored->message);
        config = qemu_config_new();
    }
    QemuPolicyData policy = qemu_policy_data(config);
    if (described) {
        policy.lookup_caps = described_caps;
        policy.emulator = described_emulator;
        policy.opaque = described;
    }
    char *out = plan   ? plan_domain(r, &policy, config, described, err)
                : argv ? convert_argv(r, &policy, config, err) : convert_domain(r, &policy, err);
    qemu_policy_data_clear(&policy);
    qemu_config_free(config);
    return out;
}

static char *plan(const ConvertRequest *r, GError **err)
{
    ConvertRequest how = *r;

    how.to = "plan";
    return convert(&how, err);
}

const DriverConverter converter = { .convert = convert, .plan = plan };
