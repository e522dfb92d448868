#!/usr/bin/env bash
# A second daemon, with a store of its own, does not hide the first one's tree.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon
status=0
timeout 20 "$IMGSTOREFS" -f -o "db=$work/b.db,store=$work/b,helper=$IMGSTORE_HELPER" "$mnt" \
    2>"$work/refused" || status=$?
[ $status != 0 ] && [ $status != 124 ] || fail "the mount point is taken"
matches "the refusal" "$(cat "$work/refused")" '.*in use by another.*'
is "mounts at the mount point" "$(mounts_below "$mnt" | wc -l)" 1
[ -e "$mnt/version" ] || fail "the first tree is gone"
