#!/usr/bin/env bash
# mkdir, mv and rmdir in images/NAME/snapshots: more writable layers over one image, each its own.
. "${0%/*}/functions.sh"
needs_mounts
[ -z "${1-}" ] || export IMGSTORE_SINK=$1
start_httpd
start_daemon
active web
active db
snaps=$mnt/images/web/snapshots
is "snapshots at first" "$(ls "$snaps")" ""
echo image >"$mnt/images/web/rootfs/mine"

# When mkdir returns, rootfs is there.
mkdir "$snaps/build"
same_tree web/snapshots/build web
is "state" "$(cat "$snaps/build/state")" ACTIVE
matches "info" "$(tr '\n' ' ' <"$snaps/build/info")" \
    "image web id build state ACTIVE created $time_re upper_bytes (-|[0-9]+) "
is "the link" "$(readlink "$snaps/build/rootfs")" "$(realpath "$store")/active/.snap/1"

# Independent of the image's own layer, and of one another.
mkdir "$snaps/test"
echo build >"$snaps/build/rootfs/mine"
rm "$snaps/test/rootfs/payload"
is "the image's" "$(cat "$mnt/images/web/rootfs/mine")" image
is "build's" "$(cat "$snaps/build/rootfs/mine")" build
[ ! -e "$snaps/test/rootfs/mine" ] || fail "test sees another's file"
[ -e "$snaps/build/rootfs/payload" ] || fail "build lacks what test deleted"
is "snapshots" "$(ls "$snaps" | tr '\n' ' ')" "build test "
grep -qx 'imgstorefs_snapshots 2' "$mnt/metrics" || fail "metrics does not count them"
is "links of the folder" "$(stat -c %h "$snaps")" 4

# It does not need the image to be ACTIVE.
succeeds write "$mnt/ctl/deactivate" 'web\n'
is "build's" "$(cat "$snaps/build/rootfs/mine")" build
mkdir "$snaps/of-stored"
same_tree web/snapshots/of-stored web
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE

# A rename is nothing that a process in there notices.
sit_in web/snapshots/build
mv "$snaps/build" "$snaps/built"
is "its place" "$(readlink "$snaps/built/rootfs")" "$(realpath "$store")/active/.snap/1"
is "where the process is" "$(readlink /proc/$sitter/cwd)" "$(realpath "$store")/active/.snap/1"
is "built's" "$(cat "$snaps/built/rootfs/mine")" build
[ ! -e "$snaps/build" ] || fail "the old name is there"
is "id" "$(sed -n 's/^id //p' "$snaps/built/info")" built

# In use: by whom is said under the name that users know.
refuses EBUSY images/web/snapshots/built rmdir "$snaps/built"
matches "the reason" "$line" ".*web/built: .* in use: pid $sitter \(sleep\).*"
is "state" "$(cat "$snaps/built/state")" ACTIVE
is "built's" "$(cat "$snaps/built/rootfs/mine")" build
stand_up
rmdir "$snaps/built"
[ ! -e "$snaps/built" ] || fail "it is still there"
[ ! -e "$store/overlays/.snap/1" ] || fail "its layer is still there"
[ ! -e "$store/active/.snap/1" ] || fail "its mount point is still there"
mkdir "$snaps/built"
[ ! -e "$snaps/built/rootfs/mine" ] || fail "a new one has an old one's file"

# An image that has snapshots stays.
refuses EBUSY ctl/remove write "$mnt/ctl/remove" 'web\n'
matches "the reason" "$line" '.*snapshots \(3\).*rmdir.*'
refuses EBUSY images/web rmdir "$mnt/images/web"
same_tree web/snapshots/built web

rmdir "$snaps"/*
rmdir "$mnt/images/web"
nothing_half_done
is "what is mounted" "$(mounts_below "$store/active")" "$(realpath "$store")/active/db"
