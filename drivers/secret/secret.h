/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Secrets as objects. A secret on disk is persistent and inactive; an ephemeral one is active and transient: it
 * has a live definition, no file, and its value hangs on its view. The value of a persistent one is read from
 * its file when somebody asks, and kept nowhere else.
 */
#pragma once

#include "conf/secret.h"
#include "drivers/common/object_turn.h"
#include "drivers/common/registry.h"
#include "util/secret_value.h"
#include "protocols/remote_handlers.h"

typedef struct Secret Secret; /* an Object of this kind */

struct SecretView {
    OBJECT_VIEW(Secret, secret, SecretDef);
    SecretValue *value; /* of an ephemeral one; or, within a turn, one that is about to be written */
};
G_STATIC_ASSERT(offsetof(SecretView, status) == offsetof(ObjectView, status));

extern const KindInfo secret_object_kind;

/* What the secret is for; never NULL (secrets whose file is broken are for nothing: secret_is_known()). */
const SecretDef *secret_def(const SecretView *v);
bool secret_is_known(const SecretView *v);
char *secret_usage_key(int type, const char *id);

static inline ObjectTurn *secret_turn(SecretTurn *t) { return (ObjectTurn *)t; }
static inline const SecretView *secret_turn_view(SecretTurn *t)
{
    return (const SecretView *)object_turn_view(secret_turn(t));
}

/* The value, NULL with VIR_ERR_NO_SECRET when it has none; reads a file. */
SecretValue *secret_value_of(const SecretView *v, GError **err);

/* files.c: the files of values, in the directory of the definitions. name: the uuid as text. */
bool secret_files_open(GError **err);
void secret_files_close(void);
bool secret_file_write(const char *name, const Uuid uuid, const SecretValue *value, GError **err);
/* NULL without *err: there is none. */
SecretValue *secret_file_read(const char *name, const Uuid uuid, GError **err);
bool secret_file_remove(const char *name, GError **err);
/* Names of secrets whose values today's hosts left readable. */
char **secret_files_readable(GError **err);
/* Names of those that are sealed with another key than new ones are. */
char **secret_files_stale(GError **err);

/* handlers.c */
bool secret_connect_num_of_secrets(Call *c, remote_connect_num_of_secrets_ret *r, GError **err);
bool secret_connect_list_secrets(Call *c, const remote_connect_list_secrets_args *a, remote_connect_list_secrets_ret *r, GError **err);
bool secret_connect_list_all_secrets(Call *c, const remote_connect_list_all_secrets_args *a, remote_connect_list_all_secrets_ret *r, GError **err);
bool secret_lookup_by_uuid(Call *c, const remote_secret_lookup_by_uuid_args *a, remote_secret_lookup_by_uuid_ret *r, GError **err);
bool secret_lookup_by_usage(Call *c, const remote_secret_lookup_by_usage_args *a, remote_secret_lookup_by_usage_ret *r, GError **err);
bool secret_define_xml(Call *c, SecretTurn *t, const remote_secret_define_xml_args *a, remote_secret_define_xml_ret *r, GError **err);
bool secret_get_xml_desc(Call *c, const SecretView *v, const remote_secret_get_xml_desc_args *a, remote_secret_get_xml_desc_ret *r, GError **err);
bool secret_set_value(Call *c, SecretTurn *t, const remote_secret_set_value_args *a, GError **err);
bool secret_get_value(Call *c, const SecretView *v, const remote_secret_get_value_args *a, remote_secret_get_value_ret *r, GError **err);
bool secret_undefine(Call *c, SecretTurn *t, const remote_secret_undefine_args *a, GError **err);
