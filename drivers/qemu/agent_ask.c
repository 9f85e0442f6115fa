/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What handlers that ask the agent share (agent_ask.h). Workers; all of it may wait.
 */
#include "drivers/qemu/agent_ask.h"

#include "util/error.h"

enum { CPUS_MAX = 16384 };

const ChrDef *agent_channel(const DomainDef *live)
{
    ChrDef *c;

    for (guint i = 0; (c = domain_next(live, DEVICE_CHANNEL, &i));)
        if (c->target == CHANNEL_VIRTIO && c->src.type == CHR_UNIX &&
            g_strcmp0(c->target_name, AGENT_CHANNEL) == 0)
            return c;
    return NULL;
}

static bool cancelled(const void *call)
{
    return call_cancelled(call);
}

bool agent_ask_begin(AgentAsk *k, Call *c, const DomainView *v, GError **err)
{
    *k = (AgentAsk){ .call = c, .view = v };
    if (v->state != VIR_DOMAIN_RUNNING) {
        error_set(err, VIR_ERR_OPERATION_INVALID, "domain is not running");
        return false;
    }
    const ChrDef *chr = agent_channel(v->live->def);
    if (!chr) {
        error_set(err, VIR_ERR_ARGUMENT_UNSUPPORTED, "QEMU guest agent is not configured");
        return false;
    }
    if (chr->state != CHANNEL_CONNECTED || !chr->src.path) {
        error_set(err, VIR_ERR_AGENT_UNRESPONSIVE, "QEMU guest agent is not connected");
        return false;
    }
    Guest *g = domain_driver_data(v->domain);
    k->agent = guest_agent(g);
    k->how = (AgentCall){ .path = chr->src.path,
                          .timeout = atomic_load(&g->agent_timeout),
                          .cancelled = cancelled,
                          .data = c };
    /* Who holds an exclusive turn keeps it, and makes nobody wait for a guest's whim. */
    if (call_proc(c)->job != JOB_QUERY && call_proc(c)->job != JOB_NONE && k->how.timeout < 0)
        k->how.timeout = AGENT_DEFAULT;
    call_wait_begin(c, "guest agent");
    k->began = true;
    return true;
}

void agent_ask_end(AgentAsk *k)
{
    if (k->began)
        call_wait_end(k->call);
    k->began = false;
}

bool agent_ask(AgentAsk *k, const char *cmd, JsonObject *args, JsonObject **ret, GError **err)
{
    return agent_call(k->agent, &k->how, cmd, args, ret, err);
}

static bool malformed(const char *cmd, const char *wanted, GError **err)
{
    error_set(err, VIR_ERR_INTERNAL_ERROR, "the guest agent's answer to '%s' is not %s", cmd,
              wanted);
    return false;
}

static bool ask_typed(AgentAsk *k, const char *cmd, JsonObject *args, json_type type, bool lacks_ok,
                      JsonObject **ret, GError **err)
{
    g_autoptr(JsonObject) got = NULL;

    k->how.may_lack = lacks_ok;
    bool ok = agent_ask(k, cmd, args, &got, err);
    k->how.may_lack = false;
    if (!ok)
        return false;
    if (got ? !json_object_is_type(got, type) : !lacks_ok)
        return malformed(cmd, type == json_type_array ? "a list" : "an object", err);
    *ret = g_steal_pointer(&got);
    return true;
}

bool agent_ask_list(AgentAsk *k, const char *cmd, JsonObject *args, size_t max, bool lacks_ok,
                    JsonObject **ret, GError **err)
{
    if (!ask_typed(k, cmd, args, json_type_array, lacks_ok, ret, err))
        return false;
    if (json_len(*ret) <= max)
        return true;
    error_set(err, VIR_ERR_INTERNAL_ERROR,
              "the guest agent's answer to '%s' has more than %zu elements", cmd, max);
    g_clear_pointer(ret, json_object_put);
    return false;
}

bool agent_ask_object(AgentAsk *k, const char *cmd, bool lacks_ok, JsonObject **ret, GError **err)
{
    return ask_typed(k, cmd, NULL, json_type_object, lacks_ok, ret, err);
}

bool agent_ask_number(AgentAsk *k, const char *cmd, JsonObject *args, int64_t min, int64_t max,
                      int64_t *ret, GError **err)
{
    g_autoptr(JsonObject) got = NULL;

    if (!ask_typed(k, cmd, args, json_type_int, false, &got, err))
        return false;
    int64_t v = json_object_get_int64(got);
    if (v < min || v > max) {
        error_set(err, VIR_ERR_INTERNAL_ERROR, "the guest agent's answer to '%s' is out of range",
                  cmd);
        return false;
    }
    *ret = v;
    return true;
}

/* CPUs ----------------------------------------------------------------------------------------- */

static const JsonRow cpu_rows[] = {
    JSON_I64(AgentCpu, id, "logical-id", JSON_REQUIRED),
    JSON_BOOL(AgentCpu, online, "online", JSON_REQUIRED),
    JSON_BOOL(AgentCpu, can_offline, "can-offline", JSON_OPTIONAL),
};

