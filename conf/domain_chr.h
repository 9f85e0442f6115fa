/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Character devices: a ChrSource (the host side) is shared by serial, parallel, console, channel,
 * smartcard passthrough, redirdev and the rng egd backend.
 */
#pragma once

#include "conf/domain_disk.h" /* DeviceSeclabel, Reconnect */

typedef enum ChrType {
    CHR_NONE, CHR_NULL, CHR_VC, CHR_PTY, CHR_DEV, CHR_FILE, CHR_PIPE, CHR_STDIO, CHR_UDP, CHR_TCP,
    CHR_UNIX, CHR_SPICEVMC, CHR_SPICEPORT, CHR_NMDM, CHR_QEMU_VDAGENT, CHR_DBUS, _CHR_TYPE_N,
} ChrType;
extern const EnumTable chr_type_names;

typedef enum ChrTcpProtocol { CHR_RAW, CHR_TELNET, CHR_TELNETS, CHR_TLS, _CHR_TCP_PROTOCOL_N } ChrTcpProtocol;
extern const EnumTable chr_protocol_names;

/* <target type=…> of serial, console and channel; which are allowed depends on the kind. */
typedef enum ChrTarget {
    CHR_TARGET_NONE,
    /* serial */
    SERIAL_ISA, SERIAL_USB, SERIAL_PCI, SERIAL_SPAPR_VIO, SERIAL_SYSTEM, SERIAL_SCLP, SERIAL_ISA_DEBUG,
    /* console */
    CONSOLE_SERIAL, CONSOLE_XEN, CONSOLE_UML, CONSOLE_VIRTIO, CONSOLE_LXC, CONSOLE_OPENVZ,
    CONSOLE_SCLP, CONSOLE_SCLPLM,
    /* channel */
    CHANNEL_GUESTFWD, CHANNEL_VIRTIO, CHANNEL_XEN,
    _CHR_TARGET_N,
} ChrTarget;
extern const EnumTable chr_target_names; /* not unique, search with chr_target_find() */
/* Value of a word for a device kind (DEVICE_SERIAL, …), -1 when that kind has no such target. */
int chr_target_find(DeviceKind kind, const char *word);

typedef enum SerialModel {
    SERIAL_MODEL_NONE, SERIAL_MODEL_ISA_SERIAL, SERIAL_MODEL_USB_SERIAL, SERIAL_MODEL_PCI_SERIAL,
    SERIAL_MODEL_SPAPR_VTY, SERIAL_MODEL_PL011, SERIAL_MODEL_SCLPCONSOLE, SERIAL_MODEL_SCLPLMCONSOLE,
    SERIAL_MODEL_16550A, SERIAL_MODEL_ISA_DEBUGCON, _SERIAL_MODEL_N,
} SerialModel;
extern const EnumTable serial_model_names;

typedef enum ChannelState { CHANNEL_STATE_DEFAULT, CHANNEL_CONNECTED, CHANNEL_DISCONNECTED, _CHANNEL_STATE_N } ChannelState;
extern const EnumTable channel_state_names;
typedef enum MouseMode { MOUSE_DEFAULT, MOUSE_CLIENT, MOUSE_SERVER, _MOUSE_MODE_N } MouseMode;
extern const EnumTable mouse_mode_names;

CONF_STRUCTS_BEGIN

typedef struct ChrSource {
    ChrType type;
    ChrTcpProtocol protocol;     /* tcp */
    char *path;                  /* pty (live), dev, file, pipe, unix */
    Tristate append;             /* file */
    Tristate tls;                /* tcp */
    Flag tls_from_config;        /* status only */
    Flag listen;                 /* tcp, unix: we are the server (mode='bind') */
    Flag mode_given;
    Flag udp_bind_given;
    char *host, *service;        /* tcp; udp: where to send */
    char *bind_host, *bind_service; /* udp: where to receive */
    Reconnect reconnect;         /* tcp, unix */
    char *channel;               /* spiceport, dbus: name */
    char *slave;                 /* nmdm: slave; master is .path */
    Tristate clipboard;          /* qemu-vdagent */
    MouseMode mouse;
    char *log_file;
    Tristate log_append;
    Flag _pad2;
    GPtrArray *seclabels;        /* DeviceSeclabel */
} ChrSource;

typedef struct ChrDef { /* serial, parallel, console, channel: see dev.kind */
    Device dev;
    ChrSource src;
    ChrTarget target;
    SerialModel serial_model;
    OptU32 port;                 /* target/@port; resolve numbers those that are unset */
    ChannelState state;          /* live, virtio channels */
    Flag _pad;
    char *target_name;           /* virtio channel name */
    char *guestfwd_address;
    uint32_t guestfwd_port;
    Flag is_serial_alias;        /* console that stands for serial 0 */
    char *tty;                   /* console/@tty, live */
} ChrDef;

typedef enum SmartcardMode { SMARTCARD_HOST, SMARTCARD_HOST_CERTIFICATES, SMARTCARD_PASSTHROUGH, _SMARTCARD_MODE_N } SmartcardMode;

typedef struct SmartcardDef {
    Device dev;
    SmartcardMode mode;
    Flag _pad;
    GPtrArray *certificates;     /* StrItem, three */
    char *database;
    ChrSource src;
} SmartcardDef;

CONF_STRUCTS_END
extern const EnumTable smartcard_mode_names;
