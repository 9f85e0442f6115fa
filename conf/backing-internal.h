/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by backing.c and backing_json.c. */
#pragma once

#include "conf/backing.h"

/* A server; port NULL: the protocol's own. The socket makes it a path. */
bool backing_add_host(StorageSource *s, HostTransport transport, const char *name, const char *port,
                      const char *socket, GError **err);
/* "host[:port]", the host maybe in brackets, which stay when keep_brackets. */
bool backing_add_portal(StorageSource *s, const char *portal, bool keep_brackets, GError **err);
/* A URI whose scheme must be of that protocol, when it is not PROTOCOL_NONE. */
bool backing_parse_uri(StorageSource *s, const char *uri, StorageProtocol want, bool *more, GError **err);
/* "pool/image@snapshot:key=value:…" */
bool backing_parse_rbd(StorageSource *s, const char *text, bool *more, GError **err);
void backing_set_user(StorageSource *s, const char *user, SecretType type);
