/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the guest's agent does for clients, one handler per command. Each begins with agent_ask_begin(),
 * which steps out of the domain's turn: from there on nobody waits for this call. Lists of facts are in
 * handlers_guestinfo.c. Workers.
 */
#include <string.h>

#include "drivers/common/params.h"
#include "drivers/qemu/agent_ask.h"
#include "drivers/qemu/handlers.h"
#include "drivers/qemu/machine.h"
#include "drivers/qemu/qmp_cmds.h"
#include "util/bitmap.h"
#include "util/error.h"

enum { NS_PER_SEC = 1000000000, SETTLE_USEC = 2000000 };

static bool unsupported(const char *text, GError **err)
{
    error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "%s", text);
    return false;
}

static JsonObject *strings(char *const *words, unsigned n)
{
    JsonObject *a = json_object_new_array();

    for (unsigned i = 0; i < n; i++)
        json_object_array_add(a, json_object_new_string(words[i]));
    return a;
}

static bool begin(AgentAsk *k, DomainQuery *q, GError **err)
{
    return agent_ask_begin(k, q->call, q->view, err);
}

bool qemu_domain_agent_command(Call *c, DomainQuery *q, const qemu_domain_agent_command_args *a,
                               qemu_domain_agent_command_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    (void)c;

    if (a->timeout < AGENT_FOREVER) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "guest agent timeout '%d' is less than the minimum '%d'", a->timeout,
                  AGENT_FOREVER);
        return false;
    }
    if (!begin(&k, q, err))
        return false;
    k.how.timeout = a->timeout;
    return agent_call_raw(k.agent, &k.how, a->cmd, &r->result, err);
}

bool qemu_domain_agent_set_response_timeout(Call *c, DomainTurn *t,
                                            const remote_domain_agent_set_response_timeout_args *a,
                                            remote_domain_agent_set_response_timeout_ret *r,
                                            GError **err)
{
    Guest *g = turn_driver_data(t);
    const QemuStatus *s = view_status(turn_view(t));
    (void)c;

    if (a->timeout < AGENT_FOREVER) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "guest agent timeout '%d' is less than the minimum '%d'", a->timeout,
                  AGENT_FOREVER);
        return false;
    }
    atomic_store(&g->agent_timeout, a->timeout);
    if (s) {
        QemuStatus *n = qemu_status_copy(s);
        n->agent_timeout = a->timeout;
        turn_set_status(t, &n->base);
    }
    r->result = 0;
    return true;
}

/* File systems --------------------------------------------------------------------------------- */

bool qemu_domain_fsfreeze(Call *c, DomainQuery *q, const remote_domain_fsfreeze_args *a,
                          remote_domain_fsfreeze_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    u_int n = a->mountpoints.mountpoints_len;
    int64_t frozen;
    (void)c;

    if (!begin(&k, q, err))
        return false;
    JsonObject *args =
        n ? json_make(J_OBJ("mountpoints", strings(a->mountpoints.mountpoints_val, n))) : NULL;
    if (!agent_ask_number(&k, n ? "guest-fsfreeze-freeze-list" : "guest-fsfreeze-freeze", args, 0,
                          INT_MAX, &frozen, err))
        return false;
    r->filesystems = (int)frozen;
    return true;
}

bool qemu_domain_fsthaw(Call *c, DomainQuery *q, const remote_domain_fsthaw_args *a,
                        remote_domain_fsthaw_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    int64_t thawed;
    (void)c;

    if (a->mountpoints.mountpoints_len)
        return unsupported("specifying mountpoints is not supported", err);
    if (!begin(&k, q, err) ||
        !agent_ask_number(&k, "guest-fsfreeze-thaw", NULL, 0, INT_MAX, &thawed, err))
        return false;
    r->filesystems = (int)thawed;
    return true;
}

bool qemu_domain_fstrim(Call *c, DomainQuery *q, const remote_domain_fstrim_args *a, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    (void)c;

    if (a->mountPoint)
        return unsupported("Specifying mount point is not supported for now", err);
    return begin(&k, q, err) &&
           agent_ask(&k, "guest-fstrim", json_make(J_UINT("minimum", a->minimum)), NULL, err);
}

/* Time ----------------------------------------------------------------------------------------- */

