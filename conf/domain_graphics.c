/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Graphics, video, audio and sound as rows. Ports and listen addresses of graphics are code: the
 * language has an attribute and an element for the same address, a port that means "automatic" in
 * three spellings, and a socket attribute that replaces all listens.
 */
#include "conf/domain_graphics.h"

#include <string.h>

#include "conf/device-internal.h"
#include "conf/domain.h"
#include "util/api.h"
#include "util/error.h"

/* clang-format off */
ENUM_TABLE(graphics_type_names, "graphics type", _GRAPHICS_TYPE_N, "sdl", "vnc", "rdp", "desktop", "spice", "egl-headless", "dbus");
ENUM_TABLE(listen_type_names, "listen type", _LISTEN_TYPE_N, "none", "address", "network", "socket");
ENUM_TABLE(graphics_connected_names, "vnc connected action", _CONNECTED_N, "default", "fail", "disconnect", "keep");
ENUM_TABLE(vnc_share_names, "vnc display sharing policy", _VNC_SHARE_N, "default", "allow-exclusive", "force-shared", "ignore");
ENUM_TABLE(spice_mode_names, "spice mode", _SPICE_MODE_N, "any", "secure", "insecure");
ENUM_TABLE(spice_image_names, "spice image compression", _SPICE_IMAGE_N, "default", "auto_glz", "auto_lz", "quic", "glz", "lz", "off");
ENUM_TABLE(spice_compression_names, "spice compression", _SPICE_COMPRESSION_N, "default", "auto", "never", "always");
ENUM_TABLE(spice_streaming_names, "spice streaming mode", _SPICE_STREAMING_N, "default", "filter", "all", "off");
ENUM_TABLE(video_type_names, "video model", _VIDEO_TYPE_N, "default", "vga", "cirrus", "vmvga", "xen", "vbox", "qxl", "parallels", "virtio", "gop", "none", "bochs", "ramfb");
ENUM_TABLE(video_driver_names, "video backend", _VIDEO_DRIVER_N, NULL, "qemu", "vhostuser");
ENUM_TABLE(vgaconf_names, "vgaconf", _VGACONF_N, "io", "on", "off");
ENUM_TABLE(sound_model_names, "sound model", _SOUND_MODEL_N, "sb16", "es1370", "pcspk", "ac97", "ich6", "ich9", "usb", "ich7", "virtio");
ENUM_TABLE(sound_codec_names, "codec type", _SOUND_CODEC_N, "duplex", "micro", "output");
ENUM_TABLE(audio_type_names, "audio type", _AUDIO_TYPE_N, "none", "alsa", "coreaudio", "jack", "oss", "pulseaudio", "sdl", "spice", "file", "dbus", "pipewire");
ENUM_TABLE(audio_sdl_names, "sdl driver", _AUDIO_SDL_N, NULL, "esd", "alsa", "arts", "pulseaudio");
ENUM_TABLE(audio_format_names, "sample format", _AUDIO_FORMAT_N, NULL, "u8", "s8", "u16", "s16", "u32", "s32", "f32");

/* ---- graphics: ports ---- */

/* -1 is "automatic" */
static bool read_port(const xmlNode *el, const char *name, OptI32 *v, GError **err)
{
    const ConfField row = { .arg = NULL };
    const char *text = xml_attr_get(el, name);

    if (!text)
        return true;
    if (!conf_opt_i32.parse(&row, text, NULL, v, NULL, err)) {
        conf_prefix_at(err, el, name);
        return false;
    }
    if (v->v >= -1 && v->v <= 65535)
        return true;
    conf_error_at(err, VIR_ERR_XML_ERROR, el, name, "%d is not a port", v->v);
    return false;
}

