/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Remote displays (VNC, SPICE), local ones, and the host's side of sound. */
#include <stdio.h>
#include <string.h>

#include "drivers/qemu/cmdline-internal.h"

bool cmd_tls_creds(Cmd *c, const char *alias, const char *dir, bool listen, bool verify, const char *secret, const char *whose,
                   GError **err)
{
    g_autofree char *password = secret ? g_strconcat(whose, "-secret0", NULL) : NULL;
    SecretRef ref = { .type = SECRET_TLS };

    if (!dir)
        return qemu_refuse(err, "TLS for '%s': no directory with certificates is configured", alias);
    ref.uuid.set = secret && uuid_parse(secret, ref.uuid.v);
    if (secret && !cmd_secret(c, &ref, password, err))
        return false;
    cmd_json(c, "-object", props_new(P_STR("qom-type", "tls-creds-x509"), P_STR("id", alias), P_STR("dir", dir),
                                     P_STR("endpoint", listen ? "server" : "client"), P_BOOL("verify-peer", verify),
                                     P_STR("passwordid", password)));
    return true;
}

bool cmd_display(Cmd *c, GError **err)
{
    guint pos = 0;
    const GraphicsDef *g;
    bool any = false;
    while ((g = domain_next(c->def, DEVICE_GRAPHICS, &pos)))
        any = true;
    if (!any)
        cmd_opt(c, "-display", "none");
    return true;
}

static const GraphicsListen *first_listen(const GraphicsDef *g)
{
    return list_len(g->listens) ? list_at(g->listens, 0) : NULL;
}

static const char *listen_address(const GraphicsListen *l, const char *fallback)
{
    if (l && l->address)
        return l->address;
    return l && l->type == LISTEN_NETWORK ? NULL : fallback;
}

/* The document does not say where to listen. */
static bool listen_is_open(const GraphicsListen *l)
{
    return !l || (l->type == LISTEN_ADDRESS && (!l->address || l->auto_address));
}

/* The audio backend that a display carries; NULL: the first, when it is the only one. */
static char *audio_id(const Cmd *c, OptU32 wanted)
{
    guint pos = 0;
    const AudioDef *a, *first = domain_next(c->def, DEVICE_AUDIO, &pos);
    if (!wanted.set)
        return first ? g_strdup_printf("audio%u", first->id) : NULL;
    pos = 0;
    while ((a = domain_next(c->def, DEVICE_AUDIO, &pos))) {
        if (a->id == wanted.v)
            return g_strdup_printf("audio%u", a->id);
    }
    return NULL;
}

static bool add_vnc(Cmd *c, const GraphicsDef *g, GError **err)
{
    const GraphicsListen *l = first_listen(g);
    GString *s = g_string_new(NULL);
    if (l && l->type == LISTEN_NONE) {
        g_string_append(s, "none");
    } else if ((l && l->type == LISTEN_SOCKET) || (c->ctx->vnc_auto_unix_socket && listen_is_open(l))) {
        g_string_append(s, "vnc=unix:");
        if (l && l->socket) {
            props_escape(s, l->socket);
        } else {
            g_autofree char *path = g_build_filename(c->ctx->lib_dir, "vnc.sock", NULL);
            props_escape(s, path);
        }
    } else {
        const char *addr = listen_address(l, c->ctx->vnc_listen ? c->ctx->vnc_listen : "127.0.0.1");
        int port = g->port.set ? g->port.v : g->autoport == TRI_NO ? 0 : 5900;
        if (port < 5900 || port > 65535) {
            g_string_free(s, TRUE);
            return qemu_refuse(err, "vnc port must be in range [5900,65535]");
        }
        bool v6 = addr && strchr(addr, ':');
        g_string_append_printf(s, v6 ? "[%s]:%d" : "%s:%d", addr ? addr : "", port - 5900);
        if (g->websocket.set && g->websocket.v != UINT32_MAX)
            g_string_append_printf(s, ",websocket=%u", g->websocket.v);
    }
    static const char *const share[_VNC_SHARE_N] = { [VNC_SHARE_ALLOW_EXCLUSIVE] = "allow-exclusive",
                                                     [VNC_SHARE_FORCE_SHARED] = "force-shared", [VNC_SHARE_IGNORE] = "ignore" };
    if (share[g->share_policy])
        g_string_append_printf(s, ",share=%s", share[g->share_policy]);
    if (g->passwd || c->ctx->vnc_password_always)
        g_string_append(s, ",password=on"); /* set over QMP before the guest runs */
    if (c->ctx->vnc_tls) {
        static const char creds[] = "vnc-tls-creds0";
        if (!cmd_tls_creds(c, creds, c->ctx->vnc_tls_dir, true, c->ctx->vnc_tls_verify, c->ctx->vnc_tls_secret, creds, err)) {
            g_string_free(s, TRUE);
            return false;
        }
        g_string_append(s, ",tls-creds=vnc-tls-creds0");
    }
    if (c->ctx->vnc_sasl) {
        if (c->ctx->vnc_sasl_dir)
            cmd_env(c, "SASL_CONF_PATH", c->ctx->vnc_sasl_dir);
        g_string_append(s, ",sasl=on");
    }
    if (g->power_control != TRI_ABSENT)
        g_string_append_printf(s, ",power-control=%s", onoff(g->power_control));
    g_autofree char *audio = audio_id(c, g->audio_id);
    if (audio)
        g_string_append_printf(s, ",audiodev=%s", audio);
    cmd_opt(c, "-vnc", s->str);
    g_string_free(s, TRUE);
    if (g->keymap)
        cmd_opt(c, "-k", g->keymap);
    return true;
}

