/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Character devices: the host's side (-chardev) is one function for all of them; the guest's side is
 * by kind. Listening unix sockets and output files are opened by us and inherited, so that the
 * emulator needs no right to create them.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

/* ---- the host's side ---------------------------------------------------------------------------- */

/* An option has other names for what is in the description for a running emulator (type and data), and no
 * structure. */
static void text_member(GString *s, const char *name, JsonObject *v)
{
    static const char *const renamed[][2] = { { "out", "path" }, { "device", "path" }, { "fqdn", "name" },
                                              { "type", "name" }, { "str", "fd" } };
    for (unsigned i = 0; i < G_N_ELEMENTS(renamed); i++) {
        if (strcmp(renamed[i][0], name) == 0)
            name = renamed[i][1];
    }
    if (json_object_is_type(v, json_type_boolean)) {
        bool on = json_object_get_boolean(v);
        /* Who does not serve says nothing. */
        if (on || strcmp(name, "server") != 0)
            g_string_append_printf(s, ",%s=%s", name, on ? "on" : "off");
        return;
    }
    g_string_append_printf(s, ",%s=", name);
    props_escape(s, json_object_get_string(v));
}

static void text_address(GString *s, JsonObject *address, const char *prefix)
{
    JsonObject *data = json_get(address, "data");
    json_object_object_foreach(data, key, value) {
        g_autofree char *name = g_strconcat(prefix, key, NULL);
        text_member(s, strcmp(name, "localhost") == 0 ? "localaddr" : name, value);
    }
}

static char *backend_text(const char *id, JsonObject *backend)
{
    JsonObject *data = json_get(backend, "data");
    const char *type = json_get_str(backend, "type");
    GString *s = g_string_new(NULL);
    g_string_append_printf(s, "%s,id=%s", type, id);
    json_object_object_foreach(data, key, value) {
        if (strcmp(key, "addr") == 0 || strcmp(key, "remote") == 0)
            text_address(s, value, "");
        else if (strcmp(key, "local") == 0)
            text_address(s, value, "local");
        else
            text_member(s, key, value);
    }
    return g_string_free(s, FALSE);
}

/* backend is taken. */
static void add_chardev(Cmd *c, const char *id, JsonObject *backend)
{
    if (c->plug) {
        cmd_json(c, "-chardev", props_new(P_STR("id", id), P_OBJ("backend", backend)));
        return;
    }
    g_autofree char *text = backend_text(id, backend);
    cmd_opt(c, "-chardev", text);
    json_object_put(backend);
}

static JsonObject *backend_of(const char *type, JsonObject *data)
{
    return props_new(P_STR("type", type), P_OBJ("data", data));
}

static JsonObject *inet_address(const char *host, const char *port)
{
    return backend_of("inet", props_new(P_STR("host", host ? host : ""), P_STR("port", port ? port : "")));
}

static JsonObject *path_data(const char *name, const char *path)
{
    return props_new(P_STR(name, path ? path : ""));
}

static void add_reconnect(JsonObject *data, const Reconnect *r)
{
    props_add(data, P_UINT_IF("reconnect", r->enabled != TRI_ABSENT, tri_is_yes(r->enabled) ? r->timeout.v : 0));
}

static void add_server(JsonObject *data, bool listens)
{
    props_add(data, P_BOOL("server", listens));
    if (listens)
        props_add(data, P_BOOL("wait", false));
}

static JsonObject *chr_file(Cmd *c, const Device *dev, GError **err)
{
    g_autofree char *opaque = g_strdup_printf("%s-source", dev->info.alias);
    g_autofree char *path = cmd_fd_set(c, QEMU_FD_CHR_FILE, dev, opaque, err);
    return path ? props_new(P_STR("out", path), P_BOOL("append", true)) : NULL;
}

static JsonObject *chr_tcp(Cmd *c, const ChrSource *src, const char *alias, GError **err)
{
    if (src->protocol != CHR_RAW && src->protocol != CHR_TELNET) {
        (void)qemu_refuse(err, "chardev '%s': protocol '%s' is not supported", alias, enum_name(&chr_protocol_names, src->protocol));
        return NULL;
    }
    g_autofree char *creds = NULL;
    if (cmd_chr_tls(c->ctx, src)) {
        creds = g_strdup_printf("obj%s_tls0", alias);
        /* A client always checks who it talks to. */
        if (!cmd_tls_creds(c, creds, c->ctx->chardev_tls_dir, src->listen, src->listen ? c->ctx->chardev_tls_verify : true,
                           c->ctx->chardev_tls_secret, alias, err))
            return NULL;
    }
    JsonObject *data = props_new(P_OBJ("addr", inet_address(src->host, src->service)), P_YES("telnet", src->protocol == CHR_TELNET));
    add_server(data, src->listen);
    add_reconnect(data, &src->reconnect);
    props_add(data, P_STR("tls-creds", creds));
    return data;
}

