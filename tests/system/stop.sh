#!/usr/bin/env bash
# stop HOW (TERM, INT, umount): a clean stop leaves no mount, and the next start has it all back.
. "${0%/*}/functions.sh"
needs_mounts
needs_program fusermount3
start_httpd
start_daemon
active web
fetch "$httpd/hang" "$(printf %064d 1)" hangs
wait_state hangs DOWNLOADING

case $1 in
umount)
    fusermount3 -u "$mnt"
    wait_exit "$daemon_pid" 20 || fail "the daemon ended with $?"
    daemon_pid=''
    ;;
*) stop_daemon "$1" ;;
esac
no_mounts
is "who still holds the store" "$(find /proc/[0-9]*/fd -lname "$store/*" 2>/dev/null)" ""
start_daemon
wait_state web ACTIVE
same_tree web
is "state" "$(cat "$mnt/images/hangs/state")" DOWNLOADING
