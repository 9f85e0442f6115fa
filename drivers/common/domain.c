/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Domains as a kind of object: what the general code asks of one (the table domain_kind), the registry of all,
 * and the functions of objects with a domain's types. The hypervisor's part comes from its DomainDriver. A
 * domain's key is its id while it is active. Any thread.
 */
#include "drivers/common/domains.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/common/domain-internal.h"
#include "drivers/common/handlers.h"
#include "drivers/common/xml_cache.h"
#include "util/error.h"
#include "util/xml.h"

static struct {
    const DomainDriver *driver;
    Registry *all;
    atomic_int last_id;
} domains;

const DomainDriver *domains_driver(void) { return domains.driver; }

/* Definitions -------------------------------------------------------------------------------- */

static void *parse(const char *xml, gsize len, bool live, GError **err)
{
    const DomainDriver *d = domains.driver;

    if (live)
        return domain_parse(xml, len, DOMAIN_PARSE_STATUS | DOMAIN_PARSE_NO_DEFAULTS | DOMAIN_PARSE_NO_VALIDATE,
                            d->policy, d->policy_data, err);
    return domain_parse(xml, len, DOMAIN_PARSE_INACTIVE | DOMAIN_PARSE_NO_VALIDATE, d->policy,
                        d->stored_policy_data ? d->stored_policy_data : d->policy_data, err);
}

/* Of an object that is not active yet, an id means nothing. */
static int id_of(const ObjectView *v)
{
    return v->active ? ((const DomainView *)v)->id : -1;
}

static char *format(const ObjectView *v, const void *def, bool live, GError **err)
{
    const DomainFormatContext ctx = { id_of(v) };

    return live ? domain_format(def, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_STATUS, &ctx, err)
                : domain_format(def, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_INACTIVE, NULL, err);
}

static void free_def(void *def) { domain_free(def); }
static void *copy_def(const void *def) { return domain_copy(def); }
static char **def_name(void *def) { return &((DomainDef *)def)->name; }
static OptUuid *def_uuid(void *def) { return &((DomainDef *)def)->uuid; }

/* Views -------------------------------------------------------------------------------------- */

static void view_fresh_(ObjectView *o)
{
    DomainView *v = (DomainView *)o;

    v->id = -1;
    v->state = VIR_DOMAIN_SHUTOFF;
    v->reason = VIR_DOMAIN_SHUTOFF_UNKNOWN;
}

static void view_loaded(ObjectView *o)
{
    DomainView *v = (DomainView *)o;

    v->managed_save = domains.driver->has_managed_save && domains.driver->has_managed_save(v->name);
}

static char *key(const ObjectView *o)
{
    const DomainView *v = (const DomainView *)o;

    return v->id >= 0 ? g_strdup_printf("%d", v->id) : NULL;
}

static const char *const links[] = { "", ".once", NULL };
enum { LINK_ONCE = 1 << 1 };

static unsigned links_of(const ObjectView *v)
{
    return ((const DomainView *)v)->autostart_once ? LINK_ONCE : 0;
}

static void set_links(ObjectView *v, unsigned bits)
{
    ((DomainView *)v)->autostart_once = bits & LINK_ONCE;
}

/* Status ------------------------------------------------------------------------------------- */

static void note_id(int id)
{
    int last = atomic_load(&domains.last_id);

    while (last < id && !atomic_compare_exchange_weak(&domains.last_id, &last, id))
        ;
}

static void status_attributes(const ObjectView *o, GString *out)
{
    const DomainView *v = (const DomainView *)o;

    g_string_append_printf(out, " state='%d' reason='%d' id='%d'", v->state, v->reason, id_of(o));
}

static bool attr_int(const xmlNode *n, const char *name, int *ret, GError **err)
{
    const char *text = xml_attr_get(n, name);
    char *end = NULL;

    errno = 0;
    long v = text ? strtol(text, &end, 10) : 0;
    if (!text || end == text || *end || errno || v < INT_MIN || v > INT_MAX) {
        error_set(err, VIR_ERR_XML_ERROR, "domstatus/@%s: '%s' is not a number", name, text ? text : "");
        return false;
    }
    *ret = (int)v;
    return true;
}

