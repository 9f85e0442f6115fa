/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Definitions and status on disk. Every write is atomic and durable (util/state). A definition file
 * holds the document as clients see it with secrets; a status file wraps the live document:
 *
 *   <domstatus state='running' reason='booted' id='3'>
 *     <modvirt version='1' …>driver's part</modvirt>
 *     <flags persistent='yes' …/>
 *     <domain>…</domain>            the live definition
 *   </domstatus>
 *
 * Readers ignore what they do not know. The configuration of an active persistent domain stays in its
 * definition file; it is not repeated in the status. Worker threads; the directories are opened once.
 */
#define LOG_SOURCE "drivers.store"
#include "drivers/common/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/common/internal.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/state.h"
#include "util/xml.h"

enum { FILE_MAX_SIZE = XML_SIZE_MAX, STATUS_VERSION = 1, DEF_MODE = 0600 };

static struct {
    char *config_path;
    int config, autostart, status;
} dirs = { NULL, -1, -1, -1 };

bool store_init(const char *subdir, GError **err)
{
    g_autofree char *autostart = g_build_filename(paths()->etc, subdir, "autostart", NULL);
    g_autofree char *status = g_build_filename(paths()->run, subdir, NULL);

    dirs.config_path = g_build_filename(paths()->etc, subdir, NULL);
    return (dirs.config = state_open_dir(dirs.config_path, 0700, err)) >= 0 &&
           (dirs.autostart = state_open_dir(autostart, 0700, err)) >= 0 &&
           (dirs.status = state_open_dir(status, 0755, err)) >= 0;
}

void store_done(void)
{
    fd_close(&dirs.config);
    fd_close(&dirs.autostart);
    fd_close(&dirs.status);
    g_clear_pointer(&dirs.config_path, g_free);
}

static char *file_name(const char *name)
{
    return g_strconcat(name, ".xml", NULL);
}

/* Definitions -------------------------------------------------------------------------------- */

bool store_write_config(const DomainView *v, GError **err)
{
    static const char head[] = "<!--\n"
                               "Written by the daemon that manages this guest; edits to this file are lost.\n"
                               "Change the guest with: virsh edit\n"
                               "-->\n\n";
    g_autofree char *file = file_name(v->name);
    g_autofree char *xml = NULL;

    const DomainDef *def = view_config(v, NULL, err);

    if (!def || !path_component_ok(v->name, ".xml", err))
        return false;
    xml = domain_format(def, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_INACTIVE, NULL, err);
    if (!xml)
        return false;
    g_autofree char *text = g_strconcat(head, xml, NULL);
    return state_write(dirs.config, file, text, strlen(text), DEF_MODE, err);
}

/* Behind the name of a link that counts for one start of the host. */
#define ONCE ".once"

bool store_remove_config(const char *name, GError **err)
{
    g_autofree char *file = file_name(name);
    return state_remove(dirs.config, file, err);
}

bool store_set_autostart(const char *name, bool once, bool on, GError **err)
{
    g_autofree char *file = file_name(name), *link = g_strconcat(file, once ? ONCE : "", NULL);

    if (!on)
        return state_remove(dirs.autostart, link, err);
    g_autofree char *target = g_build_filename(dirs.config_path, file, NULL);
    return state_link(dirs.autostart, link, target, err);
}

/* Status ------------------------------------------------------------------------------------- */

static const char *yes_no(bool b) { return b ? "yes" : "no"; }

bool store_write_status(const DomainView *v, GError **err)
{
    const DomainDriver *driver = registry_driver();
    DomainFormatContext ctx = { v->id };
    g_autofree char *file = file_name(v->name);
    g_autofree char *xml = domain_format(v->live->def, DOMAIN_FORMAT_SECURE | DOMAIN_FORMAT_STATUS, &ctx, err);

    if (!xml)
        return false;
    g_autoptr(GString) s = g_string_new(NULL);
    g_string_append_printf(s, "<domstatus state='%d' reason='%d' id='%d'>\n", v->state, v->reason, v->id);
    g_string_append_printf(s, "  <modvirt version='%d'>\n", STATUS_VERSION);
    if (v->status && driver->status_format)
        driver->status_format(v->status, s);
    g_string_append(s, "  </modvirt>\n");
    g_string_append_printf(s, "  <flags persistent='%s' autodestroy='%s'/>\n", yes_no(v->persistent),
                           yes_no(v->autodestroy));
    g_string_append(s, xml);
    g_string_append(s, "</domstatus>\n");
    return state_write(dirs.status, file, s->str, s->len, DEF_MODE, err);
}

