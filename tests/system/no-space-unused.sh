#!/usr/bin/env bash
# no-space-unused [SINK]: a download or an image that finds no room gets what the unused takes up, and
# nobody notices; where that is not enough it is no-space. With min_free=0 what is unused stays.
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd
small_disk 128
store=$disk/store
[ -z "${1-}" ] || export IMGSTORE_SINK=$1
start_daemon -o min_free=1M

# unused NAME KIB: its blob and its image, of so much each.
unused()
{
    rm -rf "$work/trees/$1"
    sums[$1]=$(make_image "$1" tar.gz "$2")
    fetch "$httpd/ok/$1.tar.gz" "${sums[$1]}" "$1"
    wait_state "$1" ACTIVE
    succeeds rmdir "$mnt/images/$1"
}

# begin STATE KIB [MODE]: web is held where that begins, and so much left free.
begin()
{
    hold "$1"
    fetch "$httpd/${3:-ok}/web.tar.gz" "$sum" web
    wait_state web "$1"
    fill_up "$2"
    release "$1"
}

stays()
{
    [ -n "$(compgen -G "$store/blobs/${sums[$1]}*")$(compgen -G "$store/images/${sums[$1]}*")" ]
}

goes()
{
    ! stays "$1"
}

over()
{
    make_room
    succeeds rmdir "$mnt/images/web"
    succeeds write "$mnt/ctl/cleanup" 'run\n'
    nothing_half_done
}

declare -A sums
sum=$(make_image web tar.gz 8000)

# A download whose size is known, then one whose size the writes tell.
for mode in ok nolength; do
    unused old 12000
    unused older 12000
    begin DOWNLOADING 2000 $mode
    wait_state web ACTIVE 60
    same_tree web
    is "error" "$(cat "$mnt/images/web/error")" ""
    goes old || fail "the oldest is still there"
    is "attempts" "$(info web attempts)" 1
    over
done

# An image, which may need more than was thought.
rm -r "$work/trees/web"
make_tree web 2000
(yes || true) 2>/dev/null | head -c 12000000 >"$work/trees/web/large"
sum=$(pack web tar.gz)
unused old 6000
unused new 10000
begin UNPACKING 1200
wait_state web ACTIVE 60
same_tree web
goes old || fail "the oldest is still there"
over

# What someone still reads in an image is given back a moment later.
unused old 8000
if [ -e "$store/images/${sums[old]}/image" ]; then
    exec {payload}<"$store/images/${sums[old]}/rootfs/payload"
    begin UNPACKING 1200
    eventually 60 goes old
    sleep 0.2
    exec {payload}<&-
    wait_state web ACTIVE 60
    over
else # a directory's files are given back one by one
    succeeds write "$mnt/ctl/cleanup" 'run\n'
fi

# All that can go is not enough: it fails as ever, with nothing left.
unused old 1000
begin UNPACKING 1200
no_space web "no-space: .*; needed: [0-9]+ bytes, [0-9]+ inodes"
goes old || fail "the oldest is still there"
make_room
recovers web
over

# Two names of one download, of which each finds no room; the one worker is free again after that.
stop_daemon
start_daemon -o min_free=1M,downloads=1
pair=$(make_image pair tar.gz 8000)
unused old 12000
hold DOWNLOADING
for name in web twin; do
    fetch "$httpd/ok/pair.tar.gz" "$pair" $name
    wait_state $name DOWNLOADING
done
fill_up 2000
release DOWNLOADING
for name in web twin; do
    wait_state $name ACTIVE 60
    same_tree $name pair
done
make_room
active other
for name in twin other; do
    succeeds rmdir "$mnt/images/$name"
done
over

# Who says that nothing is to go for want of room is heard.
stop_daemon
start_daemon -o min_free=0
unused old 12000
begin UNPACKING 1200
failed_with web no-space
stays old || fail "min_free is 0, and yet it is gone"
make_room
recovers web
