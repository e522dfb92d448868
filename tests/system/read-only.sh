#!/usr/bin/env bash
# A disk that has become read-only, as after an error of its file system: what is under way fails and
# says why, what is asked for is refused, health names it, and after the cure all goes on.
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
needs_test_points
needs_program sqlite3 e2fsck
start_httpd
small_disk 64 -e remount-ro
store=$disk/store db=$disk/store.db
failing=/sys/fs/ext4/${loop#/dev/}/trigger_fs_error
[ -w "$failing" ] || skip "needs $failing"
start_daemon -o min_free=0
active kept
echo mine >"$mnt/images/kept/rootfs/mine"
sync -f "$disk"
sum=$(make_image web tar.gz 3000)
hold UNPACKING
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web UNPACKING
echo "as a test wants it" >"$failing"
release UNPACKING

names_it()
{
    grep -q "^database: .*Read-only file system" "$mnt/health"
}
eventually 20 names_it
# The state that cannot be written down is not shown.
is "state" "$(cat "$mnt/images/web/state")" UNPACKING
refused EROFS remove 'web\n'
refused EROFS fetch "http://127.0.0.1:1/x.tar $(printf %064d 1) x\\n"
alive
is "what runs there" "$(cat "$mnt/images/kept/rootfs/mine")" mine

# At a start it is refused, and says why.
stop_daemon
status=0
timeout 20 "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" \
    2>"$work/refused" || status=$?
is "exit status" "$status" 1
matches "the refusal" "$(cat "$work/refused")" "imgstorefs: cannot .*$store.*: Read-only file system.*"
no_tree=$(ls "$mnt")
is "the mount point" "$no_tree" ""

umount "$disk"
status=0
e2fsck -fy "$disk_image" >/dev/null 2>&1 || status=$?
[ $status -lt 4 ] || fail "e2fsck could not mend it"
mount -o loop "$disk_image" "$disk"
start_daemon -o min_free=0
wait_state web ACTIVE
same_tree web
wait_state kept ACTIVE
is "the layer" "$(cat "$mnt/images/kept/rootfs/mine")" mine
is health "$(cat "$mnt/health")" ok
nothing_half_done
