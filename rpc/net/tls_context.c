/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Certificates: reading ours, judging those of clients. A context is made as a whole or not at all, so
 * that a failed reload leaves the one in force; it does not change afterwards. What is wrong is named:
 * the file, the name in the certificate, the date.
 *
 * Invariant: a client passes tls_check_peer() only when its chain ends at our authority, is valid now
 * and not revoked, may be used by clients, and its name matches the list, if there is one; or when
 * the administrator asked for no verification at all. Loop thread.
 */
#define LOG_SOURCE "rpc.tls"
#include <errno.h>
#include <string.h>
#include <time.h>

#include "rpc/net/tls-internal.h"
#include "util/error.h"
#include "util/log.h"

enum {
    FILE_MAX = 1 << 20,
    CHAIN_MAX = 16,
    EXTRA_PAIRS = 4,
    SOON_SEC = 14 * 24 * 3600, /* a certificate that ends within this is warned about */
};

struct TlsContext {
    gatomicrefcount refs;
    gnutls_certificate_credentials_t cred;
    gnutls_priority_t priority;
    char **allowed_dn_list;
    bool no_verify;
    char *ca_names; /* for messages */
    time_t expires; /* the first of our own to end; 0: none has been read */
};

static void context_free(TlsContext *c)
{
    if (c->cred)
        gnutls_certificate_free_credentials(c->cred);
    if (c->priority)
        gnutls_priority_deinit(c->priority);
    g_strfreev(c->allowed_dn_list);
    g_free(c->ca_names);
    g_free(c);
}

TlsContext *tls_context_ref(TlsContext *c)
{
    g_atomic_ref_count_inc(&c->refs);
    return c;
}

TlsContext *tls_context_unref(TlsContext *c)
{
    if (c && g_atomic_ref_count_dec(&c->refs))
        context_free(c);
    return NULL;
}

int64_t tls_context_expires(const TlsContext *c)
{
    return (int64_t)c->expires;
}

int tls_context_apply(TlsContext *c, gnutls_session_t s)
{
    int r = gnutls_priority_set(s, c->priority);

    if (r == 0)
        r = gnutls_credentials_set(s, GNUTLS_CRD_CERTIFICATE, c->cred);
    /* Asked for, not required: one without is told what is missing. */
    gnutls_certificate_server_set_request(s, GNUTLS_CERT_REQUEST);
    /* Nor do we name our authorities: a client with a certificate of another one would show none. */
    gnutls_certificate_send_x509_rdn_sequence(s, 1);
    return r;
}

/* --- words ------------------------------------------------------------------------------------------ */

static char *date_text(time_t t)
{
    g_autoptr(GDateTime) d = g_date_time_new_from_unix_utc(t);

    return d ? g_date_time_format(d, "%Y-%m-%d %H:%M:%S UTC") : g_strdup("an impossible date");
}

/* A name as one line of text: it goes into messages and logs. The datum is freed. */
static char *name_text(int r, gnutls_datum_t *dn)
{
    if (r < 0)
        return g_strdup("");

    char *name = g_utf8_make_valid((const char *)dn->data, dn->size);

    gnutls_free(dn->data);
    for (char *p = name; *p; p++)
        if (g_ascii_iscntrl(*p))
            *p = '?';
    return name;
}

static char *crt_name(gnutls_x509_crt_t crt)
{
    gnutls_datum_t dn = { NULL, 0 };

    return name_text(gnutls_x509_crt_get_dn2(crt, &dn), &dn);
}

static char *crt_issuer(gnutls_x509_crt_t crt)
{
    gnutls_datum_t dn = { NULL, 0 };

    return name_text(gnutls_x509_crt_get_issuer_dn2(crt, &dn), &dn);
}

/* False with *err when the certificate is not valid today. what: "file '…'" or "client certificate". */
static bool dates_ok(gnutls_x509_crt_t crt, const char *what, int code, GError **err)
{
    time_t now = time(NULL), from = gnutls_x509_crt_get_activation_time(crt),
           to = gnutls_x509_crt_get_expiration_time(crt);
    g_autofree char *name = crt_name(crt);

    if (now < from || now > to) {
        g_autofree char *date = date_text(now < from ? from : to);

        error_set(err, code, "%s: certificate '%s' %s %s", what, name, now < from ? "is not valid before" : "expired on", date);
        return false;
    }
    return true;
}

/* --- our own files ------------------------------------------------------------------------------------ */

typedef struct CrtList {
    gnutls_x509_crt_t *crt; /* gnutls_malloc()ed by GnuTLS */
    unsigned n;
} CrtList;

