/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The forms of values in filter rules. A number keeps whether it was hexadecimal, as users see it
 * again; a number that has a name is written by its name; masks become numbers of bits. In the place
 * of each value a variable may stand. Pure functions, any thread.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "conf/nwfilter-internal.h"
#include "conf/domain_net.h" /* mac_* */
#include "util/error.h"

/* ---- variables ---- */

/* $NAME, $NAME[3] (the third value), $NAME[@1] (iterator 1; 0 is the usual one) */
static bool canon_variable(const char *text, GString *out)
{
    static const char name_chars[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
    const char *s = text + 1;

    s += strspn(s, " ");
    size_t n = strspn(s, name_chars);
    if (!n)
        return false;
    g_string_append_c(out, '$');
    g_string_append_len(out, s, (gssize)n);
    s += n;
    s += strspn(s, " ");
    if (!*s)
        return true;
    if (*s++ != '[')
        return false;
    s += strspn(s, " ");
    bool iterator = *s == '@';
    s += iterator;
    char *end;
    errno = 0;
    unsigned long i = g_ascii_isdigit(*s) ? strtoul(s, &end, 10) : (errno = EINVAL, end = NULL, 0);
    if (errno || i > UINT32_MAX)
        return false;
    end += strspn(end, " ");
    if (*end++ != ']' || end[strspn(end, " ")])
        return false;
    if (!iterator || i)
        g_string_append_printf(out, iterator ? "[@%lu]" : "[%lu]", i);
    return true;
}

/* ---- numbers and their names ---- */

static const FormWord *word_of(const ConfForm *form, uint32_t value)
{
    for (const FormWord *w = form->words; w && w->name; w++) {
        if (w->value == value)
            return w;
    }
    return NULL;
}

static bool canon_number(const ConfForm *form, const char *text, GString *out)
{
    if (*text == '$')
        return canon_variable(text, out);
    for (const FormWord *w = form->words; w && w->name; w++) {
        if (!g_ascii_strcasecmp(w->name, text)) {
            g_string_append(out, w->name);
            return true;
        }
    }
    bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    char *end;
    errno = 0;
    if (!g_ascii_isdigit(*text))
        return false;
    uint64_t v = g_ascii_strtoull(hex ? text + 2 : text, &end, hex ? 16 : 10);
    if (errno || *end || v > form->max || (hex && !g_ascii_isxdigit(text[2])))
        return false;
    const FormWord *w = word_of(form, (uint32_t)v);
    if (w)
        g_string_append(out, w->name);
    else
        g_string_append_printf(out, hex ? "0x%" G_GINT64_MODIFIER "x" : "%" G_GUINT64_FORMAT, v);
    return true;
}

static const FormWord ethertypes[] = { { "ipv4", 0x800 }, { "ipv6", 0x86dd }, { "arp", 0x806 }, { "rarp", 0x8035 }, { "vlan", 0x8100 }, { NULL, 0 } };
static const FormWord opcodes[] = {
    { "Request", 1 }, { "Reply", 2 }, { "Request_Reverse", 3 }, { "Reply_Reverse", 4 }, { "DRARP_Request", 5 },
    { "DRARP_Reply", 6 }, { "DRARP_Error", 7 }, { "InARP_Request", 8 }, { "ARP_NAK", 9 }, { NULL, 0 },
};
static const FormWord ipprotos[] = {
    { "tcp", 6 }, { "udp", 17 }, { "udplite", 136 }, { "esp", 50 }, { "ah", 51 }, { "icmp", 1 }, { "igmp", 2 },
    { "sctp", 132 }, { "icmpv6", 58 }, { NULL, 0 },
};

const ConfForm form_filter_u8 = { "number below 256", "0x12", canon_number, 255, NULL };
const ConfForm form_filter_u16 = { "number below 65536", "1234", canon_number, 65535, NULL };
const ConfForm form_filter_u32 = { "number below 2^32", "0x11223344", canon_number, UINT32_MAX, NULL };
const ConfForm form_filter_dscp = { "number below 64", "33", canon_number, 63, NULL };
const ConfForm form_filter_vlan = { "vlan (number below 4096)", "4095", canon_number, 4095, NULL };
const ConfForm form_filter_opcode = { "arp operation", "Request", canon_number, 65535, opcodes };
const ConfForm form_filter_ipproto = { "IP protocol", "udp", canon_number, 255, ipprotos };

static bool canon_ethertype(const ConfForm *form, const char *text, GString *out)
{
    if (!canon_number(form, text, out))
        return false;
    /* Smaller numbers are lengths of frames, not protocols. */
    return !g_ascii_isdigit(*out->str) || strtoul(out->str, NULL, 0) >= 0x600;
}
const ConfForm form_filter_encap = { "protocol in a vlan", "0x100", canon_number, 65535, ethertypes };
const ConfForm form_filter_ethertype = { "ethernet protocol (arp, rarp, ipv4, ipv6, vlan or a number from 0x600)", "0x1234", canon_ethertype, 65535, ethertypes };

/* ---- addresses ---- */

static bool canon_mac(const ConfForm *form, const char *text, GString *out)
{
    MacAddr mac;
    char s[18];

    if (*text == '$')
        return canon_variable(text, out);
    if (!mac_parse(text, &mac))
        return false;
    mac_format(&mac, s);
    g_string_append(out, s);
    return true;
}
const ConfForm form_filter_mac = { "hardware address", "01:02:03:04:05:06", canon_mac, 0, NULL };

static bool canon_addr(const ConfForm *form, const char *text, GString *out)
{
    if (*text == '$')
        return canon_variable(text, out);
    const ConfForm *plain = form->max == 4 ? &form_ip4 : &form_ip6;
    return plain->canon(plain, text, out);
}
const ConfForm form_filter_ip4 = { "IPv4 address", "10.1.2.3", canon_addr, 4, NULL };
const ConfForm form_filter_ip6 = { "IPv6 address", "a:b:c::d:e:f", canon_addr, 16, NULL };

/* max: length of an address in bytes */
static bool canon_mask(const ConfForm *form, const char *text, GString *out)
{
    IpAddr mask;

    if (*text == '$')
        return canon_variable(text, out);
    int bits = -1;
    if (ip_parse(text, &mask))
        bits = mask.len == form->max ? ip_mask_bits(&mask) : -1;
    else if (g_ascii_isdigit(*text) && strlen(text) <= 3 && !text[strspn(text, "0123456789")])
        bits = atoi(text);
    if (bits < 0 || (uint64_t)bits > 8 * form->max)
        return false;
    g_string_append_printf(out, "%d", bits);
    return true;
}
const ConfForm form_filter_mask4 = { "IPv4 mask", "22", canon_mask, 4, NULL };
const ConfForm form_filter_mask6 = { "IPv6 mask", "113", canon_mask, 16, NULL };

/* ---- words ---- */

static bool canon_bool(const ConfForm *form, const char *text, GString *out)
{
    static const char *const yes[] = { "1", "yes", "true" }, *const no[] = { "0", "no", "false" };

    if (*text == '$')
        return canon_variable(text, out);
    for (unsigned i = 0; i < G_N_ELEMENTS(yes); i++) {
        bool is_yes = !g_ascii_strcasecmp(text, yes[i]);
        if (is_yes || !g_ascii_strcasecmp(text, no[i])) {
            g_string_append(out, is_yes ? "true" : "false");
            return true;
        }
    }
    return false;
}
const ConfForm form_filter_bool = { "answer (true or false)", "true", canon_bool, 0, NULL };

/* Tracking connections is the default and has no word. */
static bool canon_statematch(const ConfForm *form, const char *text, GString *out)
{
    if (strcmp(text, "0") && g_ascii_strcasecmp(text, "false"))
        return false;
    g_string_append(out, "false");
    return true;
}
const ConfForm form_filter_statematch = { "statematch (false)", "false", canon_statematch, 0, NULL };

/* Words of a set, separated by commas, into bits. */
static bool parse_set(const FormWord *words, const char *text, size_t len, uint32_t *ret)
{
    g_autofree char *copy = g_strndup(text, len);
    g_auto(GStrv) parts = g_strsplit(copy, ",", -1);

    *ret = 0;
    for (unsigned i = 0; parts[i]; i++) {
        const FormWord *w = words;
        while (w->name && g_ascii_strcasecmp(w->name, parts[i]))
            w++;
        if (!w->name)
            return false;
        *ret |= w->value;
    }
    return parts[0] != NULL;
}

/* Words whose value is one bit, in the order of the table; all and nothing by their own names. */
static void print_set(const FormWord *words, uint32_t set, GString *out)
{
    const char *sep = "";

    for (const FormWord *w = words; w->name; w++) {
        bool single = w->value && !(w->value & (w->value - 1));
        if (set == w->value && !single) {
            g_string_append(out, w->name);
            return;
        }
    }
    for (const FormWord *w = words; w->name; w++) {
        if (!(w->value & (w->value - 1)) && w->value & set) {
            g_string_append_printf(out, "%s%s", sep, w->name);
            sep = ",";
        }
    }
}

static const FormWord states[] = { { "NEW", 1 }, { "ESTABLISHED", 2 }, { "RELATED", 4 }, { "INVALID", 8 }, { "NONE", 16 }, { NULL, 0 } };

static bool canon_state(const ConfForm *form, const char *text, GString *out)
{
    uint32_t set;

    if (*text == '$')
        return canon_variable(text, out);
    if (!parse_set(states, text, strlen(text), &set))
        return false;
    print_set(states, set & 16 ? 16 : set, out); /* none beside others is none */
    return true;
}
const ConfForm form_filter_state = { "list of states (NEW, ESTABLISHED, RELATED, INVALID, NONE)", "NEW,RELATED", canon_state, 0, NULL };

static const FormWord tcp_flags[] = {
    { "FIN", 1 }, { "SYN", 2 }, { "RST", 4 }, { "PSH", 8 }, { "ACK", 16 }, { "URG", 32 }, { "ALL", 63 }, { "NONE", 0 }, { NULL, 0 },
};

static bool canon_tcpflags(const ConfForm *form, const char *text, GString *out)
{
    uint32_t mask, flags;
    const char *slash = strchr(text, '/');

    if (*text == '$')
        return canon_variable(text, out);
    if (!slash || !parse_set(tcp_flags, text, (size_t)(slash - text), &mask) || !parse_set(tcp_flags, slash + 1, strlen(slash + 1), &flags))
        return false;
    print_set(tcp_flags, mask, out);
    g_string_append_c(out, '/');
    print_set(tcp_flags, flags, out);
    return true;
}
const ConfForm form_filter_tcpflags = { "pair of flags (SYN/ALL)", "SYN/SYN,ACK", canon_tcpflags, 0, NULL };

static bool canon_ipset(const ConfForm *form, const char *text, GString *out)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.:-+ ";

    if (*text == '$')
        return canon_variable(text, out);
    if (!*text || strlen(text) > 31 || text[strspn(text, allowed)])
        return false;
    g_string_append(out, text);
    return true;
}
const ConfForm form_filter_ipset = { "name of an address set", "test:_.-+", canon_ipset, 0, NULL };

