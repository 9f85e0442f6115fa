/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Which parts of a guest need a secret is told by one walk (each_use()); the plan, the fetching and its messages follow
 * from it. A reference that the walk does not know is fetched when the command line comes to it. One thread.
 */
#include "drivers/qemu/secrets.h"

#include <fcntl.h>
#include <string.h>

#include "drivers/common/secrets.h"
#include "drivers/qemu/cipher.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/prepare.h"
#include "util/error.h"
#include "util/fd.h"

struct Secrets {
    char *key_path;
    Peer *peer;
    GHashTable *values; /* text of the reference → SecretValue */
};

static void value_unref(void *v)
{
    (void)secret_value_unref(v);
}

Secrets *secrets_new(Call *c, const char *lib_dir)
{
    Secrets *s = g_new0(Secrets, 1);

    s->key_path = g_build_filename(lib_dir, "master-key.aes", NULL);
    s->peer = peer_new(ROUTE_SECRET, c);
    s->values = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, value_unref);
    return s;
}

Secrets *secrets_free(Secrets *s)
{
    if (!s)
        return NULL;
    peer_free(s->peer);
    g_hash_table_unref(s->values);
    g_free(s->key_path);
    g_free(s);
    return NULL;
}

/* --- who needs one ------------------------------------------------------------------------------------ */

typedef bool (*UseFn)(void *data, const SecretRef *ref, int usage, const char *what, GError **err);

SecretRef secrets_of_tpm(const TpmDef *t)
{
    return (SecretRef){ .uuid = t->encryption_secret };
}

/* The password of a certificate's key: uuid is a setting of the host, NULL when there is none. */
static bool tls_uses(const char *uuid, const char *what, UseFn fn, void *data, GError **err)
{
    SecretRef ref = { .type = SECRET_TLS };

    ref.uuid.set = uuid && uuid_parse(uuid, ref.uuid.v);
    return !ref.uuid.set || fn(data, &ref, VIR_SECRET_USAGE_TYPE_TLS, what, err);
}

static bool source_uses(const QemuCmdlineContext *host, const StorageSource *s, const char *what, UseFn fn, void *data, GError **err)
{
    for (; s; s = s->backing) {
        if (cmd_source_tls(host, s) && !tls_uses(host->nbd_tls_secret, "the certificate of NBD connections", fn, data, err))
            return false;

        const SecretRef *auth = s->auth && s->auth->secret.type != SECRET_NONE ? &s->auth->secret : NULL;

        if (auth && !fn(data, auth, secret_ref_usage(auth), what, err))
            return false;
        for (unsigned i = 0; s->encryption && i < list_len(s->encryption->secrets); i++) {
            const SecretRef *pass = list_at(s->encryption->secrets, i);

            if (!fn(data, pass, VIR_SECRET_USAGE_TYPE_VOLUME, what, err))
                return false;
        }
    }
    return true;
}

static bool device_uses(const Device *dev, UseFn fn, void *data, GError **err)
{
    QemuCmdlineContext host = { 0 };
    const ChrSource *chr = qemu_chr_source(dev);

    qemu_config_cmdline(qemu.config, &host);
    if (chr && cmd_chr_tls(&host, chr) && !tls_uses(host.chardev_tls_secret, "the certificate of character devices", fn, data, err))
        return false;
    if (dev->kind == DEVICE_DISK) {
        const DiskDef *d = (const DiskDef *)dev;
        g_autofree char *what = g_strdup_printf("disk '%s'", d->dst);

        return source_uses(&host, &d->src, what, fn, data, err);
    }
    if (dev->kind == DEVICE_HOSTDEV) {
        const HostdevDef *h = (const HostdevDef *)dev;
        g_autofree char *what = g_strdup_printf("host device '%s'", dev->info.alias ? dev->info.alias : "iscsi");

        return !h->iscsi || source_uses(&host, h->iscsi, what, fn, data, err);
    }
    if (dev->kind == DEVICE_TPM) {
        const TpmDef *t = (const TpmDef *)dev;
        SecretRef ref = secrets_of_tpm(t);

        return t->backend != TPM_EMULATOR || !ref.uuid.set || fn(data, &ref, VIR_SECRET_USAGE_TYPE_VTPM, "the TPM", err);
    }
    if (dev->kind == DEVICE_GRAPHICS && ((const GraphicsDef *)dev)->type == GRAPHICS_VNC && host.vnc_tls)
        return tls_uses(host.vnc_tls_secret, "the certificate of VNC displays", fn, data, err);
    return true;
}

static bool each_use(const DomainDef *d, UseFn fn, void *data, GError **err)
{
    for (unsigned i = 0; i < list_len(d->devices); i++)
        if (!device_uses(list_at(d->devices, i), fn, data, err))
            return false;
    return true;
}

/* --- values ------------------------------------------------------------------------------------------- */

static bool fetch(void *data, const SecretRef *ref, int usage, const char *what, GError **err)
{
    Secrets *s = data;
    g_autofree char *key = secret_ref_text(ref);

    if (g_hash_table_contains(s->values, key))
        return true;
    SecretValue *v = secret_fetch(s->peer, ref, usage, what, err);
    if (v)
        g_hash_table_insert(s->values, g_steal_pointer(&key), v);
    return v != NULL;
}

bool secrets_fetch(Secrets *s, const DomainDef *d, GError **err)
{
    return each_use(d, fetch, s, err);
}

bool secrets_fetch_device(Secrets *s, const Device *dev, GError **err)
{
    return device_uses(dev, fetch, s, err);
}

const SecretValue *secrets_find(const Secrets *s, const SecretRef *ref)
{
    g_autofree char *key = secret_ref_text(ref);

    return g_hash_table_lookup(s->values, key);
}

bool secrets_encrypt(Secrets *s, const SecretRef *ref, const char *alias, char **ret_data, char **ret_iv, GError **err)
{
    uint8_t key[CIPHER_KEY_SIZE];
    g_autofree char *what = g_strdup_printf("'%s'", alias);

    if (!fetch(s, ref, secret_ref_usage(ref), what, err))
        return false;
    auto_fd fd = open(s->key_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fd_read_all(fd, key, sizeof(key)) != sizeof(key)) {
        error_set(err, VIR_ERR_OPERATION_FAILED, "cannot read the emulator's key '%s'", s->key_path);
        return false;
    }
    bool ok = cipher_encrypt(key, secrets_find(s, ref), ret_data, ret_iv, err);
    explicit_bzero(key, sizeof(key));
    return ok;
}

/* --- the step ----------------------------------------------------------------------------------------- */

bool start_secrets(Start *s, GError **err)
{
    s->res.secrets = secrets_new(turn_call(s->t), s->status->lib_dir);
    return secrets_fetch(s->res.secrets, s->def, err);
}

static bool tell(void *data, const SecretRef *ref, int usage, const char *what, GError **err)
{
    g_autofree char *text = secret_ref_text(ref);
    (void)usage;
    (void)err;

    g_ptr_array_add(data, g_strdup_printf("ask virtsecretd for the secret with %s, for %s", text, what));
    return true;
}

void start_tell_secrets(const Start *s, GPtrArray *lines)
{
    (void)each_use(s->def, tell, lines, NULL);
}
