/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Access by a file of rules, for hosts without polkit (docs/access-control.md describes the language).
 * The first line that fits decides; when none does, root and the daemon's own user may and others may
 * not. A file that cannot be parsed is refused as a whole: a typing error must not open a door.
 *
 * Names of users and groups are looked up when the file is read. The groups of a user are looked up
 * when a rule first asks for them, on a worker since name services may be slow, and are kept for a
 * minute. Rules are immutable once read; a reload swaps them. Any thread checks.
 */
#define LOG_SOURCE "rpc.access"
#include <errno.h>
#include <fnmatch.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "protocols/permissions.h"
#include "rpc/access.h"
#include "util/error.h"
#include "util/lock.h"
#include "util/log.h"
#include "util/uuid.h"

enum {
    FILE_MAX = 1 << 20,
    RULES_MAX = 10000,
    GROUPS_MAX = 65536,
    GROUPS_KEPT_USEC = 60 * 1000000,
    KNOWN_USERS_MAX = 10000,
};

typedef enum WhoKind { WHO_ANYONE, WHO_USER, WHO_GROUP, WHO_SASL, WHO_X509 } WhoKind;

typedef struct Rule {
    unsigned line;
    bool allow;
    WhoKind who;
    uint32_t id;     /* uid or gid */
    char *pattern;   /* sasl, x509 */
    char **perms;    /* globs over "object:perm" */
    char *name, *uuid, *driver, *parent, *key; /* globs; NULL: any */
} Rule;

typedef struct RuleSet {
    gatomicrefcount refs;
    GPtrArray *rules;
} RuleSet;

typedef struct KnownUser {
    uint64_t until;
    unsigned n;
    gid_t *gids;
} KnownUser;

typedef struct Rules {
    Loop *loop;
    Pool *pool;
    char *file;
    uid_t own;
    Lock lock;
    RuleSet *set;
    GHashTable *users; /* uid → KnownUser */
} Rules;

/* Reading ----------------------------------------------------------------------------------------- */

static void rule_free(void *data)
{
    Rule *r = data;

    g_free(r->pattern);
    g_strfreev(r->perms);
    g_free(r->name);
    g_free(r->uuid);
    g_free(r->driver);
    g_free(r->parent);
    g_free(r->key);
    g_free(r);
}

static RuleSet *set_unref(RuleSet *s)
{
    if (s && g_atomic_ref_count_dec(&s->refs)) {
        g_ptr_array_unref(s->rules);
        g_free(s);
    }
    return NULL;
}

/* Every pattern must fit some permission: what fits none is a typing error. */
static bool perm_exists(const char *pattern)
{
    for (size_t i = 0; i < n_permissions; i++) {
        char text[96];

        g_snprintf(text, sizeof(text), "%s:%s", permissions[i].object, permissions[i].perm);
        if (fnmatch(pattern, text, FNM_NOESCAPE) == 0)
            return true;
    }
    return false;
}

static bool parse_perms(Rule *r, const char *text, GError **err)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    g_autoptr(GPtrArray) perms = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *object = NULL;

    for (unsigned i = 0; words[i]; i++) {
        const char *colon = strchr(words[i], ':');
        g_autofree char *pattern = NULL;

        if (colon) {
            g_free(object);
            object = g_strndup(words[i], (gsize)(colon - words[i]));
            pattern = g_strdup(words[i]);
        } else if (strcmp(words[i], "*") == 0 && !object) {
            pattern = g_strdup("*");
        } else if (object) {
            pattern = g_strdup_printf("%s:%s", object, words[i]);
        } else {
            error_set(err, VIR_ERR_CONF_SYNTAX, "'%s' is not OBJECT:PERMISSION", words[i]);
            return false;
        }
        g_strdelimit(pattern, "-", '_'); /* as polkit actions are spelt */
        if (!perm_exists(pattern)) {
            error_set(err, VIR_ERR_CONF_SYNTAX, "there is no permission '%s'", pattern);
            return false;
        }
        g_ptr_array_add(perms, g_steal_pointer(&pattern));
    }
    g_ptr_array_add(perms, NULL);
    r->perms = (char **)g_ptr_array_free(g_steal_pointer(&perms), FALSE);
    return true;
}

