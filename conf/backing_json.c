/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of images in JSON (backing.h): the options of QEMU's block drivers, nested or with dotted names
 * ("file.driver", "server.0.host"), which are made nested first. Each driver is a row with a function.
 */
#include <stdio.h>
#include <string.h>

#include "conf/backing-internal.h"
#include "util/api.h"
#include "util/error.h"
#include "util/json.h"

enum { NESTING_MAX = 8, SERVERS_MAX = 256, TEXT_MAX = 65536 };

typedef struct Said { /* about one source */
    StorageSource *s;
    StorageProtocol protocol;
    bool *more;
} Said;

static bool bad(GError **err, const char *driver, const char *why)
{
    error_set(err, VIR_ERR_INTERNAL_ERROR, "backing image in JSON, driver '%.50s': %s", driver, why);
    return false;
}

/* Dotted names ------------------------------------------------------------------------------------ */

/* Puts value where "a.b.0.c" says, making objects on the way. Numbers stay names: see server_at(). */
static bool put(JsonObject *root, const char *name, JsonObject *value, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(name, ".", NESTING_MAX + 1);
    unsigned n = g_strv_length(parts);
    JsonObject *at = root;

    if (n == 0 || n > NESTING_MAX)
        return bad(err, name, "too many parts in a name");
    for (unsigned i = 0; i + 1 < n; i++) {
        JsonObject *next = NULL;
        if (!json_object_object_get_ex(at, parts[i], &next)) {
            next = json_object_new_object();
            json_object_object_add(at, parts[i], next);
        }
        if (!json_object_is_type(next, json_type_object))
            return bad(err, name, "is both a value and an object");
        at = next;
    }
    json_object_object_add(at, parts[n - 1], json_object_get(value));
    return true;
}

/* A copy of o where all names are plain. */
static JsonObject *nested(JsonObject *o, unsigned depth, GError **err)
{
    g_autoptr(JsonObject) out = json_object_new_object();

    if (depth > NESTING_MAX) {
        (void)bad(err, "?", "too deeply nested");
        return NULL;
    }
    json_object_object_foreach(o, name, value) {
        g_autoptr(JsonObject) v = NULL;
        if (json_object_is_type(value, json_type_object)) {
            v = nested(value, depth + 1, err);
            if (!v)
                return NULL;
        } else {
            v = json_object_get(value);
        }
        if (!put(out, name, v, err))
            return NULL;
    }
    return g_steal_pointer(&out);
}

/* Server i of a list, which is an array, an object with numbers for names, or a single server. */
static JsonObject *server_at(JsonObject *list, unsigned i)
{
    JsonObject *server = NULL;
    char name[16];

    if (json_object_is_type(list, json_type_array))
        return i < json_object_array_length(list) ? json_object_array_get_idx(list, i) : NULL;
    if (!json_object_is_type(list, json_type_object))
        return NULL;
    g_snprintf(name, sizeof(name), "%u", i);
    if (json_object_object_get_ex(list, name, &server))
        return server;
    return i == 0 && !json_object_object_get_ex(list, "0", NULL) ? list : NULL;
}

/* Values that may be written as text or as what they are. */
static char *word(JsonObject *o, const char *path)
{
    JsonObject *v = json_get(o, path);

    if (!v || json_object_is_type(v, json_type_object) || json_object_is_type(v, json_type_array))
        return NULL;
    const char *text = json_object_get_string(v);
    return text ? g_strdup(text) : NULL;
}

static bool number(JsonObject *o, const char *path, uint64_t *ret)
{
    g_autofree char *text = word(o, path);
    guint64 v;

    if (!text || !g_ascii_string_to_unsigned(text, 10, 0, INT64_MAX, &v, NULL))
        return false;
    *ret = v;
    return true;
}

/* Servers ----------------------------------------------------------------------------------------- */

static bool add_server(StorageSource *s, JsonObject *o, GError **err)
{
    g_autofree char *port = word(o, "port");
    const char *type = json_get_str(o, "type"), *path = json_get_str(o, "path");
    HostTransport t = TRANSPORT_TCP;

    if (!path)
        path = json_get_str(o, "socket");
    if (!type && path)
        t = TRANSPORT_UNIX;
    else if (type && strcmp(type, "unix") == 0)
        t = TRANSPORT_UNIX;
    else if (type && strcmp(type, "rdma") == 0)
        t = TRANSPORT_RDMA;
    else if (type && strcmp(type, "tcp") != 0 && strcmp(type, "inet") != 0)
        return bad(err, type, "is not a kind of server");
    return backing_add_host(s, t, json_get_str(o, "host"), port, path, err);
}