static bool canon_ipsetflags(const ConfForm *form, const char *text, GString *out)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    if (*text == '$')
        return canon_variable(text, out);
    for (unsigned i = 0; parts[i]; i++) {
        bool src = !g_ascii_strcasecmp(parts[i], "src");
        if (i >= 6 || (!src && g_ascii_strcasecmp(parts[i], "dst")))
            return false;
        g_string_append_printf(out, "%s%s", i ? "," : "", src ? "src" : "dst");
    }
    return parts[0] != NULL;
}
const ConfForm form_filter_ipsetflags = { "list of up to six of src and dst", "src,dst,src", canon_ipsetflags, 0, NULL };

static bool canon_text(const ConfForm *form, const char *text, GString *out)
{
    g_string_append(out, text);
    return true;
}

/* What the firewall's tools keep of it; a character is not cut. */
static bool canon_comment(const ConfForm *form, const char *text, GString *out)
{
    size_t n = MIN(strlen(text), 256);

    while (n && text[n] && ((unsigned char)text[n] & 0xc0) == 0x80)
        n--;
    g_string_append_len(out, text, (gssize)n);
    return true;
}
const ConfForm form_filter_comment = { "comment", "a 'comment' & more", canon_comment, 0, NULL };
const ConfForm form_filter_text = { "text", "a 'comment' & more", canon_text, 0, NULL };

