#!/usr/bin/env bash
# The writable layer: deactivate, activate and restart keep it, remove deletes it.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
root=$mnt/images/web/rootfs
kept()
{
    is "what was written ($1)" "$(cat "$root/mine")" kept
    [ ! -e "$root/bin/hello" ] || fail "what was deleted is back ($1)"
}
echo kept >"$root/mine"
rm "$root/bin/hello"

succeeds write "$mnt/ctl/deactivate" 'web\n'
is "state when the write returns" "$(cat "$mnt/images/web/state")" STORED
is "mounts when the write returns" "$(mounts_below "$store/active")" ""
[ ! -L "$root" ] || fail "a STORED image has a rootfs"
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
kept deactivate

stop_daemon
start_daemon
wait_state web ACTIVE
kept restart

succeeds write "$mnt/ctl/remove" 'web\n'
[ ! -e "$mnt/images/web" ] || fail "a removed image is still there"
fetch "$httpd/ok/web.tar.gz" "$(digest "$www/web.tar.gz")" web
wait_state web ACTIVE
same_tree web