static bool parse_id(Rule *r, const char *name, GError **err)
{
    guint64 number;

    if (g_ascii_string_to_unsigned(name, 10, 0, UINT32_MAX - 1, &number, NULL)) {
        r->id = (uint32_t)number;
        return true;
    }
    if (r->who == WHO_USER) {
        const struct passwd *pw = getpwnam(name); /* the loop alone, or before there are threads */
        if (pw) {
            r->id = pw->pw_uid;
            return true;
        }
    } else {
        const struct group *gr = getgrnam(name);
        if (gr) {
            r->id = gr->gr_gid;
            return true;
        }
    }
    error_set(err, VIR_ERR_CONF_SYNTAX, "there is no %s '%s'", r->who == WHO_USER ? "user" : "group", name);
    return false;
}

static bool parse_match(Rule *r, const char *text, GError **err)
{
    const struct {
        const char *key;
        char **slot;
    } keys[] = { { "name", &r->name }, { "uuid", &r->uuid }, { "driver", &r->driver }, { "in", &r->parent },
                 { "key", &r->key } };
    const char *equals = strchr(text, '=');

    for (unsigned i = 0; equals && i < G_N_ELEMENTS(keys); i++) {
        if (strlen(keys[i].key) != (size_t)(equals - text) || strncmp(text, keys[i].key, strlen(keys[i].key)) != 0)
            continue;
        if (*keys[i].slot) {
            error_set(err, VIR_ERR_CONF_SYNTAX, "'%s' is given twice", keys[i].key);
            return false;
        }
        *keys[i].slot = g_strdup(equals + 1);
        return true;
    }
    error_set(err, VIR_ERR_CONF_SYNTAX, "'%s' is none of name=, uuid=, driver=, in=, key=", text);
    return false;
}

/* WORDS: allow|deny  anyone | user NAME | group NAME | sasl GLOB | x509 GLOB  PERMS  [KEY=GLOB …] */
static Rule *parse_rule(char **words, int n, GError **err)
{
    static const char *const kinds[] = { "anyone", "user", "group", "sasl", "x509" };
    Rule *r = g_new0(Rule, 1);
    int at = 2;
    bool ok = true;

    r->allow = strcmp(words[0], "allow") == 0;
    if (!r->allow && strcmp(words[0], "deny") != 0) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "'%s' is neither allow nor deny", words[0]);
        ok = false;
    } else if (n < 2) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "whom does it %s?", words[0]);
        ok = false;
    } else {
        unsigned k = 0;
        while (k < G_N_ELEMENTS(kinds) && strcmp(kinds[k], words[1]) != 0)
            k++;
        r->who = (WhoKind)k;
        if (k == G_N_ELEMENTS(kinds)) {
            error_set(err, VIR_ERR_CONF_SYNTAX, "'%s' is none of anyone, user, group, sasl, x509", words[1]);
            ok = false;
        } else if (r->who != WHO_ANYONE && n < 3) {
            error_set(err, VIR_ERR_CONF_SYNTAX, "which %s?", words[1]);
            ok = false;
        } else if (r->who == WHO_USER || r->who == WHO_GROUP) {
            ok = parse_id(r, words[at++], err);
        } else if (r->who != WHO_ANYONE) {
            r->pattern = g_strdup(words[at++]);
        }
    }
    if (ok && at >= n) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "the permissions are missing");
        ok = false;
    }
    ok = ok && parse_perms(r, words[at++], err);
    for (; ok && at < n; at++)
        ok = parse_match(r, words[at], err);
    if (ok)
        return r;
    rule_free(r);
    return NULL;
}

static RuleSet *parse_set(const char *file, const char *text, GError **err)
{
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    RuleSet *s = g_new0(RuleSet, 1);

    g_atomic_ref_count_init(&s->refs);
    s->rules = g_ptr_array_new_with_free_func(rule_free);
    for (unsigned i = 0; lines[i]; i++) {
        g_auto(GStrv) words = NULL;
        g_autoptr(GError) error = NULL;
        int n;

        if (!g_shell_parse_argv(lines[i], &n, &words, &error)) {
            if (g_error_matches(error, G_SHELL_ERROR, G_SHELL_ERROR_EMPTY_STRING))
                continue;
            error_set(err, VIR_ERR_CONF_SYNTAX, "%s:%u: %s", file, i + 1, error->message);
            return set_unref(s);
        }
        Rule *r = parse_rule(words, n, &error);
        if (r && s->rules->len >= RULES_MAX) {
            error_set(&error, VIR_ERR_CONF_SYNTAX, "more than %d rules", RULES_MAX);
            rule_free(r);
            r = NULL;
        }
        if (!r) {
            error_set(err, VIR_ERR_CONF_SYNTAX, "%s:%u: %s", file, i + 1, error->message);
            return set_unref(s);
        }
        r->line = i + 1;
        g_ptr_array_add(s->rules, r);
    }
    return s;
}

