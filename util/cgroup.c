/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Control groups (cgroup.h). A tree is a mount point with the controllers that it has; a group's
 * directory in each tree is made, used and removed by the same few functions. What differs between
 * the versions is in fill_new(), in the names of the files that processes and threads are written to,
 * and in make_threaded(). Any thread; the kernel orders concurrent changes.
 */
#include "util/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"

enum { FILE_MAX = 1 << 20, MOUNTS_MAX = 16 << 20, REMOVE_TRIES = 50, REMOVE_PAUSE_USEC = 10000 };

static const char *const names[CGROUP_CONTROLLER_N] = {
    [CGROUP_CPU] = "cpu",       [CGROUP_CPUACCT] = "cpuacct", [CGROUP_CPUSET] = "cpuset",
    [CGROUP_MEMORY] = "memory", [CGROUP_BLKIO] = "blkio",
};

/* In version 2; NULL: it needs no controller. */
static const char *const v2_names[CGROUP_CONTROLLER_N] = {
    [CGROUP_CPU] = "cpu",
    [CGROUP_CPUSET] = "cpuset",
    [CGROUP_MEMORY] = "memory",
    [CGROUP_BLKIO] = "io",
};

/* What threads of one process can have of their own. */
enum {
    OF_THREADS = CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_CPUSET)
};

typedef struct Tree {
    char *dir;
    bool v2;
    unsigned controllers; /* never 0 */
} Tree;

struct CgroupHost {
    GPtrArray *trees; /* Tree */
};

struct Cgroup {
    const CgroupHost *host;
    char *path;
    unsigned have;
};

const char *cgroup_controller_name(CgroupController c)
{
    return names[c];
}

int cgroup_controller_from_name(const char *name)
{
    for (unsigned i = 0; i < CGROUP_CONTROLLER_N; i++)
        if (g_str_equal(name, names[i]))
            return (int)i;
    return -1;
}

/* The host ------------------------------------------------------------------------------------- */

static void tree_free(void *data)
{
    Tree *t = data;

    g_free(t->dir);
    g_free(t);
}

static bool list_has(const char *list, const char *separators, const char *word)
{
    size_t len = strlen(word);

    for (const char *p = list; *p; p += strcspn(p, separators), p += strspn(p, separators))
        if (strcspn(p, separators) == len && strncmp(p, word, len) == 0)
            return true;
    return false;
}

static unsigned v1_controllers(const char *options)
{
    unsigned found = 0;

    for (unsigned i = 0; i < CGROUP_CONTROLLER_N; i++)
        if (list_has(options, ",", names[i]))
            found |= CGROUP_BIT(i);
    return found;
}

static unsigned v2_controllers(const char *dir)
{
    g_autofree char *path = g_build_filename(dir, "cgroup.controllers", NULL), *text = NULL;
    unsigned found = 0;

    if (!fd_read_file(AT_FDCWD, path, FILE_MAX, &text, NULL, NULL))
        return 0;
    for (unsigned i = 0; i < CGROUP_CONTROLLER_N; i++)
        if (v2_names[i] && list_has(text, " \n", v2_names[i]))
            found |= CGROUP_BIT(i);
    /* Times are accounted in every group where cpu is. */
    return found & CGROUP_BIT(CGROUP_CPU) ? found | CGROUP_BIT(CGROUP_CPUACCT) : found;
}

/* "36 35 98:0 /root /mount/point options - type source superoptions"; spaces are \040. */
static Tree *parse_mount(char *line, const char *root)
{
    char *sep = strstr(line, " - ");
    if (!sep)
        return NULL;
    *sep = '\0';
    g_auto(GStrv) before = g_strsplit(line, " ", 6);
    g_auto(GStrv) after = g_strsplit(sep + 3, " ", 3);
    if (g_strv_length(before) < 6 || g_strv_length(after) < 3)
        return NULL;
    bool v2 = g_str_equal(after[0], "cgroup2");
    if (!v2 && !g_str_equal(after[0], "cgroup"))
        return NULL;
    g_autofree char *point = g_strcompress(before[4]);
    g_autofree char *dir = g_strconcat(root, point, NULL);
    unsigned found = v2 ? v2_controllers(dir) : v1_controllers(after[2]);
    if (!found)
        return NULL;
    Tree *t = g_new0(Tree, 1);
    *t = (Tree){ .dir = g_steal_pointer(&dir), .v2 = v2, .controllers = found };
    return t;
}

