/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The table of document kinds, and what all kinds do the same way. Pure functions, any thread.
 */
#include "conf/kinds.h"

#include <string.h>

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "conf/domain_backup.h"
#include "conf/domain_moment.h"
#include "conf/domain_status.h"
#include "conf/host_caps.h"
#include "conf/host_interface.h"
#include "conf/network.h"
#include "conf/host_cpu.h"
#include "conf/host_sysinfo.h"
#include "conf/node_device.h"
#include "conf/nwfilter.h"
#include "conf/parse-internal.h"
#include "conf/secret.h"
#include "conf/storage_pool.h"
#include "conf/storage_volume.h"
#include "util/error.h"

/* ---- domains have more context than other kinds ---- */

static void *domain_doc_parse(const DocKind *k, const char *xml, gsize len, unsigned flags, GError **err)
{
    return domain_parse(xml, len, flags, NULL, NULL, err);
}

static char *domain_doc_write(const void *def, unsigned flags, GError **err)
{
    const DomainFormatContext ctx = { .id = ((const DomainDef *)def)->document_id };
    return domain_format(def, flags, &ctx, err);
}

static void domain_doc_free(void *def)
{
    domain_free(def);
}

static const DocKind domain_kind = {
    .name = "domain", .root = "domain", .desc = &domain_desc, .tool_format = DOMAIN_FORMAT_SECURE,
    .identity = DOC_IDENTITY_NAME | DOC_IDENTITY_UUID,
    .parse = domain_doc_parse, .write = domain_doc_write, .free = domain_doc_free,
};

/* ---- devices alone, as they are attached: one kind for each element ---- */

static void *device_doc_parse(const DocKind *k, const char *xml, gsize len, unsigned flags, GError **err)
{
    g_autoptr(Device) d = device_parse(xml, len, flags, NULL, NULL, NULL, err);

    if (!d || device_desc(d->kind) == k->desc)
        return g_steal_pointer(&d);
    error_set(err, VIR_ERR_XML_ERROR, "unexpected root element <%s>, expected <%s>", device_kind_element(d->kind), k->root);
    return NULL;
}

static DocKind device_kinds[_DEVICE_KIND_N];

static const DocKind *device_kind(unsigned i)
{
    static gsize ready;

    if (g_once_init_enter(&ready)) {
        for (unsigned k = 0; k < _DEVICE_KIND_N; k++) {
            const char *element = device_kind_element((DeviceKind)k);
            g_autofree char *name = g_strconcat("device-", element, NULL);
            device_kinds[k] = (DocKind){ .name = g_intern_string(name), .root = element, .desc = device_desc((DeviceKind)k),
                                         .tool_format = DOMAIN_FORMAT_SECURE, .parse = device_doc_parse };
        }
        g_once_init_leave(&ready, 1);
    }
    return i < _DEVICE_KIND_N ? &device_kinds[i] : NULL;
}

/* One line per kind. Where several have one root, the first that claims the document has it. */
static const DocKind *const kinds[] = {
    &domain_kind,
    &network_kind,
    &network_port_kind,
    &nwfilter_kind,
    &nwfilter_binding_kind,
    &hostif_kind,
    &secret_kind,
    &storage_pool_kind,
    &storage_volume_kind,
    &storage_source_list_kind,
    &storage_pool_caps_kind,
    &node_device_kind,
    &host_cpu_kind,
    &guest_cpu_kind,
    &host_sysinfo_kind,
    &host_caps_kind,
    &domain_caps_kind,
    &snapshot_kind,
    &checkpoint_kind,
    &backup_kind,
    &domain_status_kind,
};

const DocKind *doc_kind_at(unsigned i)
{
    return i < G_N_ELEMENTS(kinds) ? kinds[i] : device_kind(i - (unsigned)G_N_ELEMENTS(kinds));
}

const DocKind *doc_kind_find(const char *name)
{
    const DocKind *k;

    for (unsigned i = 0; (k = doc_kind_at(i)) && strcmp(k->name, name) != 0;)
        i++;
    return k;
}

