#!/usr/bin/env bash
# disk-full STAGE [SINK]: a disk that is full when that stage begins, or becomes full in its midst, is
# no-space, which says what was needed and what is free; what was verified stays, and a retry goes on
# from there once there is room.
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd
small_disk 64
store=$disk/store
[ "$1" != commit ] || db=$disk/store.db
# Sink erofs has one file to write; the other one copies out of it.
[ -z "${2-}" ] || export IMGSTORE_SINK=$2
start_daemon -o min_free=0

# begin STATE [MODE] [KEEP]: web is held where that state's work begins, and the disk filled.
begin()
{
    hold "$1"
    fetch "$httpd/${2:-ok}/web.tar.gz" "$sum" web
    wait_state web "$1"
    fill_up "${3:-0}"
    release "$1"
}

blob_kept()
{
    is "the blob" "$(digest "$store/blobs/$sum.tar.gz")" "$sum"
    is "requests" "$(asked "${1:-ok}/web.tar.gz")" 1
}

case $1 in
DOWNLOADING)
    sum=$(make_image web tar.gz 10000)
    # Announced: not a byte is taken.
    begin DOWNLOADING ok 2000
    no_space web "no-space: the download does not fit; needed: $(stat -c %s "$www/web.tar.gz") bytes"
    nothing_half_done
    make_room
    recovers web
    # Not announced: what came stays, and the rest is asked for.
    succeeds write "$mnt/ctl/remove" 'web\n'
    succeeds write "$mnt/ctl/cleanup" 'run\n'
    begin DOWNLOADING nolength 2000
    no_space web "no-space: cannot write the download: No space left on device"
    alive
    make_room
    part=$store/blobs/$sum.part
    size=$(stat -c %s "$part")
    [ "$size" -gt 1000000 ] || fail "the partial download has $size bytes"
    cmp -n "$size" "$part" "$www/web.tar.gz" || fail "what is kept is not how the archive begins"
    recovers web
    ;;
UNPACKING)
    # Known beforehand: the archive alone is larger than what is left.
    sum=$(make_image web tar.gz 10000)
    begin UNPACKING ok 5000
    no_space web "no-space: the unpacked image does not fit; needed: [0-9]+ bytes, [0-9]+ inodes"
    blob_kept
    make_room
    recovers web
    blob_kept
    # Only the writes tell: in the data file, then in the files that are copied out of it.
    for keep in 10000 $([ "${2-}" != dir ] || echo 30000); do
        succeeds write "$mnt/ctl/remove" 'web\n'
        succeeds write "$mnt/ctl/cleanup" 'run\n'
        nothing_half_done
        rm -r "$work/trees/web"
        make_tree web
        (yes "$keep" || true) 2>/dev/null | head -c 20000000 >"$work/trees/web/large"
        sum=$(pack web tar.gz)
        begin UNPACKING ok "$keep"
        no_space web "no-space: .*No space left on device; needed: [0-9]+ bytes, [0-9]+ inodes"
        is "the blob" "$(digest "$store/blobs/$sum.tar.gz")" "$sum"
        make_room
        recovers web
    done
    ;;
DOWNLOADED)
    # Verified, and full before anyone claims it: what stays is the download.
    sum=$(make_image web tar.gz 1000)
    begin DOWNLOADED
    no_space web "no-space: the unpacked image does not fit; needed: [0-9]+ bytes, [0-9]+ inodes"
    blob_kept
    is "what is unpacked" "$(ls -A "$store/images" | grep -v '^.trash-' || true)" ""
    make_room
    recovers web
    blob_kept
    ;;
UNPACKED | ACTIVATING)
    # To publish is a rename, which needs no room; the layer does.
    sum=$(make_image web tar.gz 1000)
    begin "$1"
    no_space web \
        "no-space: cannot make overlays/web: No space left on device; needed: [0-9]+ bytes, [0-9]+ inodes"
    blob_kept
    [ -d "$store/images/$sum/rootfs" ] || fail "the unpacked image is gone"
    make_room
    recovers web
    blob_kept
    ;;
commit)
    # The database is on it as well.
    sum=$(make_image web tar.gz 3000)
    begin DOWNLOADING ok 500
    unwell()
    {
        grep -qE "free space|database: .*free in $db: [0-9]+ bytes, [0-9]+ inodes" "$mnt/health"
    }
    word=OK
    for i in {1..400}; do
        word=$(call write "$mnt/ctl/fetch" "http://127.0.0.1:1/x.tar $(printf %064d "$i") n$i\n")
        [ "$word" = OK ] || break
        [ "$i" != 50 ] || fill_up
    done
    is "the write that found no room" "$word" ENOSPC
    matches "error_log" "$(tail -n1 "$mnt/ctl/error_log")" \
        ".*database: .*; free in $db: [0-9]+ bytes, [0-9]+ inodes"
    alive
    eventually 20 unwell
    make_room
    failed_with web no-space
    recovers web
    is "images" "$(sqlite3 "$db" 'SELECT count(*) FROM images')" "$i"
    ;;
esac
alive
stop_daemon
is "overlays" "$(mounts_below "$store/active")" ""