static void spice_word(GString *s, const char *name, const EnumTable *t, unsigned value)
{
    if (value)
        g_string_append_printf(s, "%s=%s,", name, enum_name(t, value));
}

static bool spice_listen(Cmd *c, GString *s, const GraphicsDef *g, GError **err)
{
    const GraphicsListen *l = first_listen(g);
    bool port = false;
    if ((l && l->type == LISTEN_SOCKET) || (c->ctx->spice_auto_unix_socket && listen_is_open(l))) {
        g_autofree char *own = g_build_filename(c->ctx->lib_dir, "spice.sock", NULL);
        g_string_append(s, "unix,addr=");
        props_escape(s, l && l->socket ? l->socket : own);
        g_string_append_c(s, ',');
        return true;
    }
    if (l && l->type == LISTEN_NONE) {
        g_string_append(s, "port=0,");
        return true;
    }
    if (g->port.set && g->port.v > 0) {
        g_string_append_printf(s, "port=%d,", g->port.v);
        port = true;
    }
    if (g->tls_port.set && g->tls_port.v > 0) {
        if (!c->ctx->spice_tls)
            return qemu_refuse(err, "graphics spice: tlsPort needs TLS, which is not configured");
        g_string_append_printf(s, "tls-port=%d,", g->tls_port.v);
        port = true;
    }
    if (!port) {
        g_string_append(s, "port=0,");
        return true;
    }
    const char *addr = listen_address(l, c->ctx->spice_listen ? c->ctx->spice_listen : "127.0.0.1");
    if (addr)
        g_string_append_printf(s, "addr=%s,", addr);
    return true;
}

