/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Names of images below others (backing.h): paths, URIs, and the older forms of single protocols. They
 * come from the head of an image, which a guest may have written: nothing is believed but its form.
 * Pure functions, any thread.
 */
#include "conf/backing.h"

#include <string.h>

#include "conf/backing-internal.h"
#include "conf/device-internal.h"
#include "util/api.h"
#include "util/error.h"

enum { HOSTS_MAX = 256 };

/* clang-format off */
static const uint16_t default_ports[_STORAGE_PROTOCOL_N] = {
    [PROTOCOL_NBD] = 10809, [PROTOCOL_SHEEPDOG] = 7000, [PROTOCOL_GLUSTER] = 24007, [PROTOCOL_ISCSI] = 3260,
    [PROTOCOL_HTTP] = 80, [PROTOCOL_HTTPS] = 443, [PROTOCOL_FTP] = 21, [PROTOCOL_FTPS] = 990, [PROTOCOL_TFTP] = 69,
    [PROTOCOL_SSH] = 22, [PROTOCOL_VXHS] = 9999,
};
/* clang-format on */

unsigned storage_default_port(StorageProtocol p)
{
    return default_ports[p];
}

void storage_source_complete(StorageSource *s)
{
    for (; s; s = s->backing) {
        for (unsigned i = 0; s->type == STORAGE_NETWORK && i < list_len(s->hosts); i++) {
            StorageHost *h = list_at(s->hosts, i);
            if (h->transport == TRANSPORT_TCP && !h->port)
                h->port = storage_default_port(s->protocol);
        }
        if (s->encryption && s->encryption->engine == ENGINE_DEFAULT)
            s->encryption->engine = ENGINE_QEMU;
    }
}

StorageSource *storage_source_new(StorageType type, const char *path)
{
    StorageSource *s = g_new0(StorageSource, 1);

    s->type = type;
    s->path = g_strdup(path);
    return s;
}

void storage_source_free(StorageSource *s)
{
    conf_free(&storage_desc, s);
}

char *storage_source_format(const StorageSource *s, unsigned flags, GError **err)
{
    ConfFormatter f = { .w = { .out = g_string_new(NULL) }, .tmp = g_string_new(NULL), .root = s, .flags = flags };

    conf_format_element(&f, &storage_desc, s, "backingStore");
    g_string_free(f.tmp, TRUE);
    if (!f.failed)
        return g_string_free(f.w.out, FALSE);
    g_string_free(f.w.out, TRUE);
    error_set(err, VIR_ERR_INTERNAL_ERROR, "the source cannot be written");
    return NULL;
}

void backing_set_user(StorageSource *s, const char *user, SecretType type)
{
    if (s->auth || !user || !*user)
        return;
    s->auth = g_new0(StorageAuth, 1);
    s->auth->username = g_strdup(user);
    s->auth->secret.type = type;
}

static bool bad(GError **err, const char *word, const char *why)
{
    error_set(err, VIR_ERR_INTERNAL_ERROR, "backing image '%.200s': %s", word, why);
    return false;
}

bool backing_add_host(StorageSource *s, HostTransport transport, const char *name, const char *port,
                      const char *socket, GError **err)
{
    guint64 number = default_ports[s->protocol];

    if (port && *port && !g_ascii_string_to_unsigned(port, 10, 1, 65535, &number, NULL))
        return bad(err, port, "is not a port");
    if (transport == TRANSPORT_UNIX ? !socket || !*socket : !name || !*name)
        return bad(err, enum_name(&storage_protocol_names, s->protocol), "its server is missing");
    if (!s->hosts)
        s->hosts = g_ptr_array_new();
    if (s->hosts->len >= HOSTS_MAX)
        return bad(err, enum_name(&storage_protocol_names, s->protocol), "has too many servers");
    StorageHost *h = g_new0(StorageHost, 1);
    g_ptr_array_add(s->hosts, h);
    h->transport = transport;
    if (transport == TRANSPORT_UNIX) {
        h->socket = g_strdup(socket);
        return true;
    }
    h->name = g_strdup(name);
    h->port = (uint32_t)number;
    return true;
}

