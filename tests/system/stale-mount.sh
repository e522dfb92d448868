#!/usr/bin/env bash
# A dead FUSE mount at the mount point is detached at start.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon
kill_daemon
! ls "$mnt" 2>/dev/null || fail "the mount is not dead: this test tests nothing"
start_daemon
is "mounts at the mount point" "$(mounts_below "$mnt" | wc -l)" 1
stop_daemon
no_mounts