static void crt_list_clear(CrtList *l)
{
    for (unsigned i = 0; i < l->n; i++)
        gnutls_x509_crt_deinit(l->crt[i]);
    gnutls_free(l->crt);
    *l = (CrtList){ NULL, 0 };
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(CrtList, crt_list_clear)

static bool read_file(const char *what, const char *path, char **ret, size_t *ret_len, GError **err)
{
    g_autoptr(GError) why = NULL;

    if (!g_file_get_contents(path, ret, ret_len, &why)) {
        const char *reason = strrchr(why->message, ':');

        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "cannot read %s file '%s'%s", what, path, reason ? reason : "");
        return false;
    }
    if (*ret_len > FILE_MAX) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s file '%s' has %zu bytes, at most %d are read", what, path, *ret_len,
                  FILE_MAX);
        return false;
    }
    return true;
}

static bool read_crts(const char *what, const char *path, CrtList *ret, GError **err)
{
    g_autofree char *text = NULL;
    size_t len = 0;

    if (!read_file(what, path, &text, &len, err))
        return false;

    gnutls_datum_t data = { (unsigned char *)text, (unsigned)len };
    int r = gnutls_x509_crt_list_import2(&ret->crt, &ret->n, &data, GNUTLS_X509_FMT_PEM, 0);

    if (r < 0) {
        *ret = (CrtList){ NULL, 0 };
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s file '%s' holds no certificate in PEM format: %s", what, path,
                  gnutls_strerror(r));
        return false;
    }
    return true;
}

static bool check_authority(gnutls_x509_crt_t crt, const char *path, GError **err)
{
    g_autofree char *what = g_strdup_printf("file '%s'", path), *name = crt_name(crt);
    unsigned critical, usage;

    if (!dates_ok(crt, what, VIR_ERR_CONFIG_UNSUPPORTED, err))
        return false;
    if (gnutls_x509_crt_get_basic_constraints(crt, &critical, NULL, NULL) <= 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s: certificate '%s' is not that of an authority (basic constraints)", what,
                  name);
        return false;
    }
    if (gnutls_x509_crt_get_key_usage(crt, &usage, &critical) == 0 && !(usage & GNUTLS_KEY_KEY_CERT_SIGN)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s: certificate '%s' may not sign others (key usage)", what, name);
        return false;
    }
    return true;
}

/* Whether an extended usage, if the certificate names any, is among them. */
static bool has_purpose(gnutls_x509_crt_t crt, const char *oid)
{
    for (unsigned i = 0;; i++) {
        char buf[128];
        size_t size = sizeof(buf);
        unsigned critical;
        int r = gnutls_x509_crt_get_key_purpose_oid(crt, i, buf, &size, &critical);

        if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
            return i == 0;
        if (r == 0 && (strcmp(buf, oid) == 0 || strcmp(buf, GNUTLS_KP_ANY) == 0))
            return true;
        if (r < 0 && r != GNUTLS_E_SHORT_MEMORY_BUFFER)
            return false;
    }
}

static bool check_server(const CrtList *chain, const CrtList *ca, const char *path, GError **err)
{
    gnutls_x509_crt_t crt = chain->crt[0];
    g_autofree char *what = g_strdup_printf("file '%s'", path), *name = crt_name(crt), *issuer = crt_issuer(crt);
    unsigned critical, status = 0;

    for (unsigned i = 0; i < chain->n; i++)
        if (!dates_ok(chain->crt[i], what, VIR_ERR_CONFIG_UNSUPPORTED, err))
            return false;
    if (gnutls_x509_crt_get_basic_constraints(crt, &critical, NULL, NULL) > 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s: certificate '%s' is that of an authority, a server's is needed", what,
                  name);
        return false;
    }
    if (!has_purpose(crt, GNUTLS_KP_TLS_WWW_SERVER)) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s: certificate '%s' may not be used by a server (extended key usage)", what,
                  name);
        return false;
    }
    if (gnutls_x509_crt_list_verify(chain->crt, (int)chain->n, ca->crt, (int)ca->n, NULL, 0, 0, &status) < 0 || status) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "%s: certificate '%s' was issued by '%s', which %s", what, name, issuer,
                  status & GNUTLS_CERT_SIGNER_NOT_FOUND ? "is not in the file of the authority"
                                                        : "the file of the authority does not confirm");
        return false;
    }
    if (gnutls_x509_crt_get_expiration_time(crt) < time(NULL) + SOON_SEC) {
        g_autofree char *date = date_text(gnutls_x509_crt_get_expiration_time(crt));

        log_warn("TLS: %s: certificate '%s' expires on %s", what, name, date);
    }
    return true;
}

