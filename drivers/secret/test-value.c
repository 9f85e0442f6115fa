/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Values: sealed and opened, keys, damage, what today's hosts wrote. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/secret/key.h"
#include "drivers/secret/seal.h"
#include "util/error.h"
#include "util/paths.h"

static const Uuid one = { 1 }, two = { 2 };

static SecretValue *value(const char *text)
{
    return secret_value_new(text, strlen(text), NULL);
}

static bool is(const SecretValue *v, const char *text)
{
    return v && v->len == strlen(text) && memcmp(v->bytes, text, v->len) == 0;
}

static void test_opens_what_was_sealed(void)
{
    g_autoptr(SecretValue) v = value("pass\nword");
    g_autofree char *a = secret_seal(one, v, NULL), *b = secret_seal(one, v, NULL);

    assert(a && b && strcmp(a, b) != 0); /* nobody sees that two values are the same */
    assert(!strstr(a, "pass") && !strstr(a, "cGFzc")); /* nor what it is */
    g_autoptr(SecretValue) back = secret_unseal(one, a, strlen(a), NULL);
    assert(is(back, "pass\nword"));

    g_autofree char *long_ = g_strnfill(SECRET_VALUE_MAX, 'x');
    g_autoptr(SecretValue) big = value(long_);
    g_autofree char *c = secret_seal(one, big, NULL);
    assert(strlen(c) < SEALED_MAX);
    g_autoptr(SecretValue) big_back = secret_unseal(one, c, strlen(c), NULL);
    assert(is(big_back, long_));
}

static void test_too_long_is_refused(void)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *text = g_strnfill(SECRET_VALUE_MAX + 1, 'x');

    assert(!secret_value_new(text, strlen(text), &err) && error_is(err, VIR_ERR_INVALID_ARG));
}

/* Every byte counts: the head, the uuid, the value. */
static void test_changes_are_found(void)
{
    g_autoptr(SecretValue) v = value("0123456789abcdef");
    g_autofree char *a = secret_seal(one, v, NULL);
    gsize len = strlen(a);

    for (gsize i = 0; i + 1 < len; i++) {
        g_autoptr(GError) err = NULL;
        g_autofree char *b = g_strdup(a);
        b[i] = b[i] == 'B' ? 'C' : 'B';
        g_autoptr(SecretValue) back = secret_unseal(one, b, len, &err);
        assert(!back && err);
    }
    g_autoptr(GError) err = NULL;
    g_autoptr(SecretValue) other = secret_unseal(two, a, len, &err);
    assert(!other && strstr(err->message, "another secret"));
    for (gsize n = 0; n + 1 < len; n++) {
        g_autofree char *cut = g_strndup(a, n);
        g_autoptr(SecretValue) none = secret_unseal(one, cut, n, NULL);
        assert(!none);
    }
}

static void test_what_todays_hosts_wrote(void)
{
    char good[] = "aGVsbG8=\n", bad[] = "aGVs*G8=", empty[] = "";
    g_autoptr(SecretValue) v = secret_from_base64(good, strlen(good), NULL);

    assert(is(v, "hello"));
    assert(good[0] == '\0' && good[3] == '\0'); /* wiped */
    assert(!secret_from_base64(bad, strlen(bad), NULL));
    g_autoptr(SecretValue) nothing = secret_from_base64(empty, 0, NULL);
    assert(nothing && nothing->len == 0);
}

/* A credential comes first; what the host's own key sealed is opened all the same. */
static void test_keys(const char *root)
{
    g_autofree char *host = g_strdup_printf("%s/var/lib/libvirt/secrets/host.key", root);
    g_autofree char *dir = g_strdup_printf("%s/credentials", root), *file = g_strdup_printf("%s/secrets-encryption-key", dir);
    g_autoptr(SecretValue) v = value("hello");
    g_autofree char *by_host = secret_seal(one, v, NULL);
    g_autoptr(GError) e1 = NULL, e2 = NULL;
    struct stat st;

    assert(stat(host, &st) == 0 && (st.st_mode & 07777) == 0600 && st.st_size == SECRET_KEY_SIZE);

    assert(g_mkdir_with_parents(dir, 0700) == 0 && g_file_set_contents(file, "too short", -1, NULL));
    g_setenv("CREDENTIALS_DIRECTORY", dir, true);
    assert(!secret_seal(one, v, &e1) && strstr(e1->message, "32 bytes"));
    assert(g_file_set_contents(file, "0123456789abcdef0123456789abcdef", SECRET_KEY_SIZE, NULL));
    g_autofree char *by_credential = secret_seal(one, v, NULL);
    assert(by_credential && strncmp(by_credential, by_host, strcspn(by_host, "\n")) != 0); /* another key's id */
    g_autoptr(SecretValue) a = secret_unseal(one, by_host, strlen(by_host), NULL);
    g_autoptr(SecretValue) b = secret_unseal(one, by_credential, strlen(by_credential), NULL);
    assert(is(a, "hello") && is(b, "hello"));

    g_unsetenv("CREDENTIALS_DIRECTORY");
    g_autoptr(SecretValue) gone = secret_unseal(one, by_credential, strlen(by_credential), &e2);
    assert(!gone && strstr(e2->message, "does not have"));
}

int main(void)
{
    char root[] = "/tmp/test-secret-XXXXXX";

    assert(mkdtemp(root) && paths_init(root, false, NULL));
    test_opens_what_was_sealed();
    test_too_long_is_refused();
    test_changes_are_found();
    test_what_todays_hosts_wrote();
    test_keys(root);
    g_autofree char *rm = g_strdup_printf("rm -rf '%s'", root);
    return system(rm) == 0 ? 0 : 1;
}
