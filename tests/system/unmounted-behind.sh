#!/usr/bin/env bash
# What someone else unmounts is mounted again: by activate at once, and by itself after a while.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
echo kept >"$mnt/images/web/rootfs/mine"
umount "$store/active/web"
succeeds write "$mnt/ctl/activate" 'web\n'
mounted()
{
    mountpoint -q "$store/active/web" && state_is web ACTIVE
}
eventually 5 mounted
is "the layer" "$(cat "$mnt/images/web/rootfs/mine")" kept
umount "$store/active/web"
eventually 20 mounted
is "the layer" "$(cat "$mnt/images/web/rootfs/mine")" kept
