/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Devices of a running guest. What is changed is a definition and an emulator that are given; who owns them, and
 * who hears of it, is the caller's (plug_turn.c has the domain's turn, tests have a peer that plays the
 * emulator). Blocks on the monitor; workers.
 */
#pragma once

#include "conf/policy.h"
#include "drivers/qemu/cmdline.h"
#include "drivers/qemu/qmp.h"

typedef struct PlugLive {
    DomainDef *def; /* live definition; changed as the guest changes */
    const QemuCaps *caps;
    Qmp *mon;
    const QemuCmdlineContext *ctx;
    const ConfPolicy *policy;
    const void *policy_data;
    const char *channel_dir; /* parent of the sockets of channels; NULL: they get no path */
    unsigned *next_node;     /* last number that a block node of this run got */
    uint64_t grace;          /* µs that a detach waits for the guest */
    /* What a device is on the host; all may be NULL. find: before anything is done, fills in what the host knows of
     * it. lend: the device has its place and name; from here on its files are the guest's. set_up: its descriptors are there, the emulator has
     * none of it yet. give_back: the guest has it no more. */
    bool (*find)(void *opaque, Device *dev, GError **err);
    bool (*lend)(void *opaque, Device *dev, GError **err);
    bool (*set_up)(void *opaque, const Device *dev, GError **err);
    void (*give_back)(void *opaque, const Device *dev);
    /* Changes of an interface's end on the host; NULL: not possible. */
    bool (*move_bridge)(const char *tap, const char *from, const char *to, GError **err);
    bool (*set_rate)(const char *tap, const NetBandwidth *b, GError **err);
    void (*added)(void *opaque, const Device *dev);
    /* It is gone for good and about to leave the definition. */
    void (*removed)(void *opaque, const Device *dev);
    void *opaque;
    bool partial; /* out: a call failed, and yet the definition has changed as the guest has */
} PlugLive;

/* raw: what a client's document says, without defaults; taken. */
bool plug_live_attach(PlugLive *l, Device *raw, GError **err);
/* Asks the guest to give up the device and waits for a moment. True while it has not answered: then the device is
 * still there, and plug_live_gone() is for later. */
bool plug_live_detach(PlugLive *l, const Device *like, GError **err);
bool plug_live_detach_alias(PlugLive *l, const char *alias, GError **err);
/* force: take the medium out though the guest has locked it. */
bool plug_live_update(PlugLive *l, Device *raw, bool force, GError **err);
/* A device that can be plugged is not among those that the emulator says it has; some it does not name. */
bool plug_live_misses(const DomainDef *def, char *const *there);
/* Takes back what the missing ones were made of. alias NULL: of all. */
void plug_live_gone(PlugLive *l, const char *alias, char *const *there);

/* plug_media.c: another medium in a drive; s is taken over. */
bool plug_change_medium(PlugLive *l, DiskDef *disk, StorageSource *s, bool force, GError **err);
/* It names none: an empty drive has it. */
bool plug_medium_none(const StorageSource *s);
/* The drive is empty from here on; what it was with its medium is returned. */
Device *plug_medium_out(DiskDef *disk);
/* After a change that was cut short. blocks: what the emulator says of its drives (qmp_query_block); coming: the drive
 * with the medium that was about to come, or NULL. The definition is brought to what is in the drives; when that is
 * nothing because one medium was out already and the other not yet in, the old one goes back. */
void plug_media_settle(PlugLive *l, const GArray *blocks, Device *coming);
bool plug_media_differ(const DomainDef *def, const GArray *blocks);
/* Whether there is a drive at all. */
bool plug_media_possible(const DomainDef *def);
/* plug_place.c: address, name, numbers of block nodes for a device that is the last of d's. */
bool plug_place(PlugLive *l, Device *dev, GError **err);
/* New numbers for a chain of images. */
void plug_number_nodes(PlugLive *l, StorageSource *top);
/* A raw device as it would be in this guest: defaults filled in, checked with all others. Takes it. */
Device *plug_settle(PlugLive *l, Device *raw, GError **err);
