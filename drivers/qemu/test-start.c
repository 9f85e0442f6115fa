/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Against the real emulator of this host (TCG, no guest code): typical definitions become command
 * lines that it accepts; it waits for us (-S) and answers QMP. Skipped (77) where
 * qemu-system-x86_64 is not installed.
 */
#undef NDEBUG
#include <assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "conf/domain.h"
#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/cmdline.h"
#include "drivers/qemu/defaults.h"
#include "drivers/qemu/prepare.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/paths.h"
#include "util/spawn.h"

enum { FIRST_FD = 3, FDS_MAX = 16, SECONDS = 60 };

typedef struct Handed {
    SpawnFd fds[FDS_MAX];
    unsigned n;
} Handed;

static char *top, *emulator_path;
static QemuCaps *caps;

static QemuCaps *lookup(void *opaque, const char *emulator, const char *arch, const char *virt)
{
    return qemu_caps_ref(caps);
}

static const char *emulator(void *opaque, const char *arch)
{
    return emulator_path;
}

static int listen_at(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(fd >= 0 && strlen(path) < sizeof(a.sun_path));
    strcpy(a.sun_path, path);
    (void)unlink(path);
    assert(bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 1) == 0);
    return fd;
}

static int hand_fd(void *opaque, QemuFdRole role, const Device *dev, unsigned index, GError **err)
{
    Handed *h = opaque;
    g_autofree char *path = g_strdup_printf("%s/%d-%u", top, (int)role, h->n);
    assert(h->n < FDS_MAX && (role == QEMU_FD_MONITOR || role == QEMU_FD_CHR_LISTEN));
    h->fds[h->n] = (SpawnFd){ .fd = listen_at(path), .target = FIRST_FD + (int)h->n };
    return h->fds[h->n++].target;
}

/* Sends one command; the reply that belongs to it. */
static JsonObject *ask(FILE *f, const char *command)
{
    char line[65536];
    fprintf(f, "{\"execute\":\"%s\"}\r\n", command);
    fflush(f);
    while (fgets(line, sizeof(line), f)) {
        JsonObject *o = json_parse("reply", line, strlen(line), NULL, NULL);
        assert(o);
        if (json_get(o, "return") || json_get(o, "error"))
            return o;
        json_object_put(o);
    }
    return NULL;
}

