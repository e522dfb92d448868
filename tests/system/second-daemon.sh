#!/usr/bin/env bash
# A second daemon on the same store, or the same database, refuses and names who holds it.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon
mkdir "$work/mnt2"

second()
{
    local status=0
    timeout 20 "$IMGSTOREFS" -f -o "helper=$IMGSTORE_HELPER,$1" "$work/mnt2" >"$work/log2" 2>&1 ||
        status=$?
    case $status in 0 | 124) fail "a second daemon ran with $1" ;; esac
    grep -qw "$daemon_pid" "$work/log2" || fail "it does not name $daemon_pid: $(cat "$work/log2")"
    ! mountpoint -q "$work/mnt2" || fail "the second daemon mounted"
}
second "store=$store,db=$work/other.db"
second "store=$work/other-store,db=$db"
second "store=$store,db=$db"
second "store=$work/mnt/../store,db=$work/other.db"
alive
active_lock=$daemon_pid
kill_daemon
start_daemon
[ "$daemon_pid" != "$active_lock" ] || fail "the same process"
