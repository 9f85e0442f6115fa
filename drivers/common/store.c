/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Definitions and status of a kind's objects on disk. Every write is atomic and durable (util/state). A
 * definition file holds the document as clients see it with secrets; a status file wraps the live document:
 *
 *   <domstatus state='running' reason='booted' id='3'>
 *     <modvirt version='1' …>driver's part</modvirt>
 *     <flags persistent='yes' …/>
 *     <domain>…</domain>            the live definition
 *   </domstatus>
 *
 * The root and its attributes are the kind's. Readers ignore what they do not know. The configuration of an
 * active persistent object stays in its definition file; it is not repeated in the status. Worker threads; the
 * directories are opened once.
 */
#define LOG_SOURCE "drivers.store"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "conf/domain.h" /* DOMAIN_PARSE_*, DOMAIN_FORMAT_*: of all kinds */
#include "drivers/common/internal.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"
#include "util/state.h"
#include "util/xml.h"

enum { FILE_MAX_SIZE = XML_SIZE_MAX, STATUS_VERSION = 1, DEF_MODE = 0600, DIR_MODE = 0700, STATUS_DIR_MODE = 0755 };

bool store_open(Registry *r, GError **err)
{
    const KindInfo *k = r->kind;
    StoreDirs *d = &r->dirs;

    if (k->config_dir) {
        d->config_path = g_build_filename(paths()->etc, k->config_dir, NULL);
        if ((d->config = state_open_dir(d->config_path, DIR_MODE, err)) < 0)
            return false;
    }
    if (k->links) {
        g_autofree char *autostart = g_build_filename(d->config_path, "autostart", NULL);
        if ((d->autostart = state_open_dir(autostart, DIR_MODE, err)) < 0)
            return false;
    }
    if (k->status_dir) {
        g_autofree char *status = g_build_filename(paths()->run, k->status_dir, NULL);
        if ((d->status = state_open_dir(status, STATUS_DIR_MODE, err)) < 0)
            return false;
    }
    return true;
}

void store_close(Registry *r)
{
    fd_close(&r->dirs.config);
    fd_close(&r->dirs.autostart);
    fd_close(&r->dirs.status);
    g_clear_pointer(&r->dirs.config_path, g_free);
}

static char *file_name(const char *name)
{
    return g_strconcat(name, ".xml", NULL);
}

/* What a kind without functions of its own does ---------------------------------------------- */

static void *parse(const KindInfo *k, const char *text, gsize len, bool live, GError **err)
{
    if (k->parse)
        return k->parse(text, len, live, err);
    return doc_parse(k->doc, text, len,
                     DOMAIN_PARSE_NO_VALIDATE | (live ? DOMAIN_PARSE_STATUS | DOMAIN_PARSE_NO_DEFAULTS : DOMAIN_PARSE_INACTIVE), err);
}

static char *format(const ObjectView *v, const void *def, bool live, GError **err)
{
    if (v->kind->format)
        return v->kind->format(v, def, live, err);
    return doc_format(v->kind->doc, def, DOMAIN_FORMAT_SECURE | (live ? DOMAIN_FORMAT_STATUS : DOMAIN_FORMAT_INACTIVE), err);
}

bool kind_peek(const KindInfo *k, const char *text, gsize len, char **ret_name, Uuid ret_uuid, bool *ret_has_uuid, GError **err)
{
    return k->peek ? k->peek(text, len, ret_name, ret_uuid, ret_has_uuid, err)
                   : doc_peek_identity(k->doc, text, len, ret_name, ret_uuid, ret_has_uuid, err);
}

/* Is the definition one of an object called so? */
static bool is_of(const KindInfo *k, void *def, const char *name, const uint8_t *uuid)
{
    return (!k->def_name || g_strcmp0(*k->def_name(def), name) == 0) && (!k->def_uuid || uuid_equal(k->def_uuid(def)->v, uuid));
}

/* Definitions -------------------------------------------------------------------------------- */

bool store_write_config(const ObjectView *v, GError **err)
{
    Registry *r = v->object->registry;

    if (r->dirs.config < 0)
        return true;
    g_autofree char *file = file_name(v->name);
    const void *def = object_view_config(v, NULL, err);

    if (!def || !path_component_ok(v->name, ".xml", err))
        return false;
    g_autofree char *xml = format(v, def, false, err);
    if (!xml)
        return false;
    g_autofree char *text = g_strconcat("<!--\n", v->kind->note, "-->\n\n", xml, NULL);
    return state_write(r->dirs.config, file, text, strlen(text), DEF_MODE, err);
}

bool store_remove_config(Registry *r, const char *name, GError **err)
{
    g_autofree char *file = file_name(name);
    return r->dirs.config < 0 || state_remove(r->dirs.config, file, err);
}

