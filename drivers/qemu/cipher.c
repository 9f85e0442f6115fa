/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One function of GnuTLS, loaded late: daemons without such guests never have it in memory (as util/xml_late.h). */
#include "drivers/qemu/cipher.h"

#include <dlfcn.h>
#include <gnutls/crypto.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "util/error.h"

enum { BLOCK = 16 };

static struct {
    __typeof__(gnutls_cipher_init) *init;
    __typeof__(gnutls_cipher_encrypt) *encrypt;
    __typeof__(gnutls_cipher_deinit) *deinit;
    char *trouble; /* NULL: all is there */
} tls;

static void *entry(void *library, const char *name)
{
    void *f = library && !tls.trouble ? dlsym(library, name) : NULL;

    if (!f && !tls.trouble)
        tls.trouble = g_strdup(dlerror());
    return f;
}

static void load(void)
{
    void *library = dlopen(TLS_LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!library)
        tls.trouble = g_strdup(dlerror());
    *(void **)&tls.init = entry(library, "gnutls_cipher_init");
    *(void **)&tls.encrypt = entry(library, "gnutls_cipher_encrypt");
    *(void **)&tls.deinit = entry(library, "gnutls_cipher_deinit");
}

/* In place; n is a multiple of the block. */
static bool encrypt(const uint8_t *key, uint8_t iv[BLOCK], uint8_t *bytes, gsize n)
{
    gnutls_datum_t k = { (unsigned char *)key, CIPHER_KEY_SIZE }, v = { iv, BLOCK };
    gnutls_cipher_hd_t h;

    if (tls.init(&h, GNUTLS_CIPHER_AES_256_CBC, &k, &v) < 0)
        return false;
    bool ok = tls.encrypt(h, bytes, n) >= 0;
    tls.deinit(h);
    return ok;
}

bool cipher_encrypt(const uint8_t key[CIPHER_KEY_SIZE], const SecretValue *value, char **ret_data, char **ret_iv, GError **err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    uint8_t iv[BLOCK];
    gsize pad = BLOCK - value->len % BLOCK, n = value->len + pad; /* the padding says its own length */

    (void)pthread_once(&once, load);
    if (tls.trouble) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "secrets cannot be encrypted for an emulator: %s", tls.trouble);
        return false;
    }
    if (getrandom(iv, sizeof(iv), 0) != sizeof(iv)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "secrets cannot be encrypted for an emulator: no random numbers");
        return false;
    }
    g_autofree char *iv_text = g_base64_encode(iv, sizeof(iv));
    g_autofree uint8_t *bytes = g_malloc(n);
    memcpy(bytes, value->bytes, value->len);
    memset(bytes + value->len, (int)pad, pad);
    bool ok = encrypt(key, iv, bytes, n);
    if (ok) {
        *ret_data = g_base64_encode(bytes, n);
        *ret_iv = g_steal_pointer(&iv_text);
    } else {
        explicit_bzero(bytes, n);
        error_set(err, VIR_ERR_INTERNAL_ERROR, "a secret cannot be encrypted for an emulator");
    }
    return ok;
}
