#!/usr/bin/env bash
# A mount point that is none is refused, with a line that says why and no lock left behind.
. "${0%/*}/functions.sh"
needs_mounts

refuses()
{
    local status=0
    timeout 10 "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$1" \
        >"$work/out" 2>&1 || status=$?
    case $status in 0 | 124) fail "runs at $1" ;; esac
    grep -qF "$1" "$work/out" || fail "does not name $1: $(cat "$work/out")"
}
refuses "$work/nothing"
: >"$work/file"
refuses "$work/file"
start_daemon
stop_daemon
no_mounts