static void start(const char *machine, const char *devices)
{
    g_autoptr(GError) err = NULL;
    g_autofree char *xml = g_strdup_printf(
        "<domain type='qemu'><name>start</name><memory unit='KiB'>65600</memory><vcpu>2</vcpu>"
        "<os><type arch='x86_64' machine='%s'>hvm</type></os><features><acpi/></features><devices>%s</devices></domain>", machine, devices);
    QemuPolicyData data = { .lookup_caps = lookup, .emulator = emulator };
    g_autoptr(DomainDef) d = domain_parse(xml, strlen(xml), DOMAIN_PARSE_INACTIVE, &qemu_policy, &data, &err);
    if (!d)
        fprintf(stderr, "%s\n", err->message);
    assert(d);

    Handed handed = { 0 };
    g_autofree char *channels = g_build_filename(top, "channel", NULL), *key = g_build_filename(top, "master-key.aes", NULL);
    QemuRun run = { .id = 1, .channel_dir = channels };
    QemuCmdlineContext ctx = { .id = 1, .lib_dir = top, .fd = hand_fd, .opaque = &handed, .memory_backing_dir = top,
                               .no_sandbox = true, .log_timestamp = true };
    g_autoptr(GPtrArray) argv = NULL, env = NULL;
    assert(qemu_prepare_run(d, caps, &run, &err));
    guint pos = 0;
    GraphicsDef *g = domain_next(d, DEVICE_GRAPHICS, &pos);
    if (g) { /* a socket instead of a port that may be taken */
        GraphicsListen *l = list_at(g->listens, 0);
        l->type = LISTEN_SOCKET;
        g_clear_pointer(&l->address, g_free);
    }
    bool built = qemu_cmdline_build(d, caps, &ctx, &argv, &env, &err);
    if (!built)
        fprintf(stderr, "%s\n", err->message);
    assert(built && g_file_set_contents(key, "0123456789abcdef0123456789abcdef", 32, NULL));

    g_autofree char *log = g_build_filename(top, "log", NULL);
    auto_fd out = open(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    Spawn s = { .argv = (const char *const *)argv->pdata, .envp = (const char *const *)env->pdata, .in = -1, .out = out, .err = out,
                .fds = handed.fds, .n_fds = handed.n, .memlock = -1, .keep_zombie = true };
    PidRef pid = { .fd = -1 };
    assert(spawn_start(&s, &pid, &err));
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    g_snprintf(a.sun_path, sizeof(a.sun_path), "%s/%d-0", top, (int)QEMU_FD_MONITOR);
    auto_fd sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(connect(sock, (struct sockaddr *)&a, sizeof(a)) == 0);
    for (unsigned i = 0; i < handed.n; i++)
        close(handed.fds[i].fd); /* with the last copy gone, a dead emulator is an end of file */
    struct timeval wait = { .tv_sec = SECONDS };
    assert(setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0);
    FILE *f = fdopen(dup(sock), "r+");
    char greeting[4096];
    bool alive = fgets(greeting, sizeof(greeting), f) != NULL;
    if (!alive) {
        g_autofree char *text = NULL;
        (void)g_file_get_contents(log, &text, NULL, NULL);
        fprintf(stderr, "%s: %s\n", machine, text ? text : "no output");
    }
    assert(alive);
    json_put_(ask(f, "qmp_capabilities"));
    g_autoptr(JsonObject) status = ask(f, "query-status");
    assert(status && !g_strcmp0(json_get_str(status, "return/status"), "prelaunch"));
    g_autoptr(JsonObject) cpus = ask(f, "query-cpus-fast");
    assert(cpus && json_len(json_get(cpus, "return")) == 2);
    json_put_(ask(f, "quit"));
    fclose(f);
    int code = -1;
    assert(waitpid(pid.pid, &code, 0) == pid.pid && WIFEXITED(code) && WEXITSTATUS(code) == 0);
    pidref_done(&pid);
}

static void remove_tree(const char *path)
{
    const char *argv[] = { "/bin/rm", "-rf", path, NULL };
    Spawn s = { .argv = argv, .in = -1, .out = -1, .err = -1, .memlock = -1 };
    (void)spawn_run(&s, 10 * 1000000, 100, NULL, NULL, NULL); /* a leftover in the temporary directory */
}

int main(void)
{
    g_autoptr(GError) err = NULL;
    top = g_dir_make_tmp("modvirt-start-XXXXXX", &err);
    assert(top && paths_init(top, false, &err));
    emulator_path = qemu_emulator_find("x86_64");
    if (!emulator_path) {
        puts("no qemu-system-x86_64: skipped");
        remove_tree(top);
        return 77;
    }
    caps = qemu_caps_probe(emulator_path, &err);
    if (!caps)
        fprintf(stderr, "%s\n", err->message);
    assert(caps);

    g_autofree char *disk = g_build_filename(top, "disk", NULL);
    assert(g_file_set_contents(disk, "", 0, NULL) && truncate(disk, 1 << 20) == 0);
    g_autofree char *usual = g_strdup_printf(
        "<disk type='file' device='disk'><driver name='qemu' type='raw' cache='none'/><source file='%s'/><target dev='vda' bus='virtio'/></disk>"
        "<disk type='file' device='cdrom'><target dev='%%s' bus='%%s'/></disk>"
        "<interface type='user'><model type='virtio'/></interface><serial type='pty'/>"
        "<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
        "<input type='tablet' bus='usb'/><graphics type='vnc'/><video><model type='%%s'/></video>"
        "<watchdog model='i6300esb' action='reset'/><rng model='virtio'><backend model='random'/></rng>", disk);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    g_autofree char *pc = g_strdup_printf(usual, "hdc", "ide", "cirrus"), *q35 = g_strdup_printf(usual, "sda", "sata", "virtio");
#pragma GCC diagnostic pop
    start("pc", "");
    start("pc", pc);
    start("q35", q35);
    start("q35", "<controller type='scsi' index='0' model='virtio-scsi'/><interface type='user'><model type='e1000'/></interface>"
                 "<sound model='ich9'/><memballoon model='none'/><panic/>");
    qemu_caps_unref(caps);
    remove_tree(top);
    puts("start: ok");
    return 0;
}