bool store_remove_status(const char *name, GError **err)
{
    g_autofree char *file = file_name(name);
    return state_remove(dirs.status, file, err);
}

/* Loading ------------------------------------------------------------------------------------ */

static DomainView *view_for(const char *name, const uint8_t *uuid)
{
    DomainView *v = g_new0(DomainView, 1);

    g_atomic_ref_count_init(&v->refs);
    memcpy(v->uuid, uuid, sizeof(v->uuid));
    v->name = g_strdup(name);
    v->id = -1;
    v->state = VIR_DOMAIN_SHUTOFF;
    v->reason = VIR_DOMAIN_SHUTOFF_UNKNOWN;
    return v;
}

static DomainDef *parse_config(const char *text, gsize len, GError **err)
{
    const DomainDriver *driver = registry_driver();

    return domain_parse(
        text, len, DOMAIN_PARSE_INACTIVE | DOMAIN_PARSE_NO_VALIDATE, driver->policy,
        driver->stored_policy_data ? driver->stored_policy_data : driver->policy_data, err);
}

DomainDef *store_read_config(const char *name, const uint8_t *uuid, GError **err)
{
    g_autofree char *file = file_name(name);
    gsize len = 0;
    g_autofree char *text = state_read(dirs.config, file, FILE_MAX_SIZE, &len, err);
    g_autoptr(DomainDef) def = text ? parse_config(text, len, err) : NULL;

    if (!def) {
        g_prefix_error(err, "%s/%s: ", dirs.config_path, file);
        return NULL;
    }
    if (!g_str_equal(def->name, name) || !uuid_equal(def->uuid.v, uuid)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR,
                  "%s/%s describes another domain by now; it is read at the next start",
                  dirs.config_path, file);
        return NULL;
    }
    return g_steal_pointer(&def);
}

/* Only who it is: with thousands of definitions their meaning would cost seconds and much memory, and
 * most of them are not asked about for days. */
static DomainView *load_config(const char *file, GError **err)
{
    gsize len = 0;
    g_autofree char *text = state_read(dirs.config, file, FILE_MAX_SIZE, &len, err), *name = NULL;
    g_autoptr(DomainDef) def = NULL;
    Uuid uuid;
    bool has_uuid = false;

    if (!text || !domain_peek_identity(text, len, &name, uuid, &has_uuid, err))
        return NULL;
    if (strlen(name) + strlen(".xml") != strlen(file) || !g_str_has_prefix(file, name)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the file is named for another domain than '%s'",
                  name);
        return NULL;
    }
    if (!has_uuid) { /* it gets one while it is read */
        def = parse_config(text, len, err);
        if (!def)
            return NULL;
        memcpy(uuid, def->uuid.v, sizeof(uuid));
    }
    DomainView *v = view_for(name, uuid);
    v->managed_save = registry_driver()->has_managed_save && registry_driver()->has_managed_save(name);
    v->config = shared_def_new(g_steal_pointer(&def));
    v->persistent = true;
    return v;
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

static bool attr_yes(const xmlNode *n, const char *name)
{
    return n && g_strcmp0(xml_attr_get(n, name), "yes") == 0;
}

static DomainView *load_status(const char *file, GError **err)
{
    const DomainDriver *driver = registry_driver();
    gsize len = 0;
    int id, state, reason;
    g_autofree char *text = state_read(dirs.status, file, FILE_MAX_SIZE, &len, err);

    if (!text)
        return NULL;
    g_autoptr(XmlDoc) doc = xml_parse(text, len, err);
    if (!doc)
        return NULL;
    xmlNode *root = xml_root(doc);
    xmlNode *dom = xml_is(root, "domstatus") ? xml_child(root, "domain") : NULL;
    xmlNode *own = dom ? xml_child(root, "modvirt") : NULL;
    xmlNode *flags = xml_child(root, "flags");
    if (!own) {
        error_set(err, VIR_ERR_XML_ERROR, "not a status file of ours (no <domstatus> with <modvirt> and <domain>)");
        return NULL;
    }
    if (!attr_int(root, "id", &id, err) || !attr_int(root, "state", &state, err) ||
        !attr_int(root, "reason", &reason, err))
        return NULL;

    g_autofree char *live = xml_dump(dom, 0);
    g_autoptr(DomainDef) def = domain_parse(live, strlen(live),
                                            DOMAIN_PARSE_STATUS | DOMAIN_PARSE_NO_DEFAULTS | DOMAIN_PARSE_NO_VALIDATE,
                                            driver->policy, driver->policy_data, err);
    if (!def)
        return NULL;
    DriverStatus *status = driver->status_parse ? driver->status_parse(own, err) : NULL;
    if (driver->status_parse && !status)
        return NULL;
    DomainView *v = view_for(def->name, def->uuid.v);
    v->live = shared_def_new(g_steal_pointer(&def));
    v->id = id;
    v->state = state;
    v->reason = reason;
    v->persistent = attr_yes(flags, "persistent");
    v->autodestroy = attr_yes(flags, "autodestroy");
    v->status = status;
    return v;
}

