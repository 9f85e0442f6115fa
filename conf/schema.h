/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the rows say, for others to read: RELAX NG (http://relaxng.org/spec-20011203.html) and a
 * reference page. Both are printed from the descriptions alone. Pure, any thread.
 */
#pragma once

#include "conf/kinds.h"

/* Schema of a kind of document. Accepts what the parser accepts without a complaint in strict mode;
 * relations between values are not in it. */
char *schema_rng(const DocKind *k);
/* For an attribute of n, or the element n itself when attr is NULL, that the description of root does
 * not have: "; did you mean …?", "; expected one of …", or nothing when there is nothing to say. */
char *schema_words(const ConfDesc *d, const xmlNode *root, const xmlNode *n, const char *attr);
/* Markdown: every element and attribute with its values and what it is for. */
char *schema_reference(const DocKind *k);
