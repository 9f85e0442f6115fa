/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Control groups on trees of plain files: what would be written where, for version 1, version 2 and a
 * mixture. What only the kernel does (files in new groups, limits that hold) is in
 * tests/integration/test_tuning.py.
 */
#undef NDEBUG
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/cgroup.h"
#include "util/error.h"

static char *root;

static char *at(const char *path)
{
    return g_build_filename(root, path, NULL);
}

/* A file with the directories above it. */
static void put(const char *path, const char *text)
{
    g_autofree char *file = at(path), *dir = g_path_get_dirname(file);

    assert(g_mkdir_with_parents(dir, 0755) == 0);
    assert(g_file_set_contents(file, text, -1, NULL));
}

static bool has(const char *path, const char *text)
{
    g_autofree char *file = at(path), *now = NULL;

    return g_file_get_contents(file, &now, NULL, NULL) && g_str_equal(now, text);
}

static bool is_dir(const char *path)
{
    g_autofree char *file = at(path);
    return g_file_test(file, G_FILE_TEST_IS_DIR);
}

static CgroupHost *detect(const char *mounts, unsigned wanted)
{
    g_autofree char *file = at("mountinfo");

    put("mountinfo", mounts);
    CgroupHost *h = cgroup_host_detect(file, root, wanted, NULL);
    assert(h);
    return h;
}

#define V1(point, controllers)                                                                     \
    "30 25 0:26 / " point " rw,nosuid shared:9 - cgroup cgroup rw," controllers "\n"
#define V2(point) "29 25 0:25 / " point " rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"
#define OTHER     "22 29 0:21 / /proc rw - proc proc rw\nnonsense\n"

