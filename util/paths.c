/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All directories of the daemons. Written once by paths_init() before there are threads, constant
 * afterwards, so any thread may read. The build's directories (SYSCONFDIR and so on) come from
 * meson and may be given at run time by a scratch root only, never half.
 */
#include "util/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

static Paths the;

static void paths_clear(void)
{
    g_free(the.root);
    g_free(the.etc);
    g_free(the.lib);
    g_free(the.run);
    g_free(the.cache);
    g_free(the.log);
    g_free(the.modules);
    g_free(the.libexec);
    the = (Paths){ 0 };
}

static char *env_or(const char *name, const char *otherwise)
{
    const char *v = g_getenv(name);

    return g_strdup(v && v[0] ? v : otherwise);
}

/* As the base directory specification: an empty or relative value counts as not set. */
static char *xdg_dir(const char *name, const char *below_home)
{
    const char *v = g_getenv(name);

    if (v && g_path_is_absolute(v))
        return g_build_filename(v, "libvirt", NULL);
    if (!below_home)
        return NULL;
    return g_build_filename(g_get_home_dir(), below_home, "libvirt", NULL);
}

static bool set_session(GError **err)
{
    if (!g_path_is_absolute(g_get_home_dir())) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED, "session daemon of uid %d has no home directory",
                  (int)getuid());
        return false;
    }
    the.etc = xdg_dir("XDG_CONFIG_HOME", ".config");
    the.lib = xdg_dir("XDG_DATA_HOME", ".local/share");
    the.cache = xdg_dir("XDG_CACHE_HOME", ".cache");
    the.log = g_build_filename(the.cache, "log", NULL);
    the.run = xdg_dir("XDG_RUNTIME_DIR", NULL);
    if (!the.run) /* where clients look when there is no login session */
        the.run = g_build_filename(the.cache, "run", NULL);
    return true;
}

bool paths_init(const char *root, bool session, GError **err)
{
    paths_clear();
    if (!root || !root[0])
        root = g_getenv("MODVIRT_ROOT");
    the.session = session;
    the.modules = env_or("MODVIRT_MODULE_DIR", MODULEDIR);
    the.libexec = env_or("MODVIRT_LIBEXEC_DIR", LIBEXECDIR);

    if (root && root[0]) {
        if (!g_path_is_absolute(root)) {
            error_set(err, VIR_ERR_INVALID_ARG, "scratch root '%s' is not an absolute path", root);
            return false;
        }
        the.root = g_canonicalize_filename(root, "/");
        the.etc = g_build_filename(the.root, "etc/libvirt", NULL);
        the.lib = g_build_filename(the.root, "var/lib/libvirt", NULL);
        the.run = g_build_filename(the.root, "run/libvirt", NULL);
        the.cache = g_build_filename(the.root, "var/cache/libvirt", NULL);
        the.log = g_build_filename(the.root, "var/log/libvirt", NULL);
        return true;
    }
    if (session)
        return set_session(err);

    the.etc = g_strdup(SYSCONFDIR "/libvirt");
    the.lib = g_strdup(LOCALSTATEDIR "/lib/libvirt");
    the.run = g_strdup(RUNDIR "/libvirt");
    the.cache = g_strdup(LOCALSTATEDIR "/cache/libvirt");
    the.log = g_strdup(LOCALSTATEDIR "/log/libvirt");
    return true;
}

const Paths *paths(void)
{
    return &the;
}

/* mkdir() never goes through a dangling link, and what exists is only looked at: so a directory
 * that an administrator replaced by a link to elsewhere keeps working. */
bool path_make_dir(const char *path, unsigned mode, GError **err)
{
    g_autofree char *p = g_strdup(path);

    for (char *slash = p; slash;) {
        bool last;

        while (*slash == '/')
            slash++;
        slash = strchr(slash, '/');
        last = !slash || slash[strspn(slash, "/")] == '\0';
        if (slash)
            *slash = '\0';

        if (mkdir(p, last ? mode : 0755) == 0) {
            if (last && fchmodat(AT_FDCWD, p, mode, AT_SYMLINK_NOFOLLOW) < 0) { /* whatever the umask */
                error_set_errno(err, errno, "cannot set the mode of directory '%s'", p);
                return false;
            }
        } else if (errno != EEXIST && errno != EISDIR) {
            error_set_errno(err, errno, "cannot make directory '%s'", p);
            return false;
        } else if (last) {
            struct stat st;

            if (stat(p, &st) < 0) {
                error_set_errno(err, errno, "cannot use directory '%s'", p);
                return false;
            }
            if (!S_ISDIR(st.st_mode)) {
                error_set_errno(err, ENOTDIR, "cannot use '%s'", p);
                return false;
            }
        }
        if (last)
            return true;
        *slash = '/';
    }
    return true;
}

bool path_component_ok(const char *name, const char *suffix, GError **err)
{
    size_t len = strlen(name), suffix_len = suffix ? strlen(suffix) : 0;

    if (len == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        error_set(err, VIR_ERR_XML_ERROR, "name '%s' cannot be a file name", name);
        return false;
    }
    if (len + suffix_len > 255) {
        error_set(err, VIR_ERR_XML_ERROR, "name of %zu bytes is too long, at most %zu are possible",
                  len, 255 - suffix_len);
        return false;
    }
    if (!g_utf8_validate(name, (gssize)len, NULL)) {
        error_set(err, VIR_ERR_XML_ERROR, "name is not valid UTF-8");
        return false;
    }
    for (const char *p = name; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (c == '/' || g_unichar_iscntrl(c) || c == 0xfffe || c == 0xffff) { /* the last are in no document */
            g_autofree char *shown = g_strescape(name, NULL);

            error_set(err, VIR_ERR_XML_ERROR,
                      "name '%s' contains the character U+%04X, which file names may not", shown,
                      (unsigned)c);
            return false;
        }
    }
    return true;
}