static bool add_spice(Cmd *c, const GraphicsDef *g, GError **err)
{
    GString *s = g_string_new(NULL);
    if (!spice_listen(c, s, g, err)) {
        g_string_free(s, TRUE);
        return false;
    }
    bool tls = g->tls_port.set && g->tls_port.v > 0 && !g_str_has_prefix(s->str, "unix,");
    if (c->ctx->spice_sasl) {
        if (c->ctx->spice_sasl_dir)
            cmd_env(c, "SASL_CONF_PATH", c->ctx->spice_sasl_dir);
        g_string_append(s, "sasl=on,");
    }
    if (g->mouse != MOUSE_DEFAULT)
        g_string_append_printf(s, "agent-mouse=%s,", g->mouse == MOUSE_CLIENT ? "on" : "off");
    if (!g->passwd && !c->ctx->spice_password)
        g_string_append(s, "disable-ticketing=on,");
    if (tls && c->ctx->spice_tls_dir)
        g_string_append_printf(s, "x509-dir=%s,", c->ctx->spice_tls_dir);
    if (g->default_mode == SPICE_MODE_SECURE)
        g_string_append(s, "tls-channel=default,");
    else if (g->default_mode == SPICE_MODE_INSECURE)
        g_string_append(s, "plaintext-channel=default,");
    for (unsigned i = 0; i < list_len(g->channels); i++) {
        const SpiceChannel *ch = list_at(g->channels, i);
        if (ch->mode == SPICE_MODE_SECURE && !tls) {
            /* With a port of its own to come, TLS may still be there. */
            if (!(tri_is_yes(g->autoport) && c->ctx->spice_tls)) {
                g_string_free(s, TRUE);
                return qemu_refuse(err, "graphics spice: secure channel '%s' needs a tlsPort", ch->name);
            }
        }
        if (ch->mode == SPICE_MODE_SECURE)
            g_string_append_printf(s, "tls-channel=%s,", ch->name);
        else if (ch->mode == SPICE_MODE_INSECURE)
            g_string_append_printf(s, "plaintext-channel=%s,", ch->name);
    }
    spice_word(s, "image-compression", &spice_image_names, g->image);
    spice_word(s, "jpeg-wan-compression", &spice_compression_names, g->jpeg);
    spice_word(s, "zlib-glz-wan-compression", &spice_compression_names, g->zlib);
    if (g->playback != TRI_ABSENT)
        g_string_append_printf(s, "playback-compression=%s,", onoff(g->playback));
    spice_word(s, "streaming-video", &spice_streaming_names, g->streaming);
    if (g->copypaste == TRI_NO)
        g_string_append(s, "disable-copy-paste=on,");
    if (g->filetransfer == TRI_NO)
        g_string_append(s, "disable-agent-file-xfer=on,");
    if (tri_is_yes(g->gl)) {
        g_string_append(s, "gl=on,");
        if (g->rendernode || c->ctx->rendernode)
            g_string_append_printf(s, "rendernode=%s,", g->rendernode ? g->rendernode : c->ctx->rendernode);
    }
    g_string_append(s, "seamless-migration=on");
    cmd_opt(c, "-spice", s->str);
    g_string_free(s, TRUE);
    if (g->keymap)
        cmd_opt(c, "-k", g->keymap);
    return true;
}

static bool add_sdl(Cmd *c, const GraphicsDef *g, GError **err)
{
    if (g->xauth)
        cmd_env(c, "XAUTHORITY", g->xauth);
    if (g->display)
        cmd_env(c, "DISPLAY", g->display);
    if (tri_is_yes(g->fullscreen))
        cmd_arg(c, "-full-screen");
    GString *s = g_string_new("sdl");
    if (g->gl != TRI_ABSENT)
        g_string_append_printf(s, ",gl=%s", onoff(g->gl));
    cmd_opt(c, "-display", s->str);
    g_string_free(s, TRUE);
    return true;
}

static void add_dbus(Cmd *c, const GraphicsDef *g)
{
    GString *s = g_string_new("dbus");
    if (tri_is_yes(g->p2p)) {
        g_string_append(s, ",p2p=on");
    } else if (g->dbus_address) {
        g_string_append(s, ",addr=");
        props_escape(s, g->dbus_address);
    }
    if (g->gl != TRI_ABSENT)
        g_string_append_printf(s, ",gl=%s", onoff(g->gl));
    if (g->rendernode)
        g_string_append_printf(s, ",rendernode=%s", g->rendernode);
    g_autofree char *audio = g->audio_id.set ? audio_id(c, g->audio_id) : NULL;
    if (audio)
        g_string_append_printf(s, ",audiodev=%s", audio);
    cmd_opt(c, "-display", s->str);
    g_string_free(s, TRUE);
}

