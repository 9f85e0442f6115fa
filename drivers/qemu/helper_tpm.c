/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The TPM emulator. Its state is LIB/swtpm/UUID/tpm2 (or tpm1.2), where today's tools have it; it is made
 * at the first start, belongs to the emulator's own user, and goes with the definition unless that or the
 * caller says that it stays. Workers.
 */
#define LOG_SOURCE "qemu.tpm"
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/qemu/access.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/secrets.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"

enum { CONTROL_FD = 20, KEY_FD = 21 };
#define SETUP_USEC (60 * G_USEC_PER_SEC)

static const char what[] = "a TPM with backend 'emulator'";

static bool is_old(const TpmDef *t)
{
    return t->version == TPM_1_2;
}

static char *guest_dir(const Uuid uuid)
{
    char text[37];

    uuid_format(uuid, text);
    return g_build_filename(paths()->lib, "swtpm", text, NULL);
}

/* As whom: the configured user, else the one that the package makes, else ours. *ret_own: ours. */
static bool find_user(SpawnUser *ret, bool *ret_own, GError **err)
{
    const QemuConfig *c = qemu.config;
    static const char *const usual[] = { "swtpm", "tss", NULL };
    uid_t uid = (uid_t)-1;
    gid_t gid = (gid_t)-1;

    *ret = (SpawnUser){ 0 };
    *ret_own = true;
    if (geteuid() != 0 || paths()->session)
        return true;
    if (c->swtpm_user && !creds_parse_user(c->swtpm_user, &uid, err))
        return false;
    if (c->swtpm_group && !creds_parse_group(c->swtpm_group, &gid, err))
        return false;
    for (const char *const *name = usual; *name && uid == (uid_t)-1; name++) {
        const struct passwd *p =
            getpwnam(*name); /* names of system users: no directory service is asked twice */
        if (p) {
            uid = p->pw_uid;
            gid = gid == (gid_t)-1 ? p->pw_gid : gid;
        }
    }
    if (uid == (uid_t)-1 || uid == 0)
        return true;
    *ret = (SpawnUser){ .uid = uid, .gid = gid == (gid_t)-1 ? uid : gid };
    *ret_own = false;
    return true;
}

/* Makes a directory that may exist and gives it away. */
static bool own_dir(const char *path, unsigned mode, const SpawnUser *user, GError **err)
{
    if (!path_make_dir(path, mode, err))
        return false;
    if (user && lchown(path, user->uid, user->gid) < 0) {
        error_set_errno(err, errno, "cannot give '%s' to the TPM emulator's user", path);
        return false;
    }
    return true;
}

/* What the state is encrypted with, for the program to read; -1 without *err: it is not. */
static int open_key(const Start *s, const TpmDef *t, const SpawnUser *user, GError **err)
{
    SecretRef ref = secrets_of_tpm(t);
    const SecretValue *v = ref.uuid.set ? secrets_find(s->res.secrets, &ref) : NULL;

    if (v)
        return secret_value_fd(v, user ? user->uid : (uid_t)-1, err);
    if (ref.uuid.set)
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the passphrase of the TPM's state has not been fetched");
    return -1;
}

static bool set_up(const Start *s, const TpmDef *t, const char *state, const SpawnUser *user, int key,
                   GError **err)
{
    g_autofree char *program = helper_find("swtpm_setup", what, err);
    g_autoptr(GPtrArray) argv = g_ptr_array_new();
    g_autoptr(GError) why = NULL;
    g_autoptr(GString) banks = g_string_new(NULL);
    char uuid[37];

    if (!program)
        return false;
    uuid_format(s->def->uuid.v, uuid);
    g_autofree char *vmid = g_strdup_printf("%s:%s", s->def->name, uuid);
    const char *const words[] = { program,
                                  "--tpm-state",
                                  state,
                                  "--vmid",
                                  vmid,
                                  "--createek",
                                  "--create-ek-cert",
                                  "--create-platform-cert",
                                  "--lock-nvram",
                                  "--not-overwrite" };
    for (unsigned i = 0; i < G_N_ELEMENTS(words); i++)
        g_ptr_array_add(argv, (char *)words[i]);
    if (!is_old(t))
        g_ptr_array_add(argv, (char *)"--tpm2");
    for (unsigned i = 0; i < list_len(t->pcr_banks); i++)
        g_string_append_printf(banks, "%s%s", i ? "," : "",
                               ((const StrItem *)list_at(t->pcr_banks, i))->s);
    if (banks->len && !is_old(t)) {
        g_ptr_array_add(argv, (char *)"--pcr-banks");
        g_ptr_array_add(argv, banks->str);
    }
    g_autofree char *key_fd = g_strdup_printf("%d", KEY_FD);
    if (key >= 0) {
        g_ptr_array_add(argv, (char *)"--pwdfile-fd");
        g_ptr_array_add(argv, key_fd);
        g_ptr_array_add(argv, (char *)"--cipher");
        g_ptr_array_add(argv, (char *)"aes-256-cbc");
    }
    g_ptr_array_add(argv, NULL);

    const SpawnFd fd = { key, KEY_FD };
    Spawn sp = { .argv = (const char *const *)argv->pdata,
                 .in = -1,
                 .out = -1,
                 .err = -1,
                 .fds = &fd,
                 .n_fds = key >= 0 ? 1 : 0,
                 .user = user,
                 .memlock = -1,
                 .new_session = true };
    g_autofree char *out = NULL;
    if (spawn_run(&sp, SETUP_USEC, 64 * 1024, &out, NULL, &why))
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR, "Could not run '%s': %s", program, why->message);
    return false;
}