CgroupHost *cgroup_host_detect(const char *mountinfo, const char *root, unsigned wanted,
                               GError **err)
{
    g_autofree char *text = NULL;
    unsigned seen = 0;

    if (!fd_read_file(AT_FDCWD, mountinfo ? mountinfo : "/proc/self/mountinfo", MOUNTS_MAX, &text,
                      NULL, err))
        return NULL;
    CgroupHost *h = g_new0(CgroupHost, 1);
    h->trees = g_ptr_array_new_with_free_func(tree_free);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (char **l = lines; *l; l++) {
        Tree *t = parse_mount(*l, root ? root : "");
        if (!t)
            continue;
        t->controllers &= wanted & ~seen; /* the same tree may be mounted twice */
        seen |= t->controllers;
        if (t->controllers)
            g_ptr_array_add(h->trees, t);
        else
            tree_free(t);
    }
    return h;
}

void cgroup_host_free(CgroupHost *h)
{
    if (!h)
        return;
    g_ptr_array_unref(h->trees);
    g_free(h);
}

unsigned cgroup_host_controllers(const CgroupHost *h)
{
    unsigned all = 0;

    for (unsigned i = 0; i < h->trees->len; i++)
        all |= ((const Tree *)h->trees->pdata[i])->controllers;
    return all;
}

static const Tree *tree_of(const CgroupHost *h, CgroupController c)
{
    for (unsigned i = 0; i < h->trees->len; i++) {
        const Tree *t = h->trees->pdata[i];
        if (t->controllers & CGROUP_BIT(c))
            return t;
    }
    return NULL;
}

/* Files ---------------------------------------------------------------------------------------- */

/* The files are the kernel's: a write is taken as a whole or refused. */
static bool write_file(const char *path, const char *value, GError **err)
{
    auto_fd fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

    if (fd < 0 || write(fd, value, strlen(value)) < 0) {
        if (errno == EINVAL)
            error_set_errno(err, errno, "Invalid value '%s' for '%s'", value, path);
        else
            error_set_errno(err, errno, "Unable to write to '%s'", path);
        return false;
    }
    return true;
}

static char *file_of(const Tree *t, const char *group, const char *child, const char *file)
{
    return child ? g_build_filename(t->dir, group, child, file, NULL)
                 : g_build_filename(t->dir, group, file, NULL);
}

bool cgroup_read(const Cgroup *g, const char *child, CgroupController c, const char *file,
                 char **ret, GError **err)
{
    g_autofree char *path = file_of(tree_of(g->host, c), g->path, child, file);
    g_autofree char *text = NULL;

    if (!fd_read_file(AT_FDCWD, path, FILE_MAX, &text, NULL, err))
        return false;
    *ret = g_strchomp(g_steal_pointer(&text));
    return true;
}

bool cgroup_write(const Cgroup *g, const char *child, CgroupController c, const char *file,
                  const char *value, GError **err)
{
    g_autofree char *path = file_of(tree_of(g->host, c), g->path, child, file);
    return write_file(path, value, err);
}

bool cgroup_exists(const Cgroup *g, const char *child, CgroupController c, const char *file)
{
    g_autofree char *path = file_of(tree_of(g->host, c), g->path, child, file);
    return access(path, F_OK) == 0;
}

/* Making --------------------------------------------------------------------------------------- */

/* A new cpuset of version 1 is empty, and takes no process until it is not. */
static bool inherit_cpuset(const char *parent, const char *dir, GError **err)
{
    static const char *const files[] = { "cpuset.cpus", "cpuset.mems" };

    for (unsigned i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autofree char *from = g_build_filename(parent, files[i], NULL),
                        *to = g_build_filename(dir, files[i], NULL);
        g_autofree char *own = NULL, *value = NULL;
        if (!fd_read_file(AT_FDCWD, to, FILE_MAX, &own, NULL, err))
            return false;
        if (*g_strchomp(own))
            continue;
        if (!fd_read_file(AT_FDCWD, from, FILE_MAX, &value, NULL, err) ||
            !write_file(to, g_strchomp(value), err))
            return false;
    }
    return true;
}

/* Controllers must be passed on to the children of a group of version 2. Some cannot be: from a group that
 * has processes, as a container's root has. Returns those that are. */
