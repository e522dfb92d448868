#!/usr/bin/env bash
# A layer that no image owns, but that someone still writes to, is never taken away.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
echo kept >"$mnt/images/web/rootfs/mine"
sit_in web
stop_daemon USR2
rm "$store/.id" "$db" "$db"-*
start_daemon
is "images" "$(ls "$mnt/images")" ""
is "the layer" "$(cat "$store/overlays/web/upper/mine")" kept
sits_in
sum=$(make_image web)
refuses EBUSY ctl/fetch write "$mnt/ctl/fetch" "$httpd/ok/web.tar.gz $sum web\n"
stand_up
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
[ ! -e "$mnt/images/web/rootfs/mine" ] || fail "the new image has the old one's layer"
