/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The layers of an image. What an image calls the one below it is a word of QEMU's: a path, a URI
 * ("nbd://host/export"), an older form ("nbd:host:port:exportname=x", "rbd:pool/image:id=…") or JSON
 * ("json:{…}"). From such a word to a source, and along chains of sources.
 */
#pragma once

#include "conf/domain_disk.h"
#include "util/image.h"

StorageSource *storage_source_new(StorageType type, const char *path);
void storage_source_free(StorageSource *s); /* with all layers below; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageSource, storage_source_free)
/* TCP port of a protocol, 0: none of its own. */
unsigned storage_default_port(StorageProtocol p);
/* What has one meaning only, in all layers: a protocol's port, who decrypts. */
void storage_source_complete(StorageSource *s);
/* As an element <backingStore>; flags are DOMAIN_FORMAT_*. */
char *storage_source_format(const StorageSource *s, unsigned flags, GError **err);

/* NULL with *err: the word makes no sense, or no source of ours can say it. ret_more: it also says what a
 * source cannot keep (a password), so that only the emulator can open it as it stands; may be NULL. A
 * path comes out as it is, and is a file. Pure. */
StorageSource *backing_parse(const char *word, bool *ret_more, GError **err);
/* The part behind "json:". */
StorageSource *backing_parse_json(const char *json, bool *ret_more, GError **err);

/* Adds the layer below a local image of known format, as the image's head names it; its path is that of
 * the image, followed by the relative name. A layer whose format is recorded nowhere is what it looks
 * like, when nothing lies below or beside it, and refused otherwise: a guest may have written that. Reads
 * the image; one that cannot be opened is left as it is. */
bool storage_layer_below(StorageSource *s, GError **err);
/* All layers that are not known yet. reach, for each local layer before it is read; NULL: it must be there. */
typedef bool StorageReachFn(const StorageSource *s, const StorageSource *top, void *data, GError **err);
bool storage_chain_load(StorageSource *top, StorageReachFn *reach, void *data, GError **err);

/* A layer below 'after' (NULL: or the top) by what users write: its number from the top (index > 0), its
 * path, the relative name in the layer above, another name of the same file; name NULL: the lowest. NULL:
 * there is none. ret_above may be NULL. */
StorageSource *storage_chain_find(StorageSource *top, const StorageSource *after, const char *name, unsigned index,
                                  StorageSource **ret_above);
/* "vda[2]" → 2, for the disk 'vda'; 0: it is not of that form. */
unsigned storage_chain_index(const char *target, const char *name);
/* The name of layer base relative to the image above top, when all between are relative; NULL: they are not. */
char *storage_chain_relative(const StorageSource *top, const StorageSource *base);
