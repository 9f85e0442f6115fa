/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Saving running guests to files, and starting guests from them. Workers, within the domain's turn. */
#pragma once

#include "drivers/common/turn.h"
#include "drivers/qemu/save_image.h"
#include "drivers/qemu/start.h"

typedef struct SaveHow {
    const char *path;
    SaveFormat format;
    bool bypass_cache;
    int running;     /* after the restore: 1, 0; -1: as it is now */
    const char *xml; /* a definition to keep in place of the guest's; NULL: none */
} SaveHow;

/* After success the guest does not run any more. */
bool save_guest(DomainTurn *t, const SaveHow *how, GError **err);
/* Into the managed image, which the next start comes from. format and xml NULL: as configured, as it is. flags:
 * VIR_DOMAIN_SAVE_*. */
bool save_managed(DomainTurn *t, const char *format, const char *xml, unsigned flags, GError **err);
/* Where the managed image of a domain of this name is. */
char *save_managed_path(const char *name);
/* The format that a word of qemu.conf or of a client means, with its program. what: the word's place. */
bool save_format_for(const char *word, SaveFormat *ret, GError **err);

/* A definition as an image has it. */
DomainDef *save_parse_xml(const char *xml, GError **err);
/* May the other definition take the place of the image's? */
bool save_may_replace(const DomainDef *image, const DomainDef *other, GError **err);

/* An image that is open for reading, at the beginning of its stream. */
typedef struct OpenImage {
    char *path;
    int fd;
    SaveImage image;
    DomainDef *def;
} OpenImage;
/* As save_image_read(). write: for a new definition as well. */
int open_image(const char *path, bool write, OpenImage *ret, GError **err);
void open_image_clear(OpenImage *i);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(OpenImage, open_image_clear)

typedef struct RestoreHow {
    bool bypass_cache;
    int running;    /* 1, 0; -1: as the image says */
    unsigned flags; /* START_AUTODESTROY, START_RESET_NVRAM */
    bool managed;   /* the image goes once the guest runs */
} RestoreHow;

/* Starts the guest from an image (its def is taken). xml: what is to take the place of the image's definition;
 * NULL: nothing. The hook 'restore' may do the same. */
bool restore_guest(DomainTurn *t, OpenImage *image, const char *xml, const RestoreHow *how, GError **err);
/* Starts the guest from its managed image: 1; 0: there is none that could be used, start it afresh; -1. */
int restore_managed(DomainTurn *t, const RestoreHow *how, GError **err);
/* Removes the managed image; true when there was none. */
bool save_remove_managed(const char *name, GError **err);
/* The image that a running guest was started from should be gone. */
void restore_forget_image(DomainTurn *t);