GArray *agent_ask_cpus(AgentAsk *k, GError **err)
{
    g_autoptr(JsonObject) list = NULL;

    if (!agent_ask_list(k, "guest-get-vcpus", NULL, CPUS_MAX, false, &list, err))
        return NULL;
    g_autoptr(GArray) a = g_array_sized_new(false, true, sizeof(AgentCpu), (guint)json_len(list));
    for (size_t i = 0; i < json_len(list); i++) {
        AgentCpu c = { 0 };
        if (!json_read(json_object_array_get_idx(list, i), "reply of guest-get-vcpus", cpu_rows,
                       G_N_ELEMENTS(cpu_rows), &c, err))
            return NULL;
        if (c.id < 0 || c.id >= BITMAP_MAX) {
            (void)malformed("guest-get-vcpus", "a list of possible CPUs", err);
            return NULL;
        }
        g_array_append_val(a, c);
    }
    return g_steal_pointer(&a);
}

bool agent_ask_set_cpus(AgentAsk *k, const GArray *cpus, GError **err)
{
    for (guint done = 0; done < cpus->len;) {
        JsonObject *list = json_object_new_array();
        int64_t n;

        for (guint i = done; i < cpus->len; i++) {
            const AgentCpu *c = &g_array_index(cpus, AgentCpu, i);
            json_object_array_add(
                list, json_make(J_INT("logical-id", c->id), J_BOOL("online", c->online)));
        }
        if (!agent_ask_number(k, "guest-set-vcpus", json_make(J_OBJ("vcpus", list)), 0,
                              cpus->len - done, &n, err))
            return false;
        if (n == 0) {
            error_set(err, VIR_ERR_INTERNAL_ERROR, "the guest agent did not change CPU %d",
                      (int)g_array_index(cpus, AgentCpu, done).id);
            return false;
        }
        done += (guint)n;
    }
    return true;
}

bool agent_ask_set_cpu_count(AgentAsk *k, unsigned n, GError **err)
{
    g_autoptr(GArray) cpus = agent_ask_cpus(k, err);
    g_autoptr(GArray) change = g_array_new(false, false, sizeof(AgentCpu));
    unsigned online = 0;

    if (!cpus)
        return false;
    for (guint i = 0; i < cpus->len; i++)
        online += g_array_index(cpus, AgentCpu, i).online;
    /* Down from the last, up from the first; those that cannot go stay. */
    for (guint j = 0; j < cpus->len && online != n; j++) {
        bool down = online > n;
        AgentCpu c = g_array_index(cpus, AgentCpu, down ? cpus->len - 1 - j : j);
        if (c.online != down || (down && !c.can_offline))
            continue;
        c.online = !down;
        online = down ? online - 1 : online + 1;
        g_array_append_val(change, c);
    }
    if (online != n) {
        error_set(err, VIR_ERR_INTERNAL_ERROR,
                  "guest agent reports less cpu than requested or cannot take so many offline: "
                  "%u of %u",
                  online, n);
        return false;
    }
    return agent_ask_set_cpus(k, change, err);
}

/* Disks ---------------------------------------------------------------------------------------- */

static bool same_pci(const DeviceInfo *info, JsonObject *pci)
{
    const PciAddress *p = &info->address.u.pci;

    return info->address.type == ADDRESS_PCI && json_get_i64(pci, "domain", -1) == p->domain &&
           json_get_i64(pci, "bus", -1) == p->bus && json_get_i64(pci, "slot", -1) == p->slot &&
           json_get_i64(pci, "function", -1) == p->function;
}

/* A disk that is a PCI device itself, or one behind a controller that is. */
static bool disk_is_at(const DomainDef *live, const DiskDef *d, JsonObject *disk)
{
    static const struct {
        DiskBus bus;
        ControllerType type;
    } of[] = {
        { DISK_BUS_SCSI, CONTROLLER_SCSI },
        { DISK_BUS_IDE, CONTROLLER_IDE },
        { DISK_BUS_SATA, CONTROLLER_SATA },
    };
    JsonObject *pci = json_get(disk, "pci-controller");

    if (d->dev.info.address.type == ADDRESS_PCI)
        return same_pci(&d->dev.info, pci);
    if (d->dev.info.address.type != ADDRESS_DRIVE)
        return false;
    const DriveAddress *a = &d->dev.info.address.u.drive;
    if (json_get_i64(disk, "bus", -1) != a->bus || json_get_i64(disk, "target", -1) != a->target ||
        json_get_i64(disk, "unit", -1) != a->unit)
        return false;
    for (unsigned i = 0; i < G_N_ELEMENTS(of); i++) {
        const ControllerDef *c =
            of[i].bus == d->bus ? domain_find_controller(live, of[i].type, a->controller) : NULL;
        if (c && same_pci(&c->dev.info, pci))
            return true;
    }
    return false;
}

const char *agent_disk_target(const DomainDef *live, JsonObject *disk)
{
    DiskDef *d;

    for (guint i = 0; (d = domain_next(live, DEVICE_DISK, &i));)
        if (disk_is_at(live, d, disk))
            return d->dst;
    return NULL;
}
