/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Character devices as rows. The host side (ChrSource) is one description, flattened into whatever
 * carries it. Two shapes of <source> need code: tcp and unix sockets say with mode= whether they
 * listen, and udp has one <source> per direction.
 */
#include "conf/domain_chr.h"

#include <string.h>

#include "conf/device-internal.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(chr_type_names, "character device type", _CHR_TYPE_N, NULL, "null", "vc", "pty", "dev", "file", "pipe", "stdio", "udp", "tcp", "unix", "spicevmc", "spiceport", "nmdm", "qemu-vdagent", "dbus");
ENUM_TABLE(chr_protocol_names, "protocol", _CHR_TCP_PROTOCOL_N, "raw", "telnet", "telnets", "tls");
ENUM_TABLE(chr_target_names, "target type", _CHR_TARGET_N, NULL,
    "isa-serial", "usb-serial", "pci-serial", "spapr-vio-serial", "system-serial", "sclp-serial", "isa-debug",
    "serial", "xen", "uml", "virtio", "lxc", "openvz", "sclp", "sclplm",
    "guestfwd", "virtio", "xen");
ENUM_TABLE(serial_model_names, "serial model", _SERIAL_MODEL_N, NULL, "isa-serial", "usb-serial", "pci-serial", "spapr-vty", "pl011", "sclpconsole", "sclplmconsole", "16550a", "isa-debugcon");
ENUM_TABLE(channel_state_names, "channel state", _CHANNEL_STATE_N, NULL, "connected", "disconnected");
ENUM_TABLE(mouse_mode_names, "mouse mode", _MOUSE_MODE_N, "default", "client", "server");
ENUM_TABLE(smartcard_mode_names, "smartcard mode", _SMARTCARD_MODE_N, "host", "host-certificates", "passthrough");

/* ---- sources ---- */

static bool socket_mode(xmlNode *el, bool *ret_listen, bool *ret_given, GError **err)
{
    const char *mode = xml_attr_get(el, "mode");

    *ret_given = mode != NULL;
    *ret_listen = mode && !strcmp(mode, "bind");
    if (!mode || *ret_listen || !strcmp(mode, "connect"))
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, "mode", "unknown value '%.100s'; expected one of bind, connect", mode);
    return false;
}

/* <source mode='bind|connect' host= service= tls=/>, once; host and service are mandatory. */
static bool tcp_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    ChrSource *src = base;
    bool listen, given;
    xmlNode *device = el;

    el = xml_child(device, "source");
    if (!el) {
        conf_error_at(err, VIR_ERR_XML_ERROR, device, NULL, "'source' is missing for type 'tcp'");
        return false;
    }
    conf_mark_attrs(el);
    if (!socket_mode(el, &listen, &given, err))
        return false;
    src->listen = listen;
    src->mode_given = given;
    src->host = g_strdup(xml_attr_get(el, "host"));
    src->service = g_strdup(xml_attr_get(el, "service"));
    const char *tls = xml_attr_get(el, "tls");
    int t = tls ? enum_value(&tri_yesno_names, tls) : 0;
    if (t < 0) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "tls", "unknown value '%.100s'; expected one of yes, no", tls);
        return false;
    }
    src->tls = (Tristate)t;
    if (!src->host) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "host", "missing source host attribute for char device");
        return false;
    }
    if (!src->service) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "service", "missing source service attribute for char device");
        return false;
    }
    return true;
}
static const char *const source_name[] = { "source" };
static void tcp_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const ChrSource *src = base;

    conf_format_at(f, source_name, 1);
    xml_attr(&f->w, "mode", src->listen ? "bind" : "connect");
    xml_attr(&f->w, "host", src->host);
    xml_attr(&f->w, "service", src->service);
    if (src->tls)
        xml_attr(&f->w, "tls", enum_name(&tri_yesno_names, src->tls));
    if (src->tls_from_config && (f->flags & 8))
        xml_attr(&f->w, "tlsFromConfig", "1");
}
static const ConfCustom tcp_source = { tcp_parse, tcp_format,
    CONF_READS("source/@mode", "source/@host", "source/@service", "source/@tls", "source/@tlsFromConfig") };

