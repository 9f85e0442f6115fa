/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * CPUID of the processor we run on, feature MSRs and the clock from KVM where it is present. KVM is
 * only asked for numbers; that it answers does not mean that guests run with it. Any thread.
 */
#include "drivers/qemu/host_cpu.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "util/fd.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#include <linux/kvm.h>

static void read_cpuid(CpuData *d)
{
    for (unsigned i = 0; i < cpu_x86_n_features + 2; i++) {
        const CpuFeatureRow *f = i >= 2 ? &cpu_x86_features[i - 2] : NULL;
        uint32_t leaf = f ? f->leaf : i, sub = f ? f->sub : 0, r[4];
        bool seen = false;

        if (f && (f->flags & CPU_FEATURE_MSR))
            continue;
        for (unsigned k = 2; k < i && !seen; k++) /* each leaf once */
            seen = !(cpu_x86_features[k - 2].flags & CPU_FEATURE_MSR) && cpu_x86_features[k - 2].leaf == leaf &&
                   cpu_x86_features[k - 2].sub == sub;
        if (!seen && __get_cpuid_count(leaf, sub, &r[0], &r[1], &r[2], &r[3]))
            cpu_data_add_cpuid(d, leaf, sub, r);
    }
}

/* The MSRs that hold features, through KVM, else through the msr module. */
static void read_msrs(CpuData *d, int kvm)
{
    auto_fd dev = kvm < 0 ? open("/dev/cpu/0/msr", O_RDONLY | O_CLOEXEC) : -1;
    uint32_t last = 0;

    for (unsigned i = 0; i < cpu_x86_n_features; i++) {
        const CpuFeatureRow *f = &cpu_x86_features[i];
        uint64_t value;

        if (!(f->flags & CPU_FEATURE_MSR) || f->leaf == last)
            continue;
        last = f->leaf;
        if (kvm >= 0) {
            g_autofree struct kvm_msrs *m = g_malloc0(sizeof(*m) + sizeof(m->entries[0]));
            m->nmsrs = 1;
            m->entries[0].index = f->leaf;
            if (ioctl(kvm, KVM_GET_MSRS, m) == 1)
                cpu_data_add_msr(d, f->leaf, m->entries[0].data);
        } else if (dev >= 0 && pread(dev, &value, sizeof(value), f->leaf) == sizeof(value)) {
            cpu_data_add_msr(d, f->leaf, value);
        }
    }
}

static void read_tsc(HostProcessor *p, int kvm)
{
    auto_fd vm = kvm >= 0 ? ioctl(kvm, KVM_CREATE_VM, 0) : -1;
    auto_fd cpu = vm >= 0 ? ioctl(vm, KVM_CREATE_VCPU, 0) : -1;
    int khz = cpu >= 0 ? ioctl(cpu, KVM_GET_TSC_KHZ, 0) : -1;

    if (khz <= 0)
        return;
    p->tsc_hz = (uint64_t)khz * 1000;
    p->tsc_scaling = ioctl(kvm, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL) > 0;
}

static void read_processor(HostProcessor *p)
{
    auto_fd kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int constant = cpu_feature_find("invtsc"), msrs = cpu_feature_find("arch-capabilities");

    read_cpuid(&p->data);
    if (cpu_features_has(&p->data.features, (unsigned)msrs))
        read_msrs(&p->data, kvm);
    if (cpu_features_has(&p->data.features, (unsigned)constant))
        read_tsc(p, kvm);
}
#else
static void read_processor(HostProcessor *p)
{
    (void)p;
}
#endif

static unsigned cpuinfo_number(const char *text, const char *key)
{
    const char *p = strstr(text, key);

    return p && (p = strchr(p, ':')) ? (unsigned)g_ascii_strtoull(p + 1, NULL, 0) : 0;
}

const HostProcessor *host_processor(void)
{
    static gsize done;
    static HostProcessor p;

    if (g_once_init_enter(&done)) {
        g_autofree char *info = NULL;
        size_t len;

        read_processor(&p);
        if (fd_read_file(AT_FDCWD, "/proc/cpuinfo", 1 << 20, &info, &len, NULL)) {
            p.microcode = cpuinfo_number(info, "microcode");
            p.phys_bits = cpuinfo_number(info, "address sizes");
        }
        g_once_init_leave(&done, 1);
    }
    return &p;
}
