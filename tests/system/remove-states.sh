#!/usr/bin/env bash
# remove-states STATE: remove works in that state too, and the same name can be fetched at once.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
start_httpd
hold "$1"
start_daemon

sum=$(make_image web tar.gz 100)
fetch "$httpd/range/web.tar.gz" "$sum" web
wait_state web "$1"
# A held place lets nobody by, remove included; what it waits for in earnest ends when told to.
(sleep 0.3 && release "$1") &
in_background $!
succeeds write "$mnt/ctl/remove" 'web\n'
is "images" "$(ls "$mnt/images")" ""
fetch "$httpd/range/web.tar.gz" "$sum" web
wait_state web ACTIVE
same_tree web
rmdir "$mnt/images/web"
nothing_half_done # what is in the trash at a stop stays until the next start
stop_daemon
no_mounts