static void remove_tree(const char *path, unsigned depth)
{
    g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
    const char *name;

    while (d && (name = g_dir_read_name(d))) {
        g_autofree char *below = g_build_filename(path, name, NULL);
        if (unlink(below) < 0 && errno == EISDIR && depth > 0)
            remove_tree(below, depth - 1);
    }
    if (rmdir(path) < 0 && errno != ENOENT)
        log_warn("cannot remove '%s': %s", path, g_strerror(errno));
}

void helper_tpm_forget(const Uuid uuid)
{
    g_autofree char *dir = guest_dir(uuid);
    remove_tree(dir, 2);
}

static const TpmDef *emulated(const DomainDef *def)
{
    guint i = 0;
    const TpmDef *t = domain_next(def, DEVICE_TPM, &i);

    return t && t->backend == TPM_EMULATOR ? t : NULL;
}

bool helper_tpm_is_new(const DomainDef *def)
{
    g_autofree char *dir = guest_dir(def->uuid.v);
    return emulated(def) && !g_file_test(dir, G_FILE_TEST_EXISTS);
}

void helper_tpm_undefined(const DomainDef *def, unsigned flags)
{
    const TpmDef *t = emulated(def);

    if (!t || (flags & VIR_DOMAIN_UNDEFINE_KEEP_TPM))
        return;
    if ((flags & VIR_DOMAIN_UNDEFINE_TPM) || t->persistent_state != TRI_YES)
        helper_tpm_forget(def->uuid.v);
}

bool helper_tpm_check(const DomainDef *def, const TpmDef *t, GError **err)
{
    (void)def;
    g_autofree char *program = helper_find("swtpm", what, err);
    g_autofree char *setup = program ? helper_find("swtpm_setup", what, err) : NULL;
    return setup != NULL;
}

bool helper_tpm_start(Start *s, const TpmDef *t, GError **err)
{
    g_autofree char *dir = guest_dir(s->def->uuid.v), *all = g_path_get_dirname(dir);
    g_autofree char *state = g_build_filename(dir, is_old(t) ? "tpm1.2" : "tpm2", NULL);
    SpawnUser user;
    bool own;

    if (!helper_tpm_check(s->def, t, err) || !find_user(&user, &own, err))
        return false;
    g_autofree char *program = helper_find("swtpm", what, err);
    bool fresh = !g_file_test(state, G_FILE_TEST_IS_DIR);
    if (!program || !path_make_dir(all, 0711, err) || !path_make_dir(dir, 0711, err) ||
        !own_dir(state, 0700, own ? NULL : &user, err))
        return false;
    g_autoptr(GError) no_key = NULL;
    auto_fd setup_key = open_key(s, t, own ? NULL : &user, &no_key), key = no_key ? -1 : open_key(s, t, own ? NULL : &user, &no_key);
    if (no_key) {
        g_propagate_error(err, g_steal_pointer(&no_key));
        return false;
    }
    if (fresh && !s->how->load && !set_up(s, t, state, own ? NULL : &user, setup_key, err)) {
        helper_tpm_forget(s->def->uuid.v); /* half a TPM would be taken for a whole one */
        return false;
    }

    auto_fd control = helper_listen(s, "swtpm.sock", NULL, err);
    if (control < 0)
        return false;
    g_autofree char *ctrl = g_strdup_printf("type=unixio,fd=%d", CONTROL_FD);
    g_autofree char *tpmstate = g_strdup_printf("dir=%s,mode=0600", state);
    g_autofree char *key_word = g_strdup_printf("pwdfd=%d,mode=aes-256-cbc", KEY_FD);
    const char *argv[12] = { program, "socket", "--ctrl", ctrl, "--tpmstate", tpmstate, "--terminate" };
    unsigned n = 7;
    if (!is_old(t))
        argv[n++] = "--tpm2";
    if (key >= 0) {
        argv[n++] = "--key";
        argv[n++] = key_word;
    }
    const SpawnFd fds[] = { { control, CONTROL_FD }, { key, KEY_FD } };
    return helper_spawn(s, t->dev.info.alias, argv, own ? NULL : &user, fds, key >= 0 ? 2 : 1, err);
}
