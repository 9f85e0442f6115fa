/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets: what they are for, never their value. */
#pragma once

#include "conf/kinds.h"
#include "conf/types.h"

typedef enum SecretUsage {
    SECRET_USAGE_NONE, SECRET_USAGE_VOLUME, SECRET_USAGE_CEPH, SECRET_USAGE_ISCSI, SECRET_USAGE_TLS,
    SECRET_USAGE_VTPM, _SECRET_USAGE_N,
} SecretUsage; /* numbers are those of the wire */
extern const EnumTable secret_usage_names;

CONF_STRUCTS_BEGIN

typedef struct SecretDef {
    Flag ephemeral; /* never on disk */
    Flag private_;  /* its value is not given back */
    OptUuid uuid;   /* set after parsing: generated when missing */
    SecretUsage usage;
    char *description;
    char *usage_id; /* volume, name or target, as the usage says */
} SecretDef;

CONF_STRUCTS_END

DOC_KIND_DECLARE(secret, SecretDef);
DOC_KIND_DECLARE_PEEK(secret);