bool store_set_link(Registry *r, const char *name, unsigned link, bool on, GError **err)
{
    g_autofree char *file = file_name(name), *entry = g_strconcat(file, r->kind->links[link], NULL);

    if (!on)
        return state_remove(r->dirs.autostart, entry, err);
    g_autofree char *target = g_build_filename(r->dirs.config_path, file, NULL);
    return state_link(r->dirs.autostart, entry, target, err);
}

unsigned store_links_of(const ObjectView *v)
{
    return (v->autostart ? 1 : 0) | (v->kind->links_of ? v->kind->links_of(v) : 0);
}

/* Status ------------------------------------------------------------------------------------- */

static const char *yes_no(bool b) { return b ? "yes" : "no"; }

bool store_write_status(const ObjectView *v, GError **err)
{
    const KindInfo *k = v->kind;
    Registry *r = v->object->registry;

    if (r->dirs.status < 0)
        return true;
    g_autofree char *file = file_name(v->name);
    g_autofree char *xml = format(v, v->live->def, true, err);

    if (!xml)
        return false;
    g_autoptr(GString) s = g_string_new(NULL);
    g_string_append_printf(s, "<%s", k->status_root);
    if (k->status_attributes)
        k->status_attributes(v, s);
    g_string_append_printf(s, ">\n  <modvirt version='%d'>\n", STATUS_VERSION);
    if (v->status && k->status_format)
        k->status_format(v->status, s);
    g_string_append(s, "  </modvirt>\n");
    g_string_append_printf(s, "  <flags persistent='%s' autodestroy='%s'/>\n", yes_no(v->persistent),
                           yes_no(v->autodestroy));
    g_string_append(s, xml);
    g_string_append_printf(s, "</%s>\n", k->status_root);
    return state_write(r->dirs.status, file, s->str, s->len, DEF_MODE, err);
}

bool store_remove_status(Registry *r, const char *name, GError **err)
{
    g_autofree char *file = file_name(name);
    return r->dirs.status < 0 || state_remove(r->dirs.status, file, err);
}

/* Loading ------------------------------------------------------------------------------------ */

void *store_read_config(Registry *r, const char *name, const uint8_t *uuid, GError **err)
{
    const KindInfo *k = r->kind;
    g_autofree char *file = file_name(name);
    gsize len = 0;
    g_autofree char *text = state_read(r->dirs.config, file, FILE_MAX_SIZE, &len, err);
    void *def = text ? parse(k, text, len, false, err) : NULL;

    if (!def) {
        g_prefix_error(err, "%s/%s: ", r->dirs.config_path, file);
        return NULL;
    }
    if (!is_of(k, def, name, uuid)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "%s/%s describes another %s by now; it is read at the next start",
                  r->dirs.config_path, file, k->word);
        kind_free_def(k, def);
        return NULL;
    }
    return def;
}

static ObjectView *view_with(const KindInfo *k, const char *name, const uint8_t *uuid, void *config, void *live)
{
    ObjectView *v = view_fresh(k, name, uuid);

    v->live = live ? (void *)shared_def_new(k, live) : NULL;
    v->config = live ? NULL : (void *)shared_def_new(k, config);
    return v;
}

/* Only who it is: with thousands of definitions their meaning would cost seconds and much memory, and
 * most of them are not asked about for days. */
static ObjectView *load_config(Registry *r, const char *file, GError **err)
{
    const KindInfo *k = r->kind;
    gsize len = 0;
    g_autofree char *text = state_read(r->dirs.config, file, FILE_MAX_SIZE, &len, err), *name = NULL;
    void *def = NULL;
    Uuid uuid;
    char uuid_text[37];
    bool has_uuid = false;

    if (!text || !kind_peek(k, text, len, &name, uuid, &has_uuid, err))
        return NULL;
    if (!has_uuid && k->def_uuid) { /* it gets one while it is read */
        def = parse(k, text, len, false, err);
        if (!def)
            return NULL;
        memcpy(uuid, k->def_uuid(def)->v, sizeof(uuid));
    } else if (!has_uuid) {
        uuid_generate(uuid);
    }
    uuid_format(uuid, uuid_text);
    const char *called = name ? name : uuid_text;
    if (strlen(called) + strlen(".xml") != strlen(file) || !g_str_has_prefix(file, called)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the file is named for another %s than '%s'", k->word, called);
        kind_free_def(k, def);
        return NULL;
    }
    ObjectView *v = view_with(k, called, uuid, def, NULL);
    v->persistent = true;
    if (k->view_loaded)
        k->view_loaded(v);
    return v;
}

