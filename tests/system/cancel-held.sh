#!/usr/bin/env bash
# cancel ends a download that hangs, at once, and its place is free for the next.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o downloads=1,stall_timeout=1h

fetch "$httpd/hang" "$(printf %064d 1)" hangs
wait_state hangs DOWNLOADING
sum=$(make_image web)
fetch "$httpd/ok/web.tar.gz" "$sum" web
fetch "$httpd/ok/web.tar.gz" "$(printf %064d 2)" never
succeeds write "$mnt/ctl/cancel" 'never\n'
is "state of one that waits" "$(cat "$mnt/images/never/state")" FAILED
begun=$(date +%s%3N)
succeeds write "$mnt/ctl/cancel" 'hangs\n'
is "state of one that hangs" "$(cat "$mnt/images/hangs/state")" FAILED
[ $(($(date +%s%3N) - begun)) -lt 1000 ] || fail "cancel took its time"
wait_state web ACTIVE
is "requests" "$(asked ok/web.tar.gz)" 1