static bool load_pair(TlsContext *c, const CrtList *ca, const char *cert, const char *key, bool no_sanity, GError **err)
{
    g_auto(CrtList) chain = { NULL, 0 };
    g_autofree char *text = NULL, *key_text = NULL;
    size_t len = 0, key_len = 0;

    if (!read_file("key", key, &key_text, &key_len, err) || !read_crts("certificate", cert, &chain, err) ||
        (!no_sanity && !check_server(&chain, ca, cert, err)) || !read_file("certificate", cert, &text, &len, err))
        return false;

    for (size_t i = 0; i < chain.n; i++) {
        time_t t = gnutls_x509_crt_get_expiration_time(chain.crt[i]);
        if (!c->expires || t < c->expires)
            c->expires = t;
    }
    gnutls_datum_t cert_data = { (unsigned char *)text, (unsigned)len },
                   key_data = { (unsigned char *)key_text, (unsigned)key_len };
    int r = gnutls_certificate_set_x509_key_mem(c->cred, &cert_data, &key_data, GNUTLS_X509_FMT_PEM);

    gnutls_memset(key_text, 0, key_len);
    if (r < 0) {
        if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "key file '%s' does not belong to certificate file '%s'", key, cert);
        else
            error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "key file '%s' with certificate file '%s': %s", key, cert,
                      gnutls_strerror(r));
        return false;
    }
    return true;
}

static bool load_authority(TlsContext *c, const char *path, bool no_sanity, CrtList *ret, GError **err)
{
    g_autoptr(GString) names = g_string_new(NULL);

    if (!read_crts("authority's certificate", path, ret, err))
        return false;
    for (unsigned i = 0; i < ret->n; i++) {
        g_autofree char *name = crt_name(ret->crt[i]);

        if (!no_sanity && !check_authority(ret->crt[i], path, err))
            return false;
        g_string_append_printf(names, "%s'%s'", i ? ", " : "", name);
    }

    int r = gnutls_certificate_set_x509_trust(c->cred, ret->crt, (int)ret->n);

    if (r < 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "authority's certificate file '%s': %s", path, gnutls_strerror(r));
        return false;
    }
    c->ca_names = g_strdup(names->str);
    return true;
}

static bool load_revoked(TlsContext *c, const char *path, GError **err)
{
    g_autofree char *text = NULL;
    size_t len = 0;

    if (!read_file("list of revoked certificates", path, &text, &len, err))
        return false;

    gnutls_datum_t data = { (unsigned char *)text, (unsigned)len };
    int r = gnutls_certificate_set_x509_crl_mem(c->cred, &data, GNUTLS_X509_FMT_PEM);

    if (r < 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "file '%s' holds no list of revoked certificates: %s", path, gnutls_strerror(r));
        return false;
    }
    return true;
}

static char *pki_path(const TlsConfig *cfg, const char *dir, const char *file)
{
    return cfg->flat ? g_build_filename(cfg->pki_dir, file, NULL) : g_build_filename(cfg->pki_dir, dir, file, NULL);
}

static bool load_pairs(TlsContext *c, const TlsConfig *cfg, const CrtList *ca, GError **err)
{
    g_autofree char *cert = cfg->cert_file ? g_strdup(cfg->cert_file) : pki_path(cfg, "libvirt", "servercert.pem");
    g_autofree char *key = cfg->key_file ? g_strdup(cfg->key_file) : pki_path(cfg, "libvirt/private", "serverkey.pem");

    if (!load_pair(c, ca, cert, key, cfg->no_sanity, err))
        return false;
    /* Further ones, for clients that understand other algorithms. */
    for (unsigned i = 0; !cfg->cert_file && i < EXTRA_PAIRS; i++) {
        g_autofree char *cert_name = g_strdup_printf("servercert%u.pem", i), *key_name = g_strdup_printf("serverkey%u.pem", i),
                        *more = pki_path(cfg, "libvirt", cert_name), *more_key = pki_path(cfg, "libvirt/private", key_name);

        if (g_file_test(more, G_FILE_TEST_EXISTS) && !load_pair(c, ca, more, more_key, cfg->no_sanity, err))
            return false;
    }
    return true;
}

static bool context_load(TlsContext *c, const TlsConfig *cfg, GError **err)
{
    g_auto(CrtList) ca = { NULL, 0 };
    g_autofree char *ca_path = cfg->ca_file ? g_strdup(cfg->ca_file) : pki_path(cfg, "CA", "cacert.pem");
    g_autofree char *crl_path = cfg->crl_file ? g_strdup(cfg->crl_file) : pki_path(cfg, "CA", "crl.pem");
    const char *priority = cfg->priority ? cfg->priority : "NORMAL", *at = NULL;
    int r = gnutls_certificate_allocate_credentials(&c->cred);

    if (r == 0 && (r = gnutls_priority_init(&c->priority, priority, &at)) < 0) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "value '%s' of 'tls_priority' is wrong at '%s': %s", priority, at ? at : "",
                  gnutls_strerror(r));
        return false;
    }
    if (r < 0) {
        error_set(err, VIR_ERR_SYSTEM_ERROR, "cannot set up TLS: %s", gnutls_strerror(r));
        return false;
    }
    return load_authority(c, ca_path, cfg->no_sanity, &ca, err) && load_pairs(c, cfg, &ca, err) &&
           ((!cfg->crl_file && !g_file_test(crl_path, G_FILE_TEST_EXISTS)) || load_revoked(c, crl_path, err));
}