static unsigned pass_on(const char *parent, unsigned controllers)
{
    g_autofree char *path = g_build_filename(parent, "cgroup.subtree_control", NULL);
    g_autofree char *now = NULL;
    unsigned passed = 0;

    if (!fd_read_file(AT_FDCWD, path, FILE_MAX, &now, NULL, NULL))
        return 0;
    for (unsigned i = 0; i < CGROUP_CONTROLLER_N; i++) {
        if (!(controllers & CGROUP_BIT(i)) || !v2_names[i])
            continue;
        g_autofree char *word = g_strconcat("+", v2_names[i], NULL);
        if (list_has(now, " \n", v2_names[i]) || write_file(path, word, NULL))
            passed |= CGROUP_BIT(i);
    }
    if (passed & CGROUP_BIT(CGROUP_CPU))
        passed |= controllers & CGROUP_BIT(CGROUP_CPUACCT);
    return passed;
}

/* All of path in one tree; *have: the controllers that the last group of it has. */
static bool make_in(const Tree *t, const char *path, unsigned *have, GError **err)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    g_autofree char *parent = g_strdup(t->dir);

    *have = t->controllers;
    for (char **p = parts; *p && *have; p++) {
        if (!**p)
            continue;
        g_autofree char *dir = g_build_filename(parent, *p, NULL);
        if (t->v2)
            *have = pass_on(parent, *have);
        if (*have && mkdir(dir, 0755) < 0 && errno != EEXIST) {
            error_set_errno(err, errno, "Failed to create controller group '%s'", dir);
            return false;
        }
        if (!t->v2 && (t->controllers & CGROUP_BIT(CGROUP_CPUSET)) &&
            !inherit_cpuset(parent, dir, err))
            return false;
        g_free(parent);
        parent = g_steal_pointer(&dir);
    }
    return true;
}

static bool may_not(const GError *e)
{
    int n = error_errno(e);
    return n == EACCES || n == EPERM || n == EROFS;
}

Cgroup *cgroup_make(const CgroupHost *h, const char *path, GError **err)
{
    g_autoptr(Cgroup) g = g_new0(Cgroup, 1);

    g->host = h;
    g->path = g_strdup(path);
    for (unsigned i = 0; i < h->trees->len; i++) {
        const Tree *t = h->trees->pdata[i];
        g_autoptr(GError) error = NULL;
        unsigned have = 0;
        if (make_in(t, path, &have, &error)) {
            g->have |= have;
        } else if (!may_not(error)) {
            (void)cgroup_remove(g, NULL);
            g_propagate_error(err, g_steal_pointer(&error));
            return NULL;
        }
    }
    return g_steal_pointer(&g);
}

Cgroup *cgroup_open(const CgroupHost *h, const char *path)
{
    Cgroup *g = g_new0(Cgroup, 1);

    g->host = h;
    g->path = g_strdup(path);
    for (unsigned i = 0; i < h->trees->len; i++) {
        const Tree *t = h->trees->pdata[i];
        g_autofree char *dir = g_build_filename(t->dir, path, NULL);
        if (g_file_test(dir, G_FILE_TEST_IS_DIR))
            g->have |= t->v2 ? v2_controllers(dir) & t->controllers : t->controllers;
    }
    return g;
}

Cgroup *cgroup_copy(const Cgroup *g)
{
    Cgroup *n = g_new0(Cgroup, 1);

    *n = (Cgroup){ .host = g->host, .path = g_strdup(g->path), .have = g->have };
    return n;
}

void cgroup_free(Cgroup *g)
{
    if (!g)
        return;
    g_free(g->path);
    g_free(g);
}

const char *cgroup_path(const Cgroup *g)
{
    return g->path;
}
bool cgroup_has(const Cgroup *g, CgroupController c)
{
    return g->have & CGROUP_BIT(c);
}
bool cgroup_is_v2(const Cgroup *g, CgroupController c)
{
    return cgroup_has(g, c) && tree_of(g->host, c)->v2;
}

/* Removing ------------------------------------------------------------------------------------- */

/* A group is busy for a moment after its last process has ended. */
static bool remove_dir(const char *dir, GError **err)
{
    for (unsigned i = 0; rmdir(dir) < 0 && errno != ENOENT; i++) {
        if (errno != EBUSY || i == REMOVE_TRIES) {
            error_set_errno(err, errno, "cannot remove control group '%s'", dir);
            return false;
        }
        g_usleep(REMOVE_PAUSE_USEC);
    }
    return true;
}