/* <source mode='bind' …/><source mode='connect' …/> */
static bool udp_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    ChrSource *src = base;
    bool have[2] = { false, false };

    for (; el; el = xml_next(el, "source")) {
        bool listen, given;
        conf_mark_attrs(el);
        if (!socket_mode(el, &listen, &given, err))
            return false;
        if (have[listen]) {
            conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "only one source element with this mode is allowed");
            return false;
        }
        have[listen] = true;
        char **host = listen ? &src->bind_host : &src->host, **service = listen ? &src->bind_service : &src->service;
        *host = g_strdup(xml_attr_get(el, "host"));
        *service = g_strdup(xml_attr_get(el, "service"));
    }
    return true;
}
static void udp_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const ChrSource *src = base;

    conf_format_at(f, NULL, 0);
    if (src->bind_host || src->bind_service) {
        xml_open(&f->w, "source");
        xml_attr(&f->w, "mode", "bind");
        xml_attr(&f->w, "host", src->bind_host);
        xml_attr(&f->w, "service", src->bind_service);
        xml_close(&f->w);
    }
    if (src->host || src->service) {
        xml_open(&f->w, "source");
        xml_attr(&f->w, "mode", "connect");
        xml_attr(&f->w, "host", src->host);
        xml_attr(&f->w, "service", src->service);
        xml_close(&f->w);
    }
}
static const ConfCustom udp_source = { udp_parse, udp_format, CONF_READS("@mode", "@host", "@service", "+") };

/* A socket that the daemon chooses may be left out; then nothing is written. */
static bool unix_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    ChrSource *src = base;
    bool listen, given;

    if (!el)
        return true;
    conf_mark_attrs(el);
    if (!socket_mode(el, &listen, &given, err))
        return false;
    src->path = g_strdup(xml_attr_get(el, "path"));
    /* Without a path the driver decides on both. */
    src->listen = listen && src->path;
    src->mode_given = given && src->path;
    return true;
}
static void unix_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const ChrSource *src = base;

    if (!src->path)
        return;
    conf_format_at(f, source_name, 1);
    xml_attr(&f->w, "mode", src->listen ? "bind" : "connect");
    xml_attr(&f->w, "path", src->path);
}
static const ConfCustom unix_source = { unix_parse, unix_format, CONF_READS("@mode", "@path") };

#define C ChrSource
#define ON(m) WHEN(C, type, m)
#define PATHS (BIT(CHR_DEV) | BIT(CHR_FILE) | BIT(CHR_PIPE))
static const ConfField chr_source_rows[] = {
    CONF_CUSTOM_VIEW(tcp_source, "", "tcp: mode, host, service, tls", ON(BIT(CHR_TCP))),
    CONF_CUSTOM_VIEW(udp_source, "source", "udp: one source per direction", ON(BIT(CHR_UDP))),
    CONF_CUSTOM_VIEW(unix_source, "source", "unix: mode, path", ON(BIT(CHR_UNIX))),
    CONF_STR(C, path, "source/@path", CF_REQUIRED, "file or device", ON(PATHS)),
    CONF_STR(C, path, "source/@path", CF_VIEW | CF_LIVE, "terminal", ON(BIT(CHR_PTY))),
    CONF_STR(C, path, "source/@master", CF_VIEW | CF_REQUIRED, "our end", ON(BIT(CHR_NMDM))),
    CONF_STR(C, slave, "source/@slave", CF_REQUIRED, "the other end", ON(BIT(CHR_NMDM))),
    CONF_ONOFF(C, append, "source/@append", 0, "keep what is in the file", ON(BIT(CHR_FILE))),
    CONF_STR(C, channel, "source/@channel", CF_REQUIRED, "channel name", ON(BIT(CHR_SPICEPORT) | BIT(CHR_DBUS))),
    CONF_YESNO(C, clipboard, "source/clipboard/@copypaste", CF_REQUIRED | CF_IF_ELEMENT, "vdagent clipboard", ON(BIT(CHR_QEMU_VDAGENT))),
    CONF_ENUM(C, mouse, "source/mouse/@mode", mouse_mode_names, CF_REQUIRED | CF_IF_ELEMENT, "vdagent mouse", ON(BIT(CHR_QEMU_VDAGENT))),
    CONF_STRUCT(C, reconnect, "source/reconnect", reconnect_desc, 0, "connect again", ON(BIT(CHR_TCP) | BIT(CHR_UNIX))),
    CONF_LIST(C, seclabels, "source/seclabel", seclabel_desc, 0, "security labels", ON(PATHS | BIT(CHR_UNIX))),
    CONF_ENUM(C, protocol, "protocol/@type", chr_protocol_names, CF_ALWAYS, "what is spoken", ON(BIT(CHR_TCP))),
    CONF_UNUSED("protocol/@type", "counts for tcp only", ON(~BIT(CHR_TCP))),
    CONF_STR(C, log_file, "log/@file", 0, "copy of the output"),
    CONF_ONOFF(C, log_append, "log/@append", 0, "keep what is in the file"),
    CONF_HIDDEN(C, type, 0),
    CONF_HIDDEN(C, tls, 0), CONF_HIDDEN(C, tls_from_config, CF_NO_COMPARE), CONF_HIDDEN(C, listen, 0),
    CONF_HIDDEN(C, mode_given, CF_NO_COMPARE), CONF_HIDDEN(C, udp_bind_given, CF_NO_COMPARE), CONF_PAD(C, _pad2),
    CONF_STR(C, host, NULL, 0, ""), CONF_STR(C, service, NULL, 0, ""),
    CONF_STR(C, bind_host, NULL, 0, ""), CONF_STR(C, bind_service, NULL, 0, ""),
};
#undef C
static unsigned count_children(const xmlNode *el, const char *name)
{
    unsigned n = 0;
    for (const xmlNode *c = xml_child(el, name); c; c = xml_next(c, name))
        n++;
    return n;
}
static bool chr_source_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    static const char *const once[] = { "source", "protocol", "log" };
    const ChrSource *src = v;

    for (unsigned i = 0; i < G_N_ELEMENTS(once); i++) {
        if ((i > 0 || src->type != CHR_UDP) && count_children(el, once[i]) > 1) {
            conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "only one %s element is allowed for character device", once[i]);
            return false;
        }
    }
    return true;
}
CONF_DESC(chr_source_desc, ChrSource, chr_source_rows, .parsed = chr_source_parsed);

