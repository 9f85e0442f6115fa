/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What generated thunks share: the two reply shapes @list and @params. */
#pragma once

#include <glib.h>
#include <rpc/rpc.h>
#include <stdbool.h>
#include <stdint.h>

/* Refuses a client's "at most so many" that is negative or above what a reply may hold. */
bool thunk_max_ok(const char *name, int64_t max, u_int bound, GError **err);
/* Shortens an array to at most max elements and frees those behind. val: address of the array
 * pointer; xdr frees one element, NULL when elements own nothing. */
void thunk_cut(u_int *len, void *val, size_t size, xdrproc_t xdr, u_int max);
