/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * XDR (RFC 4506) over memory: an encoder that grows its buffer up to a limit and a decoder that
 * knows how many bytes are left, so that no count from a peer can make us allocate more than its
 * message justifies. Both are ordinary libtirpc XDR handles; the generated xdr_* functions work on
 * these two and with XDR_FREE, and refuse other streams.
 */
#pragma once

#include <glib.h>
#include <rpc/rpc.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends to out, which may hold something already; adds at most max bytes. Until it is done out may be longer
 * than what was written. */
void xdr_encoder_init(XDR *x, GByteArray *out, size_t max);
void xdr_encoder_done(XDR *x);
/* Reads n < 4 GiB bytes at p, which must stay. What the decoder allocates together is bounded by
 * 64 MiB plus 32 times n. */
void xdr_decoder_init(XDR *x, const void *p, size_t n);
/* Bytes not yet read (decoder) or still allowed (encoder). */
size_t xdr_remaining(const XDR *x);
/* Why the last operation failed: static text, "malformed" when not known. */
const char *xdr_failure(const XDR *x);

/* Decodes all n bytes into out, which holds size bytes and is overwritten. xdr NULL: no payload is
 * expected. Bytes left over are an error. On failure out is all zero and owns nothing.
 * name: what to call it in the VIR_ERR_RPC text, "domain_suspend". Any thread. */
bool proc_decode(const char *name, xdrproc_t xdr, size_t size, const void *p, size_t n, void *out,
                 GError **err);
/* Appends the encoding of in to out; out is as before on failure. xdr NULL: nothing. Any thread. */
bool proc_encode(const char *name, xdrproc_t xdr, const void *in, GByteArray *out, size_t max,
                 GError **err);
/* Frees what obj points to and leaves NULL pointers and zero lengths; obj itself stays. */
void proc_free(xdrproc_t xdr, void *obj);

/* Codecs for generated code; x->x_op says which way. FALSE: see xdr_failure(). Wire values that
 * the C type cannot hold are refused, as are bool and optional marks other than 0 and 1. */
bool_t xdrb_int(XDR *x, int *v);
bool_t xdrb_uint(XDR *x, u_int *v);
bool_t xdrb_hyper(XDR *x, int64_t *v);
bool_t xdrb_uhyper(XDR *x, uint64_t *v);
bool_t xdrb_char(XDR *x, char *v);
bool_t xdrb_uchar(XDR *x, u_char *v);
bool_t xdrb_short(XDR *x, short *v);
bool_t xdrb_ushort(XDR *x, u_short *v);
bool_t xdrb_bool(XDR *x, bool *v);
bool_t xdrb_double(XDR *x, double *v);
/* Strings hold no NUL byte and at most max bytes; opt: may be NULL. */
bool_t xdrb_string(XDR *x, char **v, u_int max);
bool_t xdrb_opt_string(XDR *x, char **v, u_int max);
bool_t xdrb_opaque_fixed(XDR *x, u_char *v, u_int n);
bool_t xdrb_opaque(XDR *x, u_int *len, u_char **v, u_int max);
/* wire_min: least size of one element on the wire; checked against the bytes left before anything
 * is allocated. */
bool_t xdrb_array(XDR *x, u_int *len, void **v, u_int max, size_t size, u_int wire_min, xdrproc_t xdr);
bool_t xdrb_array_fixed(XDR *x, void *v, u_int n, size_t size, xdrproc_t xdr);
bool_t xdrb_optional(XDR *x, void **v, size_t size, u_int wire_min, xdrproc_t xdr);
/* For unions whose tag has no arm. */
bool_t xdrb_bad_tag(XDR *x);