static JsonObject *chr_unix(Cmd *c, const ChrSource *src, const Device *dev, GError **err)
{
    JsonObject *data;
    if (!src->listen) {
        data = props_new(P_OBJ("addr", backend_of("unix", path_data("path", src->path))));
        add_server(data, false);
        add_reconnect(data, &src->reconnect);
        return data;
    }
    g_autofree char *fd = cmd_fd_word(c, QEMU_FD_CHR_LISTEN, dev, 0, err);
    if (!fd)
        return NULL;
    data = props_new(P_OBJ("addr", backend_of("fd", path_data("str", fd))));
    add_server(data, true);
    return data;
}

static JsonObject *chr_udp(const Cmd *c, const ChrSource *src)
{
    bool bound = src->udp_bind_given || src->bind_host || src->bind_service;
    JsonObject *data = props_new(P_OBJ("remote", inet_address(src->host, src->service)));
    /* The option always says where it listens, be it anywhere. */
    if (bound || !c->plug)
        props_add(data, P_OBJ("local", inet_address(src->bind_host, src->bind_service ? src->bind_service : "0")));
    return data;
}

static JsonObject *chr_vdagent(const Cmd *c, const ChrSource *src)
{
    JsonObject *data = props_new(P_STR("name", c->plug ? NULL : "vdagent"));
    if (src->clipboard != TRI_ABSENT)
        props_add(data, P_BOOL("clipboard", src->clipboard == TRI_YES));
    if (src->mouse != MOUSE_DEFAULT)
        props_add(data, P_BOOL("mouse", src->mouse == MOUSE_CLIENT));
    return data;
}

/* The data of the backend; *ret_type is what it is. */
static JsonObject *chr_backend(Cmd *c, const ChrSource *src, const char *alias, const Device *dev, const char **ret_type, GError **err)
{
    switch (src->type) {
    case CHR_NULL: case CHR_VC: case CHR_PTY: case CHR_STDIO:
        *ret_type = src->type == CHR_NULL ? "null" : src->type == CHR_VC ? "vc" : src->type == CHR_PTY ? "pty" : "stdio";
        return json_object_new_object();
    case CHR_DEV:
        *ret_type = src->path && g_str_has_prefix(src->path, "/dev/parport") ? "parallel" : "serial";
        return path_data("device", src->path);
    case CHR_FILE: *ret_type = "file"; return chr_file(c, dev, err);
    case CHR_PIPE: *ret_type = "pipe"; return path_data("device", src->path);
    case CHR_UDP: *ret_type = "udp"; return chr_udp(c, src);
    case CHR_TCP: *ret_type = "socket"; return chr_tcp(c, src, alias, err);
    case CHR_UNIX: *ret_type = "socket"; return chr_unix(c, src, dev, err);
    case CHR_SPICEVMC:
        *ret_type = "spicevmc";
        return path_data("type", dev->kind == DEVICE_REDIRDEV ? "usbredir" : dev->kind == DEVICE_SMARTCARD ? "smartcard" : "vdagent");
    case CHR_SPICEPORT: *ret_type = "spiceport"; return path_data("fqdn", src->channel);
    case CHR_QEMU_VDAGENT: *ret_type = "qemu-vdagent"; return chr_vdagent(c, src);
    case CHR_DBUS: *ret_type = "dbus"; return path_data("name", src->channel);
    case CHR_NONE: case CHR_NMDM: case _CHR_TYPE_N: break;
    }
    (void)qemu_refuse(err, "chardev '%s': type '%s' is not supported", alias, enum_name(&chr_type_names, src->type));
    return NULL;
}

bool cmd_chardev(Cmd *c, const ChrSource *src, const char *alias, const Device *dev, GError **err)
{
    const char *type = NULL;
    g_autoptr(JsonObject) data = chr_backend(c, src, alias, dev, &type, err);
    if (!data)
        return false;
    if (src->log_file) {
        g_autofree char *opaque = g_strdup_printf("%s-log", dev->info.alias);
        g_autofree char *path = cmd_fd_set(c, QEMU_FD_CHR_LOG, dev, opaque, err);
        if (!path)
            return false;
        props_add(data, P_STR("logfile", path), P_BOOL("logappend", true));
    }
    add_chardev(c, alias, backend_of(type, g_steal_pointer(&data)));
    return true;
}

