/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of values: UUID.sealed beside the definition. UUID.base64 is what today's hosts write; where there is
 * one, it is newer than the sealed file, since we remove it behind every write of ours. The writers of one name
 * hold its secret's turn; readers look for the readable file first, so they find one of the two at any time.
 */
#include <errno.h>
#include <string.h>

#include "drivers/secret/key.h"
#include "drivers/secret/seal.h"
#include "drivers/secret/secret.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/paths.h"
#include "util/state.h"

#define SEALED ".sealed"
#define READABLE ".base64"

static int dir = -1;

bool secret_files_open(GError **err)
{
    g_autofree char *path = g_build_filename(paths()->etc, "secrets", NULL);

    dir = state_open_dir(path, 0700, err);
    return dir >= 0;
}

void secret_files_close(void)
{
    fd_close(&dir);
}

static bool remove_one(const char *name, const char *suffix, GError **err)
{
    g_autofree char *file = g_strconcat(name, suffix, NULL);
    return state_remove(dir, file, err);
}

/* NULL without *err: there is none. */
static char *read_one(const char *name, const char *suffix, gsize *ret_len, GError **err)
{
    g_autofree char *file = g_strconcat(name, suffix, NULL);
    g_autoptr(GError) error = NULL;
    char *text = state_read(dir, file, SEALED_MAX, ret_len, &error);

    if (!text && error_errno(error) != ENOENT)
        g_propagate_error(err, g_steal_pointer(&error));
    return text;
}

bool secret_file_write(const char *name, const Uuid uuid, const SecretValue *value, GError **err)
{
    g_autofree char *file = g_strconcat(name, SEALED, NULL), *text = secret_seal(uuid, value, err);

    return text && state_write(dir, file, text, strlen(text), 0600, err) && remove_one(name, READABLE, err);
}

SecretValue *secret_file_read(const char *name, const Uuid uuid, GError **err)
{
    g_autoptr(GError) error = NULL;
    gsize len = 0;
    g_autofree char *text = read_one(name, READABLE, &len, &error);
    SecretValue *v = NULL;

    if (text) {
        v = secret_from_base64(text, len, &error);
    } else if (!error) {
        text = read_one(name, SEALED, &len, &error);
        v = text ? secret_unseal(uuid, text, len, &error) : NULL;
    }
    if (error)
        g_propagate_prefixed_error(err, g_steal_pointer(&error), "secret '%s': ", name);
    return v;
}

bool secret_file_remove(const char *name, GError **err)
{
    return remove_one(name, READABLE, err) && remove_one(name, SEALED, err);
}

/* Of files with this ending, without it. */
static char **list_names(const char *suffix, GError **err)
{
    char **names = state_list(dir, suffix, err);

    for (char **n = names; n && *n; n++)
        (*n)[strlen(*n) - strlen(suffix)] = '\0';
    return names;
}

char **secret_files_readable(GError **err)
{
    return list_names(READABLE, err);
}

char **secret_files_stale(GError **err)
{
    g_auto(GStrv) names = list_names(SEALED, err);
    g_autoptr(GPtrArray) stale = g_ptr_array_new_with_free_func(g_free);
    SecretKey key;

    if (!names)
        return NULL;
    if (*names && !secret_key_for_sealing(&key, err)) /* without values no key is made */
        return NULL;
    for (char **n = names; *n; n++) {
        gsize len = 0;
        g_autofree char *text = read_one(*n, SEALED, &len, NULL);

        if (text && !secret_is_sealed_with(key.id, text, len))
            g_ptr_array_add(stale, g_strdup(*n));
    }
    secret_key_wipe(&key);
    g_ptr_array_add(stale, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&stale), FALSE);
}