static bool attr_yes(const xmlNode *n, const char *name)
{
    return n && g_strcmp0(xml_attr_get(n, name), "yes") == 0;
}

static ObjectView *load_status(Registry *r, const char *file, GError **err)
{
    const KindInfo *k = r->kind;
    gsize len = 0;
    g_autofree char *text = state_read(r->dirs.status, file, FILE_MAX_SIZE, &len, err);

    if (!text)
        return NULL;
    g_autoptr(XmlDoc) doc = xml_parse(text, len, err);
    if (!doc)
        return NULL;
    xmlNode *root = xml_root(doc);
    xmlNode *document = xml_is(root, k->status_root) ? xml_child(root, k->document) : NULL;
    xmlNode *own = document ? xml_child(root, "modvirt") : NULL;
    xmlNode *flags = xml_child(root, "flags");
    if (!own) {
        error_set(err, VIR_ERR_XML_ERROR, "not a status file of ours (no <%s> with <modvirt> and <%s>)", k->status_root,
                  k->document);
        return NULL;
    }

    g_autofree char *xml = xml_dump(document, 0);
    void *live = parse(k, xml, strlen(xml), true, err);
    if (!live)
        return NULL;
    Uuid uuid;
    if (k->def_uuid)
        memcpy(uuid, k->def_uuid(live)->v, sizeof(uuid));
    else
        uuid_generate(uuid);
    char uuid_text[37];
    uuid_format(uuid, uuid_text);
    g_autoptr(ObjectView) v = view_with(k, k->def_name ? *k->def_name(live) : uuid_text, uuid, NULL, live);
    v->active = true;
    v->persistent = attr_yes(flags, "persistent");
    v->autodestroy = attr_yes(flags, "autodestroy");
    if (k->status_loaded && !k->status_loaded(v, root, err))
        return NULL;
    v->status = k->status_parse ? k->status_parse(own, err) : NULL;
    if (k->status_parse && !v->status)
        return NULL;
    return g_steal_pointer(&v);
}

/* The files of one object under two names: what a rename left that did not come to its end. The newer
 * one is what was, or would have been, told. */
static bool is_newer(Registry *r, const char *name, const char *than)
{
    g_autofree char *a = file_name(name), *b = file_name(than);
    struct stat sa, sb;

    if (fstatat(r->dirs.config, a, &sa, 0) < 0 || fstatat(r->dirs.config, b, &sb, 0) < 0)
        return false;
    return sa.st_mtim.tv_sec > sb.st_mtim.tv_sec ||
           (sa.st_mtim.tv_sec == sb.st_mtim.tv_sec && sa.st_mtim.tv_nsec > sb.st_mtim.tv_nsec);
}

/* What a definition says, name aside; empty when it cannot be read. Owned. */
static char *text_without_name(Registry *r, const char *name)
{
    g_autofree char *file = file_name(name), *escaped = g_markup_escape_text(name, -1),
                    *mark = g_strdup_printf("<name>%s</name>", escaped),
                    *all = state_read(r->dirs.config, file, FILE_MAX_SIZE, NULL, NULL);
    GString *text = g_string_new(all);

    g_string_replace(text, mark, "", 1);
    return g_string_free(text, FALSE);
}

static bool remove_links(Registry *r, const char *name, GError **err)
{
    for (unsigned i = 0; r->kind->links && r->kind->links[i]; i++)
        if (!store_set_link(r, name, i, false, err))
            return false;
    return true;
}

/* Two definitions of one object: a rename that was cut short, whose old name goes, or somebody's copy. */
static void settle_twins(Registry *r, const char *name, const char *older)
{
    g_autofree char *new_text = text_without_name(r, name), *old_text = text_without_name(r, older);
    g_autoptr(GError) error = NULL;

    if (!*new_text || !g_str_equal(new_text, old_text))
        log_error("%s/%s.xml is an older definition of %s '%s'; the file is left as it is", r->dirs.config_path, older,
                  r->kind->word, name);
    else if (!store_remove_config(r, older, &error) || !remove_links(r, older, &error))
        log_error("cannot remove what was kept of %s '%s' under its old name '%s': %s", r->kind->word, name, older,
                  error->message);
}