static bool add_servers(const Said *b, JsonObject *o, GError **err)
{
    JsonObject *list = json_get(o, "server"), *one;

    if (!list)
        return bad(err, enum_name(&storage_protocol_names, b->protocol), "'server' is missing");
    for (unsigned i = 0; i < SERVERS_MAX && (one = server_at(list, i)); i++)
        if (!add_server(b->s, one, err))
            return false;
    return list_len(b->s->hosts) > 0 || bad(err, enum_name(&storage_protocol_names, b->protocol), "'server' is empty");
}

/* Drivers ----------------------------------------------------------------------------------------- */

static bool set_name(const Said *b, JsonObject *o, const char *member, GError **err)
{
    const char *name = json_get_str(o, member);

    if (!name)
        return bad(err, enum_name(&storage_protocol_names, b->protocol), "the name of the image is missing");
    b->s->name = g_strdup(name);
    return true;
}

static bool parse_file(const Said *b, JsonObject *o, GError **err)
{
    const char *name = json_get_str(o, "filename");

    if (!name)
        return bad(err, "file", "'filename' is missing");
    b->s->path = g_strdup(name);
    return true;
}

static bool parse_gluster(const Said *b, JsonObject *o, GError **err)
{
    const char *uri = json_get_str(o, "filename"), *volume = json_get_str(o, "volume"), *path = json_get_str(o, "path");

    if (uri)
        return backing_parse_uri(b->s, uri, PROTOCOL_GLUSTER, b->more, err);
    if (!volume || !path)
        return bad(err, "gluster", "'volume' or 'path' is missing");
    b->s->name = g_strdup_printf("%s%s%s", volume, *path == '/' ? "" : "/", path);
    return add_servers(b, o, err);
}

static bool parse_iscsi(const Said *b, JsonObject *o, GError **err)
{
    const char *uri = json_get_str(o, "filename"), *transport = json_get_str(o, "transport");
    const char *portal = json_get_str(o, "portal"), *target = json_get_str(o, "target");
    const char *user = json_get_str(o, "user"), *initiator = json_get_str(o, "initiator-name");
    g_autofree char *lun = word(o, "lun");

    if (json_get(o, "password") || json_get(o, "password-secret"))
        *b->more = true;
    if (uri)
        return backing_parse_uri(b->s, uri, PROTOCOL_ISCSI, b->more, err);
    if (transport && strcmp(transport, "tcp") != 0)
        return bad(err, "iscsi", "only the transport 'tcp' is known");
    if (!portal || !target)
        return bad(err, "iscsi", "'portal' or 'target' is missing");
    b->s->name = g_strdup_printf("%s/%s", target, lun ? lun : "0");
    b->s->initiator = g_strdup(initiator);
    backing_set_user(b->s, user, SECRET_ISCSI);
    return backing_add_portal(b->s, portal, true, err);
}

static bool parse_nbd(const Said *b, JsonObject *o, GError **err)
{
    b->s->name = g_strdup(json_get_str(o, "export"));
    if (json_get(o, "tls-creds"))
        *b->more = true;
    return json_get(o, "server") ? add_servers(b, o, err) : add_server(b->s, o, err);
}

static bool parse_sheepdog(const Said *b, JsonObject *o, GError **err)
{
    const char *name = json_get_str(o, "filename");

    if (name && strstr(name, "://"))
        return backing_parse_uri(b->s, name, PROTOCOL_SHEEPDOG, b->more, err);
    if (name) {
        g_autofree char *old = g_strdup_printf("sheepdog:%s", g_str_has_prefix(name, "sheepdog:") ? name + 9 : name);
        g_autoptr(StorageSource) s = backing_parse(old, NULL, err);
        if (!s)
            return false;
        b->s->name = g_steal_pointer(&s->name);
        b->s->hosts = g_steal_pointer(&s->hosts);
        return true;
    }
    return set_name(b, o, "vdi", err) && add_servers(b, o, err);
}

static bool parse_ssh(const Said *b, JsonObject *o, GError **err)
{
    if (json_get(o, "user"))
        *b->more = true; /* a source of ours has users only with their keys */
    if (!set_name(b, o, "path", err))
        return false;
    if (json_get(o, "server"))
        return add_servers(b, o, err);
    g_autofree char *port = word(o, "port");
    return backing_add_host(b->s, TRANSPORT_TCP, json_get_str(o, "host"), port, NULL, err);
}