static bool ports_parse(ConfParser *p, const ConfField *row, xmlNode *el, void *base, GError **err)
{
    GraphicsDef *g = base;
    bool inactive = p->flags & DOMAIN_PARSE_INACTIVE;
    OptI32 websocket = { 0, 0 };

    static const char *const names[] = { "port", "tlsPort", "autoport", "websocket", "websocketGenerated", "listen", "socket" };
    for (xmlAttr *a = el->properties; a; a = a->next) {
        for (unsigned i = 0; i < G_N_ELEMENTS(names); i++) {
            if (!strcmp((const char *)a->name, names[i]))
                a->_private = el->_private;
        }
    }
    if (!read_port(el, "port", &g->port, err) || !read_port(el, "tlsPort", &g->tls_port, err) ||
        !read_port(el, "websocket", &websocket, err))
        return false;
    const char *autoport = xml_attr_get(el, "autoport");
    int automatic = autoport ? enum_value(&tri_yesno_names, autoport) : TRI_ABSENT;
    if (automatic < 0) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "autoport", "unknown value '%.100s'; expected one of yes, no", autoport);
        return false;
    }
    g->autoport = (Tristate)automatic;

    if (g->type == GRAPHICS_SPICE) {
        if ((g->port.set && g->port.v == -1) || (g->tls_port.set && g->tls_port.v == -1))
            g->autoport = TRI_YES;
    } else if (g->type == GRAPHICS_VNC && g->autoport == TRI_ABSENT && (!g->port.set || g->port.v == -1)) {
        g->autoport = TRI_YES;
    }
    if (g->port.v <= 0 || (g->autoport == TRI_YES && inactive))
        g->port = (OptI32){ 0, 0 };
    if (g->tls_port.v <= 0 || (g->autoport == TRI_YES && inactive))
        g->tls_port = (OptI32){ 0, 0 };
    if (g->autoport == TRI_ABSENT)
        g->autoport = TRI_NO;
    if (websocket.set && websocket.v) {
        const char *generated = xml_attr_get(el, "websocketGenerated");
        g->websocket_generated = websocket.v == -1 || (generated && !strcmp(generated, "yes"));
        g->websocket = (OptU32){ 1, g->websocket_generated && inactive ? UINT32_MAX : (uint32_t)websocket.v };
    }
    g->listen_legacy = g_strdup(xml_attr_get(el, "listen"));
    if (g->listen_legacy && !*g->listen_legacy)
        g_clear_pointer(&g->listen_legacy, g_free);
    if (g->type == GRAPHICS_VNC)
        g->socket_legacy = g_strdup(xml_attr_get(el, "socket"));
    return true;
}

static void ports_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    const GraphicsDef *g = base;
    const GraphicsListen *l = list_len(g->listens) ? list_at(g->listens, 0) : NULL;
    bool inactive = f->flags & DOMAIN_FORMAT_INACTIVE;

    if (l && l->type == LISTEN_SOCKET) {
        if (g->type == GRAPHICS_VNC && l->socket && !(l->auto_socket && inactive))
            xml_attr(&f->w, "socket", l->socket);
        return;
    }
    if (l && l->type == LISTEN_NONE)
        return;
    bool hidden = g->autoport == TRI_YES && inactive;
    if (g->port.set && !hidden)
        xml_attrf(&f->w, "port", "%d", g->port.v);
    else if (g->autoport == TRI_YES && g->type == GRAPHICS_VNC)
        xml_attr(&f->w, "port", "-1");
    else if (g->type == GRAPHICS_RDP)
        xml_attr(&f->w, "port", "0");
    if (g->type == GRAPHICS_SPICE && g->tls_port.set && !hidden)
        xml_attrf(&f->w, "tlsPort", "%d", g->tls_port.v);
    if (g->type != GRAPHICS_RDP || g->autoport == TRI_YES)
        xml_attr(&f->w, "autoport", g->autoport == TRI_YES ? "yes" : "no");
    if (g->websocket.set) {
        if (g->websocket_generated && (inactive || g->websocket.v == UINT32_MAX))
            xml_attr(&f->w, "websocket", "-1");
        else
            xml_attrf(&f->w, "websocket", "%u", g->websocket.v);
        if (f->flags & DOMAIN_FORMAT_STATUS)
            xml_attr(&f->w, "websocketGenerated", g->websocket_generated ? "yes" : "no");
    }
    if (l && l->address && !(l->auto_address && inactive))
        xml_attr(&f->w, "listen", l->address);
}
static const ConfCustom ports = { ports_parse, ports_format,
    CONF_READS("@port", "@tlsPort", "@autoport", "@websocket", "@websocketGenerated", "@listen", "@socket") };