/* The definition is gone: whoever removed it was killed before he came to the link. */
static bool is_stale(Registry *r, const char *entry, const char *file)
{
    g_autoptr(GError) error = NULL;
    struct stat st;

    if (fstatat(r->dirs.config, file, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
        return false;
    if (!state_remove(r->dirs.autostart, entry, &error))
        log_warn("cannot remove an autostart link without a definition: %s", error->message);
    return true;
}

/* Bits of KindInfo.links by name of the file that a link is for. */
static GHashTable *load_links(Registry *r, GError **err)
{
    g_autoptr(GHashTable) bits = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (unsigned i = 0; r->kind->links && r->kind->links[i]; i++) {
        g_autofree char *suffix = g_strconcat(".xml", r->kind->links[i], NULL);
        g_auto(GStrv) entries = state_list(r->dirs.autostart, suffix, err);
        if (!entries)
            return NULL;
        for (char **e = entries; *e; e++) {
            char *file = g_strndup(*e, strlen(*e) - strlen(r->kind->links[i]));
            if (is_stale(r, *e, file)) {
                g_free(file);
                continue;
            }
            unsigned had = GPOINTER_TO_UINT(g_hash_table_lookup(bits, file));
            g_hash_table_replace(bits, file, GUINT_TO_POINTER(had | 1u << i));
        }
    }
    return g_steal_pointer(&bits);
}

/* Views of what is defined, by name. */
static GHashTable *load_configs(Registry *r, GError **err)
{
    g_autoptr(GHashTable) links = load_links(r, err);
    g_auto(GStrv) configs = links && r->dirs.config >= 0 ? state_list(r->dirs.config, ".xml", err) : NULL;
    g_autoptr(GHashTable) defined = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, object_view_destroy);
    g_autoptr(GHashTable) by_uuid = g_hash_table_new(uuid_hash, uuid_same); /* the same, borrowed */

    if (!links || (!configs && r->dirs.config >= 0))
        return NULL;
    for (char **f = configs; f && *f; f++) {
        g_autoptr(GError) error = NULL;
        ObjectView *v = load_config(r, *f, &error);
        if (!v) {
            log_error("cannot load the definition %s/%s: %s; the file is left as it is", r->dirs.config_path, *f,
                      error->message);
            continue;
        }
        unsigned bits = GPOINTER_TO_UINT(g_hash_table_lookup(links, *f));
        v->autostart = bits & 1;
        if (r->kind->set_links)
            r->kind->set_links(v, bits);
        ObjectView *twin = g_hash_table_lookup(by_uuid, v->uuid);
        if (twin) {
            bool newer = is_newer(r, v->name, twin->name);
            settle_twins(r, newer ? v->name : twin->name, newer ? twin->name : v->name);
            if (!newer) {
                object_view_unref(v);
                continue;
            }
            g_hash_table_remove(by_uuid, twin->uuid);
            g_hash_table_remove(defined, twin->name);
        }
        g_hash_table_insert(defined, v->name, v);
        g_hash_table_insert(by_uuid, v->uuid, v);
    }
    return g_steal_pointer(&defined);
}

/* An active object takes over what its definition file says, and the links. */
static void join(ObjectView *live, const ObjectView *config)
{
    live->config = (void *)shared_def_ref((SharedDef *)config->config);
    live->persistent = true;
    live->autostart = config->autostart;
    if (live->kind->view_loaded)
        live->kind->view_loaded(live);
    if (live->kind->set_links)
        live->kind->set_links(live, store_links_of(config));
}

bool store_load(Registry *r, GPtrArray **ret_live, GError **err)
{
    g_autoptr(GPtrArray) live = g_ptr_array_new_with_free_func(object_destroy_ref);
    g_autoptr(GHashTable) defined = load_configs(r, err);
    g_auto(GStrv) statuses = defined && r->dirs.status >= 0 ? state_list(r->dirs.status, ".xml", err) : NULL;

    if (!defined || (!statuses && r->dirs.status >= 0))
        return false;
    for (char **f = statuses; f && *f; f++) {
        g_autoptr(GError) error = NULL;
        ObjectView *v = load_status(r, *f, &error);
        if (!v) {
            log_error("cannot load the status %s: %s; the file is left as it is", *f, error->message);
            continue;
        }
        ObjectView *c = g_hash_table_lookup(defined, v->name);
        if (c && (!r->kind->def_uuid || uuid_equal(c->uuid, v->uuid))) {
            join(v, c);
            g_hash_table_remove(defined, v->name);
        } else {
            v->persistent = false;
        }
        Object *o = registry_add_loaded(r, v, &error);
        if (o)
            g_ptr_array_add(live, o);
        else
            log_error("cannot take up the active %s of %s: %s", r->kind->word, *f, error->message);
    }
    GHashTableIter it;
    void *value;
    g_hash_table_iter_init(&it, defined);
    while (g_hash_table_iter_next(&it, NULL, &value)) {
        g_autoptr(GError) error = NULL;
        Object *o = registry_add_loaded(r, object_view_ref(value), &error);
        if (!o)
            log_error("cannot take up a definition: %s", error->message);
        object_unref(o);
    }
    *ret_live = g_steal_pointer(&live);
    return true;
}