static RuleSet *read_set(const char *file, GError **err)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    gsize len;

    if (!g_file_get_contents(file, &text, &len, &error)) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "access_drivers names 'rules', but %s", error->message);
        return NULL;
    }
    if (len > FILE_MAX || strlen(text) != len) {
        error_set(err, VIR_ERR_CONF_SYNTAX, "%s: more than %d bytes, or bytes of value 0", file, FILE_MAX);
        return NULL;
    }
    return parse_set(file, text, err);
}

/* Deciding ---------------------------------------------------------------------------------------- */

typedef enum Fit { FITS_NOT, FITS, FIT_UNKNOWN } Fit;

static bool is_member(const KnownUser *u, gid_t gid)
{
    for (unsigned i = 0; i < u->n; i++)
        if (u->gids[i] == gid)
            return true;
    return false;
}

static Fit group_fits(Rules *rs, const Identity *who, gid_t gid)
{
    if (!who->has_unix)
        return FITS_NOT;
    if (who->gid == gid)
        return FITS;

    LOCK_SCOPE(&rs->lock);
    const KnownUser *u = g_hash_table_lookup(rs->users, GUINT_TO_POINTER(who->uid));
    if (!u || u->until < now_usec())
        return FIT_UNKNOWN;
    return is_member(u, gid) ? FITS : FITS_NOT;
}

static Fit who_fits(Rules *rs, const Rule *r, const Identity *who)
{
    switch (r->who) {
    case WHO_ANYONE:
        return FITS;
    case WHO_USER:
        return who->has_unix && who->uid == r->id ? FITS : FITS_NOT;
    case WHO_GROUP:
        return group_fits(rs, who, r->id);
    case WHO_SASL:
        return who->sasl_user && fnmatch(r->pattern, who->sasl_user, FNM_NOESCAPE) == 0 ? FITS : FITS_NOT;
    case WHO_X509:
        return who->x509_dname && fnmatch(r->pattern, who->x509_dname, FNM_NOESCAPE) == 0 ? FITS : FITS_NOT;
    }
    return FITS_NOT;
}

static bool perm_fits(const Rule *r, const AccessQuestion *q)
{
    char text[96];

    g_snprintf(text, sizeof(text), "%s:%s", q->object, q->perm);
    for (unsigned i = 0; r->perms[i]; i++)
        if (fnmatch(r->perms[i], text, FNM_NOESCAPE) == 0)
            return true;
    return false;
}

/* Of an object that nobody knows yet a rule about names may be about: deny fits then, allow does not. */
static bool value_fits(const Rule *r, const AccessQuestion *q, const char *pattern, const char *value)
{
    if (!pattern)
        return true;
    if (!value)
        return q->unnamed && !r->allow;
    return fnmatch(pattern, value, FNM_NOESCAPE) == 0;
}

static bool object_fits(const Rule *r, const AccessQuestion *q)
{
    char uuid[37] = "";

    if (q->on.uuid && r->uuid)
        uuid_format(q->on.uuid, uuid);
    return value_fits(r, q, r->name, q->on.name) && value_fits(r, q, r->uuid, uuid[0] ? uuid : NULL) &&
           value_fits(r, q, r->parent, q->on.parent_name) && value_fits(r, q, r->key, q->on.key) &&
           (!r->driver || fnmatch(r->driver, q->driver ? q->driver : "", FNM_NOESCAPE) == 0);
}

static RuleSet *current(Rules *rs)
{
    LOCK_SCOPE(&rs->lock);
    g_atomic_ref_count_inc(&rs->set->refs);
    return rs->set;
}