static bool listen_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    GraphicsListen *l = v;
    bool inactive = p->flags & DOMAIN_PARSE_INACTIVE;

    if (l->address && !*l->address)
        g_clear_pointer(&l->address, g_free);
    if (l->type == LISTEN_NETWORK && (!l->network || !*l->network)) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "network", "'network' attribute is required for listen type 'network'");
        return false;
    }
    if (l->type != LISTEN_NETWORK && l->network) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "network", "'network' attribute is valid only for listen type 'network'");
        return false;
    }
    if (l->type != LISTEN_SOCKET && l->socket) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "socket", "'socket' attribute is valid only for listen type 'socket'");
        return false;
    }
    if (l->address && l->type != LISTEN_ADDRESS && l->type != LISTEN_NETWORK) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, "address", "'address' attribute is valid only for listen types 'address' and 'network'");
        return false;
    }
    /* The address of a network is found when the guest starts. */
    if (l->type == LISTEN_NETWORK && inactive)
        g_clear_pointer(&l->address, g_free);
    return true;
}

static const ConfField listen_rows[] = {
    CONF_ENUM(GraphicsListen, type, "@type", listen_type_names, CF_REQUIRED | CF_ALWAYS, "what is listened on"),
    CONF_STR(GraphicsListen, address, "@address", 0, "address"),
    CONF_STR(GraphicsListen, network, "@network", 0, "network whose address is taken"),
    CONF_STR(GraphicsListen, socket, "@socket", 0, "path of a unix socket"),
    CONF_U32(GraphicsListen, auto_address, "@fromConfig", CF_LIVE | CF_STATUS | CF_ALWAYS | CF_NO_COMPARE, "1: address is a setting of the host"),
    CONF_YESFLAG(GraphicsListen, auto_socket, "@autoGenerated", CF_LIVE | CF_STATUS | CF_ALWAYS | CF_NO_COMPARE, "we made up the socket"),
    CONF_PAD(GraphicsListen, _pad),
};
CONF_DESC(graphics_listen_desc, GraphicsListen, listen_rows, .parsed = listen_parsed);

/* ---- graphics: the rest ---- */

static bool has_listens(const GraphicsDef *g)
{
    return g->type == GRAPHICS_VNC || g->type == GRAPHICS_SPICE || g->type == GRAPHICS_RDP;
}

static void only_listen(GraphicsDef *g, ListenType type, const char *address, const char *socket)
{
    for (unsigned i = 0; i < list_len(g->listens); i++)
        conf_free(&graphics_listen_desc, list_at(g->listens, i));
    if (!g->listens)
        g->listens = g_ptr_array_new();
    g_ptr_array_set_size(g->listens, 0);
    GraphicsListen *l = g_new0(GraphicsListen, 1);
    *l = (GraphicsListen){ .type = type, .address = g_strdup(address), .socket = g_strdup(socket) };
    g_ptr_array_add(g->listens, l);
}

