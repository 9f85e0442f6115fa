/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text with a canonical form: a scalar type of rows whose field stays text (char *), but is checked
 * when it is read and kept in the one spelling in which it is written: addresses of hosts, masks,
 * numbers that may be hexadecimal. For values that are handed on to other programs as text, or
 * that may be a variable until later.
 */
#pragma once

#include "conf/row.h"

typedef struct ConfForm ConfForm;
struct ConfForm {
    const char *what;   /* for messages: "IPv4 address" */
    const char *sample; /* a valid value in canonical form, for tests */
    /* Appends the canonical form of text. False: text is not of this form (the caller reports). */
    bool (*canon)(const ConfForm *form, const char *text, GString *out);
    uint64_t max;         /* numbers: largest */
    const void *words;    /* numbers: FormWord[], ends with name NULL; may be NULL */
};

typedef struct FormWord {
    const char *name;
    uint32_t value;
} FormWord;

extern const ConfType conf_form;
extern const ConfForm form_ip, form_ip4, form_ip6, form_netmask, form_uuid;

#define CONF_FORM(T, f, path, form, flags, doc, ...) CONF_ROW_(CK_SCALAR, T, f, CONF_TYPED(T, f, char *), path, flags, doc, .type = &conf_form, .arg = &(form), ##__VA_ARGS__)

/* xmlns:prefix='url' on the element, written when the member f (a pointer) is there. */
#define CONF_NAMESPACE(T, f, prefix, url) { .kind = CK_SCALAR, .flags = CF_VIEW | CF_WRITE_ONLY, .path = "@xmlns:" prefix, .off = CONF_SIZED(T, f, sizeof(void *)), .type = &conf_namespace, .arg = (url), .field = #f, .doc = "namespace of " prefix ": elements" }
extern const ConfType conf_namespace;

/* The element is never written as <name/>, even when nothing is in it. */
#define CONF_LONG_TAG() CONF_CUSTOM_VIEW(conf_long_tag, "", "")
extern const ConfCustom conf_long_tag;

/* ---- addresses as numbers, for validation ---- */

typedef struct IpAddr {
    uint8_t b[16];
    unsigned len; /* 4 or 16 bytes; 0: none */
} IpAddr;

/* NULL or malformed text gives an address of no length and false. */
bool ip_parse(const char *text, IpAddr *ret);
/* Bits of a mask of contiguous ones, -1 when it is none. */
int ip_mask_bits(const IpAddr *mask);
bool ip_same_net(const IpAddr *a, const IpAddr *b, unsigned prefix);
/* memcmp() order; both of one family. */
int ip_compare(const IpAddr *a, const IpAddr *b);
/* All bits after the prefix are zero (the network) or one (the broadcast address). */
bool ip_host_bits_are(const IpAddr *a, unsigned prefix, bool ones);
