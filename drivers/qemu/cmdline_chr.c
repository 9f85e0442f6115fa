/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Character devices: the host's side (-chardev) is one function for all of them; the guest's side is
 * by kind. Listening unix sockets and output files are opened by us and inherited, so that the
 * emulator needs no right to create them.
 */
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

static void opt_str(GString *s, const char *name, const char *value)
{
    g_string_append_printf(s, ",%s=", name);
    props_escape(s, value ? value : "");
}

static void opt_reconnect(GString *s, const Reconnect *r)
{
    if (tri_is_yes(r->enabled))
        g_string_append_printf(s, ",reconnect=%u", r->timeout.v);
    else if (r->enabled == TRI_NO)
        g_string_append(s, ",reconnect=0");
}

static bool chr_file(Cmd *c, GString *s, const ChrSource *src, const char *alias, const Device *dev, GError **err)
{
    int fd = cmd_fd(c, QEMU_FD_CHR_FILE, dev, 0, err);
    if (fd < 0)
        return false;
    g_autofree char *opaque = g_strdup_printf("%s-source", dev->info.alias);
    g_autofree char *path = cmd_add_fd(c, fd, opaque);
    g_string_append_printf(s, "file,id=%s,path=%s,append=on", alias, path);
    return true;
}

static bool chr_tcp(Cmd *c, GString *s, const ChrSource *src, const char *alias, GError **err)
{
    const char *proto = src->protocol == CHR_TELNET ? ",telnet=on" : "";
    bool tls = tri_is_yes(src->tls) || (src->tls == TRI_ABSENT && c->ctx->chardev_tls);
    if (src->protocol != CHR_RAW && src->protocol != CHR_TELNET)
        return cmd_refuse(err, "chardev '%s': protocol '%s' is not supported", alias, enum_name(&chr_protocol_names, src->protocol));
    g_autofree char *creds = NULL;
    if (tls) {
        g_autofree char *secret = NULL;
        creds = g_strdup_printf("obj%s_tls0", alias);
        if (c->ctx->chardev_tls_secret) {
            SecretRef ref = { .type = SECRET_TLS };
            secret = g_strdup_printf("%s-secret0", alias);
            ref.uuid.set = uuid_parse(c->ctx->chardev_tls_secret, ref.uuid.v);
            if (!cmd_secret(c, &ref, secret, err))
                return false;
        }
        /* A client always checks who it talks to. */
        if (!cmd_tls_creds(c, creds, c->ctx->chardev_tls_dir, src->listen, src->listen ? c->ctx->chardev_tls_verify : true, secret, err))
            return false;
    }
    g_string_append_printf(s, "socket,id=%s", alias);
    opt_str(s, "host", src->host);
    opt_str(s, "port", src->service);
    g_string_append(s, proto);
    if (src->listen)
        g_string_append(s, ",server=on,wait=off");
    opt_reconnect(s, &src->reconnect);
    if (creds)
        opt_str(s, "tls-creds", creds);
    return true;
}

static bool chr_unix(Cmd *c, GString *s, const ChrSource *src, const char *alias, const Device *dev, GError **err)
{
    g_string_append_printf(s, "socket,id=%s", alias);
    if (!src->listen) {
        opt_str(s, "path", src->path);
        opt_reconnect(s, &src->reconnect);
        return true;
    }
    int fd = cmd_fd(c, QEMU_FD_CHR_LISTEN, dev, 0, err);
    if (fd < 0)
        return false;
    g_string_append_printf(s, ",fd=%d,server=on,wait=off", fd);
    return true;
}