static bool graphics_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    GraphicsDef *g = v;
    const GraphicsListen *l = NULL;

    if (g->type == GRAPHICS_DBUS && g->p2p == TRI_NO)
        g->p2p = TRI_ABSENT;
    if (g->fullscreen == TRI_NO)
        g->fullscreen = TRI_ABSENT;
    if (!g->passwd) { /* these are about the password */
        g_clear_pointer(&g->passwd_valid_to, g_free);
        g->connected = CONNECTED_DEFAULT;
    }
    if (!has_listens(g))
        return true;
    if (g->listen_legacy) {
        for (unsigned i = 0; i < list_len(g->listens) && !l; i++) {
            const GraphicsListen *x = list_at(g->listens, i);
            l = x->type == LISTEN_ADDRESS && x->address ? x : NULL;
        }
        if (l && strcmp(l->address, g->listen_legacy)) {
            conf_error_at(err, VIR_ERR_XML_ERROR, el, "listen",
                          "must match the address of the first listen element, found '%s' and '%s'", g->listen_legacy, l->address);
            return false;
        }
    }
    if (g->socket_legacy && *g->socket_legacy)
        only_listen(g, LISTEN_SOCKET, NULL, g->socket_legacy);
    else if (!list_len(g->listens))
        only_listen(g, LISTEN_ADDRESS, g->listen_legacy, NULL);
    g_clear_pointer(&g->socket_legacy, g_free);
    g_clear_pointer(&g->listen_legacy, g_free);
    l = list_at(g->listens, 0);
    if (l->type == LISTEN_SOCKET || l->type == LISTEN_NONE) { /* no ports then */
        g->port = g->tls_port = (OptI32){ 0, 0 };
        g->websocket = (OptU32){ 0, 0 };
        g->autoport = TRI_ABSENT;
        g->websocket_generated = 0;
    }
    return true;
}

static const ConfField channel_mode_rows[] = {
    CONF_STR(SpiceChannel, name, "@name", CF_REQUIRED, "channel"),
    CONF_ENUM(SpiceChannel, mode, "@mode", spice_mode_names, CF_REQUIRED | CF_ALWAYS, "whether it is encrypted"),
    CONF_PAD(SpiceChannel, _pad),
};
static bool channel_says_nothing(bool inactive, const void *v)
{
    return ((const SpiceChannel *)v)->mode == SPICE_MODE_ANY;
}
CONF_DESC(spice_channel_desc, SpiceChannel, channel_mode_rows, .says_nothing = channel_says_nothing);

