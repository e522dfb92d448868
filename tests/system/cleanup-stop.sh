#!/usr/bin/env bash
# cleanup-stop PLACE SIGNAL: the daemon ends in the midst of a cleanup (scan, cleanup, sweep): who waits
# for it is told, and the next start leaves nothing over, no mount of what went either.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd
start_daemon
active used
active unused
sum=$(digest "$www/unused.tar.gz")
succeeds rmdir "$mnt/images/unused"
nothing_half_done
hold "$1"
call write "$mnt/ctl/cleanup" 'run\n' >"$work/answer" &
writer=$!
in_background $writer
went()
{
    [ -z "$(compgen -G "$store/images/$sum*")$(compgen -G "$store/blobs/$sum*")" ]
}
if [ "$1" = sweep ]; then
    eventually 10 went
else
    sleep 0.3
    ! went || fail "the cleanup was not held"
fi
if [ "$2" = KILL ]; then
    kill_daemon
else
    stop_daemon "$2"
fi
wait $writer
matches "the answer" "$(cat "$work/answer")" 'ECANCELED|ECONNABORTED|ENOTCONN|EIO'
umount -l "$mnt" 2>/dev/null || true
release "$1"
start_daemon
wait_state used ACTIVE
same_tree used
if [ "$1" = sweep ]; then
    eventually 10 nothing_left_over
    went || fail "what went is back"
fi
nothing_half_done
is "mounts of trash" "$(mounts_below "$(realpath "$store")/images" | grep -F .trash- || true)" ""
succeeds write "$mnt/ctl/cleanup" 'run\n'
went || fail "a cleanup leaves something"
nothing_half_done
