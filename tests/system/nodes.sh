#!/usr/bin/env bash
# The tree's nodes, their types, modes and owners.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED
mkdir "$mnt/images/web/snapshots/a"

cat >"$work/want" <<END
d 555 0 0 .
f 444 0 0 README
d 555 0 0 ctl
f 600 0 0 ctl/activate
f 600 0 0 ctl/cancel
f 600 0 0 ctl/cleanup
f 600 0 0 ctl/deactivate
f 600 0 0 ctl/error_log
f 600 0 0 ctl/fetch
f 600 0 0 ctl/log_level
f 600 0 0 ctl/remove
f 600 0 0 ctl/reset
f 600 0 0 ctl/retry
f 444 0 0 events
d 555 0 0 export
f 400 0 0 export/web.tar
f 400 0 0 export/web@a.tar
f 444 0 0 health
d 555 0 0 images
d 555 0 0 images/broken
f 444 0 0 images/broken/error
f 444 0 0 images/broken/info
f 444 0 0 images/broken/progress
d 755 0 0 images/broken/snapshots
f 444 0 0 images/broken/state
d 555 0 0 images/web
f 444 0 0 images/web/error
f 444 0 0 images/web/info
f 444 0 0 images/web/progress
l 777 0 0 images/web/rootfs
d 755 0 0 images/web/snapshots
d 555 0 0 images/web/snapshots/a
f 444 0 0 images/web/snapshots/a/info
l 777 0 0 images/web/snapshots/a/rootfs
f 444 0 0 images/web/snapshots/a/state
f 444 0 0 images/web/state
d 755 0 0 import
f 444 0 0 metrics
f 444 0 0 version
END
(cd "$mnt" && find . -printf '%y %m %U %G %P\n') | sed 's/ $/ ./' | LC_ALL=C sort -k5 >"$work/got"
diff -u "$work/want" "$work/got" || fail "the tree is otherwise"

# ls and find agree, and a name that is not there is not there.
is "images" "$(ls "$mnt/images" | tr '\n' ' ')" "broken web "
for path in nothing ctl/nothing images/nothing images/web/nothing images/broken/rootfs \
    images/web/state/x; do
    [ ! -e "$mnt/$path" ] || fail "$path exists"
done
fails_with ENOENT open O_RDONLY "$mnt/images/nothing"
fails_with ENOENT open O_RDONLY "$mnt/images/nothing/state"
fails_with ENOENT readlink "$mnt/images/broken/rootfs"
fails_with ENOTDIR open O_RDONLY "$mnt/images/web/state/x"
# Inodes are the nodes' own and stay.
inodes()
{
    find "$mnt" -printf '%i %P\n' | sort
}
first=$(inodes)
is "inodes, asked again" "$(inodes)" "$first"
is "inodes that two nodes share" "$(cut -d' ' -f1 <<<"$first" | sort | uniq -d)" ""
grep -q "fuse.imgstorefs" /proc/self/mountinfo || fail "the mount's type is not fuse.imgstorefs"