#define G GraphicsDef
#define ON(m) WHEN(G, type, m)
#define VNC BIT(GRAPHICS_VNC)
#define SPICE BIT(GRAPHICS_SPICE)
#define RDP BIT(GRAPHICS_RDP)
#define WINDOW (BIT(GRAPHICS_SDL) | BIT(GRAPHICS_DESKTOP))
static const ConfField graphics_rows[] = {
    CONF_ENUM(G, type, "@type", graphics_type_names, CF_REQUIRED | CF_ALWAYS, "protocol or window"),
    CONF_CUSTOM_VIEW(ports, "", "ports, listen address and socket as attributes", ON(VNC | SPICE | RDP)),
    CONF_STR(G, display, "@display", 0, "X display", ON(WINDOW)),
    CONF_STR(G, xauth, "@xauth", 0, "X authority file", ON(BIT(GRAPHICS_SDL))),
    CONF_YESNO(G, fullscreen, "@fullscreen", 0, "whole screen", ON(WINDOW)),
    CONF_YESNO(G, multi_user, "@multiUser", 0, "several clients", ON(RDP)),
    CONF_YESNO(G, replace_user, "@replaceUser", 0, "a new client replaces the old one", ON(RDP)),
    CONF_STR(G, rdp_username, "@username", 0, "user", ON(RDP)),
    CONF_YESNO(G, p2p, "@p2p", 0, "without a bus", ON(BIT(GRAPHICS_DBUS))),
    CONF_STR(G, dbus_address, "@address", 0, "address of the bus", ON(BIT(GRAPHICS_DBUS))),
    CONF_STR(G, keymap, "@keymap", CF_ABI, "keyboard layout", ON(VNC | SPICE)),
    CONF_ENUM(G, default_mode, "@defaultMode", spice_mode_names, 0, "encryption of channels", ON(SPICE)),
    CONF_ENUM(G, share_policy, "@sharePolicy", vnc_share_names, 0, "more than one client", ON(VNC)),
    CONF_YESNO(G, power_control, "@powerControl", 0, "clients may power off", ON(VNC)),
    CONF_YESNO(G, wait, "@wait", 0, "boot when a client has connected", ON(VNC)),
    CONF_STR(G, passwd, "@passwd", CF_SECRET, "password", ON(VNC | SPICE | RDP)),
    CONF_STR(G, passwd_valid_to, "@passwdValidTo", CF_SECRET, "end of the password's validity, UTC", ON(VNC | SPICE)),
    CONF_ENUM(G, connected, "@connected", graphics_connected_names, CF_SECRET, "clients when the password changes", ON(VNC | SPICE)),
    CONF_LIST(G, listens, "listen", graphics_listen_desc, 0, "where clients connect", ON(VNC | SPICE | RDP)),
    CONF_LIST(G, channels, "channel", spice_channel_desc, 0, "encryption per channel", ON(SPICE)),
    CONF_ENUM(G, image, "image/@compression", spice_image_names, CF_REQUIRED | CF_IF_ELEMENT, "compression of images", ON(SPICE)),
    CONF_ENUM(G, jpeg, "jpeg/@compression", spice_compression_names, CF_REQUIRED | CF_IF_ELEMENT, "compression for slow links", ON(SPICE)),
    CONF_ENUM(G, zlib, "zlib/@compression", spice_compression_names, CF_REQUIRED | CF_IF_ELEMENT, "compression for slow links", ON(SPICE)),
    CONF_ONOFF(G, playback, "playback/@compression", CF_REQUIRED | CF_IF_ELEMENT, "compression of sound", ON(SPICE)),
    CONF_ENUM(G, streaming, "streaming/@mode", spice_streaming_names, CF_REQUIRED | CF_IF_ELEMENT, "detection of video", ON(SPICE)),
    CONF_ENUM(G, mouse, "mouse/@mode", mouse_mode_names, CF_REQUIRED | CF_IF_ELEMENT, "who draws the pointer", ON(SPICE)),
    CONF_YESNO(G, copypaste, "clipboard/@copypaste", CF_REQUIRED | CF_IF_ELEMENT, "copy and paste", ON(SPICE)),
    CONF_YESNO(G, filetransfer, "filetransfer/@enable", CF_REQUIRED | CF_IF_ELEMENT, "file transfer", ON(SPICE)),
    CONF_YESNO(G, gl, "gl/@enable", CF_REQUIRED | CF_IF_ELEMENT, "OpenGL", ON(SPICE | BIT(GRAPHICS_SDL) | BIT(GRAPHICS_DBUS))),
    CONF_STR(G, rendernode, "gl/@rendernode", 0, "DRM render node", ON(SPICE | BIT(GRAPHICS_EGL_HEADLESS) | BIT(GRAPHICS_DBUS))),
    CONF_OPT32(G, audio_id, "audio/@id", CF_REQUIRED | CF_IF_ELEMENT, "audio backend", CONF_NUM(num_positive), ON(VNC | BIT(GRAPHICS_DBUS))),
    CONF_DEVICE_HEAD(G),
    CONF_HIDDEN(G, port, 0), CONF_HIDDEN(G, tls_port, 0), CONF_HIDDEN(G, websocket, 0), CONF_HIDDEN(G, autoport, 0),
    CONF_HIDDEN(G, websocket_generated, 0), CONF_HIDDEN(G, auto_dbus_address, CF_NO_COMPARE),
    CONF_STR(G, socket_legacy, NULL, CF_NO_COMPARE, ""), CONF_STR(G, listen_legacy, NULL, CF_NO_COMPARE, ""),
};
#undef G
CONF_DESC(graphics_desc, GraphicsDef, graphics_rows, .parsed = graphics_parsed);

/* ---- video ---- */

