#!/usr/bin/env bash
# A disk without free inodes is no-space as well, and says so: at the download, in the midst of
# unpacking, and beforehand where it is known how many files the image has. (Of a directory: as erofs
# it takes a handful.)
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd
small_disk 64 -N 128
store=$disk/store
start_daemon -o min_free=0,sink=dir
make_tree web
for i in {1..30}; do
    echo "$i" >"$work/trees/web/etc/file-$i"
done
sum=$(pack web tar.gz)

hold DOWNLOADING
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web DOWNLOADING
eat_inodes 0
release DOWNLOADING
failed_with web no-space
matches error "$(cat "$mnt/images/web/error")" \
    'no-space: cannot open the download: No space left on device; free in .*: [0-9]+ bytes, 0 inodes'
eventually 15 grep -q 'free inodes' "$mnt/health"
make_room

hold UNPACKING
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web UNPACKING
eat_inodes 20
release UNPACKING
no_space web 'no-space: cannot make .*: No space left on device; needed: [0-9]+ bytes, 4 inodes'
is "the blob" "$(digest "$store/blobs/$sum.tar.gz")" "$sum"
nothing_half_done
make_room
recovers web
is "requests" "$(asked ok/web.tar.gz)" 1

# Now it is known.
entries=$(info web entries)
succeeds write "$mnt/ctl/deactivate" 'web\n'
lose_image "$sum"
succeeds write "$mnt/ctl/activate" 'web\n'
failed_with web mount-failed
eat_inodes 20
succeeds write "$mnt/ctl/retry" 'web\n'
failed_with web no-space
no_space web \
    "no-space: the unpacked image does not fit; needed: [0-9]+ bytes, $((entries + 4)) inodes"
make_room
recovers web

# The layer takes some, too.
hold ACTIVATING
sum=$(make_image small)
fetch "$httpd/ok/small.tar.gz" "$sum" small
wait_state small ACTIVATING
eat_inodes 1
release ACTIVATING
no_space small 'no-space: .*No space left on device; needed: [0-9]+ bytes, [0-9]+ inodes'
make_room
recovers small
wait_state web ACTIVE