bool qemu_domain_get_time(Call *c, DomainQuery *q, const remote_domain_get_time_args *a,
                          remote_domain_get_time_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    int64_t ns;
    (void)c;
    (void)a;

    if (!begin(&k, q, err) || !agent_ask_number(&k, "guest-get-time", NULL, 0, INT64_MAX, &ns, err))
        return false;
    r->seconds = ns / NS_PER_SEC;
    r->nseconds = (u_int)(ns % NS_PER_SEC);
    return true;
}

bool qemu_domain_set_time(Call *c, DomainQuery *q, const remote_domain_set_time_args *a,
                          GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    bool sync = a->flags & VIR_DOMAIN_TIME_SYNC;
    int64_t ns = 0;
    (void)c;

    if (!sync && (a->nseconds >= NS_PER_SEC ||
                  __builtin_mul_overflow(a->seconds, (int64_t)NS_PER_SEC, &ns) ||
                  __builtin_add_overflow(ns, (int64_t)a->nseconds, &ns))) {
        error_set(err, VIR_ERR_INVALID_ARG, "Time '%lld' is too big for guest agent",
                  (long long)a->seconds);
        return false;
    }
    if (!begin(&k, q, err) ||
        !agent_ask(&k, "guest-set-time", sync ? NULL : json_make(J_INT("time", ns)), NULL, err))
        return false;
    if (!arch_is_x86(q->view->live->def->os.arch))
        return true;
    /* The ticks that the guest has missed are in the time it has now. */
    g_autoptr(Qmp) qmp = guest_qmp(domain_driver_data(q->domain), err);
    return qmp && qmp_call(qmp, "rtc-reset-reinjection", NULL, NULL, call_deadline(q->call), err);
}

/* CPUs ----------------------------------------------------------------------------------------- */

bool qemu_domain_get_guest_vcpus(Call *c, DomainQuery *q,
                                 const remote_domain_get_guest_vcpus_args *a,
                                 remote_domain_get_guest_vcpus_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    g_auto(ParamList) l = { 0 };
    (void)c;
    (void)a;

    if (!begin(&k, q, err))
        return false;
    g_autoptr(GArray) cpus = agent_ask_cpus(&k, err);
    if (!cpus)
        return false;
    g_autoptr(Bitmap) all = bitmap_new();
    g_autoptr(Bitmap) online = bitmap_new();
    g_autoptr(Bitmap) offlinable = bitmap_new();
    for (guint i = 0; i < cpus->len; i++) {
        const AgentCpu *cpu = &g_array_index(cpus, AgentCpu, i);
        (void)bitmap_set(all, (unsigned)cpu->id); /* in range: read so */
        if (cpu->online)
            (void)bitmap_set(online, (unsigned)cpu->id);
        if (cpu->can_offline)
            (void)bitmap_set(offlinable, (unsigned)cpu->id);
    }
    g_autofree char *vcpus = bitmap_format(all), *on = bitmap_format(online),
                    *off = bitmap_format(offlinable);
    params_add_string(&l, vcpus, "vcpus");
    params_add_string(&l, on, "online");
    params_add_string(&l, off, "offlinable");
    params_give(&l, &r->params);
    return true;
}

static AgentCpu *find_cpu(GArray *cpus, int id)
{
    for (guint i = 0; i < cpus->len; i++)
        if (g_array_index(cpus, AgentCpu, i).id == id)
            return &g_array_index(cpus, AgentCpu, i);
    return NULL;
}

bool qemu_domain_set_guest_vcpus(Call *c, DomainQuery *q,
                                 const remote_domain_set_guest_vcpus_args *a, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    (void)c;

    if (a->state != 0 && a->state != 1) {
        error_set(err, VIR_ERR_INVALID_ARG, "unsupported state value");
        return false;
    }
    g_autoptr(Bitmap) map = bitmap_parse(a->cpumap, err);
    if (!map || !begin(&k, q, err))
        return false;
    g_autoptr(GArray) cpus = agent_ask_cpus(&k, err);
    g_autoptr(GArray) change = g_array_new(false, false, sizeof(AgentCpu));
    for (int i = cpus ? bitmap_next(map, 0) : -1; i >= 0; i = bitmap_next(map, (unsigned)i + 1)) {
        AgentCpu *cpu = find_cpu(cpus, i);
        if (!cpu) {
            error_set(err, VIR_ERR_INVALID_ARG, "guest is missing vCPUs '%d'", i);
            return false;
        }
        if (!a->state && !cpu->can_offline) {
            error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "vCPU '%d' is not offlinable", i);
            return false;
        }
        if (cpu->online == (a->state == 1))
            continue;
        cpu->online = a->state == 1;
        g_array_append_val(change, *cpu);
    }
    return cpus && agent_ask_set_cpus(&k, change, err);
}