void cmd_chardev_socket(Cmd *c, const char *id, const char *path, bool server, int64_t reconnect)
{
    add_chardev(c, id, backend_of("socket", props_new(P_OBJ("addr", backend_of("unix", path_data("path", path))), P_BOOL("server", server),
                                                      P_UINT_IF("reconnect", reconnect >= 0, (uint64_t)reconnect))));
}

bool cmd_monitor(Cmd *c, GError **err)
{
    if (!c->ctx->monitor_path) {
        int fd = cmd_fd(c, QEMU_FD_MONITOR, NULL, 0, err);
        if (fd < 0)
            return false;
        cmd_optf(c, "-chardev", "socket,id=charmonitor,fd=%d,server=on,wait=off", fd);
    } else {
        GString *s = g_string_new("socket,id=charmonitor,path=");
        props_escape(s, c->ctx->monitor_path);
        g_string_append(s, ",server=on,wait=off");
        cmd_opt(c, "-chardev", s->str);
        g_string_free(s, TRUE);
    }
    cmd_opt(c, "-mon", "chardev=charmonitor,id=monitor,mode=control");
    return true;
}

/* ---- the guest's side ------------------------------------------------------------------------------ */

static bool add_char_device(Cmd *c, const ChrDef *chr, const char *driver, bool index, GError **err)
{
    const char *id = chr->dev.info.alias;
    g_autofree char *chardev = g_strdup_printf("char%s", id);
    JsonObject *o = props_new(P_STR("driver", driver), P_STR("chardev", chardev), P_STR("id", id),
                              P_UINT_IF("index", index, chr->port.v));
    if (!cmd_address(c, &chr->dev.info, o, err)) {
        json_put_(o);
        return false;
    }
    return cmd_device(c, id, o, err);
}

static bool add_serial(Cmd *c, const ChrDef *chr, GError **err)
{
    static const char *const drivers[_SERIAL_MODEL_N] = {
        [SERIAL_MODEL_ISA_SERIAL] = "isa-serial", [SERIAL_MODEL_USB_SERIAL] = "usb-serial",
        [SERIAL_MODEL_PCI_SERIAL] = "pci-serial", [SERIAL_MODEL_SPAPR_VTY] = "spapr-vty",
        [SERIAL_MODEL_SCLPCONSOLE] = "sclpconsole", [SERIAL_MODEL_SCLPLMCONSOLE] = "sclplmconsole",
        [SERIAL_MODEL_ISA_DEBUGCON] = "isa-debugcon",
    };
    g_autofree char *chardev = g_strdup_printf("char%s", chr->dev.info.alias);
    if (!cmd_chardev(c, &chr->src, chardev, &chr->dev, err))
        return false;
    if (chr->serial_model == SERIAL_MODEL_PL011 || chr->serial_model == SERIAL_MODEL_16550A) {
        cmd_optf(c, "-serial", "chardev:%s", chardev); /* soldered to the board */
        return true;
    }
    if (!drivers[chr->serial_model])
        return qemu_refuse(err, "serial '%s': target model '%s' is not supported", chr->dev.info.alias,
                          enum_name(&serial_model_names, chr->serial_model));
    return add_char_device(c, chr, drivers[chr->serial_model],
                           chr->serial_model == SERIAL_MODEL_ISA_SERIAL, err);
}

static bool add_virtio_port(Cmd *c, const ChrDef *chr, GError **err)
{
    const char *id = chr->dev.info.alias;
    bool console = chr->dev.kind == DEVICE_CONSOLE;
    g_autofree char *chardev = g_strdup_printf("char%s", id);
    g_autoptr(JsonObject) o = props_new(P_STR("driver", console ? "virtconsole" : "virtserialport"));
    if (chr->dev.info.address.type == ADDRESS_VIRTIO_SERIAL && !cmd_address(c, &chr->dev.info, o, err))
        return false;
    props_add(o, P_STR("chardev", chardev), P_STR("id", id));
    if (!console) {
        bool spice = chr->src.type == CHR_SPICEVMC;
        props_add(o, P_STR("name", chr->target_name ? chr->target_name : spice ? "com.redhat.spice.0" : NULL));
    }
    return cmd_chardev(c, &chr->src, chardev, &chr->dev, err) && cmd_device(c, id, g_steal_pointer(&o), err);
}