static void test_detection(void)
{
    put("u/cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
    g_autoptr(CgroupHost) two = detect(OTHER V2("/u"), CGROUP_ALL);
    assert(cgroup_host_controllers(two) == CGROUP_ALL);

    g_autoptr(CgroupHost) some = detect(OTHER V2("/u"), CGROUP_BIT(CGROUP_CPU));
    assert(cgroup_host_controllers(some) == CGROUP_BIT(CGROUP_CPU));

    put("h/cgroup.controllers", "hugetlb memory\n");
    g_autoptr(CgroupHost) mixed =
        detect(V1("/a\\040b", "cpu,cpuacct") V1("/s", "name=systemd") V2("/h"), CGROUP_ALL);
    assert(cgroup_host_controllers(mixed) ==
           (CGROUP_BIT(CGROUP_CPU) | CGROUP_BIT(CGROUP_CPUACCT) | CGROUP_BIT(CGROUP_MEMORY)));

    g_autoptr(CgroupHost) none = detect(OTHER, CGROUP_ALL);
    assert(cgroup_host_controllers(none) == 0);
    g_autoptr(Cgroup) g = cgroup_make(none, "/machine/x", NULL);
    assert(g && !cgroup_has(g, CGROUP_CPU));
    assert(cgroup_add_process(g, 1, NULL) && cgroup_make_child(g, "vcpu0", NULL) &&
           cgroup_remove(g, NULL));

    assert(cgroup_controller_from_name("blkio") == CGROUP_BLKIO &&
           cgroup_controller_from_name("devices") == -1);
}

static void test_version_1(void)
{
    g_autoptr(CgroupHost) h = detect(V1("/cpu", "cpu") V1("/set", "cpuset"), CGROUP_ALL);

    /* The kernel makes these in every group. */
    put("set/cpuset.cpus", "0-3\n");
    put("set/cpuset.mems", "0\n");
    put("set/machine/cpuset.cpus", "0-3\n");
    put("set/machine/cpuset.mems", "0\n");
    put("set/machine/g/cpuset.cpus", "\n");
    put("set/machine/g/cpuset.mems", "\n");
    put("set/machine/g/vcpu0/cpuset.cpus", "2\n");
    put("set/machine/g/vcpu0/cpuset.mems", "");
    for (unsigned i = 0; i < 2; i++) {
        static const char *const tree[] = { "cpu", "set" };
        g_autofree char *procs = g_strdup_printf("%s/machine/g/cgroup.procs", tree[i]);
        g_autofree char *tasks = g_strdup_printf("%s/machine/g/vcpu0/tasks", tree[i]);
        put(procs, "");
        put(tasks, "");
    }
    put("cpu/machine/g/cpu.shares", "1024\n");

    g_autoptr(Cgroup) g = cgroup_make(h, "/machine/g", NULL);
    assert(g && cgroup_has(g, CGROUP_CPU) && cgroup_has(g, CGROUP_CPUSET) &&
           !cgroup_has(g, CGROUP_MEMORY));
    assert(!cgroup_is_v2(g, CGROUP_CPU));
    assert(has("set/machine/g/cpuset.cpus", "0-3") && has("set/machine/g/cpuset.mems", "0"));

    assert(cgroup_add_process(g, 42, NULL));
    assert(has("cpu/machine/g/cgroup.procs", "42") && has("set/machine/g/cgroup.procs", "42"));
    assert(cgroup_make_child(g, "vcpu0", NULL) && cgroup_add_thread(g, "vcpu0", 43, NULL));
    assert(has("cpu/machine/g/vcpu0/tasks", "43"));
    assert(has("set/machine/g/vcpu0/cpuset.cpus", "2\n") &&
           has("set/machine/g/vcpu0/cpuset.mems", "0"));

    g_autofree char *shares = NULL;
    assert(cgroup_read(g, NULL, CGROUP_CPU, "cpu.shares", &shares, NULL) &&
           g_str_equal(shares, "1024"));
    assert(cgroup_write(g, NULL, CGROUP_CPU, "cpu.shares", "17", NULL) &&
           has("cpu/machine/g/cpu.shares", "17"));
    g_autoptr(GError) e = NULL;
    assert(!cgroup_write(g, NULL, CGROUP_CPU, "cpu.none", "1", &e) && error_errno(e) == ENOENT);

    g_autoptr(Cgroup) again = cgroup_open(h, "/machine/g");
    assert(cgroup_has(again, CGROUP_CPU) && cgroup_has(again, CGROUP_CPUSET));
    g_autoptr(Cgroup) gone = cgroup_open(h, "/machine/other");
    assert(!cgroup_has(gone, CGROUP_CPU));
}

static void test_version_2(void)
{
    put("u/cgroup.controllers", "cpuset cpu io memory\n");
    put("u/cgroup.subtree_control", "cpu memory\n");
    put("u/machine/cgroup.subtree_control", "cpu memory cpuset io\n");
    put("u/machine/g/cgroup.controllers", "cpuset cpu io memory\n");
    put("u/machine/g/cgroup.subtree_control", "");
    put("u/machine/g/cgroup.procs", "");
    put("u/machine/g/vcpu0/cgroup.type", "domain\n");
    put("u/machine/g/vcpu0/cgroup.threads", "");

    g_autoptr(CgroupHost) h = detect(V2("/u"), CGROUP_ALL);
    g_autoptr(Cgroup) g = cgroup_make(h, "/machine/g", NULL);
    assert(g && cgroup_has(g, CGROUP_BLKIO) && cgroup_is_v2(g, CGROUP_CPU));
    /* Each is a write of its own: one that is refused does not take the others with it. */
    assert(has("u/cgroup.subtree_control", "+io"));
    assert(has("u/machine/cgroup.subtree_control", "cpu memory cpuset io\n"));

    assert(cgroup_add_process(g, 42, NULL) && has("u/machine/g/cgroup.procs", "42"));
    assert(cgroup_make_child(g, "vcpu0", NULL) && has("u/machine/g/vcpu0/cgroup.type", "threaded"));
    assert(
        has("u/machine/g/cgroup.subtree_control", "+cpuset")); /* never memory: threads share it */
    assert(cgroup_add_thread(g, "vcpu0", 43, NULL) &&
           has("u/machine/g/vcpu0/cgroup.threads", "43"));

    g_autoptr(Cgroup) again = cgroup_open(h, "/machine/g");
    assert(cgroup_has(again, CGROUP_MEMORY) && cgroup_has(again, CGROUP_CPUACCT));
}

/* A controller that the group above cannot pass on is missing; the others are there. */
static void test_version_2_refused(void)
{
    put("v/cgroup.controllers", "cpu memory\n");
    put("v/machine/g/cgroup.procs", "");
    g_autoptr(CgroupHost) h = detect(V2("/v"), CGROUP_ALL);
    g_autoptr(Cgroup) g = cgroup_make(h, "/machine/g", NULL); /* no subtree_control at all */
    assert(g && !cgroup_has(g, CGROUP_CPU) && !cgroup_has(g, CGROUP_MEMORY));

    put("v/cgroup.subtree_control", "cpu\n");
    put("v/machine/cgroup.subtree_control", "cpu\n");
    g_autofree char *file = at("v/machine/cgroup.subtree_control");
    if (geteuid() != 0) {
        assert(chmod(file, 0444) == 0);
        g_autoptr(Cgroup) part = cgroup_make(h, "/machine/g", NULL);
        assert(part && cgroup_has(part, CGROUP_CPU) && !cgroup_has(part, CGROUP_MEMORY));
    }
}

static void test_removal(void)
{
    g_autoptr(CgroupHost) h = detect(V1("/m", "memory") V1("/c", "cpu"), CGROUP_ALL);
    g_autofree char *m = at("m"), *c = at("c");

    assert(mkdir(m, 0755) == 0 && mkdir(c, 0755) == 0);
    g_autoptr(Cgroup) g = cgroup_make(h, "/machine/g", NULL);
    assert(g && cgroup_make_child(g, "emulator", NULL));
    assert(is_dir("m/machine/g") && is_dir("c/machine/g/emulator") &&
           !is_dir("m/machine/g/emulator"));
    assert(cgroup_remove(g, NULL));
    assert(!is_dir("m/machine/g") && !is_dir("c/machine/g") && is_dir("c/machine"));
    assert(cgroup_remove(g, NULL)); /* gone already is as good */

    put("m/machine/g/left", "");
    g_autoptr(GError) e = NULL;
    assert(!cgroup_remove(g, &e) && error_errno(e) == ENOTEMPTY);
}

int main(void)
{
    root = g_dir_make_tmp("cgroup-XXXXXX", NULL);
    assert(root);
    test_detection();
    test_version_1();
    test_version_2();
    test_version_2_refused();
    test_removal();
    g_autofree char *command = g_strdup_printf("rm -rf '%s'", root);
    assert(g_spawn_command_line_sync(command, NULL, NULL, NULL, NULL));
    g_free(root);
    return 0;
}