static bool parse_rbd(const Said *b, JsonObject *o, GError **err)
{
    const char *old = json_get_str(o, "filename"), *pool = json_get_str(o, "pool"), *image = json_get_str(o, "image");
    const char *space = json_get_str(o, "namespace");

    if (old)
        return backing_parse_rbd(b->s, g_str_has_prefix(old, "rbd:") ? old + strlen("rbd:") : old, b->more, err);
    if (!pool || !image)
        return bad(err, "rbd", "'pool' or 'image' is missing");
    b->s->name = space ? g_strdup_printf("%s/%s/%s", pool, space, image) : g_strdup_printf("%s/%s", pool, image);
    b->s->snapshot = g_strdup(json_get_str(o, "snapshot"));
    b->s->config_file = g_strdup(json_get_str(o, "conf"));
    backing_set_user(b->s, json_get_str(o, "user"), SECRET_CEPH);
    if (json_get(o, "key-secret") || json_get(o, "user"))
        *b->more = true;
    return !json_get(o, "server") || add_servers(b, o, err);
}

static void add_cookies(StorageSource *s, const char *text)
{
    g_auto(GStrv) all = g_strsplit(text, ";", SERVERS_MAX);

    for (unsigned i = 0; all[i]; i++) {
        char *one = g_strstrip(all[i]), *eq = strchr(one, '=');
        if (!eq || eq == one)
            continue;
        StorageCookie *c = g_new0(StorageCookie, 1);
        c->name = g_strndup(one, (size_t)(eq - one));
        c->value = g_strdup(eq + 1);
        if (!s->cookies)
            s->cookies = g_ptr_array_new();
        g_ptr_array_add(s->cookies, c);
    }
}

static bool parse_web(const Said *b, JsonObject *o, GError **err)
{
    const char *uri = json_get_str(o, "url"), *cookie = json_get_str(o, "cookie");
    g_autofree char *verify = word(o, "sslverify");
    uint64_t v;

    if (!uri)
        uri = json_get_str(o, "filename");
    if (!uri)
        return bad(err, enum_name(&storage_protocol_names, b->protocol), "'url' is missing");
    if (!backing_parse_uri(b->s, uri, b->protocol, b->more, err))
        return false;
    if (cookie)
        add_cookies(b->s, cookie);
    if (verify)
        b->s->ssl_verify = strcmp(verify, "off") == 0 || strcmp(verify, "false") == 0 ? TRI_NO : TRI_YES;
    if (number(o, "timeout", &v))
        b->s->timeout = (OptU64){ v, 1, 0 };
    if (number(o, "readahead", &v))
        b->s->readahead = v;
    if (json_get(o, "username") || json_get(o, "password-secret") || json_get(o, "cookie-secret"))
        *b->more = true;
    return true;
}

static bool parse_vxhs(const Said *b, JsonObject *o, GError **err)
{
    return set_name(b, o, "vdisk-id", err) && add_servers(b, o, err);
}

static bool parse_nfs(const Said *b, JsonObject *o, GError **err)
{
    g_autofree char *user = word(o, "user"), *group = word(o, "group");

    if (user)
        b->s->nfs_user = g_strdup_printf("+%s", user);
    if (group)
        b->s->nfs_group = g_strdup_printf("+%s", group);
    return set_name(b, o, "path", err) && add_servers(b, o, err);
}

static bool parse_nvme(const Said *b, JsonObject *o, GError **err)
{
    const char *device = json_get_str(o, "device");
    PciAddress *a = &b->s->nvme_address;
    unsigned domain, bus, slot, function;
    char end;

    if (!device || sscanf(device, "%x:%x:%x.%x%c", &domain, &bus, &slot, &function, &end) != 4)
        return bad(err, "nvme", "'device' is not a PCI address");
    if (!number(o, "namespace", &b->s->nvme_namespace) || !b->s->nvme_namespace)
        return bad(err, "nvme", "'namespace' is missing");
    a->domain = domain;
    a->bus = bus;
    a->slot = slot;
    a->function = function;
    a->given = 1;
    return true;
}

typedef struct Driver {
    const char *name;
    StorageType type;
    StorageProtocol protocol;
    bool (*parse)(const Said *b, JsonObject *o, GError **err);
} Driver;

