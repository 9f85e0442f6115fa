/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Fuzzes the decoders: the first bytes choose program, procedure and direction, the rest is the
 * payload. What decodes must encode, and decode to something that encodes to the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "protocols/admin_procs.h"
#include "protocols/lock_procs.h"
#include "protocols/log_procs.h"
#include "protocols/lxc_monitor_procs.h"
#include "protocols/lxc_procs.h"
#include "protocols/modvirt_procs.h"
#include "protocols/net_types.h"
#include "protocols/qemu_procs.h"
#include "protocols/remote_procs.h"
#include "protocols/xdr_buf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProgramInfo *const programs[] = {
    &remote_program, &qemu_program, &lxc_program, &admin_program, &lock_program, &log_program, &lxc_monitor_program,
    &modvirt_program,
};

static void try(xdrproc_t xdr, size_t size, const uint8_t *p, size_t n)
{
    g_autofree void *value = g_malloc(size), *again = g_malloc(size);
    g_autoptr(GByteArray) one = g_byte_array_new();
    g_autoptr(GByteArray) two = g_byte_array_new();

    if (!proc_decode("fuzz", xdr, size, p, n, value, NULL))
        return;
    if (!proc_encode("fuzz", xdr, value, one, n, NULL) ||
        !proc_decode("fuzz", xdr, size, one->data, one->len, again, NULL) ||
        !proc_encode("fuzz", xdr, again, two, n, NULL) || one->len != two->len ||
        memcmp(one->data, two->data, one->len) != 0)
        abort();
    proc_free(xdr, value);
    proc_free(xdr, again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const ProgramInfo *program;
    const ProcInfo *proc;

    if (size < 4)
        return 0;
    if (data[0] >= 0xfd) { /* what belongs to no procedure */
        static const struct { xdrproc_t xdr; size_t size; } common[] = {
            { (xdrproc_t)xdr_net_header, sizeof(net_header) },
            { (xdrproc_t)xdr_net_error, sizeof(net_error) },
            { (xdrproc_t)xdr_net_stream_hole, sizeof(net_stream_hole) },
        };
        try(common[data[0] - 0xfd].xdr, common[data[0] - 0xfd].size, data + 4, size - 4);
        return 0;
    }
    program = programs[data[0] % G_N_ELEMENTS(programs)];
    proc = program_find(program, (data[1] | data[2] << 8) % (int)program->n_procs);
    if (!proc)
        return 0;
    if (data[3] & 1) {
        if (proc->ret_xdr)
            try(proc->ret_xdr, proc->ret_size, data + 4, size - 4);
    } else if (proc->args_xdr) {
        try(proc->args_xdr, proc->args_size, data + 4, size - 4);
    }
    return 0;
}
