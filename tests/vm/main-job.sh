#!/usr/bin/env bash
# The main job, from a written line to nothing left: with the sink that the daemon is told
# (IMGSTORE_SINK), which `info` names; images in files are mounted over loop devices with direct I/O, as
# Linux 6.1 cannot do otherwise.
. "${0%/*}/../system/functions.sh"
needs_mounts
needs_program busybox losetup

make_tree web 400
cp "$(command -v busybox)" "$work/trees/web/bin/busybox"
ln -s busybox "$work/trees/web/bin/sh"
mkdir "$work/trees/web/lib"
sum=$(pack web tar.gz)
start_httpd
start_daemon
fetch "$httpd/ok/web.tar.gz" "$sum" web
fetch "$httpd/ok/web.tar.gz" "$sum" twin
wait_state web ACTIVE
wait_state twin ACTIVE
same_tree web
rootfs=$mnt/images/web/rootfs

# How it is mounted.
loops()
{
    losetup -n -l -O NAME,BACK-FILE | grep -F "$sum" || true
}
no_loops()
{
    [ -z "$(loops)" ]
}
image=$(realpath "$store")/images/$sum/rootfs
from=$(awk -v m="$image" '$5 == m { sub(/.* - /, ""); print $1, $2 }' /proc/self/mountinfo)
if [ "$IMGSTORE_SINK" = dir ]; then
    is "sink" "$(info web sink)" dir
    is "what the image is mounted from" "$from" ""
    grep -q ' images: directories$' "$log" || fail "the log does not say so"
else
    is "sink" "$(info web sink)" erofs
    matches "what the image is mounted from" "$from" 'erofs /dev/loop[0-9]+'
    device=${from#erofs /dev/}
    is "direct I/O" "$(cat "/sys/block/$device/loop/dio")" 1
    is "the loop device's file" "$(cat "/sys/block/$device/loop/backing_file")" "${image%/*}/image"
    is "loop devices" "$(loops | wc -l)" 1 # for both names
    grep -q ' images: erofs files, mounted over loop devices, because' "$log" ||
        fail "the log does not say so"
fi

# It runs, and is written to: what is new, what is changed, what is renamed (redirect_dir), what goes.
is "what runs inside" "$(chroot "$rootfs" /bin/busybox cat /etc/image-name)" web
chroot "$rootfs" /bin/sh -c 'echo changed >/etc/image-name; echo new >/new; /bin/busybox mv /lib /moved
    /bin/busybox rm /payload'
written()
{
    is "the change" "$(cat "$rootfs/etc/image-name")" changed
    is "what is new" "$(cat "$rootfs/new")" new
    is "what was renamed or removed" "$(cd "$rootfs" && ls -d lib moved payload 2>/dev/null)" moved
}
written
same_tree twin web

# Killed, the daemon leaves it as it stands, and the next one adopts it.
sit_in web
kill_daemon
is "what the sitter sees" "$(cat "/proc/$sitter/cwd/etc/image-name")" changed
start_daemon
wait_state web ACTIVE
written
refused EBUSY deactivate 'web\n'
stand_up

succeeds write "$mnt/ctl/deactivate" 'web\n'
is state "$(cat "$mnt/images/web/state")" STORED
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
written

# A restart brings it back; what is removed and cleaned up is gone, its loop device, too.
stop_daemon
no_mounts
start_daemon
wait_state web ACTIVE
written
same_tree twin web
succeeds write "$mnt/ctl/remove" 'web\n'
succeeds rmdir "$mnt/images/twin"
succeeds write "$mnt/ctl/cleanup" 'run\n'
is "images" "$(ls "$mnt/images")" ""
gone()
{
    [ -z "$(find "$store/images" "$store/blobs" "$store/overlays" "$store/active" -mindepth 1)" ]
}
eventually 5 gone
is "mounts" "$(mounts_below "$(realpath "$store")")" ""
stop_daemon
nothing_half_done
eventually 5 no_loops