#define V VideoDef
static const ConfField video_rows[] = {
    CONF_ENUM(V, driver, "driver/@name", video_driver_names, 0, "backend"),
    CONF_ENUM(V, vgaconf, "driver/@vgaconf", vgaconf_names, CF_ABI, "what of VGA is shown"),
    CONF_STRUCT(V, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_ENUM(V, type, "model/@type", video_type_names, CF_ABI | CF_ALWAYS, "device model"),
    CONF_OPT32(V, ram, "model/@ram", CF_ABI, "KiB"),
    CONF_OPT32(V, vram, "model/@vram", CF_ABI, "KiB"),
    CONF_OPT32(V, vram64, "model/@vram64", CF_ABI, "KiB"),
    CONF_OPT32(V, vgamem, "model/@vgamem", CF_ABI, "KiB"),
    CONF_OPT32(V, heads, "model/@heads", CF_ABI, "screens", CONF_NUM(num_positive)),
    CONF_YESNO(V, primary, "model/@primary", CF_ABI, "the one that shows the boot"),
    CONF_ONOFF(V, blob, "model/@blob", CF_ABI, "blob resources"),
    CONF_ONOFF(V, edid, "model/@edid", CF_ABI, "monitor description"),
    CONF_YESNO(V, accel2d, "model/acceleration/@accel2d", CF_ABI, "2D acceleration"),
    CONF_YESNO(V, accel3d, "model/acceleration/@accel3d", CF_ABI, "3D acceleration"),
    CONF_STR(V, rendernode, "model/acceleration/@rendernode", 0, "DRM render node"),
    CONF_U32(V, resolution_x, "model/resolution/@x", CF_REQUIRED | CF_IF_ELEMENT, "pixels"),
    CONF_U32(V, resolution_y, "model/resolution/@y", CF_REQUIRED | CF_IF_ELEMENT, "pixels"),
    CONF_DEVICE_HEAD(V),
};
static bool video_parsed(ConfParser *p, xmlNode *el, void *v, GError **err)
{
    VideoDef *d = v;
    bool bad_x = d->resolution_x && !d->resolution_y, bad_y = d->resolution_y && !d->resolution_x;

    if (bad_x || bad_y) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "missing values for resolution");
        return false;
    }
    const xmlNode *model = xml_child(el, "model");
    if (model && xml_child(model, "acceleration") && d->accel2d == TRI_ABSENT && d->accel3d == TRI_ABSENT && !d->rendernode) {
        conf_error_at(err, VIR_ERR_XML_ERROR, el, NULL, "missing values for acceleration");
        return false;
    }
    if (!d->heads.set && d->type != VIDEO_NONE && d->type != VIDEO_DEFAULT)
        d->heads = (OptU32){ 1, 1 };
    if (d->primary == TRI_NO)
        d->primary = TRI_ABSENT;
    if (d->type == VIDEO_NONE) { /* no device has no properties */
        g_autofree char *alias = g_steal_pointer(&d->dev.info.alias);
        Device dev = d->dev;
        conf_clear(&video_desc, d);
        *d = (V){ .dev = { .kind = dev.kind, .line = dev.line }, .type = VIDEO_NONE };
        d->dev.info.alias = g_steal_pointer(&alias);
    }
    return true;
}
#undef V
CONF_DESC(video_desc, VideoDef, video_rows, .parsed = video_parsed);

/* ---- sound and audio ---- */

static const ConfField codec_rows[] = { CONF_ENUM(SoundCodecDef, type, "@type", sound_codec_names, CF_REQUIRED | CF_ALWAYS, "codec") };
CONF_DESC(sound_codec_desc, SoundCodecDef, codec_rows);

static const ConfField sound_rows[] = {
    CONF_ENUM(SoundDef, model, "@model", sound_model_names, CF_REQUIRED | CF_ALWAYS | CF_ABI, "device model"),
    CONF_YESNO(SoundDef, multichannel, "@multichannel", CF_ABI, "more than two channels"),
    CONF_U32(SoundDef, streams, "@streams", CF_ABI, "virtio streams"),
    CONF_LIST(SoundDef, codecs, "codec", sound_codec_desc, CF_ABI, "codecs", WHEN(SoundDef, model, BIT(SOUND_ICH6) | BIT(SOUND_ICH9))),
    CONF_OPT32(SoundDef, audio_id, "audio/@id", CF_REQUIRED | CF_IF_ELEMENT, "audio backend", CONF_NUM(num_positive)),
    CONF_STRUCT(SoundDef, virtio, "driver", virtio_options_desc, CF_ABI, "virtio options"),
    CONF_DEVICE_HEAD(SoundDef), CONF_PAD(SoundDef, _pad),
};
CONF_DESC(sound_desc, SoundDef, sound_rows);

