#!/usr/bin/env bash
# A disk that fails to read or to write is `io` and costs nothing but that attempt: after the cure a
# retry goes on. (The end of the disk that the blobs lie on disappears, and comes back.)
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd
small_disk 64 -O ^has_journal
mkdir -p "$store/blobs"
umount "$disk"
mount -o loop "$disk_image" "$store/blobs"
loop=$(findmnt -no SOURCE "$store/blobs")
rmdir "$store/blobs/lost+found"
start_daemon -o min_free=0

# Half of what is downloaded lies behind that.
lose_end()
{
    truncate -s 16M "$disk_image"
    losetup -c "$loop"
}
get_end_back()
{
    truncate -s 64M "$disk_image"
    losetup -c "$loop"
}

sum=$(make_image web tar.gz 40000)
hold DOWNLOADING
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web DOWNLOADING
lose_end
release DOWNLOADING
failed_with web io
matches error "$(cat "$mnt/images/web/error")" 'io: cannot sync the download: Input/output error'
alive
nothing_half_done
get_end_back
recovers web

# Reading: the blob is not to blame, and stays. Its beginning is all that the disk still has.
succeeds write "$mnt/ctl/deactivate" 'web\n'
lose_image "$sum"
succeeds write "$mnt/ctl/activate" 'web\n'
failed_with web mount-failed
before=$(asked ok/web.tar.gz)
cp "$disk_image" "$work/whole.img"
dd if="$store/blobs/$sum.tar.gz" iflag=nocache count=0 status=none
lose_end
succeeds write "$mnt/ctl/retry" 'web\n'
failed_with web io
matches error "$(cat "$mnt/images/web/error")" 'io: .*Input/output error'
[ -e "$store/blobs/$sum.tar.gz" ] || fail "the blob is gone"
alive
get_end_back
dd if="$work/whole.img" of="$disk_image" bs=1M skip=16 seek=16 conv=notrunc status=none
dd if="$store/blobs/$sum.tar.gz" iflag=nocache count=0 status=none
is "the blob" "$(digest "$store/blobs/$sum.tar.gz")" "$sum"
recovers web
is "requests" "$(asked ok/web.tar.gz)" "$before"