bool cmd_graphics(Cmd *c, GError **err)
{
    guint pos = 0;
    const GraphicsDef *g;
    char *known = NULL;
    while ((g = domain_next(c->def, DEVICE_GRAPHICS, &pos))) {
        bool ok = true;
        if (list_len(g->listens) > 1)
            return qemu_refuse(err, "QEMU does not support multiple listens for one graphics device.");
        if (g->audio_id.set && !(known = audio_id(c, g->audio_id)))
            return qemu_refuse(err, "unable to find audio backend for sound device");
        g_clear_pointer(&known, g_free);
        switch (g->type) {
        case GRAPHICS_VNC: ok = add_vnc(c, g, err); break;
        case GRAPHICS_SPICE: ok = add_spice(c, g, err); break;
        case GRAPHICS_SDL: ok = add_sdl(c, g, err); break;
        case GRAPHICS_EGL_HEADLESS:
            if (g->rendernode || c->ctx->rendernode)
                cmd_optf(c, "-display", "egl-headless,rendernode=%s", g->rendernode ? g->rendernode : c->ctx->rendernode);
            else
                cmd_opt(c, "-display", "egl-headless");
            break;
        case GRAPHICS_DBUS: add_dbus(c, g); break;
        case GRAPHICS_RDP: case GRAPHICS_DESKTOP: case _GRAPHICS_TYPE_N: default:
            ok = qemu_refuse(err, "graphics type '%s' is not supported", enum_name(&graphics_type_names, g->type));
        }
        if (!ok)
            return false;
    }
    return true;
}

/* ---- audio ------------------------------------------------------------------------------------------ */

static const char *const audio_drivers[_AUDIO_TYPE_N] = {
    [AUDIO_NONE] = "none", [AUDIO_ALSA] = "alsa", [AUDIO_COREAUDIO] = "coreaudio", [AUDIO_JACK] = "jack",
    [AUDIO_OSS] = "oss", [AUDIO_PULSEAUDIO] = "pa", [AUDIO_SDL] = "sdl", [AUDIO_SPICE] = "spice", [AUDIO_FILE] = "wav",
    [AUDIO_DBUS] = "dbus", [AUDIO_PIPEWIRE] = "pipewire",
};

static JsonObject *audio_io(const AudioDef *a, const AudioIo *io)
{
    AudioType t = a->type;
    bool pulse = t == AUDIO_PULSEAUDIO || t == AUDIO_PIPEWIRE;
    const char *format = io->format != AUDIO_FORMAT_DEFAULT ? enum_name(&audio_format_names, io->format) : NULL;
    JsonObject *o = props_new(P_TRI("mixing-engine", io->mixing_engine), P_TRI("fixed-settings", io->fixed_settings),
                              P_UINT_NZ("voices", io->voices), P_UINT_NZ("buffer-length", io->buffer_length),
                              P_UINT_NZ("frequency", io->frequency), P_UINT_NZ("channels", io->channels), P_STR("format", format));
    props_add(o, P_STR("dev", io->dev), P_UINT_NZ("buffer-count", io->buffer_count), P_TRI("try-poll", io->try_poll));
    if (pulse)
        props_add(o, P_STR("name", io->name), P_STR("stream-name", io->stream_name), P_UINT_NZ("latency", io->latency));
    if (t == AUDIO_JACK)
        props_add(o, P_STR("server-name", io->server_name), P_STR("client-name", io->client_name),
                  P_STR("connect-ports", io->connect_ports), P_TRI("exact-name", io->exact_name));
    if (json_object_object_length(o) == 0) {
        json_put_(o);
        return NULL;
    }
    return o;
}

bool cmd_audio(Cmd *c, GError **err)
{
    guint pos = 0;
    const AudioDef *a;
    while ((a = domain_next(c->def, DEVICE_AUDIO, &pos))) {
        g_autofree char *id = g_strdup_printf("audio%u", a->id);
        JsonObject *o = props_new(P_STR("id", id), P_STR("driver", audio_drivers[a->type]), P_UINT_NZ("timer-period", a->timer_period),
                                  P_STR("path", a->path), P_STR("server", a->server_name), P_TRI("try-mmap", a->try_mmap),
                                  P_TRI("exclusive", a->exclusive), P_OPT("dsp-policy", a->dsp_policy));
        props_add(o, P_OBJ("in", audio_io(a, &a->input)), P_OBJ("out", audio_io(a, &a->output)));
        cmd_json(c, "-audiodev", o);
        if (a->type == AUDIO_SDL && a->sdl_driver != AUDIO_SDL_DEFAULT)
            cmd_env(c, "SDL_AUDIODRIVER", enum_name(&audio_sdl_names, a->sdl_driver));
    }
    return true;
}
