/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Secrets as rows. Pure functions, any thread. */
#include "conf/secret.h"

#include "util/error.h"

/* clang-format off */
ENUM_TABLE(secret_usage_names, "secret usage", _SECRET_USAGE_N, "none", "volume", "ceph", "iscsi", "tls", "vtpm");

#define D SecretDef
#define FOR(m) WHEN(D, usage, m)
static const ConfField secret_rows[] = {
    CONF_YESFLAG(D, ephemeral, "@ephemeral", CF_ALWAYS | CF_EMPTY_IS_NONE, "kept in memory only"),
    CONF_YESFLAG(D, private_, "@private", CF_ALWAYS | CF_EMPTY_IS_NONE, "the value is not given back"),
    CONF_UUID(D, uuid, "uuid/text()", 0, "identity"),
    CONF_STR(D, description, "description/text()", 0, "for people"),
    CONF_ENUM(D, usage, "usage/@type", secret_usage_names, CF_REQUIRED | CF_IF_ELEMENT | CF_UNSUPPORTED, "what the secret is for"),
    CONF_STR(D, usage_id, "usage/volume/text()", CF_VIEW | CF_REQUIRED, "path of the volume", FOR(BIT(SECRET_USAGE_VOLUME))),
    CONF_STR(D, usage_id, "usage/name/text()", CF_VIEW | CF_REQUIRED, "name that users of the secret give", FOR(BIT(SECRET_USAGE_CEPH) | BIT(SECRET_USAGE_TLS) | BIT(SECRET_USAGE_VTPM))),
    CONF_STR(D, usage_id, "usage/target/text()", CF_VIEW | CF_REQUIRED, "iscsi target", FOR(BIT(SECRET_USAGE_ISCSI))),
    CONF_STR(D, usage_id, NULL, 0, ""),
};
#undef D
/* clang-format on */
CONF_DESC(secret_desc, SecretDef, secret_rows);

static bool secret_defaults(void *def, unsigned flags, GError **err)
{
    SecretDef *s = def;

    if (!s->uuid.set)
        uuid_generate(s->uuid.v);
    s->uuid.set = 1;
    return true;
}

const DocKind secret_kind = {
    .name = "secret", .root = "secret", .desc = &secret_desc, .identity = DOC_IDENTITY_UUID, .defaults = secret_defaults,
};

DOC_KIND_DEFINE(secret, SecretDef)
DOC_KIND_DEFINE_PEEK(secret)
