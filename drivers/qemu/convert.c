/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Documents as this driver understands them, for "modvirt convert": the stages of a definition with the
 * host's configuration, and with either this host's emulators or one that a file describes. Nothing is
 * started but, to find out what it can do, an emulator; nothing is stored.
 */
#include <string.h>

#include "conf/convert.h"
#include "conf/domain.h"
#include "drivers/qemu/driver.h"
#include "util/error.h"
#include "util/log.h"

static QemuCaps *described_caps(void *opaque, const char *emulator, const char *arch, const char *virt_type)
{
    QemuCaps *c = opaque;
    return !arch || g_strcmp0(arch, c->arch) == 0 || !c->arch ? qemu_caps_ref(c) : NULL;
}

static char *convert(const ConvertRequest *r, GError **err)
{
    g_autoptr(GError) ignored = NULL;
    g_autoptr(QemuCaps) described = NULL;

    if (strcmp(r->to, "domain") != 0) {
        error_set(err, VIR_ERR_NO_SUPPORT, "the QEMU driver does not convert to '%s'", r->to);
        return NULL;
    }
    if (r->capabilities && !(described = qemu_caps_load_xml(r->capabilities, err)))
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
        policy.opaque = described;
    }
    g_autoptr(DomainDef) d = domain_parse(r->text, r->len, r->parse, &qemu_policy, &policy, err);
    char *out = d ? domain_format(d, r->format, NULL, err) : NULL;
    qemu_policy_data_clear(&policy);
    qemu_config_free(config);
    return out;
}

const DriverConverter converter = { .convert = convert };
