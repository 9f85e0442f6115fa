/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a driver makes of a document without a daemon: the rules that it adds when a guest is defined,
 * and native formats. A driver module that can has a table under the symbol CONVERTER_SYMBOL.
 */
#pragma once

#include <glib.h>

typedef struct ConvertRequest {
    const char *text; /* the document */
    gsize len;
    unsigned parse, format; /* DOMAIN_PARSE_*, DOMAIN_FORMAT_* */
    const char *to;         /* kind or native format: "domain" */
    const char *capabilities; /* file that describes the hypervisor; NULL: this host's */
} ConvertRequest;

typedef struct DriverConverter {
    /* The result, the caller's. VIR_ERR_NO_SUPPORT for formats that the driver does not know. Any thread. */
    char *(*convert)(const ConvertRequest *r, GError **err);
    /* What a start of the document's guest would do on this host, without doing it: JSON text, the
     * caller's, {"name", "steps": [{"name", "does": [text…], "refused": text}]}; "refused" where it would
     * fail. NULL: the driver has no plans. NULL with *err: the document is no definition. */
    char *(*plan)(const ConvertRequest *r, GError **err);
} DriverConverter;

#define CONVERTER_SYMBOL "converter"
