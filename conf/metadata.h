/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The <metadata> of a document: one element for each application, found by its namespace. It is kept as
 * the text of the whole element; applications see and give their own element without the namespace. Pure.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The element of namespace uri, without its prefix; NULL: there is none. The caller's. */
char *metadata_get(const char *metadata, const char *uri);
/* Replaces (xml) or removes (NULL) the element of namespace uri; key is the prefix that it is written
 * with. *metadata may be NULL before and after. */
bool metadata_set(char **metadata, const char *uri, const char *key, const char *xml, GError **err);
