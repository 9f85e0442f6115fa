/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Steps of a start up to the emulator's process (start.h): what the definition means here, directories,
 * images, ports, the command line with what it hands over. Workers, within the domain's turn.
 */
#define LOG_SOURCE "qemu.start"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/common/emit.h"
#include "drivers/qemu/caps_probe.h"
#include "drivers/qemu/driver.h"
#include "drivers/qemu/fd_groups.h"
#include "drivers/qemu/firmware.h"
#include "drivers/qemu/helper.h"
#include "drivers/qemu/image_chain.h"
#include "drivers/qemu/memlock.h"
#include "drivers/qemu/prepare.h"
#include "drivers/qemu/secrets.h"
#include "drivers/qemu/security.h"
#include "drivers/qemu/start.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/log.h"
#include "util/paths.h"

bool start_definition(Start *s, GError **err)
{
    if (!s->def->emulator) {
        error_set(err, VIR_ERR_CONFIG_UNSUPPORTED,
                  "no emulator is installed for guests of architecture '%s'",
                  s->def->os.arch ? s->def->os.arch : "unknown");
        return false;
    }
    if (!s->caps) /* a plan may have them from a file */
        s->caps = qemu_caps_get(s->def->emulator, err);
    if (!s->caps)
        return false;
    s->status->id = domains_next_id();
    return security_choose(s->def, err);
}

bool start_devices(Start *s, GError **err)
{
    g_autofree char *channels = g_build_filename(qemu.lib, "channel", "target", NULL);

    QemuRun run = { .id = s->status->id,
                    .resumes = s->how->load,
                    .channel_dir = channels,
                    .nvram_dir = qemu.policy.nvram_dir };
    if (!qemu_prepare_run(s->def, s->caps, &run, err))
        return false;
    s->status->makes_nvram = qemu_firmware_needs_nvram(s->def);
    s->status->makes_tpm = helper_tpm_is_new(s->def);
    return private_dev_decide(&s->status->private_dev, err);
}

/* Directories ---------------------------------------------------------------------------------- */

/* The key with which secrets on the emulator's command line are encrypted: 256 random bits, in a file
 * that ends with the run. */
static bool write_master_key(const char *dir, GError **err)
{
    uint8_t key[32];
    g_autofree char *path = g_build_filename(dir, "master-key.aes", NULL);
    auto_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

    if (fd < 0 || getrandom(key, sizeof(key), 0) != sizeof(key) ||
        fd_write_all(fd, key, sizeof(key)) < 0) {
        error_set_errno(err, errno, "cannot write '%s'", path);
        return false;
    }
    return true;
}

/* Where the emulator puts memory that others may map. */
char *start_memory_dir(const char *domain, int id)
{
    g_autofree char *name = qemu_short_name(id, domain);
    return g_build_filename(qemu.config->memory_backing_dir, name, NULL);
}

/* A run's directories hold plain files and sockets only. */
static void remove_dir(const char *path)
{
    g_autoptr(GDir) d = g_dir_open(path, 0, NULL);
    const char *name;

    while (d && (name = g_dir_read_name(d))) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        (void)unlink(file);
    }
    if (rmdir(path) < 0 && errno != ENOENT)
        log_warn("cannot remove '%s': %s", path, g_strerror(errno));
}

bool start_directories(Start *s, GError **err)
{
    g_autofree char *memory = start_memory_dir(s->def->name, s->status->id);

    /* Of a run that ended with the host: numbers of guests begin anew, this directory outlives it. */
    if (g_file_test(s->status->lib_dir, G_FILE_TEST_IS_DIR))
        remove_dir(s->status->lib_dir);
    return path_make_dir(s->status->lib_dir, 0750, err) &&
           write_master_key(s->status->lib_dir, err) &&
           qemu_launch_listen(s->launch, s->status->monitor_path, err) &&
           path_make_dir(memory, 0750, err);
}

void start_undo_directories(const Run *r)
{
    g_autofree char *memory = start_memory_dir(r->name, r->id);

    remove_dir(r->status->lib_dir);
    remove_dir(memory);
}

/* Images --------------------------------------------------------------------------------------- */

void start_note_missing(const Start *s, const GPtrArray *dropped)
{
    for (unsigned i = 0; i < dropped->len; i++) {
        const MissingImage *m = dropped->pdata[i];
        log_warn("'%s' starts without '%s' of disk '%s', which is not there, as its startup policy allows", s->def->name, m->path,
                 m->target);
        if (s->t)
            emit_disk_change(s->t, m->path, NULL, m->alias,
                             m->with_disk ? VIR_DOMAIN_EVENT_DISK_DROP_MISSING_ON_START : VIR_DOMAIN_EVENT_DISK_CHANGE_MISSING_ON_START);
    }
}