static AccessAnswer decide(Rules *rs, const RuleSet *s, const AccessQuestion *q, char **why)
{
    for (unsigned i = 0; i < s->rules->len; i++) {
        const Rule *r = s->rules->pdata[i];

        if (!perm_fits(r, q) || !object_fits(r, q))
            continue;
        Fit fit = who_fits(rs, r, q->who);
        if (fit == FIT_UNKNOWN)
            return ACCESS_ASK;
        if (fit == FITS_NOT)
            continue;
        if (!r->allow && why)
            *why = g_strdup_printf("line %u of %s denies it", r->line, rs->file);
        return r->allow ? ACCESS_YES : ACCESS_NO;
    }
    if (q->who->has_unix && (q->who->uid == 0 || q->who->uid == rs->own))
        return ACCESS_YES;
    if (why)
        *why = g_strdup_printf("no rule of %s allows %s:%s to %s; who may change that file can grant it", rs->file,
                               q->object, q->perm, q->who->sasl_user ? q->who->sasl_user : "this user");
    return ACCESS_NO;
}

static AccessAnswer check(void *self, const AccessQuestion *q, char **why)
{
    RuleSet *s = current(self);
    AccessAnswer a = decide(self, s, q, why);

    set_unref(s);
    return a;
}

/* Groups of a user -------------------------------------------------------------------------------- */

typedef struct LookUp {
    Rules *rs;
    AccessQuestion *q;
    AccessFn fn;
    void *data;
} LookUp;

static void known_user_free(void *data)
{
    KnownUser *u = data;

    g_free(u->gids);
    g_free(u);
}

static KnownUser *look_up(uid_t uid)
{
    KnownUser *u = g_new0(KnownUser, 1);
    struct passwd pw, *found = NULL;
    g_autofree char *buf = g_malloc(65536);

    u->until = now_usec() + GROUPS_KEPT_USEC;
    if (getpwuid_r(uid, &pw, buf, 65536, &found) != 0 || !found)
        return u; /* nobody that has a name has no groups */
    for (int n = 64; n <= GROUPS_MAX; n *= 2) {
        int got = n;

        u->gids = g_renew(gid_t, u->gids, n);
        if (getgrouplist(pw.pw_name, pw.pw_gid, u->gids, &got) >= 0) {
            u->n = (unsigned)got;
            break;
        }
    }
    return u;
}

static void looked_up(void *data)
{
    LookUp *l = data;
    g_autofree char *why = NULL;
    AccessAnswer a = check(l->rs, l->q, &why);

    l->fn(a == ACCESS_YES, why ? why : "the user's groups are not known", l->data);
    access_question_free(l->q);
    g_free(l);
}

static void look_up_on_worker(void *data)
{
    LookUp *l = data;
    KnownUser *u = look_up(l->q->who->uid);

    lock_enter(&l->rs->lock);
    if (g_hash_table_size(l->rs->users) >= KNOWN_USERS_MAX)
        g_hash_table_remove_all(l->rs->users);
    g_hash_table_replace(l->rs->users, GUINT_TO_POINTER(l->q->who->uid), u);
    lock_leave(&l->rs->lock);
    loop_post(l->rs->loop, looked_up, l);
}

static void ask(void *self, const AccessQuestion *q, AccessFn fn, void *data)
{
    Rules *rs = self;
    LookUp *l = g_new(LookUp, 1);

    *l = (LookUp){ rs, access_question_copy(q), fn, data };
    pool_push(rs->pool, look_up_on_worker, l, true);
}

/* Life -------------------------------------------------------------------------------------------- */

static bool reload(void *self, GError **err)
{
    Rules *rs = self;
    RuleSet *new = read_set(rs->file, err);

    if (!new)
        return false;
    lock_enter(&rs->lock);
    RuleSet *old = rs->set;
    rs->set = new;
    g_hash_table_remove_all(rs->users);
    lock_leave(&rs->lock);
    set_unref(old);
    return true;
}

static void rules_free(void *self)
{
    Rules *rs = self;

    set_unref(rs->set);
    g_hash_table_unref(rs->users);
    lock_done(&rs->lock);
    g_free(rs->file);
    g_free(rs);
}

void *access_rules_new(Loop *loop, Pool *pool, const char *file, GError **err)
{
    RuleSet *s = read_set(file, err);

    if (!s)
        return NULL;
    Rules *rs = g_new0(Rules, 1);

    rs->loop = loop;
    rs->pool = pool;
    rs->file = g_strdup(file);
    rs->own = geteuid();
    lock_init(&rs->lock);
    rs->set = s;
    rs->users = g_hash_table_new_full(NULL, NULL, NULL, known_user_free);
    return rs;
}

const AccessBackend access_rules = { "rules", check, ask, reload, NULL, rules_free };
