#!/usr/bin/env bash
# kill STATE: killed in that state, the daemon starts again and brings the image where it was to be.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd

sum=$(make_image web tar.gz 300)
case $1 in
ACTIVE) start_daemon && fetch "$httpd/range/web.tar.gz" "$sum" web ;;
FAILED) start_daemon && fetch "$httpd/404x1/web.tar.gz" "$sum" web ;;
*)
    hold "$1"
    start_daemon
    fetch "$httpd/range/web.tar.gz" "$sum" web
    ;;
esac
if [ "$1" = FAILED ]; then
    failed_with web http-status
else
    wait_state web "$1"
fi
kill_daemon
release "$1"
is "integrity of the database" "$(sqlite3 "$db" 'PRAGMA integrity_check')" ok
start_daemon
if [ "$1" = FAILED ]; then
    is state "$(cat "$mnt/images/web/state")" FAILED
    matches error "$(cat "$mnt/images/web/error")" 'http-status: .+'
    succeeds write "$mnt/ctl/retry" 'web\n'
fi
wait_state web ACTIVE
same_tree web
is error "$(cat "$mnt/images/web/error")" ""
is "overlays" "$(mounts_below "$store/active")" "$(realpath "$store")/active/web"
nothing_half_done
stop_daemon
no_mounts
nothing_half_done
