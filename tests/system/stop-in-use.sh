#!/usr/bin/env bash
# A clean stop leaves an overlay that is in use, and says so in the log; the next start adopts it.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
active idle

sit_in web
stop_daemon
is "what is still mounted" "$(mounts_below "$store/active")" "$(realpath "$store")/active/web"
! mountpoint -q "$mnt" || fail "the tree is still mounted"
grep -E 'web.*in use|in use.*web' "$log" >/dev/null || fail "the log does not say that web is in use"
is "what the sitter sees" "$(cat "/proc/$sitter/cwd/etc/image-name")" web
start_daemon
wait_state web ACTIVE
wait_state idle ACTIVE
stand_up
stop_daemon
no_mounts
