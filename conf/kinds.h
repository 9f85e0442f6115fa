/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Kinds of documents. A kind is a root element, a description of its struct and the stages after
 * parsing; everything that is the same for all kinds (reading, checking the root, what nobody read,
 * writing, copying, comparing, looking at the identity) is written once, here. A header of a kind
 * (conf/network.h) gives these functions typed names.
 *
 * Pure functions, any thread.
 */
#pragma once

#include "conf/row.h"

typedef struct DocKind DocKind;
struct DocKind {
    const char *name;  /* what tools call it: "network" */
    const char *root;  /* the root element; several kinds may share one */
    bool (*claims)(const xmlNode *root); /* which of them a document is; NULL: any of that root */
    const ConfDesc *desc;
    unsigned tool_parse, tool_format; /* flags that tools use, to show all that is in a document */
    unsigned identity; /* DOC_IDENTITY_*: what doc_peek_identity() looks for */

    /* Stages after parsing, each may be NULL. */
    bool (*resolve)(void *def, unsigned flags, GError **err);        /* relations within the document */
    bool (*defaults)(void *def, unsigned flags, GError **err);       /* what is not written */
    bool (*validate)(const void *def, unsigned flags, GError **err); /* what must not be */

    /* Instead of the walk over desc, for kinds that need more; NULL: the walk. */
    void *(*parse)(const DocKind *k, const char *xml, gsize len, unsigned flags, GError **err);
    char *(*write)(const void *def, unsigned flags, GError **err);
    void (*free)(void *def);
};

enum { /* DocKind.identity */
    DOC_IDENTITY_NAME = 1 << 0, /* <name>, required */
    DOC_IDENTITY_UUID = 1 << 1, /* <uuid>, may be missing */
};

/* All kinds, by name, and that of a document; NULL when there is none. */
const DocKind *doc_kind_find(const char *name);
const DocKind *doc_kind_of(const xmlNode *root);
/* For iteration, NULL past the end. */
const DocKind *doc_kind_at(unsigned i);

/* Parse, resolve, defaults, validate; flags are DOMAIN_PARSE_*. Free with doc_free(). Errors are
 * VIR_ERR_XML_ERROR, VIR_ERR_CONFIG_UNSUPPORTED, … with line and path in the text. */
void *doc_parse(const DocKind *k, const char *xml, gsize len, unsigned flags, GError **err);
/* The document, newline at the end; flags are DOMAIN_FORMAT_*. */
char *doc_format(const DocKind *k, const void *def, unsigned flags, GError **err);
void doc_free(const DocKind *k, void *def);
void *doc_copy(const DocKind *k, const void *def);
bool doc_equal(const DocKind *k, const void *a, const void *b, char **ret_path);

/* Name and uuid only, before permission is checked. ret_name stays NULL when the kind has none. */
bool doc_peek_identity(const DocKind *k, const char *xml, gsize len, char **ret_name, Uuid ret_uuid,
                       bool *ret_has_uuid, GError **err);

/* The functions of a kind with their types, for its header and its .c: */
#define DOC_KIND_DECLARE(prefix, T)                                                                        \
    extern const DocKind prefix##_kind;                                                                    \
    T *prefix##_parse(const char *xml, gsize len, unsigned flags, GError **err);                           \
    char *prefix##_format(const T *def, unsigned flags, GError **err);                                     \
    T *prefix##_copy(const T *def);                                                                        \
    void prefix##_free(T *def);                                                                            \
    bool prefix##_equal(const T *a, const T *b, char **ret_path);                                          \
    G_DEFINE_AUTOPTR_CLEANUP_FUNC(T, prefix##_free)

#define DOC_KIND_DEFINE(prefix, T)                                                                         \
    T *prefix##_parse(const char *xml, gsize len, unsigned flags, GError **err)                            \
    {                                                                                                      \
        return doc_parse(&prefix##_kind, xml, len, flags, err);                                            \
    }                                                                                                      \
    char *prefix##_format(const T *def, unsigned flags, GError **err)                                      \
    {                                                                                                      \
        return doc_format(&prefix##_kind, def, flags, err);                                                \
    }                                                                                                      \
    T *prefix##_copy(const T *def)                                                                         \
    {                                                                                                      \
        return doc_copy(&prefix##_kind, def);                                                              \
    }                                                                                                      \
    void prefix##_free(T *def)                                                                             \
    {                                                                                                      \
        doc_free(&prefix##_kind, def);                                                                     \
    }                                                                                                      \
    bool prefix##_equal(const T *a, const T *b, char **ret_path)                                           \
    {                                                                                                      \
        return doc_equal(&prefix##_kind, a, b, ret_path);                                                  \
    }

/* With doc_peek_identity(), for kinds that objects are made of. */
#define DOC_KIND_DECLARE_PEEK(prefix)                                                                      \
    bool prefix##_peek_identity(const char *xml, gsize len, char **ret_name, Uuid ret_uuid,                \
                                bool *ret_has_uuid, GError **err)
#define DOC_KIND_DEFINE_PEEK(prefix)                                                                       \
    bool prefix##_peek_identity(const char *xml, gsize len, char **ret_name, Uuid ret_uuid,                \
                                bool *ret_has_uuid, GError **err)                                          \
    {                                                                                                      \
        return doc_peek_identity(&prefix##_kind, xml, len, ret_name, ret_uuid, ret_has_uuid, err);         \
    }