/* ---- variables of references ---- */

typedef struct Ranked {
    FilterParameter *p;
    unsigned at;
} Ranked;

static int by_name(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    int c = strcmp(x->p->name, y->p->name);
    return c ? c : x->at < y->at ? -1 : 1;
}

void filter_sort_parameters(GPtrArray *parameters)
{
    unsigned n = list_len(parameters);
    g_autofree Ranked *r = g_new0(Ranked, n + 1);

    for (unsigned i = 0; i < n; i++) {
        if (!((FilterParameter *)list_at(parameters, i))->name)
            return; /* a strict walk goes on after a missing name */
        r[i] = (Ranked){ list_at(parameters, i), i };
    }
    qsort(r, n, sizeof(*r), by_name);
    for (unsigned i = 0; i < n; i++)
        parameters->pdata[i] = r[i].p;
}

/* ---- relations between the values of a rule ---- */

bool filter_match_validate(const FilterMatch *m, const char *filter, GError **err)
{
    const char *proto = enum_name(&filter_proto_names, m->proto);
    bool ip = m->proto == FILTER_IP || m->proto == FILTER_IPV6;
    bool ports = m->srcportstart || m->srcportend || m->dstportstart || m->dstportend;
    static const char *const with_ports[] = { "tcp", "udp", "sctp", "33", "0x21", NULL };

    if (ip && ports && (!m->protocol || (*m->protocol != '$' && !g_strv_contains(with_ports, m->protocol)))) {
        error_set(err, VIR_ERR_XML_ERROR, "filter '%s': a rule for %s with ports needs one of the protocols tcp(6), udp(17), dccp(33), sctp(132)", filter, proto);
        return false;
    }
    return true;
}