static bool status_loaded(ObjectView *o, const xmlNode *root, GError **err)
{
    DomainView *v = (DomainView *)o;

    if (!attr_int(root, "id", &v->id, err) || !attr_int(root, "state", &v->state, err) ||
        !attr_int(root, "reason", &v->reason, err))
        return false;
    v->active = v->id >= 0; /* else it is a start that did not come to its end */
    note_id(v->id);
    return true;
}

/* The driver's part -------------------------------------------------------------------------- */

static void *attach(Object *o)
{
    return domains.driver->attach((Domain *)o);
}

static void detach(Object *o)
{
    domains.driver->detach(o->driver);
    domain_job_unref(((Domain *)o)->completed);
}

static void interrupt(Object *o, bool destroy)
{
    if (domains.driver->interrupt)
        domains.driver->interrupt((Domain *)o, destroy);
}

static void interrupt_failed(Object *o)
{
    if (domains.driver->interrupt_failed)
        domains.driver->interrupt_failed((Domain *)o);
}

static uint64_t unresponsive_since(Object *o)
{
    return domains.driver->unresponsive_since ? domains.driver->unresponsive_since((Domain *)o) : 0;
}

static void refuse_inactive(const ObjectView *v, GError **err)
{
    error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
}

/* The wire ----------------------------------------------------------------------------------- */

static void wire_identity(const void *wire, const char **ret_name, const uint8_t **ret_uuid)
{
    const remote_nonnull_domain *w = wire;

    *ret_name = w->name;
    *ret_uuid = (const uint8_t *)w->uuid;
}

static void wire_fill(const ObjectView *v, void *ret)
{
    common_wire_domain((const DomainView *)v, ret);
}

#define PAIR(yes, word, no) (VIR_CONNECT_LIST_DOMAINS_##yes##word | VIR_CONNECT_LIST_DOMAINS_##no##word)
static const unsigned filter_groups[] = {
    VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE,
    VIR_CONNECT_LIST_DOMAINS_PERSISTENT | VIR_CONNECT_LIST_DOMAINS_TRANSIENT,
    VIR_CONNECT_LIST_DOMAINS_RUNNING | VIR_CONNECT_LIST_DOMAINS_PAUSED | VIR_CONNECT_LIST_DOMAINS_SHUTOFF |
        VIR_CONNECT_LIST_DOMAINS_OTHER,
    PAIR(, AUTOSTART, NO_),
    PAIR(, MANAGEDSAVE, NO_),
    PAIR(HAS_, SNAPSHOT, NO_),
    PAIR(HAS_, CHECKPOINT, NO_),
    0,
};

static unsigned filter_bits(const ObjectView *o)
{
    const DomainView *v = (const DomainView *)o;
    unsigned state = v->state == VIR_DOMAIN_RUNNING   ? VIR_CONNECT_LIST_DOMAINS_RUNNING
                     : v->state == VIR_DOMAIN_PAUSED  ? VIR_CONNECT_LIST_DOMAINS_PAUSED
                     : v->state == VIR_DOMAIN_SHUTOFF ? VIR_CONNECT_LIST_DOMAINS_SHUTOFF
                                                      : VIR_CONNECT_LIST_DOMAINS_OTHER;

    return state | (view_active(v) ? VIR_CONNECT_LIST_DOMAINS_ACTIVE : VIR_CONNECT_LIST_DOMAINS_INACTIVE) |
           (v->persistent ? VIR_CONNECT_LIST_DOMAINS_PERSISTENT : VIR_CONNECT_LIST_DOMAINS_TRANSIENT) |
           (v->autostart ? VIR_CONNECT_LIST_DOMAINS_AUTOSTART : VIR_CONNECT_LIST_DOMAINS_NO_AUTOSTART) |
           (v->managed_save ? VIR_CONNECT_LIST_DOMAINS_MANAGEDSAVE : VIR_CONNECT_LIST_DOMAINS_NO_MANAGEDSAVE) |
           /* No driver makes any yet. */
           VIR_CONNECT_LIST_DOMAINS_NO_SNAPSHOT | VIR_CONNECT_LIST_DOMAINS_NO_CHECKPOINT;
}