/* ---- devices ---- */

static const struct { DeviceKind kind; ChrTarget first, last; } targets_of[] = {
    { DEVICE_SERIAL, SERIAL_ISA, SERIAL_ISA_DEBUG },
    { DEVICE_CONSOLE, CONSOLE_SERIAL, CONSOLE_SCLPLM },
    { DEVICE_CHANNEL, CHANNEL_GUESTFWD, CHANNEL_XEN },
};

int chr_target_find(DeviceKind kind, const char *word)
{
    for (unsigned i = 0; i < G_N_ELEMENTS(targets_of); i++) {
        if (targets_of[i].kind != kind)
            continue;
        for (int t = (int)targets_of[i].first; t <= (int)targets_of[i].last; t++) {
            if (!strcmp(chr_target_names.names[t], word))
                return t;
        }
    }
    return -1;
}

static int target_find(const void *base, const char *word)
{
    return chr_target_find(((const Device *)base)->kind, word);
}
static const ConfEnumBy target_by = { &chr_target_names, target_find, "target type for this kind of device" };

#define D ChrDef
#define CHR_TYPE CONF_ENUM(D, src.type, "@type", chr_type_names, CF_VIEW, "what is on the host side; a terminal if not said")
#define CHR_SOURCE CONF_STRUCT(D, src, "", chr_source_desc, 0, "host side")
#define CHR_TARGET CONF_ENUM_BY(D, target, "target/@type", target_by, CF_ABI, "what the guest sees")
#define CHR_HIDDEN_COMMON CONF_HIDDEN(D, is_serial_alias, CF_NO_COMPARE), CONF_PAD(D, _pad)
#define CHR_NO_CHANNEL CONF_HIDDEN(D, state, CF_NO_COMPARE), CONF_STR(D, target_name, NULL, 0, ""), CONF_STR(D, guestfwd_address, NULL, 0, ""), CONF_HIDDEN(D, guestfwd_port, 0)

static bool chr_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    ChrDef *c = v;
    if (c->src.type == CHR_NONE)
        c->src.type = CHR_PTY;
    return true;
}

static const ConfField serial_rows[] = {
    CHR_TYPE, CHR_SOURCE, CHR_TARGET,
    CONF_OPT32(D, port, "target/@port", CF_ABI, "number of the port"),
    CONF_ENUM(D, serial_model, "target/model/@name", serial_model_names, CF_ABI, "device model"),
    CONF_DEVICE_HEAD(D), CHR_NO_CHANNEL, CHR_HIDDEN_COMMON, CONF_STR(D, tty, NULL, CF_NO_COMPARE, ""),
};
CONF_DESC(serial_desc, ChrDef, serial_rows, .parsed = chr_parsed);