static bool add_channel(Cmd *c, const ChrDef *chr, GError **err)
{
    const char *id = chr->dev.info.alias;
    if (chr->target == CHANNEL_VIRTIO)
        return add_virtio_port(c, chr, err);
    if (chr->target != CHANNEL_GUESTFWD)
        return qemu_refuse(err, "channel '%s': target type is not supported", id);
    g_autofree char *chardev = g_strdup_printf("char%s", id);
    if (!cmd_chardev(c, &chr->src, chardev, &chr->dev, err))
        return false;
    g_autofree char *fwd = g_strdup_printf("tcp:%s:%u-chardev:%s", chr->guestfwd_address, chr->guestfwd_port, chardev);
    JsonObject *list = json_object_new_array();
    props_append(list, props_new(P_STR("str", fwd)));
    cmd_json(c, "-netdev", props_new(P_STR("type", "user"), P_OBJ("guestfwd", list), P_STR("id", id)));
    return true;
}

static bool add_console(Cmd *c, const ChrDef *chr, GError **err)
{
    if (chr->is_serial_alias)
        return true;
    g_autofree char *chardev = g_strdup_printf("char%s", chr->dev.info.alias);
    switch (chr->target) {
    case CONSOLE_VIRTIO: return add_virtio_port(c, chr, err);
    case CONSOLE_SCLP: case CONSOLE_SCLPLM:
        return cmd_chardev(c, &chr->src, chardev, &chr->dev, err) &&
               add_char_device(c, chr, chr->target == CONSOLE_SCLP ? "sclpconsole" : "sclplmconsole", false, err);
    case CONSOLE_SERIAL: return true; /* a view of a serial port */
    default:
        return qemu_refuse(err, "console '%s': target type '%s' is not supported", chr->dev.info.alias,
                          enum_name(&chr_target_names, chr->target));
    }
}

static bool add_parallel(Cmd *c, const ChrDef *chr, GError **err)
{
    g_autofree char *chardev = g_strdup_printf("char%s", chr->dev.info.alias);
    return cmd_chardev(c, &chr->src, chardev, &chr->dev, err) && add_char_device(c, chr, "isa-parallel", false, err);
}

bool cmd_chr(Cmd *c, const ChrDef *chr, GError **err)
{
    switch (chr->dev.kind) {
    case DEVICE_SERIAL: return add_serial(c, chr, err);
    case DEVICE_PARALLEL: return add_parallel(c, chr, err);
    case DEVICE_CHANNEL: return add_channel(c, chr, err);
    default: return add_console(c, chr, err);
    }
}

bool cmd_chrs(Cmd *c, GError **err)
{
    static const DeviceKind order[] = { DEVICE_SERIAL, DEVICE_PARALLEL, DEVICE_CHANNEL, DEVICE_CONSOLE };
    for (unsigned k = 0; k < G_N_ELEMENTS(order); k++) {
        guint pos = 0;
        const ChrDef *chr;
        while ((chr = domain_next(c->def, order[k], &pos))) {
            if (!cmd_chr(c, chr, err))
                return false;
        }
    }
    return true;
}

bool cmd_smartcards(Cmd *c, GError **err)
{
    guint pos = 0;
    const SmartcardDef *s;
    while ((s = domain_next(c->def, DEVICE_SMARTCARD, &pos))) {
        const char *id = s->dev.info.alias;
        g_autofree char *chardev = g_strdup_printf("char%s", id);
        JsonObject *o = NULL;
        switch (s->mode) {
        case SMARTCARD_HOST:
            o = props_new(P_STR("driver", "ccid-card-emulated"), P_STR("backend", "nss-emulated"));
            break;
        case SMARTCARD_HOST_CERTIFICATES:
            o = props_new(P_STR("driver", "ccid-card-emulated"), P_STR("backend", "certificates"));
            for (unsigned i = 0; i < list_len(s->certificates) && i < 3; i++) {
                char name[8];
                g_snprintf(name, sizeof(name), "cert%u", i + 1);
                props_add(o, P_STR(name, ((const StrItem *)list_at(s->certificates, i))->s));
            }
            props_add(o, P_STR("db", s->database ? s->database : "/etc/pki/nssdb"));
            break;
        case SMARTCARD_PASSTHROUGH:
            if (!cmd_chardev(c, &s->src, chardev, &s->dev, err))
                return false;
            o = props_new(P_STR("driver", "ccid-card-passthru"), P_STR("chardev", chardev));
            break;
        case _SMARTCARD_MODE_N: default:
            return qemu_refuse(err, "smartcard '%s': unknown mode", id);
        }
        props_add(o, P_STR("id", id));
        if (!cmd_address(c, &s->dev.info, o, err)) {
            json_put_(o);
            return false;
        }
        if (!cmd_device(c, id, o, err))
            return false;
    }
    return true;
}