const DocKind *doc_kind_of(const xmlNode *root)
{
    const DocKind *k;

    for (unsigned i = 0; (k = doc_kind_at(i)) && (!xml_is(root, k->root) || (k->claims && !k->claims(root)));)
        i++;
    return k;
}

/* ---- what all kinds do the same way ---- */

static bool walk(const DocKind *k, xmlNode *root, void *def, unsigned flags, GError **err)
{
    g_autoptr(GPtrArray) problems = flags & DOMAIN_PARSE_STRICT ? g_ptr_array_new_with_free_func(g_free) : NULL;
    ConfParser p = { .flags = flags, .root = def, .problems = problems };

    return conf_parse(&p, k->desc, root, def, err) && conf_check_unread(&p, root, err) &&
           (!k->resolve || k->resolve(def, flags, err)) &&
           (!k->defaults || (flags & DOMAIN_PARSE_NO_DEFAULTS) || k->defaults(def, flags, err)) &&
           (!k->validate || (flags & DOMAIN_PARSE_NO_VALIDATE) || k->validate(def, flags, err));
}

void *doc_parse(const DocKind *k, const char *xml, gsize len, unsigned flags, GError **err)
{
    if (k->parse)
        return k->parse(k, xml, len, flags, err);
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, err);
    if (!doc || !conf_check_root(xml_root(doc), k->root, err))
        return NULL;
    void *def = g_malloc0(k->desc->size);
    if (!walk(k, xml_root(doc), def, flags, err)) {
        conf_free(k->desc, def);
        return NULL;
    }
    return def;
}

char *doc_format(const DocKind *k, const void *def, unsigned flags, GError **err)
{
    if (k->write)
        return k->write(def, flags, err);
    g_autoptr(GString) out = g_string_sized_new(1024), tmp = g_string_new(NULL);
    ConfFormatter f = { .flags = flags, .root = def, .tmp = tmp };

    xml_writer_init(&f.w, out, 0);
    conf_format_element(&f, k->desc, def, k->root);
    if (f.failed) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "rows of a %s are in an order that cannot be written", k->name);
        return NULL;
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

void doc_free(const DocKind *k, void *def)
{
    if (k->free)
        k->free(def);
    else
        conf_free(k->desc, def);
}

void *doc_copy(const DocKind *k, const void *def)
{
    return conf_dup(k->desc, def);
}

bool doc_equal(const DocKind *k, const void *a, const void *b, char **ret_path)
{
    if (ret_path)
        *ret_path = NULL;
    return conf_equal(k->desc, a, b, 0, ret_path);
}

bool doc_peek_identity(const DocKind *k, const char *xml, gsize len, char **ret_name, Uuid ret_uuid,
                       bool *ret_has_uuid, GError **err)
{
    g_autoptr(XmlDoc) doc = xml_parse(xml, len, err);
    if (!doc || !conf_check_root(xml_root(doc), k->root, err))
        return false;
    xmlNode *root = xml_root(doc);
    xmlNode *name = k->identity & DOC_IDENTITY_NAME ? xml_child(root, "name") : NULL;
    xmlNode *uuid = k->identity & DOC_IDENTITY_UUID ? xml_child(root, "uuid") : NULL;

    g_autofree char *text = name ? xml_text_dup(name) : NULL;
    if ((k->identity & DOC_IDENTITY_NAME) && (!text || !*text)) {
        conf_error_at(err, VIR_ERR_XML_ERROR, root, NULL, "'name' is missing");
        return false;
    }
    Uuid u = { 0 };
    g_autofree char *s = uuid ? xml_text_dup(uuid) : NULL;
    if (s && *s && !uuid_parse(s, u)) { /* an empty element says nothing */
        conf_error_at(err, VIR_ERR_XML_ERROR, uuid, NULL, "malformed uuid '%.100s'", s);
        return false;
    }
    memcpy(ret_uuid, u, sizeof(u));
    *ret_has_uuid = s && *s;
    *ret_name = g_steal_pointer(&text);
    return true;
}