bool start_images(Start *s, GError **err)
{
    g_autoptr(GPtrArray) dropped = g_ptr_array_new_with_free_func(missing_image_free);
    Creds creds;

    security_creds(s->def, &creds);
    if (!images_resolve(s->def, &creds, s->how->load, dropped, err))
        return false;
    start_note_missing(s, dropped);
    return true;
}

bool start_nvram(Start *s, GError **err)
{
    return qemu_firmware_make_nvram(s->def, s->how->flags & START_RESET_NVRAM, err);
}

/* The variables of a guest that never ran are its template's; another start makes them again. */
void start_undo_nvram(const Run *r)
{
    if (r->status->starting && r->status->makes_nvram && r->def->os.nvram && r->def->os.nvram->path)
        (void)unlink(r->def->os.nvram->path); /* it may not have come to it */
}

/* Ports ---------------------------------------------------------------------------------------- */

bool start_ports(Start *s, GError **err)
{
    return resources_assign_ports(s->def, s->status->id, err);
}

void start_undo_ports(const Run *r)
{
    resources_free_ports(r->def, r->id);
}

void start_ports_again(const Run *r)
{
    resources_note_ports(r->def, r->id);
}

/* Command line --------------------------------------------------------------------------------- */

static bool host_has_node(unsigned node)
{
    char path[64];
    g_snprintf(path, sizeof(path), "/sys/devices/system/node/node%u", node);
    /* A kernel without NUMA shows none, and has one. */
    return g_file_test(path, G_FILE_TEST_IS_DIR) ||
           (node == 0 && !g_file_test("/sys/devices/system/node", G_FILE_TEST_IS_DIR));
}

bool start_command_line(Start *s, GError **err)
{
    QemuCmdlineContext *ctx = &s->ctx;

    ctx->id = s->status->id;
    ctx->lib_dir = s->status->lib_dir;
    ctx->fd = resources_fd;
    ctx->fd_group = resources_fd_group;
    ctx->secret = resources_secret;
    ctx->host_node = host_has_node;
    ctx->incoming = s->how->load;
    ctx->opaque = &s->res;
    qemu_config_cmdline(qemu.config, ctx);
    fd_groups_unlock(s->g);
    s->res.monitor_fd = qemu_launch_monitor_fd(s->launch);
    bool ok = qemu_cmdline_build(s->def, s->caps, ctx, &s->argv, &s->env, err);
    s->res.secrets = secrets_free(s->res.secrets); /* from here on the emulator alone can read them */
    return ok;
}

void start_undo_command_line(const Run *r)
{
    for (unsigned i = 0; i < list_len(r->def->devices); i++) {
        const ChrSource *src = qemu_chr_source(list_at(r->def->devices, i));
        if (src && src->type == CHR_UNIX && src->listen && src->path)
            resources_remove_socket(src->path);
    }
}

/* Launch --------------------------------------------------------------------------------------- */

bool start_launch(Start *s, GError **err)
{
    uint64_t lock = qemu_memlock_limit(s->def);
    Creds creds;

    security_creds(s->def, &creds);
    SpawnUser user = { creds.uid, creds.gid, creds.groups, creds.n_groups };
    Spawn spawn = { .argv = (const char *const *)s->argv->pdata,
                    .envp = (const char *const *)s->env->pdata,
                    .fds = (const SpawnFd *)(void *)s->res.fds->data,
                    .n_fds = s->res.fds->len,
                    .mounts = s->dev.mounts,
                    .n_mounts = s->dev.n_mounts,
                    .user = creds.self ? NULL : &user,
                    .no_caps = !paths()->session && qemu.config->clear_emulator_capabilities,
                    .memlock = lock ? (int64_t)lock : -1 };
    if (!qemu_launch_spawn(s->launch, &spawn, err))
        return false;
    resources_close_fds(&s->res);
    private_dev_done(&s->dev);

    const PidRef *pid = qemu_launch_pid(s->launch);
    s->status->pid = pid->pid;
    s->status->start_time = pid->start_time;
    s->status->started = g_get_real_time() / G_USEC_PER_SEC;
    lock_enter(&s->g->lock);
    s->g->starting = (PidRef){ .pid = pid->pid, .start_time = pid->start_time, .fd = -1 };
    s->g->starting.fd = pid->fd >= 0 ? fcntl(pid->fd, F_DUPFD_CLOEXEC, 3) : -1;
    lock_leave(&s->g->lock);
    return true;
}

void start_undo_launch(const Run *r)
{
    qemu_launch_cleanup(r->name, r->status->monitor_path);
}
