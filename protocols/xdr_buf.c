/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XDR over memory, see the header. The handle has no state of its own beyond libtirpc's struct:
 *
 *              x_private         x_handy           x_base            x_public
 *   decoder    next byte         bytes left        why it failed     memory it may still allocate
 *   encoder    the GByteArray    bytes allowed     why it failed     bytes of the array that count
 *
 * Invariant of the decoder: a count is compared with its bound, with the bytes left and with the
 * memory left before anything is allocated for it; whatever has been allocated hangs on the object
 * being decoded at once, so that freeing that object after a failure frees everything.
 * No shared state: any thread, one thread per handle.
 */
#include "protocols/xdr_buf.h"

#include <limits.h>
#include <string.h>

#include "util/error.h"

#define BUDGET_BASE ((size_t)64 << 20)
#define BUDGET_PER_BYTE 32

static const uint8_t padding[4];

static bool_t fail(XDR *x, const char *why)
{
    if (!x->x_base)
        x->x_base = (char *)why;
    return FALSE;
}

static size_t pad(size_t n)
{
    return (4 - n % 4) % 4;
}

/* decoder */

static bool_t get(XDR *x, void *to, size_t n)
{
    if (n > x->x_handy)
        return fail(x, "it is too short");
    memcpy(to, x->x_private, n);
    x->x_private = (uint8_t *)x->x_private + n;
    x->x_handy -= n;
    return TRUE;
}

static bool_t skip(XDR *x, size_t n)
{
    if (n > x->x_handy)
        return fail(x, "it is too short");
    x->x_private = (uint8_t *)x->x_private + n;
    x->x_handy -= n;
    return TRUE;
}

/* Zeroed memory, paid from the budget; malloc's bookkeeping counts. */
static void *allocate(XDR *x, size_t n)
{
    size_t budget = (size_t)x->x_public;
    void *p;

    if (n > budget || budget - n < 16) {
        fail(x, "it would need too much memory");
        return NULL;
    }
    p = g_try_malloc0(n ? n : 1);
    if (!p) {
        fail(x, "there is no memory for it");
        return NULL;
    }
    x->x_public = (char *)(budget - n - 16);
    return p;
}

static bool_t decoder_getlong(XDR *x, long *v)
{
    uint32_t word;

    if (!get(x, &word, sizeof(word)))
        return FALSE;
    *v = (int32_t)GUINT32_FROM_BE(word);
    return TRUE;
}

static bool_t decoder_getbytes(XDR *x, char *to, u_int n)
{
    return get(x, to, n);
}

static bool_t no_putlong(XDR *x, const long *v)
{
    return fail(x, "it is read only");
}

static bool_t no_putbytes(XDR *x, const char *p, u_int n)
{
    return fail(x, "it is read only");
}

/* encoder */

static bool_t put(XDR *x, const void *p, size_t n)
{
    GByteArray *out = x->x_private;
    size_t used = (size_t)x->x_public;

    if (n > x->x_handy)
        return fail(x, "it is too long");
    if (n == 0) /* then there may be nothing at p, nor an array yet */
        return TRUE;
    if (n > out->len - used)
        g_byte_array_set_size(out, (guint)MAX(used + n, MIN(2 * used, used + x->x_handy)));
    if (n > 0) /* of nothing there may be no address */
        memcpy(out->data + used, p, n);
    x->x_public = (char *)(used + n);
    x->x_handy -= n;
    return TRUE;
}

static bool_t encoder_putlong(XDR *x, const long *v)
{
    uint32_t word = GUINT32_TO_BE((uint32_t)*v);

    return put(x, &word, sizeof(word));
}

static bool_t encoder_putbytes(XDR *x, const char *p, u_int n)
{
    return put(x, p, n);
}

static bool_t no_getlong(XDR *x, long *v)
{
    return fail(x, "it is write only");
}

static bool_t no_getbytes(XDR *x, char *p, u_int n)
{
    return fail(x, "it is write only");
}

/* both */

static u_int no_getpos(XDR *x)
{
    return UINT_MAX;
}

static bool_t no_setpos(XDR *x, u_int pos)
{
    return FALSE;
}

static int32_t *no_inline(XDR *x, u_int n)
{
    return NULL;
}

static void no_destroy(XDR *x)
{
}

static bool_t no_control(XDR *x, int request, void *info)
{
    return FALSE;
}