/* Children have no children of their own. */
static bool remove_in(const Tree *t, const char *path, GError **err)
{
    g_autofree char *dir = g_build_filename(t->dir, path, NULL);
    g_autoptr(GDir) d = g_dir_open(dir, 0, NULL);
    const char *name;

    if (!d)
        return true;
    while ((name = g_dir_read_name(d))) {
        g_autofree char *child = g_build_filename(dir, name, NULL);
        if (g_file_test(child, G_FILE_TEST_IS_DIR) && !remove_dir(child, err))
            return false;
    }
    return remove_dir(dir, err);
}

bool cgroup_remove(const Cgroup *g, GError **err)
{
    bool ok = true;

    for (unsigned i = 0; i < g->host->trees->len; i++) {
        const Tree *t = g->host->trees->pdata[i];
        if (g->have & t->controllers)
            ok = remove_in(t, g->path, ok ? err : NULL) && ok;
    }
    return ok;
}

/* Processes and threads ------------------------------------------------------------------------ */

static bool add_to(const Tree *t, const char *path, const char *child, const char *file, pid_t id,
                   GError **err)
{
    g_autofree char *to = file_of(t, path, child, file);
    g_autofree char *text = g_strdup_printf("%d", (int)id);
    return write_file(to, text, err);
}

bool cgroup_add_process(const Cgroup *g, pid_t pid, GError **err)
{
    for (unsigned i = 0; i < g->host->trees->len; i++) {
        const Tree *t = g->host->trees->pdata[i];
        if ((g->have & t->controllers) && !add_to(t, g->path, NULL, "cgroup.procs", pid, err))
            return false;
    }
    return true;
}

/* A child of version 2 has to be made threaded before controllers are passed on to it. */
static bool make_threaded(const Tree *t, unsigned have, const char *group, const char *dir,
                          GError **err)
{
    g_autofree char *type = g_build_filename(dir, "cgroup.type", NULL);
    g_autofree char *now = NULL;

    if (!fd_read_file(AT_FDCWD, type, FILE_MAX, &now, NULL, err))
        return false;
    if (!g_str_equal(g_strchomp(now), "threaded") && !write_file(type, "threaded", err))
        return false;
    unsigned wanted = have & t->controllers & OF_THREADS;
    if (pass_on(group, wanted) == wanted)
        return true;
    error_set(err, VIR_ERR_OPERATION_FAILED,
              "cannot divide the processor time of '%s' among threads", group);
    return false;
}

bool cgroup_make_child(const Cgroup *g, const char *child, GError **err)
{
    for (unsigned i = 0; i < g->host->trees->len; i++) {
        const Tree *t = g->host->trees->pdata[i];
        if (!(g->have & t->controllers & OF_THREADS))
            continue;
        g_autofree char *group = g_build_filename(t->dir, g->path, NULL),
                        *dir = g_build_filename(group, child, NULL);
        if (mkdir(dir, 0755) < 0 && errno != EEXIST) {
            error_set_errno(err, errno, "Failed to create controller group '%s'", dir);
            return false;
        }
        if (t->v2
                ? !make_threaded(t, g->have, group, dir, err)
                : (t->controllers & CGROUP_BIT(CGROUP_CPUSET)) && !inherit_cpuset(group, dir, err))
            return false;
    }
    return true;
}

void cgroup_remove_child(const Cgroup *g, const char *child)
{
    for (unsigned i = 0; i < g->host->trees->len; i++) {
        const Tree *t = g->host->trees->pdata[i];
        g_autofree char *dir = g_build_filename(t->dir, g->path, child, NULL);
        if (g->have & t->controllers & OF_THREADS)
            (void)remove_dir(dir, NULL); /* goes with the group at the latest */
    }
}

bool cgroup_add_thread(const Cgroup *g, const char *child, pid_t tid, GError **err)
{
    for (unsigned i = 0; i < g->host->trees->len; i++) {
        const Tree *t = g->host->trees->pdata[i];
        if ((g->have & t->controllers & OF_THREADS) &&
            !add_to(t, g->path, child, t->v2 ? "cgroup.threads" : "tasks", tid, err))
            return false;
    }
    return true;
}
