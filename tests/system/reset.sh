#!/usr/bin/env bash
# ctl/reset: an image or a snapshot is back to what was packed, mounted as before.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
[ -z "${1-}" ] || export IMGSTORE_SINK=$1
start_httpd
start_daemon
active web
snaps=$mnt/images/web/snapshots
mkdir "$snaps/a" "$snaps/b"
change()
{
    echo changed >"$1/mine"
    rm "$1/payload"
}
reset()
{
    succeeds write "$mnt/ctl/reset" "$1\n"
}
for root in "$mnt/images/web" "$snaps/a" "$snaps/b"; do
    change "$root/rootfs"
done

# Each its own, mounted when the write returns.
reset web/a
same_tree web/snapshots/a web
is "b's" "$(cat "$snaps/b/rootfs/mine")" changed
is "the image's" "$(cat "$mnt/images/web/rootfs/mine")" changed
reset web
same_tree web
is "state" "$(cat "$mnt/images/web/state")" ACTIVE
is "b's" "$(cat "$snaps/b/rootfs/mine")" changed
nothing_half_done

# In use.
sit_in web
change "$mnt/images/web/rootfs"
refuses EBUSY ctl/reset write "$mnt/ctl/reset" 'web\n'
matches "the reason" "$line" ".*in use: pid $sitter \(sleep\).*"
is "the image's" "$(cat "$mnt/images/web/rootfs/mine")" changed
stand_up
sit_in web/snapshots/b
refuses EBUSY ctl/reset write "$mnt/ctl/reset" 'web/b\n'
matches "the reason" "$line" ".*web/b: .*in use: pid $sitter \(sleep\).*"
is "b's" "$(cat "$snaps/b/rootfs/mine")" changed
stand_up

# What is not mounted has its layer reset, and stays so.
succeeds write "$mnt/ctl/deactivate" 'web\n'
reset web
is "state" "$(cat "$mnt/images/web/state")" STORED
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
same_tree web
reset web/b
same_tree web/snapshots/b web

# On disk, whatever comes.
change "$mnt/images/web/rootfs"
sync
reset web
kill_daemon
start_daemon
same_tree web
same_tree web/snapshots/a web

# FAILED: the layer alone.
change "$mnt/images/web/rootfs"
succeeds write "$mnt/ctl/deactivate" 'web\n'
hold ACTIVATING
succeeds write "$mnt/ctl/activate" 'web\n'
refuses EBUSY ctl/reset write "$mnt/ctl/reset" 'web\n'
succeeds write "$mnt/ctl/cancel" 'web\n'
release ACTIVATING
reset_at_last() # what was cancelled may take a moment to notice
{
    [ "$(call write "$mnt/ctl/reset" 'web\n')" = OK ]
}
eventually 5 reset_at_last
is "state" "$(cat "$mnt/images/web/state")" FAILED
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
same_tree web

refused ENOENT reset 'nothing\n'
refused ENOENT reset 'web/nothing\n'
refused EINVAL reset 'web/\n'
refused EINVAL reset '/a\n'
refused EINVAL reset 'web/a/b\n'
refused EINVAL reset 'web a\n'