/* How many there are online, as the guest sees it; else what the definitions say. */
bool qemu_domain_get_vcpus_flags(Call *c, const DomainView *v,
                                 const remote_domain_get_vcpus_flags_args *a,
                                 remote_domain_get_vcpus_flags_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };

    if (!(a->flags & VIR_DOMAIN_VCPU_GUEST))
        return common_domain_get_vcpus_flags(c, v, a, r, err);
    if (a->flags & VIR_DOMAIN_AFFECT_CONFIG || !view_active(v)) {
        error_set(err, VIR_ERR_INVALID_ARG,
                  "vCPU count provided by the guest agent can only be "
                  "requested for live domains");
        return false;
    }
    if (!call_may_wait(c)) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "the guest agent must be waited for");
        return false;
    }
    if (!agent_ask_begin(&k, c, v, err))
        return false;
    g_autoptr(GArray) cpus = agent_ask_cpus(&k, err);
    if (!cpus)
        return false;
    for (guint i = 0; i < cpus->len; i++)
        r->num += (a->flags & VIR_DOMAIN_VCPU_MAXIMUM) || g_array_index(cpus, AgentCpu, i).online;
    return true;
}

/* Users ---------------------------------------------------------------------------------------- */

bool qemu_domain_set_user_password(Call *c, DomainQuery *q,
                                   const remote_domain_set_user_password_args *a, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    (void)c;

    if (!a->user || !a->password) {
        error_set(err, VIR_ERR_INVALID_ARG, "a user and a password are needed");
        return false;
    }
    if (!begin(&k, q, err))
        return false;
    g_autofree char *word = g_base64_encode((const guchar *)a->password, strlen(a->password));
    return agent_ask(&k, "guest-set-user-password",
                     json_make(J_BOOL("crypted", a->flags & VIR_DOMAIN_PASSWORD_ENCRYPTED),
                               J_STR("username", a->user), J_STR("password", word)),
                     NULL, err);
}

bool qemu_domain_authorized_ssh_keys_get(Call *c, DomainQuery *q,
                                         const remote_domain_authorized_ssh_keys_get_args *a,
                                         remote_domain_authorized_ssh_keys_get_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    g_autoptr(JsonObject) got = NULL;
    (void)c;

    if (!begin(&k, q, err) || !agent_ask(&k, "guest-ssh-get-authorized-keys",
                                         json_make(J_STR("username", a->user)), &got, err))
        return false;
    JsonObject *keys = json_get(got, "keys");
    size_t n = json_len(keys);
    if (!json_object_is_type(keys, json_type_array) || n > REMOTE_DOMAIN_AUTHORIZED_SSH_KEYS_MAX) {
        error_set(err, VIR_ERR_INTERNAL_ERROR,
                  "the guest agent's answer to 'guest-ssh-get-authorized-keys' has no list of at "
                  "most %d keys",
                  REMOTE_DOMAIN_AUTHORIZED_SSH_KEYS_MAX);
        return false;
    }
    r->keys.keys_val = g_new0(char *, n + 1);
    for (size_t i = 0; i < n; i++) {
        JsonObject *key = json_object_array_get_idx(keys, i);
        if (!json_object_is_type(key, json_type_string))
            continue;
        r->keys.keys_val[r->keys.keys_len++] = g_strdup(json_object_get_string(key));
    }
    return true;
}

