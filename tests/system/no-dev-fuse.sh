#!/usr/bin/env bash
# Without /dev/fuse, or with one that is no device of FUSE's, the daemon says so, ends with 1 and
# leaves nothing behind; in the background it says the same. With it, it starts.
. "${0%/*}/functions.sh"
needs_mounts
saw()
{
    local status=0
    timeout 20 "$IMGSTOREFS" "$@" -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" \
        2>"$work/refused" || status=$?
    is "exit status" "$status" 1
    grep -q '^imgstorefs: cannot mount at .*/dev/fuse.*load the fuse module' "$work/refused" ||
        fail "it says: $(cat "$work/refused")"
    no_mounts
    no_tree=$(ls "$mnt")
    is "the mount point" "$no_tree" ""
}
mkdir "$work/dev"
mount --bind /dev "$work/dev" # to be had back
mount -t tmpfs tmpfs /dev
mknod -m 666 /dev/null c 1 3
umount "$work/dev"
saw -f
saw
mknod -m 600 /dev/fuse c 10 1 # no such device
saw -f
umount /dev
start_daemon
stop_daemon