static bool chr_backend(Cmd *c, GString *s, const ChrSource *src, const char *alias, const Device *dev, GError **err)
{
    switch (src->type) {
    case CHR_NULL: g_string_append_printf(s, "null,id=%s", alias); return true;
    case CHR_VC: g_string_append_printf(s, "vc,id=%s", alias); return true;
    case CHR_PTY: g_string_append_printf(s, "pty,id=%s", alias); return true;
    case CHR_STDIO: g_string_append_printf(s, "stdio,id=%s", alias); return true;
    case CHR_DEV:
        g_string_append_printf(s, "%s,id=%s", src->path && g_str_has_prefix(src->path, "/dev/parport") ? "parallel" : "serial", alias);
        opt_str(s, "path", src->path);
        return true;
    case CHR_FILE: return chr_file(c, s, src, alias, dev, err);
    case CHR_PIPE:
        g_string_append_printf(s, "pipe,id=%s", alias);
        opt_str(s, "path", src->path);
        return true;
    case CHR_UDP:
        g_string_append_printf(s, "udp,id=%s", alias);
        opt_str(s, "host", src->host);
        opt_str(s, "port", src->service);
        if (src->udp_bind_given || src->bind_host || src->bind_service) {
            opt_str(s, "localaddr", src->bind_host);
            opt_str(s, "localport", src->bind_service ? src->bind_service : "0");
        } else {
            g_string_append(s, ",localaddr=,localport=0");
        }
        return true;
    case CHR_TCP: return chr_tcp(c, s, src, alias, err);
    case CHR_UNIX: return chr_unix(c, s, src, alias, dev, err);
    case CHR_SPICEVMC:
        g_string_append_printf(s, "spicevmc,id=%s,name=%s", alias, dev->kind == DEVICE_REDIRDEV ? "usbredir" :
                               dev->kind == DEVICE_SMARTCARD ? "smartcard" : "vdagent");
        return true;
    case CHR_SPICEPORT:
        g_string_append_printf(s, "spiceport,id=%s", alias);
        opt_str(s, "name", src->channel);
        return true;
    case CHR_QEMU_VDAGENT:
        g_string_append_printf(s, "qemu-vdagent,id=%s,name=vdagent", alias);
        if (src->clipboard != TRI_ABSENT)
            opt_str(s, "clipboard", onoff(src->clipboard));
        if (src->mouse != MOUSE_DEFAULT)
            opt_str(s, "mouse", src->mouse == MOUSE_CLIENT ? "on" : "off");
        return true;
    case CHR_DBUS:
        g_string_append_printf(s, "dbus,id=%s", alias);
        opt_str(s, "name", src->channel);
        return true;
    case CHR_NONE: case CHR_NMDM: case _CHR_TYPE_N: break;
    }
    return cmd_refuse(err, "chardev '%s': type '%s' is not supported", alias, enum_name(&chr_type_names, src->type));
}

bool cmd_chardev(Cmd *c, const ChrSource *src, const char *alias, const Device *dev, GError **err)
{
    GString *s = g_string_new(NULL);
    bool ok = chr_backend(c, s, src, alias, dev, err);
    if (ok && src->log_file) {
        int fd = cmd_fd(c, QEMU_FD_CHR_LOG, dev, 0, err);
        if ((ok = fd >= 0)) {
            g_autofree char *opaque = g_strdup_printf("%s-log", dev->info.alias);
            g_autofree char *path = cmd_add_fd(c, fd, opaque);
            g_string_append_printf(s, ",logfile=%s,logappend=on", path);
        }
    }
    if (ok)
        cmd_opt(c, "-chardev", s->str);
    g_string_free(s, TRUE);
    return ok;
}

bool cmd_monitor(Cmd *c, GError **err)
{
    if (c->ctx->fd) {
        int fd = cmd_fd(c, QEMU_FD_MONITOR, NULL, 0, err);
        if (fd < 0)
            return false;
        cmd_optf(c, "-chardev", "socket,id=charmonitor,fd=%d,server=on,wait=off", fd);
    } else {
        GString *s = g_string_new("socket,id=charmonitor");
        opt_str(s, "path", c->ctx->monitor_path);
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
        return cmd_refuse(err, "serial '%s': target model '%s' is not supported", chr->dev.info.alias,
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
        bool spice = chr->src.type == CHR_SPICEVMC || chr->src.type == CHR_QEMU_VDAGENT;
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
        return cmd_refuse(err, "channel '%s': target type is not supported", id);
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
        return cmd_refuse(err, "console '%s': target type '%s' is not supported", chr->dev.info.alias,
                          enum_name(&chr_target_names, chr->target));
    }
}

bool cmd_chrs(Cmd *c, GError **err)
{
    static const DeviceKind order[] = { DEVICE_SERIAL, DEVICE_PARALLEL, DEVICE_CHANNEL, DEVICE_CONSOLE };
    for (unsigned k = 0; k < G_N_ELEMENTS(order); k++) {
        guint pos = 0;
        const ChrDef *chr;
        while ((chr = domain_next(c->def, order[k], &pos))) {
            bool ok = false;
            switch (order[k]) {
            case DEVICE_SERIAL: ok = add_serial(c, chr, err); break;
            case DEVICE_PARALLEL: {
                g_autofree char *chardev = g_strdup_printf("char%s", chr->dev.info.alias);
                ok = cmd_chardev(c, &chr->src, chardev, &chr->dev, err) && add_char_device(c, chr, "isa-parallel", false, err);
                break;
            }
            case DEVICE_CHANNEL: ok = add_channel(c, chr, err); break;
            default: ok = add_console(c, chr, err); break;
            }
            if (!ok)
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
            return cmd_refuse(err, "smartcard '%s': unknown mode", id);
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