/* The files of one domain under two names: what a rename left that did not come to its end. The newer
 * one is what was, or would have been, told. */
static bool is_newer(const char *name, const char *than)
{
    g_autofree char *a = file_name(name), *b = file_name(than);
    struct stat sa, sb;

    if (fstatat(dirs.config, a, &sa, 0) < 0 || fstatat(dirs.config, b, &sb, 0) < 0)
        return false;
    return sa.st_mtim.tv_sec > sb.st_mtim.tv_sec ||
           (sa.st_mtim.tv_sec == sb.st_mtim.tv_sec && sa.st_mtim.tv_nsec > sb.st_mtim.tv_nsec);
}

bool store_load(GPtrArray **ret_live, GError **err)
{
    g_auto(GStrv) configs = state_list(dirs.config, ".xml", err);
    if (!configs)
        return false;
    g_auto(GStrv) statuses = state_list(dirs.status, ".xml", err);
    if (!statuses)
        return false;
    g_auto(GStrv) links = state_list(dirs.autostart, ".xml", err);
    g_auto(GStrv) once_links = links ? state_list(dirs.autostart, ".xml" ONCE, err) : NULL;
    if (!once_links)
        return false;
    g_autoptr(GHashTable) autostart = g_hash_table_new(g_str_hash, g_str_equal);
    for (char **f = links; *f; f++)
        g_hash_table_add(autostart, *f);
    for (char **f = once_links; *f; f++)
        g_hash_table_add(autostart, *f);

    g_autoptr(GPtrArray) live = g_ptr_array_new_with_free_func(domain_destroy_ref);
    g_autoptr(GHashTable) defined = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, domain_view_destroy);
    g_autoptr(GHashTable) by_uuid = g_hash_table_new(uuid_hash, uuid_same); /* the same, borrowed */

    for (char **f = configs; *f; f++) {
        g_autoptr(GError) error = NULL;
        DomainView *v = load_config(*f, &error);
        if (!v) {
            log_error("cannot load the definition %s/%s: %s; the file is left as it is",
                      dirs.config_path, *f, error->message);
            continue;
        }
        g_autofree char *once = g_strconcat(*f, ONCE, NULL);
        v->autostart = g_hash_table_contains(autostart, *f);
        v->autostart_once = g_hash_table_contains(autostart, once);
        DomainView *twin = g_hash_table_lookup(by_uuid, v->uuid);
        if (twin) {
            bool newer = is_newer(v->name, twin->name);
            log_error("%s/%s.xml is an older definition of domain '%s'; the file is left as it is", dirs.config_path,
                      newer ? twin->name : v->name, newer ? v->name : twin->name);
            if (!newer) {
                domain_view_unref(v);
                continue;
            }
            g_hash_table_remove(by_uuid, twin->uuid);
            g_hash_table_remove(defined, twin->name);
        }
        g_hash_table_insert(defined, v->name, v);
        g_hash_table_insert(by_uuid, v->uuid, v);
    }
    for (char **f = statuses; *f; f++) {
        g_autoptr(GError) error = NULL;
        DomainView *v = load_status(*f, &error);
        if (!v) {
            log_error("cannot load the status %s: %s; the file is left as it is", *f, error->message);
            continue;
        }
        DomainView *c = g_hash_table_lookup(defined, v->name);
        if (c && uuid_equal(c->uuid, v->uuid)) {
            v->config = shared_def_ref(c->config);
            v->persistent = true;
            v->autostart = c->autostart;
            v->managed_save = c->managed_save;
            v->autostart_once = c->autostart_once;
            g_hash_table_remove(defined, v->name);
        } else {
            v->persistent = false;
        }
        Domain *d = registry_add_loaded(v, &error);
        if (d)
            g_ptr_array_add(live, d);
        else
            log_error("cannot take up the running domain of %s: %s", *f, error->message);
    }
    GHashTableIter it;
    void *value;
    g_hash_table_iter_init(&it, defined);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        g_autoptr(GError) error = NULL;
        Domain *d = registry_add_loaded(domain_view_ref(value), &error);
        if (!d)
            log_error("cannot take up a definition: %s", error->message);
        domain_unref(d);
    }
    *ret_live = g_steal_pointer(&live);
    return true;
}
