#!/usr/bin/env bash
# What a control write asked for is known after a kill, as soon as the write returned.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
fetch "$httpd/hang" "$(printf %064d 1)" fetched
kill_daemon
start_daemon
[ -d "$mnt/images/fetched" ] || fail "the fetch is forgotten"
succeeds write "$mnt/ctl/cancel" 'fetched\n'
kill_daemon
start_daemon
is "state" "$(cat "$mnt/images/fetched/state")" FAILED
matches error "$(cat "$mnt/images/fetched/error")" 'cancelled: .+'
succeeds write "$mnt/ctl/remove" 'fetched\n'
kill_daemon
start_daemon
is "images" "$(ls "$mnt/images")" ""

fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
succeeds write "$mnt/ctl/deactivate" 'web\n'
kill_daemon
start_daemon
sleep 0.3
is "state" "$(cat "$mnt/images/web/state")" STORED
is "overlays" "$(mounts_below "$store/active")" ""
succeeds write "$mnt/ctl/activate" 'web\n'
kill_daemon
start_daemon
wait_state web ACTIVE
same_tree web