static const struct xdr_ops decoder_ops = {
    .x_getlong = decoder_getlong,
    .x_putlong = no_putlong,
    .x_getbytes = decoder_getbytes,
    .x_putbytes = no_putbytes,
    .x_getpostn = no_getpos,
    .x_setpostn = no_setpos,
    .x_inline = no_inline,
    .x_destroy = no_destroy,
    .x_control = no_control,
};

static const struct xdr_ops encoder_ops = {
    .x_getlong = no_getlong,
    .x_putlong = encoder_putlong,
    .x_getbytes = no_getbytes,
    .x_putbytes = encoder_putbytes,
    .x_getpostn = no_getpos,
    .x_setpostn = no_setpos,
    .x_inline = no_inline,
    .x_destroy = no_destroy,
    .x_control = no_control,
};

void xdr_encoder_init(XDR *x, GByteArray *out, size_t max)
{
    *x = (XDR){ .x_op = XDR_ENCODE, .x_ops = (void *)&encoder_ops, .x_private = out };
    x->x_handy = MIN(max, UINT_MAX - out->len);
    x->x_public = (char *)(size_t)out->len;
}

void xdr_encoder_done(XDR *x)
{
    g_byte_array_set_size(x->x_private, (guint)(size_t)x->x_public);
}

void xdr_decoder_init(XDR *x, const void *p, size_t n)
{
    *x = (XDR){ .x_op = XDR_DECODE, .x_ops = (void *)&decoder_ops, .x_private = (void *)p };
    x->x_handy = MIN(n, UINT_MAX);
    x->x_public = (char *)(BUDGET_BASE + (size_t)x->x_handy * BUDGET_PER_BYTE);
}

size_t xdr_remaining(const XDR *x)
{
    return x->x_handy;
}

const char *xdr_failure(const XDR *x)
{
    return x->x_base ? x->x_base : "malformed";
}

/* The way data flows, or -1 for a stream that is not ours. */
static int way(XDR *x)
{
    if (x->x_op == XDR_FREE)
        return XDR_FREE;
    if (x->x_op == XDR_DECODE && x->x_ops == (void *)&decoder_ops)
        return XDR_DECODE;
    if (x->x_op == XDR_ENCODE && x->x_ops == (void *)&encoder_ops)
        return XDR_ENCODE;
    return -1;
}

static bool_t word(XDR *x, uint32_t *v)
{
    uint32_t be;

    switch (way(x)) {
    case XDR_ENCODE:
        be = GUINT32_TO_BE(*v);
        return put(x, &be, sizeof(be));
    case XDR_DECODE:
        if (!get(x, &be, sizeof(be)))
            return FALSE;
        *v = GUINT32_FROM_BE(be);
        return TRUE;
    case XDR_FREE:
        return TRUE;
    default:
        return FALSE;
    }
}

/* A word whose signed value must lie in min..max. */
static bool_t ranged(XDR *x, int32_t *v, int32_t min, int32_t max)
{
    uint32_t raw = (uint32_t)*v;

    if (!word(x, &raw))
        return FALSE;
    if (x->x_op == XDR_DECODE && ((int32_t)raw < min || (int32_t)raw > max))
        return fail(x, "a number is out of range");
    *v = (int32_t)raw;
    return TRUE;
}

bool_t xdrb_int(XDR *x, int *v)
{
    return word(x, (uint32_t *)v);
}

bool_t xdrb_uint(XDR *x, u_int *v)
{
    return word(x, v);
}

bool_t xdrb_uhyper(XDR *x, uint64_t *v)
{
    uint32_t high = *v >> 32, low = (uint32_t)*v;

    if (!word(x, &high) || !word(x, &low))
        return FALSE;
    if (x->x_op == XDR_DECODE)
        *v = (uint64_t)high << 32 | low;
    return TRUE;
}

bool_t xdrb_hyper(XDR *x, int64_t *v)
{
    return xdrb_uhyper(x, (uint64_t *)v);
}

bool_t xdrb_double(XDR *x, double *v)
{
    uint64_t bits;

    memcpy(&bits, v, sizeof(bits));
    if (!xdrb_uhyper(x, &bits))
        return FALSE;
    memcpy(v, &bits, sizeof(bits));
    return TRUE;
}

