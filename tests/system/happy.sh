#!/usr/bin/env bash
# happy EXT: one line written, and a root file system appears that one can chroot into and write to.
. "${0%/*}/functions.sh"
needs_mounts
needs_program busybox
ldd "$(command -v busybox)" >/dev/null 2>&1 && skip "needs a static busybox"

make_tree web 200
cp "$(command -v busybox)" "$work/trees/web/bin/busybox"
ln -s busybox "$work/trees/web/bin/sh"
sum=$(pack web "$1")
start_httpd
start_daemon

echo "$httpd/ok/web.$1 $sum web" >"$mnt/ctl/fetch"
wait_state web ACTIVE
same_tree web
is "progress" "$(cat "$mnt/images/web/progress")" \
    "100 $(stat -c %s "$www/web.$1") $(stat -c %s "$www/web.$1") active"
is "error" "$(cat "$mnt/images/web/error")" ""
is "format" "$(info web format)" "$1"
is "rootfs" "$(readlink "$mnt/images/web/rootfs")" "$(realpath "$store")/active/web"

# It runs, and what is written stays in the writable layer.
is "what runs inside" "$(chroot "$mnt/images/web/rootfs" /bin/busybox cat /etc/image-name)" web
chroot "$mnt/images/web/rootfs" /bin/sh -c 'echo changed >/etc/image-name; echo new >/new'
is "the change" "$(cat "$store/active/web/etc/image-name")" changed
is "the upper" "$(cat "$store/overlays/web/upper/new")" new
is "the image below" "$(cat "$store/images/$sum/rootfs/etc/image-name")" web

stop_daemon
no_mounts
nothing_half_done
