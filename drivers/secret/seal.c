/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sealing and opening. Whatever bytes a file holds, opening it ends in the value that was sealed or in an error;
 * nothing of what did not authenticate is looked at. Nonces are random: of 96 bits, for a key that seals as many
 * values as people type.
 */
#include "drivers/secret/seal.h"

#include <gnutls/crypto.h>
#include <string.h>

#include "drivers/secret/key.h"
#include "util/error.h"

enum { NONCE_SIZE = 12, TAG_SIZE = 16 };
#define CIPHER GNUTLS_CIPHER_AES_256_GCM
#define HEAD "modvirt-secret 1 aes-256-gcm "
#define MAGIC "modvirt-secret "

/* The first line for a key, and what is authenticated with the value. */
typedef struct Bound {
    char head[sizeof(HEAD) + SECRET_KEY_ID_SIZE + 1]; /* with its newline */
    Uuid uuid;
    size_t head_len;
    giovec_t parts[2];
} Bound;

static void bind_to(Bound *b, const char *key_id, const Uuid uuid)
{
    b->head_len = (size_t)g_snprintf(b->head, sizeof(b->head), HEAD "%s\n", key_id);
    memcpy(b->uuid, uuid, sizeof(b->uuid));
    b->parts[0] = (giovec_t){ b->head, b->head_len };
    b->parts[1] = (giovec_t){ b->uuid, sizeof(b->uuid) };
}

static gnutls_aead_cipher_hd_t cipher_with(SecretKey *key, GError **err)
{
    const gnutls_datum_t k = { key->bytes, sizeof(key->bytes) };
    gnutls_aead_cipher_hd_t c = NULL;
    int r = gnutls_aead_cipher_init(&c, CIPHER, &k);

    secret_key_wipe(key);
    if (r < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the cipher for secrets is not there: %s", gnutls_strerror(r));
        return NULL;
    }
    return c;
}

char *secret_seal(const Uuid uuid, const SecretValue *value, GError **err)
{
    gsize len = NONCE_SIZE + value->len + TAG_SIZE;
    g_autofree uint8_t *out = g_malloc(len);
    SecretKey key;
    Bound b;

    if (!secret_key_for_sealing(&key, err))
        return NULL;
    bind_to(&b, key.id, uuid);
    gnutls_aead_cipher_hd_t c = cipher_with(&key, err);
    if (!c)
        return NULL;
    const giovec_t at = { out + NONCE_SIZE, value->len }; /* encrypted where it stands */
    size_t tag = TAG_SIZE;
    int r = gnutls_rnd(GNUTLS_RND_NONCE, out, NONCE_SIZE);
    if (r >= 0) {
        memcpy(at.iov_base, value->bytes, value->len);
        r = gnutls_aead_cipher_encryptv2(c, out, NONCE_SIZE, b.parts, G_N_ELEMENTS(b.parts), &at, 1,
                                         out + NONCE_SIZE + value->len, &tag);
    }
    gnutls_aead_cipher_deinit(c);
    if (r < 0 || tag != TAG_SIZE) {
        explicit_bzero(out, len);
        error_set(err, VIR_ERR_INTERNAL_ERROR, "a secret's value cannot be encrypted: %s", gnutls_strerror(r));
        return NULL;
    }
    g_autofree char *body = g_base64_encode(out, len);
    return g_strconcat(b.head, body, "\n", NULL);
}

/* How many bytes the text stands for, -1: it is not base64. Line breaks at the end are none of it. */
static gssize base64_size(const char *text, gsize len)
{
    while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    gsize pad = len > 0 && text[len - 1] == '=' ? (len > 1 && text[len - 2] == '=' ? 2 : 1) : 0;

    if (len % 4 != 0)
        return -1;
    for (gsize i = 0; i < len - pad; i++)
        if (!g_ascii_isalnum(text[i]) && text[i] != '+' && text[i] != '/')
            return -1;
    return (gssize)(len / 4 * 3 - pad);
}

bool secret_is_sealed_with(const char *key_id, const char *text, gsize len)
{
    gsize head = strlen(HEAD);

    return len < head + SECRET_KEY_ID_SIZE || strncmp(text, HEAD, head) != 0 ||
           strncmp(text + head, key_id, SECRET_KEY_ID_SIZE) == 0;
}

SecretValue *secret_unseal(const Uuid uuid, const char *text, gsize len, GError **err)
{
    const char *end = memchr(text, '\n', len);
    SecretKey key;
    Bound b;

    if (!end || len > SEALED_MAX || !g_str_has_prefix(text, MAGIC)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "not the value of a secret");
        return NULL;
    }
    gsize head = (gsize)(end - text);
    if (head != strlen(HEAD) + SECRET_KEY_ID_SIZE || !g_str_has_prefix(text, HEAD)) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the value of the secret is of a format that this version does not know");
        return NULL;
    }
    gssize size = base64_size(end + 1, len - head - 1);
    if (size < NONCE_SIZE + TAG_SIZE || size > NONCE_SIZE + TAG_SIZE + SECRET_VALUE_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the value of the secret is damaged: %zd bytes", size);
        return NULL;
    }
    g_autofree char *id = g_strndup(text + strlen(HEAD), SECRET_KEY_ID_SIZE);
    g_autofree char *body = g_strndup(end + 1, len - head - 1);
    gsize n = 0;
    g_autofree uint8_t *raw = g_base64_decode(body, &n);
    g_autofree char *again = g_base64_encode(raw, n); /* its last letter has bits that stand for nothing */
    g_autoptr(SecretValue) v = secret_value_room((gsize)size - NONCE_SIZE - TAG_SIZE, err);
    if (!v || n != (gsize)size || !g_str_has_prefix(body, again)) {
        if (v)
            error_set(err, VIR_ERR_INTERNAL_ERROR, "the value of the secret is damaged");
        return NULL;
    }
    if (!secret_key_find(id, &key, err))
        return NULL;
    bind_to(&b, key.id, uuid);
    gnutls_aead_cipher_hd_t c = cipher_with(&key, err);
    if (!c)
        return NULL;
    memcpy(v->bytes, raw + NONCE_SIZE, v->len);
    const giovec_t at = { v->bytes, v->len };
    int r = gnutls_aead_cipher_decryptv2(c, raw, NONCE_SIZE, b.parts, G_N_ELEMENTS(b.parts), &at, 1, raw + size - TAG_SIZE, TAG_SIZE);
    gnutls_aead_cipher_deinit(c);
    if (r < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the value of the secret was changed, or is another secret's");
        return NULL;
    }
    return g_steal_pointer(&v);
}

SecretValue *secret_from_base64(char *text, gsize len, GError **err)
{
    SecretValue *v = NULL;
    gsize n = 0;

    if (base64_size(text, len) < 0) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the value of the secret is not base64");
    } else {
        if (len) /* of nothing it makes a complaint */
            (void)g_base64_decode_inplace(text, &n);
        v = secret_value_new(text, n, err);
    }
    explicit_bzero(text, len);
    return v;
}