#define A AudioIo
static const ConfField audio_io_rows[] = {
    CONF_YESNO(A, mixing_engine, "@mixingEngine", 0, "mix inside the emulator"),
    CONF_YESNO(A, fixed_settings, "@fixedSettings", 0, "use the settings below"),
    CONF_U32(A, voices, "@voices", 0, "voices", CONF_NUM(num_positive)),
    CONF_U32(A, buffer_length, "@bufferLength", 0, "microseconds", CONF_NUM(num_positive)),
    CONF_STR(A, dev, "@dev", 0, "device of the host"),
    CONF_STR(A, name, "@name", 0, "sink or source"),
    CONF_STR(A, stream_name, "@streamName", 0, "name of the stream"),
    CONF_U32(A, latency, "@latency", 0, "microseconds"),
    CONF_U32(A, buffer_count, "@bufferCount", 0, "buffers"),
    CONF_YESNO(A, try_poll, "@tryPoll", 0, "poll"),
    CONF_STR(A, server_name, "@serverName", 0, "jack server"),
    CONF_STR(A, client_name, "@clientName", 0, "jack client"),
    CONF_STR(A, connect_ports, "@connectPorts", 0, "jack ports"),
    CONF_YESNO(A, exact_name, "@exactName", 0, "no other client name"),
    CONF_U32(A, frequency, "settings/@frequency", 0, "Hz", CONF_NUM(num_positive)),
    CONF_U32(A, channels, "settings/@channels", 0, "channels", CONF_NUM(num_positive)),
    CONF_ENUM(A, format, "settings/@format", audio_format_names, 0, "samples"),
    CONF_PAD(A, _pad),
};
#undef A
CONF_DESC(audio_io_desc, AudioIo, audio_io_rows);

#define A AudioDef
static const ConfField audio_rows[] = {
    CONF_U32(A, id, "@id", CF_REQUIRED, "number that devices refer to", CONF_NUM(num_positive)),
    CONF_ENUM(A, type, "@type", audio_type_names, CF_REQUIRED | CF_ALWAYS, "host audio system"),
    CONF_U32(A, timer_period, "@timerPeriod", 0, "microseconds", CONF_NUM(num_positive)),
    CONF_STR(A, server_name, "@serverName", 0, "server", WHEN(A, type, BIT(AUDIO_PULSEAUDIO))),
    CONF_STR(A, runtime_dir, "@runtimeDir", 0, "pipewire's directory", WHEN(A, type, BIT(AUDIO_PIPEWIRE))),
    CONF_STR(A, path, "@path", 0, "file", WHEN(A, type, BIT(AUDIO_FILE))),
    CONF_ENUM(A, sdl_driver, "@driver", audio_sdl_names, 0, "SDL driver", WHEN(A, type, BIT(AUDIO_SDL))),
    CONF_YESNO(A, try_mmap, "@tryMMap", 0, "use mmap", WHEN(A, type, BIT(AUDIO_OSS))),
    CONF_YESNO(A, exclusive, "@exclusive", 0, "exclusive access", WHEN(A, type, BIT(AUDIO_OSS))),
    CONF_OPT32(A, dsp_policy, "@dspPolicy", 0, "timing policy", WHEN(A, type, BIT(AUDIO_OSS))),
    CONF_STRUCT(A, input, "input", audio_io_desc, 0, "to the guest"),
    CONF_STRUCT(A, output, "output", audio_io_desc, 0, "from the guest"),
    CONF_DEVICE_HEAD(A),
};
#undef A
CONF_DESC(audio_desc, AudioDef, audio_rows);
