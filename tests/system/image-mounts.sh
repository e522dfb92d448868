#!/usr/bin/env bash
# image-mounts: how unpacked images are mounted is found out by trying, in this very store, and the
# log says it once: from the file; over loop devices where the kernel cannot (files on a tmpfs, or on
# an overlay) or takes no overlay on it; directories, if asked.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
needs_program losetup
start_httpd

# kept_as WORDS: what the daemon's log says of images, as a regular expression.
kept_as()
{
    matches "the log" "$(sed -n 's/.* images: //p' "$log")" "$1"
}

# source_of NAME: what that image is mounted from; nothing if it is a directory.
source_of()
{
    awk -v m="$(realpath "$store/images/$(digest "$www/$1.tar.gz")/rootfs")" \
        '$5 == m { sub(/.* - /, ""); print $2 }' /proc/self/mountinfo
}

# try NAME WORDS SINK [OPTIONS]: an image in a new $store. $from is what it is mounted from.
try()
{
    : >"$log"
    start_daemon "${@:4}"
    kept_as "$2"
    active "$1"
    is "sink" "$(info "$1" sink)" "$3"
    same_tree "$1"
    from=$(source_of "$1")
    echo mine >"$mnt/images/$1/rootfs/mine"
    stop_daemon
    no_store_mounts
}

no_store_mounts()
{
    is "what is still mounted" "$(mounts_below "$(realpath "$store")")" ""
}

# on_loop: $from was a loop device, which is gone by now.
on_loop()
{
    matches "what it is mounted from" "$from" '/dev/loop[0-9]+'
    eventually 5 let_go_of "$from"
}

let_go_of()
{
    ! losetup "$1" 2>/dev/null | grep -q "$work"
}

try dir directories dir -o sink=dir
is "what a directory is mounted from" "$from" ""

start_daemon
stop_daemon
! grep -q 'images: directories, because' "$log" || skip "needs erofs: $(sed -n "s/.* images: //p" "$log")"

# overlay_refused: an image can be mounted from its file, but no overlay on it: that of the daemon's
# trial, which is made behind the first move_mount(2), fails.
overlay_refused()
{
    local step
    export IMGSTORE_FAULT_LOG=$work/faults
    IMGSTORE_FAULT=trace start_daemon
    stop_daemon
    step=$(awk '$2 == "MOUNT" && $4 == "move_mount" { print $3; exit }' "$work/faults")
    export IMGSTORE_FAULT=fail:MOUNT:$((step + 1))
    try refused 'erofs files, mounted over loop devices, because cannot make an overlay: .+' erofs
    on_loop
    unset IMGSTORE_FAULT IMGSTORE_FAULT_LOG
}

# This kernel and file system decide.
if grep -q 'images: erofs files, mounted from the file$' "$log"; then
    try file 'erofs files, mounted from the file' erofs
    matches "what it is mounted from" "$from" "$store/images/.*/image"
    overlay_refused
else
    try file 'erofs files, mounted over loop devices, because .+' erofs
    on_loop
fi

mkdir "$work/ram"
mount -t tmpfs tmpfs "$work/ram"
store=$work/ram/store db=$work/ram/store.db
try ram 'erofs files, mounted over loop devices, because .+' erofs
on_loop

# The store's layers lie on a disk, its images on an overlay.
store=$work/deep/store db=$work/deep.db
mkdir -p "$work/lower" "$work/upper" "$work/work" "$work/over" "$store"
mount -t overlay -o "lowerdir=$work/lower,upperdir=$work/upper,workdir=$work/work" deep "$work/over"
mkdir "$work/over/images"
ln -s "$work/over/images" "$store/images"
try deep 'erofs files, mounted over loop devices, because .+' erofs
on_loop
# Files of before are mounted as they must be, however new ones are kept.
: >"$log"
start_daemon -o sink=dir
kept_as directories
wait_state deep ACTIVE
is "what was written" "$(cat "$mnt/images/deep/rootfs/mine")" mine
matches "what it is mounted from" "$(source_of deep)" '/dev/loop[0-9]+'