bool_t xdrb_char(XDR *x, char *v)
{
    int32_t n = *v;

    /* peers whose char is unsigned send 128 to 255 */
    if (!ranged(x, &n, CHAR_MIN < 0 ? CHAR_MIN : -128, UCHAR_MAX))
        return FALSE;
    *v = (char)n;
    return TRUE;
}

bool_t xdrb_uchar(XDR *x, u_char *v)
{
    int32_t n = *v;

    if (!ranged(x, &n, 0, UCHAR_MAX))
        return FALSE;
    *v = (u_char)n;
    return TRUE;
}

bool_t xdrb_short(XDR *x, short *v)
{
    int32_t n = *v;

    if (!ranged(x, &n, SHRT_MIN, SHRT_MAX))
        return FALSE;
    *v = (short)n;
    return TRUE;
}

bool_t xdrb_ushort(XDR *x, u_short *v)
{
    int32_t n = *v;

    if (!ranged(x, &n, 0, USHRT_MAX))
        return FALSE;
    *v = (u_short)n;
    return TRUE;
}

bool_t xdrb_bool(XDR *x, bool *v)
{
    int32_t n = *v;

    if (!ranged(x, &n, 0, 1))
        return FALSE;
    *v = n;
    return TRUE;
}

/* A count on its way out or in; wire_min bytes at least are due for each item. */
static bool_t count(XDR *x, u_int *n, u_int max, u_int wire_min)
{
    size_t due;

    if (x->x_op == XDR_ENCODE && *n > max)
        return fail(x, "a list or text has more items than allowed");
    if (!word(x, n))
        return FALSE;
    if (x->x_op != XDR_DECODE)
        return TRUE;
    if (*n > max)
        return fail(x, "a list or text has more items than allowed");
    if (__builtin_mul_overflow((size_t)*n, (size_t)wire_min, &due) || due > x->x_handy)
        return fail(x, "it is too short");
    return TRUE;
}

bool_t xdrb_string(XDR *x, char **v, u_int max)
{
    size_t length;
    u_int n = 0;

    switch (way(x)) {
    case XDR_ENCODE:
        if (!*v)
            return fail(x, "a text is missing");
        length = strlen(*v);
        n = MIN(length, UINT_MAX);
        return count(x, &n, max, 1) && put(x, *v, n) && put(x, padding, pad(n));
    case XDR_DECODE:
        if (!count(x, &n, max, 1))
            return FALSE;
        if (n && memchr(x->x_private, '\0', n))
            return fail(x, "a text holds a NUL byte");
        *v = allocate(x, (size_t)n + 1);
        return *v && get(x, *v, n) && skip(x, pad(n));
    case XDR_FREE:
        g_clear_pointer(v, g_free);
        return TRUE;
    default:
        return FALSE;
    }
}

/* The mark before an optional. *there: in and out. */
static bool_t mark(XDR *x, bool *there)
{
    int32_t n = *there;

    if (!word(x, (uint32_t *)&n))
        return FALSE;
    if (n != 0 && n != 1)
        return fail(x, "the mark of an optional is neither 0 nor 1");
    *there = n;
    return TRUE;
}

bool_t xdrb_opt_string(XDR *x, char **v, u_int max)
{
    bool there = x->x_op != XDR_DECODE && *v;

    if (!mark(x, &there))
        return FALSE;
    if (there)
        return xdrb_string(x, v, max);
    if (x->x_op != XDR_ENCODE) /* what is encoded may be shared or constant */
        *v = NULL;
    return TRUE;
}

bool_t xdrb_opaque_fixed(XDR *x, u_char *v, u_int n)
{
    switch (way(x)) {
    case XDR_ENCODE:
        return put(x, v, n) && put(x, padding, pad(n));
    case XDR_DECODE:
        return get(x, v, n) && skip(x, pad(n));
    case XDR_FREE:
        return TRUE;
    default:
        return FALSE;
    }
}

bool_t xdrb_opaque(XDR *x, u_int *len, u_char **v, u_int max)
{
    switch (way(x)) {
    case XDR_ENCODE:
        if (*len && !*v)
            return fail(x, "a list is missing");
        return count(x, len, max, 1) && put(x, *v, *len) && put(x, padding, pad(*len));
    case XDR_DECODE:
        *v = NULL;
        if (!count(x, len, max, 1)) {
            *len = 0;
            return FALSE;
        }
        if (*len == 0)
            return TRUE;
        *v = allocate(x, *len);
        if (!*v) {
            *len = 0;
            return FALSE;
        }
        return get(x, *v, *len) && skip(x, pad(*len));
    case XDR_FREE:
        if (*v)
            explicit_bzero(*v, *len); /* values of secrets are among them */
        g_clear_pointer(v, g_free);
        *len = 0;
        return TRUE;
    default:
        return FALSE;
    }
}