bool qemu_domain_authorized_ssh_keys_set(Call *c, DomainQuery *q,
                                         const remote_domain_authorized_ssh_keys_set_args *a,
                                         GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    bool append = a->flags & VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_APPEND;
    bool remove = a->flags & VIR_DOMAIN_AUTHORIZED_SSH_KEYS_SET_REMOVE;
    (void)c;

    if (append && remove) {
        error_set(err, VIR_ERR_INVALID_ARG, "keys can be added or removed, not both at once");
        return false;
    }
    if ((append || remove) && a->keys.keys_len == 0) {
        error_set(err, VIR_ERR_INVALID_ARG, "no keys to add or to remove");
        return false;
    }
    if (!begin(&k, q, err))
        return false;
    JsonObject *keys = strings(a->keys.keys_val, a->keys.keys_len);
    if (remove)
        return agent_ask(&k, "guest-ssh-remove-authorized-keys",
                         json_make(J_STR("username", a->user), J_OBJ("keys", keys)), NULL, err);
    return agent_ask(
        &k, "guest-ssh-add-authorized-keys",
        json_make(J_STR("username", a->user), J_OBJ("keys", keys), J_BOOL("reset", !append)), NULL,
        err);
}

bool qemu_domain_get_hostname(Call *c, DomainQuery *q, const remote_domain_get_hostname_args *a,
                              remote_domain_get_hostname_ret *r, GError **err)
{
    g_auto(AgentAsk) k = { 0 };
    g_autoptr(JsonObject) got = NULL;
    (void)c;

    if (a->flags & VIR_DOMAIN_GET_HOSTNAME_LEASE) {
        if (a->flags & VIR_DOMAIN_GET_HOSTNAME_AGENT)
            error_set(err, VIR_ERR_INVALID_ARG,
                      "the name can come from a lease or from the agent, not both");
        else
            error_set(err, VIR_ERR_NO_HOSTNAME, "no hostname found for domain %s", q->view->name);
        return false;
    }
    if (!begin(&k, q, err) || !agent_ask_object(&k, "guest-get-host-name", false, &got, err))
        return false;
    const char *name = json_get_str(got, "host-name");
    if (!name) {
        error_set(err, VIR_ERR_NO_HOSTNAME, "no hostname found for domain %s", q->view->name);
        return false;
    }
    r->hostname = g_strdup(name);
    return true;
}

/* Sleep ---------------------------------------------------------------------------------------- */

bool qemu_domain_pm_suspend_for_duration(Call *c, DomainQuery *q,
                                         const remote_domain_pm_suspend_for_duration_args *a,
                                         GError **err)
{
    static const char *const commands[] = {
        [VIR_NODE_SUSPEND_TARGET_MEM] = "guest-suspend-ram",
        [VIR_NODE_SUSPEND_TARGET_DISK] = "guest-suspend-disk",
        [VIR_NODE_SUSPEND_TARGET_HYBRID] = "guest-suspend-hybrid",
    };
    const DomainDef *live = q->view->live->def;
    g_auto(AgentAsk) k = { 0 };
    g_autoptr(JsonObject) machine = NULL;
    (void)c;

    if (a->duration)
        return unsupported("Duration not supported. Use 0 for now", err);
    if (a->target >= G_N_ELEMENTS(commands)) {
        error_set(err, VIR_ERR_INVALID_ARG, "Unknown suspend target: %u", a->target);
        return false;
    }
    if (a->target != VIR_NODE_SUSPEND_TARGET_DISK && live->pm_s3 == TRI_NO) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "S3 state is disabled for this domain");
        return false;
    }
    if (a->target != VIR_NODE_SUSPEND_TARGET_MEM && live->pm_s4 == TRI_NO) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "S4 state is disabled for this domain");
        return false;
    }
    g_autoptr(Qmp) qmp = guest_qmp(domain_driver_data(q->domain), err);
    if (!qmp ||
        !qmp_call(qmp, "query-current-machine", NULL, &machine, call_deadline(q->call), err))
        return false;
    if (!json_get_bool(machine, "wakeup-suspend-support", true)) {
        error_set(err, VIR_ERR_OPERATION_UNSUPPORTED, "Domain does not have suspend support");
        return false;
    }
    if (!begin(&k, q, err))
        return false;
    k.how.no_answer = true;
    if (!agent_ask(&k, commands[a->target], NULL, NULL, err))
        return false;
    domain_wait_turns(q->domain, SETTLE_USEC); /* who looks now sees it sleep */
    return true;
}

bool qemu_domain_pm_wakeup(Call *c, DomainTurn *t, const remote_domain_pm_wakeup_args *a,
                           GError **err)
{
    g_autoptr(Qmp) q = guest_qmp(turn_driver_data(t), err);
    (void)c;
    (void)a;

    return q && qmp_system_wakeup(q, err);
}