/* clang-format off */
static const Driver drivers[] = {
    { "file",        STORAGE_FILE,    PROTOCOL_NONE,     parse_file },
    { "host_device", STORAGE_BLOCK,   PROTOCOL_NONE,     parse_file },
    { "host_cdrom",  STORAGE_BLOCK,   PROTOCOL_NONE,     parse_file },
    { "http",        STORAGE_NETWORK, PROTOCOL_HTTP,     parse_web },
    { "https",       STORAGE_NETWORK, PROTOCOL_HTTPS,    parse_web },
    { "ftp",         STORAGE_NETWORK, PROTOCOL_FTP,      parse_web },
    { "ftps",        STORAGE_NETWORK, PROTOCOL_FTPS,     parse_web },
    { "tftp",        STORAGE_NETWORK, PROTOCOL_TFTP,     parse_web },
    { "gluster",     STORAGE_NETWORK, PROTOCOL_GLUSTER,  parse_gluster },
    { "iscsi",       STORAGE_NETWORK, PROTOCOL_ISCSI,    parse_iscsi },
    { "nbd",         STORAGE_NETWORK, PROTOCOL_NBD,      parse_nbd },
    { "sheepdog",    STORAGE_NETWORK, PROTOCOL_SHEEPDOG, parse_sheepdog },
    { "ssh",         STORAGE_NETWORK, PROTOCOL_SSH,      parse_ssh },
    { "rbd",         STORAGE_NETWORK, PROTOCOL_RBD,      parse_rbd },
    { "vxhs",        STORAGE_NETWORK, PROTOCOL_VXHS,     parse_vxhs },
    { "nfs",         STORAGE_NETWORK, PROTOCOL_NFS,      parse_nfs },
    { "nvme",        STORAGE_NVME,    PROTOCOL_NONE,     parse_nvme },
};
/* clang-format on */

/* A format on top of a driver; a raw one may be a part of what is below. */
static bool add_slice(StorageSource *s, JsonObject *o, GError **err)
{
    uint64_t offset = 0, size = 0;
    bool at = number(o, "offset", &offset), n = number(o, "size", &size);

    if (!at && !n)
        return true;
    if (!n || size == 0)
        return bad(err, "raw", "'size' is missing beside 'offset'");
    StorageSlice *slice = g_new0(StorageSlice, 1);
    slice->type = g_strdup("storage");
    slice->offset = offset;
    slice->size = size;
    if (!s->slices)
        s->slices = g_ptr_array_new();
    g_ptr_array_add(s->slices, slice);
    return true;
}

static bool parse(StorageSource *s, JsonObject *o, unsigned depth, bool *more, GError **err)
{
    const char *name = json_get_str(o, "driver");
    JsonObject *file = json_get(o, "file");
    int format = name ? enum_value(&storage_format_names, name) : FORMAT_NONE;

    if (depth > NESTING_MAX)
        return bad(err, "?", "too deeply nested");
    if (json_object_is_type(file, json_type_object) && (!name || format > 0)) {
        if (format > 0 && s->format == FORMAT_NONE && format < FORMAT_AUTO)
            s->format = (StorageFormat)format;
        return (format != FORMAT_RAW || add_slice(s, o, err)) && parse(s, file, depth + 1, more, err);
    }
    if (!name)
        return bad(err, "?", "'driver' is missing");
    for (unsigned i = 0; i < G_N_ELEMENTS(drivers); i++) {
        if (strcmp(drivers[i].name, name) != 0)
            continue;
        s->type = drivers[i].type;
        s->protocol = drivers[i].protocol;
        return drivers[i].parse(&(Said){ s, drivers[i].protocol, more }, o, err);
    }
    return bad(err, name, "is not known");
}

StorageSource *backing_parse_json(const char *json, bool *ret_more, GError **err)
{
    static const JsonLimits limits = { TEXT_MAX, NESTING_MAX + 8, 4000 };
    g_autoptr(JsonObject) doc = json_parse("backing image", json, strlen(json), &limits, err);
    bool more = false;

    if (!ret_more)
        ret_more = &more;
    *ret_more = false;
    if (!doc)
        return NULL;
    if (!json_object_is_type(doc, json_type_object)) {
        (void)bad(err, "?", "is not an object");
        return NULL;
    }
    g_autoptr(JsonObject) o = nested(doc, 0, err);
    g_autoptr(StorageSource) s = storage_source_new(STORAGE_NONE, NULL);
    return o && parse(s, o, 0, ret_more, err) ? g_steal_pointer(&s) : NULL;
}
