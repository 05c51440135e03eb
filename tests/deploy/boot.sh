#!/bin/sh
# Process 1 of new namespaces: a root of its own over this machine's, and systemd in it. See machine.py.
#   boot.sh SCRATCH PYTHON LIBRARY TREE
# /srv/python is the prefix of an interpreter, /srv/library its site-packages, /srv/tree what is to be tested: wherever
# these lie, they are readable there.
set -eu
scratch=$1 python=$2 library=$3 tree=$4
root=$scratch/root

mount --make-rprivate /
mount -t tmpfs -o size=1G machine "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" overlay "$root"
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys" # the kernel's settings are this machine's, too
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 run "$root/run"
mount -t tmpfs -o mode=1777 tmp "$root/tmp"
mount -t tmpfs -o mode=755 dev "$root/dev"
for device in null zero full random urandom tty; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mkdir "$root/dev/shm" "$root/dev/pts" "$root/dev/mqueue"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
mount -t tmpfs -o mode=1777 shm "$root/dev/shm"

# None of this machine's services.
rm -rf "$root/etc/systemd/system" "$root/etc/s3proxy" "$root/opt/s3proxy"
: >"$root/etc/fstab"
mkdir -p "$root/etc/systemd/system"
for unit in systemd-sysctl.service systemd-modules-load.service systemd-remount-fs.service systemd-udevd.service \
    systemd-update-utmp.service dev-hugepages.mount dev-mqueue.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount sys-kernel-config.mount sys-fs-fuse-connections.mount proc-sys-fs-binfmt_misc.automount; do
    ln -s /dev/null "$root/etc/systemd/system/$unit"
done
cat >"$root/etc/systemd/system/machine.target" <<END
[Unit]
Wants=dbus.socket
DefaultDependencies=no
END
mkdir "$root/srv/python" "$root/srv/library" "$root/srv/tree"
mount --bind "$python" "$root/srv/python"
mount -o remount,bind,ro "$root/srv/python"
mount --bind "$library" "$root/srv/library"
mount -o remount,bind,ro "$root/srv/library"
mount --bind "$tree" "$root/srv/tree"
mount -o remount,bind,ro "$root/srv/tree"
ip link set lo up

mkdir "$root/.old"
cd "$root"
pivot_root . .old
umount -l .old
exec env -i container=machine PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /lib/systemd/systemd --system --unit=machine.target --log-target=journal --show-status=false
