#!/usr/bin/env bash
# remove takes an image away in mid-download, at once and for good.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o stall_timeout=1h

sum=$(make_image web tar.gz 100)
fetch "$httpd/stall/web.tar.gz" "$sum" web
eventually 10 was_asked stall/web.tar.gz 1
wait_state web DOWNLOADING
succeeds write "$mnt/ctl/remove" 'web\n'
[ ! -e "$mnt/images/web" ] || fail "it is still there"
is "images" "$(ls "$mnt/images")" ""
refused ENOENT remove 'web\n'
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
same_tree web
stop_daemon
start_daemon
wait_state web ACTIVE
