/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Facts about machine types and architectures that aliases, addresses, defaults and the command line
 * share. Names of QEMU machines and nothing else; pure. */
#pragma once

#include "conf/domain.h"
#include "drivers/qemu/caps.h"

bool arch_is_x86(const char *arch);
bool arch_is_ppc64(const char *arch);
bool arch_is_s390(const char *arch);
bool arch_is_arm(const char *arch);
bool arch_is_riscv(const char *arch);

bool qemu_machine_is_i440fx(const DomainDef *d);
bool qemu_machine_is_q35(const DomainDef *d);
bool qemu_machine_is_isapc(const DomainDef *d);
bool qemu_machine_is_microvm(const DomainDef *d);
bool qemu_machine_is_arm_virt(const DomainDef *d);
bool qemu_machine_is_riscv_virt(const DomainDef *d);
bool qemu_machine_is_pseries(const DomainDef *d);
bool qemu_machine_is_s390_ccw(const DomainDef *d);
/* Too old for CPU models: the guest can have the host's CPU as it is, or none. */
bool qemu_machine_is_host_cpu_only(const DomainDef *d);
/* An IDE or floppy controller that is part of the machine. */
bool qemu_machine_has_ide(const DomainDef *d);
bool qemu_machine_has_fdc(const DomainDef *d);
/* Its floppy controller is a device of its own (q35 since 2.4). */
bool qemu_machine_needs_fdc(const DomainDef *d);
/* "pci.0" rather than "pci". */
bool qemu_machine_numbers_pci_buses(const DomainDef *d);
/* A UHCI that lends its ports to the EHCI of the same index. */
bool qemu_is_usb_companion(const ControllerDef *c);
/* A device that is plugged into a USB port. */
bool qemu_device_on_usb(const Device *dev);
/* CPUs that the guest starts with and that can never be taken away. */
unsigned qemu_fixed_vcpus(const DomainDef *d);
/* The model that a CPU type stands for: "qemu64-x86_64-cpu" is "qemu64". */
char *qemu_cpu_model_of_type(const char *type);
/* The same, by the emulator's own list of models where that has the type. */
char *qemu_cpu_model_in(const QemuCaps *c, QemuAccel a, const char *type);
/* A root bus of PCI or PCI Express. */
bool qemu_machine_has_pci_root(const DomainDef *d);
bool qemu_machine_has_pcie_root(const DomainDef *d);