bool_t xdrb_array_fixed(XDR *x, void *v, u_int n, size_t size, xdrproc_t xdr)
{
    for (u_int i = 0; i < n; i++) {
        if (!xdr(x, (uint8_t *)v + i * size))
            return FALSE;
    }
    return TRUE;
}

bool_t xdrb_array(XDR *x, u_int *len, void **v, u_int max, size_t size, u_int wire_min, xdrproc_t xdr)
{
    size_t total;

    switch (way(x)) {
    case XDR_ENCODE:
        if (*len && !*v)
            return fail(x, "a list is missing");
        return count(x, len, max, wire_min) && xdrb_array_fixed(x, *v, *len, size, xdr);
    case XDR_DECODE:
        *v = NULL;
        if (!count(x, len, max, wire_min)) {
            *len = 0;
            return FALSE;
        }
        if (*len == 0)
            return TRUE;
        if (__builtin_mul_overflow((size_t)*len, size, &total) || !(*v = allocate(x, total))) {
            *len = 0;
            return fail(x, "it would need too much memory");
        }
        return xdrb_array_fixed(x, *v, *len, size, xdr);
    case XDR_FREE:
        if (*v)
            (void)xdrb_array_fixed(x, *v, *len, size, xdr);
        g_clear_pointer(v, g_free);
        *len = 0;
        return TRUE;
    default:
        return FALSE;
    }
}

bool_t xdrb_optional(XDR *x, void **v, size_t size, u_int wire_min, xdrproc_t xdr)
{
    bool there = x->x_op != XDR_DECODE && *v;

    if (!mark(x, &there))
        return FALSE;
    if (!there) {
        if (x->x_op != XDR_ENCODE)
            *v = NULL;
        return TRUE;
    }
    if (x->x_op == XDR_DECODE) {
        *v = NULL;
        if (x->x_handy < wire_min)
            return fail(x, "it is too short");
        *v = allocate(x, size);
        if (!*v)
            return FALSE;
    }
    if (!xdr(x, *v))
        return FALSE;
    if (x->x_op == XDR_FREE)
        g_clear_pointer(v, g_free);
    return TRUE;
}

bool_t xdrb_bad_tag(XDR *x)
{
    /* an all-zero union owns nothing */
    return x->x_op == XDR_FREE ? TRUE : fail(x, "a value is of unknown type");
}

bool proc_decode(const char *name, xdrproc_t xdr, size_t size, const void *p, size_t n, void *out,
                 GError **err)
{
    XDR x;

    if (size)
        memset(out, 0, size);
    xdr_decoder_init(&x, p, n);
    if (n > UINT_MAX || (xdr && !xdr(&x, out))) {
        error_set(err, VIR_ERR_RPC, "cannot decode the payload of %s: %s", name, xdr_failure(&x));
    } else if (xdr_remaining(&x) > 0) {
        error_set(err, VIR_ERR_RPC, "cannot decode the payload of %s: %zu of %zu bytes are left over", name,
                  xdr_remaining(&x), n);
    } else {
        return true;
    }
    if (xdr)
        proc_free(xdr, out);
    if (size)
        memset(out, 0, size);
    return false;
}

bool proc_encode(const char *name, xdrproc_t xdr, const void *in, GByteArray *out, size_t max,
                 GError **err)
{
    XDR x;

    if (!xdr)
        return true;
    guint before = out->len;
    xdr_encoder_init(&x, out, max);
    bool ok = xdr(&x, (void *)in);
    xdr_encoder_done(&x);
    if (ok)
        return true;
    g_byte_array_set_size(out, before);
    error_set(err, VIR_ERR_RPC, "cannot encode the payload of %s: %s", name, xdr_failure(&x));
    return false;
}

void proc_free(xdrproc_t xdr, void *obj)
{
    XDR x = { .x_op = XDR_FREE };

    if (xdr && obj)
        (void)xdr(&x, obj);
}