bool backing_add_portal(StorageSource *s, const char *portal, bool keep_brackets, GError **err)
{
    const char *end = *portal == '[' ? strchr(portal, ']') : NULL;
    const char *colon = strchr(end ? end : portal, ':');
    bool strip = end && !keep_brackets;

    if (*portal == '[' && !end)
        return bad(err, portal, "']' is missing");
    size_t n = colon ? (size_t)(colon - portal) : strlen(portal);
    g_autofree char *host = strip ? g_strndup(portal + 1, (size_t)(end - portal) - 1) : g_strndup(portal, n);
    return backing_add_host(s, TRANSPORT_TCP, host, colon ? colon + 1 : NULL, NULL, err);
}

/* URIs -------------------------------------------------------------------------------------------- */

static bool scheme_parse(const char *scheme, StorageProtocol *ret, HostTransport *ret_transport)
{
    g_auto(GStrv) parts = g_strsplit(scheme, "+", 2);
    int protocol = enum_value(&storage_protocol_names, parts[0]);
    int transport = parts[1] ? enum_value(&host_transport_names, parts[1]) : TRANSPORT_TCP;

    if (protocol <= 0 || transport < 0)
        return false;
    *ret = (StorageProtocol)protocol;
    *ret_transport = (HostTransport)transport;
    return true;
}

static char *query_value(const char *query, const char *name)
{
    g_autoptr(GHashTable) all = query ? g_uri_parse_params(query, -1, "&;", G_URI_PARAMS_NONE, NULL) : NULL;
    return all ? g_strdup(g_hash_table_lookup(all, name)) : NULL;
}

/* What comes behind the server. */
static bool uri_name(StorageSource *s, const char *uri, const char *path, GError **err)
{
    const char *name = *path == '/' ? path + 1 : path;

    if (s->protocol == PROTOCOL_NBD) {
        s->name = *name ? g_strdup(name) : NULL;
        return true;
    }
    s->name = g_strdup(name);
    if (s->protocol == PROTOCOL_GLUSTER) {
        const char *slash = strchr(name, '/');
        if (!slash || slash == name || !slash[1])
            return bad(err, uri, "volume and path are missing");
    }
    if (s->protocol == PROTOCOL_ISCSI && !strchr(name, '/')) {
        g_free(s->name);
        s->name = g_strdup_printf("%s/0", name);
    }
    return true;
}

bool backing_parse_uri(StorageSource *s, const char *uri, StorageProtocol want, bool *more, GError **err)
{
    g_autofree char *scheme = NULL, *user = NULL, *password = NULL, *host = NULL, *path = NULL, *query = NULL;
    HostTransport transport;
    int port = -1;

    if (!g_uri_split_with_user(uri, G_URI_FLAGS_HAS_PASSWORD | G_URI_FLAGS_ENCODED_QUERY, &scheme, &user, &password,
                               NULL, &host, &port, &path, &query, NULL, NULL))
        return bad(err, uri, "is not a URI");
    s->type = STORAGE_NETWORK;
    if (!scheme || !scheme_parse(scheme, &s->protocol, &transport))
        return bad(err, uri, "the protocol is not known");
    if (want != PROTOCOL_NONE && s->protocol != want)
        return bad(err, uri, "is of another protocol");
    if (!uri_name(s, uri, path ? path : "", err))
        return false;
    bool web = s->protocol == PROTOCOL_HTTP || s->protocol == PROTOCOL_HTTPS;
    if (web && query && *query)
        s->query = g_strdup(query);
    if (user)
        backing_set_user(s, user, s->protocol == PROTOCOL_ISCSI ? SECRET_ISCSI : SECRET_NONE);
    if (user || password)
        *more = true;
    g_autofree char *socket = query_value(query, "socket");
    g_autofree char *number = port > 0 ? g_strdup_printf("%d", port) : NULL;
    if (transport == TRANSPORT_UNIX)
        return backing_add_host(s, transport, NULL, NULL, socket, err);
    return backing_add_host(s, transport, host, number, NULL, err);
}

/* Older forms ------------------------------------------------------------------------------------- */

/* host:port:exportname=x, unix:path:exportname=x */
static bool parse_nbd(StorageSource *s, const char *text, GError **err)
{
    static const char mark[] = ":exportname=";
    const char *name = strstr(text, mark);
    g_autofree char *server = name ? g_strndup(text, (size_t)(name - text)) : g_strdup(text);

    s->protocol = PROTOCOL_NBD;
    if (name && name[strlen(mark)])
        s->name = g_strdup(name + strlen(mark));
    if (g_str_has_prefix(server, "unix:"))
        return backing_add_host(s, TRANSPORT_UNIX, NULL, NULL, server + strlen("unix:"), err);
    return backing_add_portal(s, server, false, err);
}