static const ConfField parallel_rows[] = {
    CHR_TYPE, CHR_SOURCE,
    CONF_OPT32(D, port, "target/@port", CF_ABI, "number of the port"),
    CONF_DEVICE_HEAD(D), CHR_NO_CHANNEL, CHR_HIDDEN_COMMON, CONF_STR(D, tty, NULL, CF_NO_COMPARE, ""),
    CONF_HIDDEN(D, target, 0), CONF_HIDDEN(D, serial_model, 0),
};
CONF_DESC(parallel_desc, ChrDef, parallel_rows, .parsed = chr_parsed);

static const ConfField console_rows[] = {
    CHR_TYPE,
    CONF_STR(D, tty, "@tty", CF_LIVE | CF_NO_COMPARE, "terminal, as older clients look for it"),
    CHR_SOURCE, CHR_TARGET,
    CONF_OPT32(D, port, "target/@port", CF_ABI, "number of the console"),
    CONF_DEVICE_HEAD(D), CHR_NO_CHANNEL, CHR_HIDDEN_COMMON, CONF_HIDDEN(D, serial_model, 0),
};
CONF_DESC(console_desc, ChrDef, console_rows, .parsed = chr_parsed);

static const ConfField channel_rows[] = {
    CHR_TYPE, CHR_SOURCE,
    CONF_ENUM_BY(D, target, "target/@type", target_by, CF_ABI | CF_REQUIRED, "what the guest sees"),
    CONF_STR(D, target_name, "target/@name", CF_ABI, "name in the guest", WHEN(D, target, BIT(CHANNEL_VIRTIO) | BIT(CHANNEL_XEN))),
    CONF_ENUM(D, state, "target/@state", channel_state_names, CF_LIVE | CF_NO_COMPARE, "whether the guest listens", WHEN(D, target, BIT(CHANNEL_VIRTIO))),
    CONF_STR(D, guestfwd_address, "target/@address", CF_ABI | CF_REQUIRED, "address in the guest", WHEN(D, target, BIT(CHANNEL_GUESTFWD))),
    CONF_U32(D, guestfwd_port, "target/@port", CF_ABI | CF_REQUIRED, "port in the guest", CONF_NUM(num_u16), WHEN(D, target, BIT(CHANNEL_GUESTFWD))),
    CONF_DEVICE_HEAD(D), CHR_HIDDEN_COMMON, CONF_HIDDEN(D, port, 0), CONF_HIDDEN(D, serial_model, 0), CONF_STR(D, tty, NULL, CF_NO_COMPARE, ""),
};
#undef D
CONF_DESC(channel_desc, ChrDef, channel_rows, .parsed = chr_parsed);

static const ConfField cert_rows[] = { CONF_STR(StrItem, s, "text()", CF_NOT_EMPTY, "text") };
CONF_DESC(str_text_desc, StrItem, cert_rows);

static bool smartcard_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    const SmartcardDef *s = v;
    if (s->mode == SMARTCARD_HOST_CERTIFICATES && list_len(s->certificates) != 3) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "host-certificates mode needs exactly three certificates");
        return false;
    }
    if (s->mode == SMARTCARD_PASSTHROUGH && s->src.type == CHR_UNIX && !s->src.path) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "missing source path attribute for char device");
        return false;
    }
    return true;
}
#define SC SmartcardDef
static const ConfField smartcard_rows[] = {
    CONF_ENUM(SC, mode, "@mode", smartcard_mode_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "where the card is"),
    CONF_ENUM(SC, src.type, "@type", chr_type_names, CF_VIEW | CF_REQUIRED, "connection to the card", WHEN(SC, mode, BIT(SMARTCARD_PASSTHROUGH))),
    CONF_LIST(SC, certificates, "certificate", str_text_desc, 0, "certificate names", WHEN(SC, mode, BIT(SMARTCARD_HOST_CERTIFICATES))),
    CONF_STR(SC, database, "database/text()", 0, "certificate database", WHEN(SC, mode, BIT(SMARTCARD_HOST_CERTIFICATES))),
    CONF_STRUCT(SC, src, "", chr_source_desc, 0, "connection to the card", WHEN(SC, mode, BIT(SMARTCARD_PASSTHROUGH))),
    CONF_DEVICE_HEAD(SC), CONF_PAD(SC, _pad),
};
CONF_DESC(smartcard_desc, SmartcardDef, smartcard_rows, .parsed = smartcard_parsed);
