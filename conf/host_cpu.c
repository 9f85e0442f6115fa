/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The rows of a host's processor. What models and features mean is for drivers; here they are words.
 */
#include "conf/host_cpu.h"

#include "conf/device-internal.h"
#include "conf/domain.h"

/* clang-format off */
static const ConfField pages_rows[] = { CONF_SIZE(HostCpuPages, size, "@size", size_kib, CF_REQUIRED | CF_ALWAYS, "size of pages") };
CONF_DESC(host_cpu_pages_desc, HostCpuPages, pages_rows);

static const ConfField word_rows[] = { CONF_STR(StrItem, s, "name()", 0, "the word") };
CONF_DESC(host_cpu_word_desc, StrItem, word_rows);

/* Features of a host have no policy. */
static const ConfField host_feature_rows[] = {
    CONF_STR(CpuFeature, name, "@name", CF_REQUIRED | CF_NOT_EMPTY, "feature"),
    CONF_ENUM(CpuFeature, policy, "@policy", cpu_policy_names, 0, "only in descriptions of differences"),
    CONF_PAD(CpuFeature, _pad),
};
CONF_DESC(host_cpu_feature_desc, CpuFeature, host_feature_rows);

static bool host_cpu_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    HostCpuDef *c = v;
    c->has_tsc = c->tsc_frequency != 0;
    return true;
}

#define C HostCpuDef
static const ConfField host_cpu_rows[] = {
    CONF_STR(C, arch, "arch/text()", CF_REQUIRED | CF_NOT_EMPTY, "architecture"),
    CONF_LIST(C, words, "features/*", host_cpu_word_desc, 0, "what old processors may lack"),
    CONF_STR(C, model, "model/text()", 0, "nearest known model"),
    CONF_STR(C, vendor, "vendor/text()", 0, "vendor"),
    CONF_U32(C, microcode, "microcode/@version", 0, "version of the microcode"),
    CONF_OPT32(C, family, "signature/@family", 0, "family"),
    CONF_OPT32(C, model_number, "signature/@model", 0, "model in the family"),
    CONF_OPT32(C, stepping, "signature/@stepping", 0, "stepping"),
    CONF_UNUSED("counter/@name", "tsc"),
    CONF_CONST("counter/@name", "tsc", WHEN(C, has_tsc, BIT(1))),
    CONF_U64(C, tsc_frequency, "counter/@frequency", 0, "Hz"),
    CONF_YESNO(C, tsc_scaling, "counter/@scaling", 0, "guests may have another frequency"),
    CONF_OPTIONAL(C, maxphysaddr, "maxphysaddr", cpu_phys_desc, 0, "physical address bits"),
    CONF_OPTIONAL(C, topology, "topology", cpu_topology_desc, 0, "sockets, cores, threads"),
    CONF_LIST(C, features, "feature", host_cpu_feature_desc, 0, "beyond the model"),
    CONF_LIST(C, pages, "pages", host_cpu_pages_desc, 0, "sizes of pages"),
    CONF_HIDDEN(C, has_tsc, 0), CONF_PAD(C, _pad),
};
#undef C
CONF_DESC(host_cpu_desc, HostCpuDef, host_cpu_rows, .parsed = host_cpu_parsed);
/* clang-format on */

/* The architecture of a guest stands elsewhere. */
static bool is_of_host(const xmlNode *root)
{
    return xml_child(root, "arch") != NULL;
}

const DocKind guest_cpu_kind = { .name = "cpu", .root = "cpu", .desc = &cpu_desc };
DOC_KIND_DEFINE(guest_cpu, CpuDef)
const DocKind host_cpu_kind = { .name = "hostcpu", .root = "cpu", .claims = is_of_host, .desc = &host_cpu_desc };
DOC_KIND_DEFINE(host_cpu, HostCpuDef)
