#!/usr/bin/env bash
# remove and rmdir of an ACTIVE image: unmounted, gone from the tree, its layer deleted; others stay.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
active other
echo x >"$mnt/images/web/rootfs/mine"

succeeds write "$mnt/ctl/remove" 'web\n'
is "images" "$(ls "$mnt/images")" other
is "mounts" "$(mounts_below "$store/active")" "$(realpath "$store")/active/other"
no_layer()
{
    [ -z "$(find "$store/overlays" "$store/active" -mindepth 1 -maxdepth 1 ! -name other ! -name .snap)" ]
}
eventually 5 no_layer

succeeds rmdir "$mnt/images/other"
is "images" "$(ls "$mnt/images")" ""
is "mounts" "$(mounts_below "$store/active")" ""
fails_with ENOENT rmdir "$mnt/images/other"
eventually 5 nothing_left_over
stop_daemon
start_daemon
is "images after a restart" "$(ls "$mnt/images")" ""