/* config_dir, status_dir, status_format and status_parse are the driver's. */
static KindInfo domain_kind = {
    .object = OBJECT_DOMAIN,
    .word = "domain",
    .missing = VIR_ERR_NO_DOMAIN,
    .view_size = sizeof(DomainView),
    .object_size = sizeof(Domain),
    .identity = DOC_IDENTITY_NAME | DOC_IDENTITY_UUID,
    .peek = domain_peek_identity,
    .parse = parse,
    .format = format,
    .free_def = free_def,
    .copy_def = copy_def,
    .def_name = def_name,
    .def_uuid = def_uuid,
    .view_fresh = view_fresh_,
    .view_loaded = view_loaded,
    .key = key,
    .note = "Written by the daemon that manages this guest; edits to this file are lost.\n"
            "Change the guest with: virsh edit\n",
    .document = "domain",
    .status_root = "domstatus",
    .links = links,
    .links_of = links_of,
    .set_links = set_links,
    .status_attributes = status_attributes,
    .status_loaded = status_loaded,
    .attach = attach,
    .detach = detach,
    .interrupt = interrupt,
    .interrupt_failed = interrupt_failed,
    .unresponsive_since = unresponsive_since,
    .refuse_inactive = refuse_inactive,
    .wire_identity = wire_identity,
    .wire_fill = wire_fill,
    .wire_size = sizeof(remote_nonnull_domain),
    .filter_groups = filter_groups,
    .filter_bits = filter_bits,
};

/* All domains -------------------------------------------------------------------------------- */

bool domains_open(const DomainDriver *driver, const DriverContext *ctx, GPtrArray **ret_live, GError **err)
{
    domains.driver = driver;
    domain_kind.config_dir = domain_kind.status_dir = driver->subdir;
    domain_kind.status_format = driver->status_format;
    domain_kind.status_parse = driver->status_parse;
    objects_init(ctx);
    domains.all = registry_open(&domain_kind, ret_live, err);
    return domains.all != NULL;
}

void domains_close(void)
{
    xml_cache_clear();
    registry_close(domains.all);
    domains.all = NULL;
}

Domain *domains_find_uuid(const uint8_t *uuid) { return (Domain *)registry_find_uuid(domains.all, uuid); }
Domain *domains_find_name(const char *name) { return (Domain *)registry_find_name(domains.all, name); }

Domain *domains_find_id(int id)
{
    char text[16];

    g_snprintf(text, sizeof(text), "%d", id);
    return (Domain *)registry_find_key(domains.all, text);
}

GPtrArray *domains_views(void) { return registry_views(domains.all); }
GPtrArray *domains_collect(Call *c, unsigned flags) { return registry_collect(domains.all, c, flags); }
bool domains_filter(const DomainView *v, unsigned flags) { return registry_filter((const ObjectView *)v, flags); }
unsigned domains_count_active(void) { return registry_count_active(domains.all); }
int domains_next_id(void) { return atomic_fetch_add(&domains.last_id, 1) + 1; }

/* One domain --------------------------------------------------------------------------------- */

DomainView *domain_view_ref(const DomainView *v) { return (DomainView *)object_view_ref((const ObjectView *)v); }
DomainView *domain_view_unref(DomainView *v) { return (DomainView *)object_view_unref((ObjectView *)v); }
void domain_view_destroy(void *view) { object_view_unref(view); }

const DomainDef *view_config(const DomainView *v, Call *c, GError **err)
{
    return object_view_config((const ObjectView *)v, c, err);
}

Domain *domain_ref(Domain *d) { return (Domain *)object_ref(&d->object); }
Domain *domain_unref(Domain *d) { return (Domain *)object_unref((Object *)d); }
void domain_destroy_ref(void *domain) { object_unref(domain); }
DomainView *domain_view(Domain *d) { return (DomainView *)object_view(&d->object); }
const uint8_t *domain_uuid(const Domain *d) { return d->object.uuid; }
void *domain_driver_data(const Domain *d) { return d->object.driver; }
