#!/bin/busybox sh
# The first program of the machine: loads the modules, mounts the disk and goes there.
export PATH=/bin
busybox mkdir -p /dev /proc /sys /disk
busybox mount -t devtmpfs dev /dev
for module in /modules/*; do
    busybox insmod "$module" || echo "VM: cannot load $module"
done
tries=0
until [ -b /dev/vda ]; do
    tries=$((tries + 1))
    [ $tries -lt 600 ] || { echo "VM: no disk" && busybox poweroff -f; }
    busybox sleep 0.1
done
busybox mount -t ext4 /dev/vda /disk || busybox poweroff -f
busybox mount --move /dev /disk/dev
exec busybox switch_root /disk /tests/vm/inside.sh
