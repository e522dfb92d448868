#!/usr/bin/env bash
# Without --mount and IMGSTORE_MOUNT the client finds the one fuse.imgstorefs mount there is.
. "${0%/*}/functions.sh"
needs_mounts
unset IMGSTORE_MOUNT
status=0
"$IMGSTORE" list >/dev/null 2>&1 || status=$?
is "exit without a tree" $status 3
start_daemon
"$IMGSTORE" list >/dev/null || fail "the client does not find the tree"