TlsContext *tls_context_new(const TlsConfig *cfg, GError **err)
{
    TlsContext *c = g_new0(TlsContext, 1);

    g_atomic_ref_count_init(&c->refs);
    c->allowed_dn_list = g_strdupv((char **)cfg->allowed_dn_list);
    c->no_verify = cfg->no_verify;
    return context_load(c, cfg, err) ? c : tls_context_unref(c);
}

/* --- the peer ------------------------------------------------------------------------------------------- */

static bool name_allowed(const TlsContext *c, const char *name)
{
    if (!c->allowed_dn_list)
        return true;
    for (char **p = c->allowed_dn_list; *p; p++)
        if (g_pattern_match_simple(*p, name))
            return true;
    return false;
}

/* Words for what GnuTLS found wrong. */
static void status_error(const TlsContext *c, unsigned status, gnutls_x509_crt_t *chain, unsigned n, const char *name, GError **err)
{
    g_autofree char *issuer = crt_issuer(chain[n - 1]);

    if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED)) {
        for (unsigned i = 0; i < n; i++)
            if (!dates_ok(chain[i], "client", VIR_ERR_AUTH_FAILED, err))
                return;
    }
    if (status & GNUTLS_CERT_REVOKED)
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' is revoked", name);
    else if (status & GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED)
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' cannot be checked: the list of revoked certificates is out of date",
                  name);
    else if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' was issued by '%s', this server trusts %s", name, issuer,
                  c->ca_names);
    else if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' is signed with an insecure algorithm", name);
    else if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' may not be used by a client (extended key usage)", name);
    else if (status & GNUTLS_CERT_SIGNATURE_FAILURE)
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' says it was issued by '%s', but the signature is not by %s", name,
                  issuer, c->ca_names);
    else
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' is not valid (GnuTLS status 0x%x)", name, status);
}

static bool verify_chain(const TlsContext *c, gnutls_session_t s, gnutls_x509_crt_t *chain, unsigned n, const char *name, GError **err)
{
    gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = (void *)GNUTLS_KP_TLS_WWW_CLIENT };
    unsigned status = 0;
    int r = gnutls_certificate_verify_peers(s, &purpose, 1, &status);

    if (r < 0) {
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' cannot be checked: %s", name, gnutls_strerror(r));
        return false;
    }
    if (status) {
        status_error(c, status, chain, n, name, err);
        return false;
    }
    if (!name_allowed(c, name)) {
        error_set(err, VIR_ERR_AUTH_FAILED, "client certificate '%s' matches nothing in tls_allowed_dn_list", name);
        return false;
    }
    return true;
}

bool tls_check_peer(const TlsContext *c, gnutls_session_t s, char **ret_name, GError **err)
{
    unsigned n_raw = 0, n = 0;
    const gnutls_datum_t *raw = gnutls_certificate_type_get(s) == GNUTLS_CRT_X509 ? gnutls_certificate_get_peers(s, &n_raw) : NULL;
    gnutls_x509_crt_t chain[CHAIN_MAX];
    bool ok = true;

    if (!raw || !n_raw) {
        if (c->no_verify)
            return true;
        error_set(err, VIR_ERR_AUTH_FAILED, "the client showed no certificate; one issued by %s is needed", c->ca_names);
        return false;
    }
    while (ok && n < MIN(n_raw, (unsigned)CHAIN_MAX)) {
        ok = gnutls_x509_crt_init(&chain[n]) == 0;
        if (ok) {
            ok = gnutls_x509_crt_import(chain[n], &raw[n], GNUTLS_X509_FMT_DER) == 0;
            n++;
        }
    }
    if (ok) {
        *ret_name = crt_name(chain[0]);
        ok = c->no_verify || verify_chain(c, s, chain, n, *ret_name, err);
    } else {
        ok = c->no_verify;
        if (!ok)
            error_set(err, VIR_ERR_AUTH_FAILED, "the client's certificate cannot be read");
    }
    while (n)
        gnutls_x509_crt_deinit(chain[--n]);
    return ok;
}
