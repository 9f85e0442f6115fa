/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Text with a canonical form, and numeric network addresses. Pure functions, any thread.
 */
#include "conf/form.h"

#include <arpa/inet.h>
#include <string.h>

#include "util/error.h"

/* ---- the scalar type ---- */

static bool form_parse(const ConfField *row, const char *text, const char *unit, void *v, const void *base, GError **err)
{
    const ConfForm *form = row->arg;
    g_autoptr(GString) out = g_string_new(NULL);

    if (!form->canon(form, text, out)) {
        error_set(err, VIR_ERR_XML_ERROR, "'%.100s' is not a valid %s", text, form->what);
        return false;
    }
    *(char **)v = g_string_free(g_steal_pointer(&out), FALSE);
    return true;
}

static bool pointer_present(const ConfField *row, const void *v)
{
    return *(void *const *)v != NULL;
}

static void form_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    g_string_append(out, *(char *const *)v);
}

static void form_clear(void *v)
{
    g_clear_pointer((char **)v, g_free);
}

static void form_copy(void *dst, const void *src)
{
    *(char **)dst = g_strdup(*(char *const *)src);
}

static bool form_equal(const void *a, const void *b)
{
    return g_strcmp0(*(char *const *)a, *(char *const *)b) == 0;
}

const ConfType conf_form = { "text of a form", sizeof(char *), false, form_parse, pointer_present, form_format, NULL,
                             form_clear, form_copy, form_equal };

/* ---- namespaces ---- */

static bool namespace_parse(const ConfField *row, const char *text, const char *unit, void *v, const void *base, GError **err)
{
    return true; /* a declaration is no attribute */
}

static void namespace_format(const ConfField *row, const void *v, const void *base, GString *out)
{
    g_string_append(out, row->arg);
}

const ConfType conf_namespace = { "namespace", 0, false, namespace_parse, pointer_present, namespace_format };

static void long_tag_format(ConfFormatter *f, const ConfField *row, const void *base)
{
    if (!f->w.in_tag)
        return;
    g_string_append(f->w.out, ">\n");
    f->w.in_tag = false;
}

const ConfCustom conf_long_tag = { NULL, long_tag_format };

/* ---- addresses ---- */

bool ip_parse(const char *text, IpAddr *ret)
{
    *ret = (IpAddr){ .len = 0 };
    if (text && inet_pton(AF_INET, text, ret->b) == 1)
        ret->len = 4;
    else if (text && inet_pton(AF_INET6, text, ret->b) == 1)
        ret->len = 16;
    return ret->len != 0;
}

int ip_mask_bits(const IpAddr *mask)
{
    unsigned n = 0;

    while (n < 8 * mask->len && mask->b[n / 8] >> (7 - n % 8) & 1)
        n++;
    return ip_host_bits_are(mask, n, false) ? (int)n : -1;
}

static bool bit(const IpAddr *a, unsigned n)
{
    return a->b[n / 8] >> (7 - n % 8) & 1;
}

bool ip_same_net(const IpAddr *a, const IpAddr *b, unsigned prefix)
{
    if (a->len != b->len)
        return false;
    for (unsigned n = 0; n < MIN(prefix, 8 * a->len); n++) {
        if (bit(a, n) != bit(b, n))
            return false;
    }
    return true;
}

int ip_compare(const IpAddr *a, const IpAddr *b)
{
    return memcmp(a->b, b->b, sizeof(a->b));
}

bool ip_host_bits_are(const IpAddr *a, unsigned prefix, bool ones)
{
    for (unsigned n = prefix; n < 8 * a->len; n++) {
        if (bit(a, n) != ones)
            return false;
    }
    return true;
}

static bool canon_ip(const ConfForm *form, const char *text, GString *out)
{
    char s[INET6_ADDRSTRLEN];
    IpAddr a;

    if (!ip_parse(text, &a) || (form->max && a.len != form->max))
        return false;
    if (!inet_ntop(a.len == 4 ? AF_INET : AF_INET6, a.b, s, sizeof(s)))
        return false;
    g_string_append(out, s);
    return true;
}

static bool canon_netmask(const ConfForm *form, const char *text, GString *out)
{
    IpAddr a;
    return canon_ip(form, text, out) && ip_parse(text, &a) && ip_mask_bits(&a) >= 0;
}

/* max: length in bytes */
const ConfForm form_ip = { "IP address", "192.0.2.1", canon_ip, 0, NULL };
const ConfForm form_ip4 = { "IPv4 address", "192.0.2.1", canon_ip, 4, NULL };
const ConfForm form_ip6 = { "IPv6 address", "2001:db8::1", canon_ip, 16, NULL };
const ConfForm form_netmask = { "netmask", "255.255.255.0", canon_netmask, 0, NULL };

static bool canon_uuid(const ConfForm *form, const char *text, GString *out)
{
    char canonical[37];
    Uuid u;

    if (!uuid_parse(text, u))
        return false;
    uuid_format(u, canonical);
    g_string_append(out, canonical);
    return true;
}
const ConfForm form_uuid = { "UUID", "00000000-0000-0000-0000-000000000001", canon_uuid, 0, NULL };
