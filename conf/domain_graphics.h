/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Graphics, video, audio, sound. */
#pragma once

#include "conf/domain_chr.h" /* MouseMode */

typedef enum GraphicsType {
    GRAPHICS_SDL, GRAPHICS_VNC, GRAPHICS_RDP, GRAPHICS_DESKTOP, GRAPHICS_SPICE,
    GRAPHICS_EGL_HEADLESS, GRAPHICS_DBUS, _GRAPHICS_TYPE_N,
} GraphicsType;
extern const EnumTable graphics_type_names;
typedef enum ListenType { LISTEN_NONE, LISTEN_ADDRESS, LISTEN_NETWORK, LISTEN_SOCKET, _LISTEN_TYPE_N } ListenType;
extern const EnumTable listen_type_names;
typedef enum GraphicsConnected { CONNECTED_DEFAULT, CONNECTED_FAIL, CONNECTED_DISCONNECT, CONNECTED_KEEP, _CONNECTED_N } GraphicsConnected;
extern const EnumTable graphics_connected_names;
typedef enum VncSharePolicy { VNC_SHARE_DEFAULT, VNC_SHARE_ALLOW_EXCLUSIVE, VNC_SHARE_FORCE_SHARED, VNC_SHARE_IGNORE, _VNC_SHARE_N } VncSharePolicy;
extern const EnumTable vnc_share_names;
typedef enum SpiceMode { SPICE_MODE_ANY, SPICE_MODE_SECURE, SPICE_MODE_INSECURE, _SPICE_MODE_N } SpiceMode;
extern const EnumTable spice_mode_names;
typedef enum SpiceImage { SPICE_IMAGE_DEFAULT, SPICE_IMAGE_AUTO_GLZ, SPICE_IMAGE_AUTO_LZ, SPICE_IMAGE_QUIC, SPICE_IMAGE_GLZ, SPICE_IMAGE_LZ, SPICE_IMAGE_OFF, _SPICE_IMAGE_N } SpiceImage;
extern const EnumTable spice_image_names;
typedef enum SpiceCompression { SPICE_COMPRESSION_DEFAULT, SPICE_COMPRESSION_AUTO, SPICE_COMPRESSION_NEVER, SPICE_COMPRESSION_ALWAYS, _SPICE_COMPRESSION_N } SpiceCompression;
extern const EnumTable spice_compression_names;
typedef enum SpiceStreaming { SPICE_STREAMING_DEFAULT, SPICE_STREAMING_FILTER, SPICE_STREAMING_ALL, SPICE_STREAMING_OFF, _SPICE_STREAMING_N } SpiceStreaming;
extern const EnumTable spice_streaming_names;

typedef enum VideoType {
    VIDEO_DEFAULT, VIDEO_VGA, VIDEO_CIRRUS, VIDEO_VMVGA, VIDEO_XEN, VIDEO_VBOX, VIDEO_QXL,
    VIDEO_PARALLELS, VIDEO_VIRTIO, VIDEO_GOP, VIDEO_NONE, VIDEO_BOCHS, VIDEO_RAMFB, _VIDEO_TYPE_N,
} VideoType;
extern const EnumTable video_type_names;
typedef enum VideoDriver { VIDEO_DRIVER_DEFAULT, VIDEO_DRIVER_QEMU, VIDEO_DRIVER_VHOSTUSER, _VIDEO_DRIVER_N } VideoDriver;
extern const EnumTable video_driver_names;
typedef enum VgaConf { VGACONF_IO, VGACONF_ON, VGACONF_OFF, _VGACONF_N } VgaConf;
extern const EnumTable vgaconf_names;

typedef enum SoundModel {
    SOUND_SB16, SOUND_ES1370, SOUND_PCSPK, SOUND_AC97, SOUND_ICH6, SOUND_ICH9, SOUND_USB,
    SOUND_ICH7, SOUND_VIRTIO, _SOUND_MODEL_N,
} SoundModel;
extern const EnumTable sound_model_names;
typedef enum SoundCodec { CODEC_DUPLEX, CODEC_MICRO, CODEC_OUTPUT, _SOUND_CODEC_N } SoundCodec;
extern const EnumTable sound_codec_names;

