/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The driver of secrets: its tables, and what happens at the start. Values that today's daemons left readable are
 * sealed then, each in a turn of its secret that goes ahead of all calls for it; those that another key of the host
 * sealed are sealed with today's, a little later.
 */
#define LOG_SOURCE "secret.driver"
#include "drivers/common/uri.h"
#include "drivers/secret/key.h"
#include "drivers/secret/secret.h"
#include "util/error.h"
#include "util/log.h"

static Registry *secrets;

/* Why a value is sealed at the start. */
typedef struct Reason {
    bool first;                /* ahead of all calls for the secret */
    const char *done, *failed; /* what to say of the value */
} Reason;

static const Reason was_readable = { true, "is encrypted from now on", "stays readable on disk" };
/* The key has changed (key.h): the old one is not needed any more when this is through. */
static const Reason other_key = { false, "is encrypted with the key of today",
                                  "stays as it is, encrypted with another key than that of today" };

static void seal(ObjectTurn *t, void *data)
{
    const Reason *why = data;
    g_autoptr(GError) error = NULL;

    if (!t)
        return;
    const ObjectView *v = object_turn_view(t);
    g_autoptr(SecretValue) value = v->persistent ? secret_file_read(v->name, v->uuid, &error) : NULL;
    if (error || (value && !secret_file_write(v->name, v->uuid, value, &error)))
        log_error("the value of secret '%s' %s: %s", v->name, why->failed, error->message);
    else if (value)
        log_info("the value of secret '%s' %s", v->name, why->done);
}

static void seal_all(char **names, const Reason *why)
{
    for (char **name = names; name && *name; name++) {
        g_autoptr(Object) o = registry_find_name(secrets, *name);
        if (o)
            object_run_turn(o, "encryption of the value", why->first, seal, (void *)why);
    }
}

static void driver_start(void)
{
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) stale = secret_files_stale(&error);

    if (error)
        log_error("cannot tell which secrets another key encrypted: %s", error->message);
    seal_all(stale, &other_key);
}

static bool driver_init(const DriverContext *ctx, GError **err)
{
    objects_init(ctx);
    secrets = registry_open(&secret_object_kind, NULL, err);
    if (!secrets || !secret_files_open(err))
        return false;
    secret_key_tidy();

    g_auto(GStrv) readable = secret_files_readable(err);
    seal_all(readable, &was_readable);
    return readable != NULL;
}

static void driver_stop(void)
{
    objects_stop();
}

static void driver_done(void)
{
    registry_close(secrets);
    secret_files_close();
}

/* An ephemeral secret is gone with us. */
static unsigned driver_busy(void)
{
    return registry_count_active(secrets);
}

static bool driver_open(Call *c, const char *uri, bool readonly, char **ret_uri, GError **err)
{
    (void)c;
    (void)readonly;
    return open_own_uri("secret", "secret", uri, ret_uri, err);
}

/* clang-format off */
static const RemoteHandlers remote_handlers = {
    .connect_num_of_secrets = { secret_connect_num_of_secrets },
    .connect_list_secrets = { secret_connect_list_secrets },
    .connect_list_all_secrets = { secret_connect_list_all_secrets, VIR_CONNECT_LIST_SECRETS_EPHEMERAL |
        VIR_CONNECT_LIST_SECRETS_NO_EPHEMERAL | VIR_CONNECT_LIST_SECRETS_PRIVATE | VIR_CONNECT_LIST_SECRETS_NO_PRIVATE },
    .secret_lookup_by_uuid = { secret_lookup_by_uuid },
    .secret_lookup_by_usage = { secret_lookup_by_usage },
    .secret_define_xml = { secret_define_xml, VIR_SECRET_DEFINE_VALIDATE },
    .secret_get_xml_desc = { secret_get_xml_desc },
    .secret_set_value = { secret_set_value },
    .secret_get_value = { secret_get_value },
    .secret_undefine = { secret_undefine },
};

static const char *const schemes[] = { "secret", NULL };

extern const Driver driver;
const Driver driver = {
    .name = "secret",
    .schemes = schemes,
    .error_source = VIR_FROM_SECRET,
    .remote = &remote_handlers,
    .objects = { [OBJECT_SECRET] = &object_class },
    .init = driver_init,
    .start = driver_start,
    .stop = driver_stop,
    .done = driver_done,
    .busy = driver_busy,
    .open = driver_open,
};
/* clang-format on */
