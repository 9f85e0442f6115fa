# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What the scripts of this folder share. Sourced, not run; needs bash.
# Nothing here knows a host, a mirror or a user: packages come from whatever apt is set up to use.

SOURCE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# The only list of packages: what the build and the daemons need, then what the tests need on top.
PACKAGES_BUILD=(
    build-essential meson ninja-build pkg-config python3
    libglib2.0-dev libxml2-dev libtirpc-dev libgnutls28-dev libsasl2-dev libsystemd-dev libjson-c-dev
)
PACKAGES_RUN=(
    busybox-static ca-certificates cpio
    libvirt-clients qemu-system-x86 qemu-utils
)
PACKAGES_TEST=(
    clang clang-format dbus-daemon iproute2 libclang-rt-dev libsys-virt-perl libvirt-daemon libvirt-daemon-driver-qemu
    polkitd procps python3-libvirt systemd
    dnsmasq-base genisoimage isolinux ovmf passt qemu-guest-agent swtpm swtpm-tools syslinux-common
    gnutls-bin libsasl2-modules netcat-openbsd openssh-client openssh-server sasl2-bin
    krb5-admin-server krb5-kdc krb5-user libsasl2-modules-gssapi-mit
    libvirt-wireshark python3-dbus python3-gi tshark virtinst
    e2fsprogs kmod libiscsi-dev parted tgt xfsprogs
)
# Of the guest that has what this host's kernel lacks (host-guest): what is not installed here is unpacked for it.
PACKAGES_GUEST=(
    linux-image-cloud-amd64 kmod udev
    dosfstools e2fsprogs iproute2 lvm2 multipath-tools nfs-kernel-server open-iscsi parted rpcbind tgt
    thin-provisioning-tools xfsprogs
)

say()
{
    printf '%s\n' "$*" >&2
}

die()
{
    say "${0##*/}: $*"
    exit 1
}

# A build directory that is set up; further arguments are meson options.
setup_build()
{
    local dir=$1

    shift
    if [ -e "$dir/build.ninja" ]; then
        meson configure "$dir" "$@" >/dev/null
    else
        meson setup "$dir" "$SOURCE_ROOT" "$@"
    fi
}