typedef enum AudioType {
    AUDIO_NONE, AUDIO_ALSA, AUDIO_COREAUDIO, AUDIO_JACK, AUDIO_OSS, AUDIO_PULSEAUDIO, AUDIO_SDL,
    AUDIO_SPICE, AUDIO_FILE, AUDIO_DBUS, AUDIO_PIPEWIRE, _AUDIO_TYPE_N,
} AudioType;
extern const EnumTable audio_type_names;
typedef enum AudioSdlDriver { AUDIO_SDL_DEFAULT, AUDIO_SDL_ESD, AUDIO_SDL_ALSA, AUDIO_SDL_ARTS, AUDIO_SDL_PULSEAUDIO, _AUDIO_SDL_N } AudioSdlDriver;
extern const EnumTable audio_sdl_names;
typedef enum AudioFormat { AUDIO_FORMAT_DEFAULT, AUDIO_FORMAT_U8, AUDIO_FORMAT_S8, AUDIO_FORMAT_U16, AUDIO_FORMAT_S16, AUDIO_FORMAT_U32, AUDIO_FORMAT_S32, AUDIO_FORMAT_F32, _AUDIO_FORMAT_N } AudioFormat;
extern const EnumTable audio_format_names;

CONF_STRUCTS_BEGIN

typedef struct GraphicsListen {
    ListenType type;
    Flag auto_address;   /* filled from the driver's configuration, not written when inactive */
    Flag auto_socket;
    Flag _pad;
    char *address, *network, *socket;
} GraphicsListen;

typedef struct SpiceChannel {
    char *name;
    SpiceMode mode;
    Flag _pad;
} SpiceChannel;

typedef struct GraphicsDef {
    Device dev;
    GraphicsType type;
    GraphicsConnected connected;  /* what happens to clients when the password changes */
    char *passwd;                 /* secret */
    char *passwd_valid_to;        /* "2010-04-09T15:51:00" UTC */
    OptI32 port;                  /* vnc, spice, rdp; -1 is read as autoport */
    OptI32 tls_port;              /* spice */
    OptU32 websocket;             /* vnc; 0xffffffff: automatic (-1) */
    Tristate autoport;            /* vnc, spice */
    Flag websocket_generated;
    char *keymap;
    VncSharePolicy share_policy;
    Tristate power_control;
    Tristate multi_user, replace_user; /* rdp */
    char *rdp_username;
    char *display, *xauth;        /* sdl, desktop */
    Tristate fullscreen;
    SpiceMode default_mode;
    SpiceImage image;
    SpiceCompression jpeg, zlib;
    Tristate playback;
    SpiceStreaming streaming;
    MouseMode mouse;
    Tristate copypaste, filetransfer;
    Tristate gl;
    Tristate wait;                /* vnc */
    char *rendernode;
    Tristate p2p;                 /* dbus */
    Flag auto_dbus_address;
    char *dbus_address;
    OptU32 audio_id;              /* vnc, dbus */
    char *socket_legacy;          /* vnc @socket; resolve moves it into listens */
    char *listen_legacy;          /* @listen, mirrors the first address listen */
    GPtrArray *listens;           /* GraphicsListen */
    GPtrArray *channels;          /* SpiceChannel */
} GraphicsDef;

typedef struct VideoDef {
    Device dev;
    VideoType type;
    VideoDriver driver;
    OptU32 heads;
    OptU32 ram, vram, vram64, vgamem; /* KiB */
    Tristate primary, blob, edid;
    VgaConf vgaconf;
    Tristate accel3d, accel2d;
    char *rendernode;
    uint32_t resolution_x, resolution_y;
    VirtioOptions virtio;
} VideoDef;

typedef struct SoundCodecDef {
    SoundCodec type;
} SoundCodecDef;

typedef struct SoundDef {
    Device dev;
    SoundModel model;
    Tristate multichannel;
    OptU32 audio_id;
    uint32_t streams;
    Flag _pad;
    VirtioOptions virtio;
    GPtrArray *codecs; /* SoundCodecDef */
} SoundDef;

typedef struct AudioIo { /* <input>, <output> */
    Tristate mixing_engine, fixed_settings;
    uint32_t frequency, channels; /* settings */
    AudioFormat format;
    uint32_t voices;
    uint32_t buffer_length; /* µs */
    uint32_t buffer_count;
    uint32_t latency;
    Tristate try_poll;
    Tristate exact_name;
    Flag _pad;
    char *dev;
    char *name, *stream_name;         /* pulseaudio, pipewire */
    char *server_name, *client_name, *connect_ports; /* jack */
} AudioIo;

typedef struct AudioDef {
    Device dev;
    AudioType type;
    uint32_t id;
    uint32_t timer_period; /* µs */
    AudioSdlDriver sdl_driver;
    Tristate try_mmap, exclusive; /* oss */
    OptU32 dsp_policy;            /* oss */
    char *path;                   /* file */
    char *server_name;            /* pulseaudio */
    char *runtime_dir;            /* pipewire */
    AudioIo input, output;
} AudioDef;

CONF_STRUCTS_END
