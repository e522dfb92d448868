#!/usr/bin/env bash
# Without --mount and IMGSTORE_MOUNT the client finds the one fuse.imgstorefs mount there is.
. "${0%/*}/functions.sh"
needs_mounts
needs_program unshare
# In a namespace of its own, where no other test's mount is in the way.
if [ "${1-}" != inside ]; then
    unshare -m --propagation private true 2>/dev/null || skip "needs mount namespaces"
    trap - EXIT
    rmdir "$mnt" "$www" "$hold" "$work"
    exec unshare -m --propagation private "$0" inside
fi
while read -r m; do
    umount -l "$m"
done < <(awk '/ - fuse\.imgstorefs / { print $5 }' /proc/self/mountinfo)
unset IMGSTORE_MOUNT
status=0
"$IMGSTORE" list >/dev/null 2>&1 || status=$?
is "exit without a tree" $status 3
start_daemon
"$IMGSTORE" list >/dev/null || fail "the client does not find the tree"
