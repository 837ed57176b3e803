#!/usr/bin/env bash
# Boots the real systemd as process 1 of its own namespaces, over a throw-away overlay of this machine's files, or of
# those below $LOWER.
# boot.sh PLACE BINARY INSTALL: an empty directory; the tally to install; the script that does it.
set -euo pipefail
place=$1 binary=$2 install=$3
if [[ ${4-} != inside ]]; then
    # A group of its own, or systemd would make its slices at the root of the machine's.
    group=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)/tally-test-$$
    mkdir "$group"
    echo $$ > "$group/cgroup.procs"
    exec unshare --pid --fork --mount --uts --ipc --cgroup --net --propagation private --kill-child \
        "$0" "$place" "$binary" "$install" inside
fi

mount -t tmpfs tmpfs "$place"
mkdir "$place"/{upper,work,root}
mount -t overlay overlay -o "lowerdir=${LOWER:-/},upperdir=$place/upper,workdir=$place/work" "$place/root"
root=$place/root
# A tally of this machine's own has no say here: neither its settings nor its jobs.
rm -rf "$root"/{etc,var/lib}/tally
"$install" "$binary" --destdir "$root" > /dev/null

mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,ro,bind "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for node in null zero full random urandom tty; do
    touch "$root/dev/$node"
    mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir "$root"/dev/{pts,shm,mqueue}
mount -t devpts -o newinstance,ptmxmode=666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"

# Only what is of use here is started, whatever this machine has installed.
units=$root/run/systemd/system
mkdir -p "$units"
printf '[Unit]\nRequires=basic.target\nAfter=basic.target\nAllowIsolate=yes\n' > "$units/box.target"
for unit in systemd-sysctl systemd-binfmt systemd-modules-load systemd-udevd systemd-udev-trigger systemd-networkd \
    systemd-resolved systemd-timesyncd systemd-remount-fs systemd-firstboot systemd-hwdb-update \
    systemd-journal-flush systemd-journal-catalog-update systemd-update-done systemd-pstore systemd-random-seed \
    systemd-boot-system-token systemd-update-utmp; do
    ln -s /dev/null "$units/$unit.service"
done
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer dpkg-db-backup.timer \
    systemd-tmpfiles-clean.timer systemd-udevd-kernel.socket systemd-udevd-control.socket dev-hugepages.mount \
    sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount \
    proc-sys-fs-binfmt_misc.automount dev-mqueue.mount systemd-initctl.socket; do
    ln -s /dev/null "$units/$unit"
done
mkdir -p "$root/run/log/journal"
exec chroot "$root" /usr/bin/env -i container=box PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=box.target