/* host:port:vdi, or the vdi alone */
static bool parse_sheepdog(StorageSource *s, const char *text, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 3);

    s->protocol = PROTOCOL_SHEEPDOG;
    if (g_strv_length(parts) < 3) {
        s->name = g_strdup(text);
        return *text ? true : bad(err, text, "the name of the image is missing");
    }
    s->name = g_strdup(parts[2]);
    return backing_add_host(s, TRANSPORT_TCP, parts[0], parts[1], NULL, err);
}

/* Up to the next unescaped end character; what was escaped comes out plain, or as it is. */
static char *word_until(const char **at, char end, bool keep_escapes)
{
    GString *s = g_string_new(NULL);
    const char *c = *at;

    for (; *c && *c != end; c++) {
        if (*c == '\\' && c[1]) {
            if (keep_escapes)
                g_string_append_c(s, *c);
            c++;
        }
        g_string_append_c(s, *c);
    }
    *at = *c ? c + 1 : c;
    return g_string_free(s, FALSE);
}

static bool rbd_hosts(StorageSource *s, const char *text, GError **err)
{
    /* Escaped or not, ';' and ',' part servers. */
    g_autofree char *plain = word_until(&text, '\0', false);
    g_auto(GStrv) servers = g_strsplit_set(plain, ";,", HOSTS_MAX + 1);

    for (unsigned i = 0; servers[i]; i++)
        if (*g_strstrip(servers[i]) && !backing_add_portal(s, servers[i], true, err))
            return false;
    return true;
}

bool backing_parse_rbd(StorageSource *s, const char *text, bool *more, GError **err)
{
    g_autofree char *image = word_until(&text, ':', false);
    char *at = strchr(image, '@');

    s->type = STORAGE_NETWORK;
    s->protocol = PROTOCOL_RBD;
    if (at) {
        *at = '\0';
        s->snapshot = g_strdup(at + 1);
    }
    if (!*image)
        return bad(err, text, "the name of the image is missing");
    s->name = g_strdup(image);
    while (*text) {
        g_autofree char *option = word_until(&text, ':', true);
        const char *eq = strchr(option, '=');
        if (!eq)
            continue;
        if (g_str_has_prefix(option, "id=")) {
            backing_set_user(s, eq + 1, SECRET_CEPH);
        } else if (g_str_has_prefix(option, "mon_host=")) {
            if (!rbd_hosts(s, eq + 1, err))
                return false;
        } else if (g_str_has_prefix(option, "conf=") && !s->config_file) {
            const char *value = eq + 1;
            s->config_file = word_until(&value, '\0', false);
        } else {
            *more = true; /* key, auth_supported, options of librados */
        }
    }
    return true;
}

/* "/dev/a:b" is a path, "nbd:…" is not. */
static bool is_path(const char *word)
{
    const char *colon = strchr(word, ':');
    return !colon || memchr(word, '/', (size_t)(colon - word));
}

StorageSource *backing_parse(const char *word, bool *ret_more, GError **err)
{
    bool more = false, ok;

    if (!ret_more)
        ret_more = &more;
    *ret_more = false;
    if (!*word) {
        (void)bad(err, word, "the name is empty");
        return NULL;
    }
    if (is_path(word))
        return storage_source_new(STORAGE_FILE, word);
    if (g_str_has_prefix(word, "file:") && !g_str_has_prefix(word, "file://"))
        return storage_source_new(STORAGE_FILE, word + strlen("file:"));
    if (g_str_has_prefix(word, "fat:"))
        return storage_source_new(STORAGE_DIR, word + strlen("fat:"));
    if (g_str_has_prefix(word, "json:"))
        return backing_parse_json(word + strlen("json:"), ret_more, err);
    g_autoptr(StorageSource) s = storage_source_new(STORAGE_NETWORK, NULL);
    if (strstr(word, "://"))
        ok = backing_parse_uri(s, word, PROTOCOL_NONE, ret_more, err);
    else if (g_str_has_prefix(word, "nbd:"))
        ok = parse_nbd(s, word + strlen("nbd:"), err);
    else if (g_str_has_prefix(word, "rbd:"))
        ok = backing_parse_rbd(s, word + strlen("rbd:"), ret_more, err);
    else if (g_str_has_prefix(word, "sheepdog:"))
        ok = parse_sheepdog(s, word + strlen("sheepdog:"), err);
    else
        ok = bad(err, word, "the protocol is not known");
    return ok ? g_steal_pointer(&s) : NULL;
}
