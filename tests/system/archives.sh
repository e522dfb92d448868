#!/usr/bin/env bash
# Every archive that contrib/scripts/create-malicious-tar.sh makes ends as is due under the policy in
# $1 and with the sink in $2, touches nothing outside, and leaves nothing behind; memory stays bounded.
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
needs_program mkfs.ext4 sqlite3 flock
policy=$1
export IMGSTORE_SINK=$2
[ "$2" = dir ] || needs_erofs

# Some are bombs: they get a disk of their own.
truncate -s 6G "$work/disk.img"
mkfs.ext4 -q -O ^has_journal -E lazy_itable_init=1 -N 400000 "$work/disk.img"
mkdir "$work/disk"
mount -o loop "$work/disk.img" "$work/disk" || skip "needs a loop mount"
store=$work/disk/store db=$work/disk/store.db

"$here/../../contrib/scripts/create-malicious-tar.sh" "$www"
start_httpd
# What the archives aim at: in a mount of the test's own, so that it is always there and nobody's. The
# last test that has it takes the folder away, which unmounts it everywhere.
canary=/tmp/imgstorefs-canary
until mkdir -p "$canary" && exec 8<"$canary" && flock -s 8 && [ "$canary" -ef /dev/fd/8 ]; do
    :
done
mount -t tmpfs tmpfs "$canary"
let_go()
{
    umount -l "$canary"
    ! flock -n -x 8 || rmdir "$canary"
}
mkdir "$canary/victim-dir"
echo victim >"$canary/victim.txt"
touch -d @1000000000 "$canary/victim-dir" "$canary/victim.txt" "$canary"
shown()
{
    find "$canary" -printf '%P %y %m %n %s %T@ %C@\n' | sort
    cat "$canary/victim.txt"
}
before=$(shown)

start_daemon -o "policy=$policy,queue=2000,max_total_size=160M"
status=0
"$python" -SE "$here/archives.py" "$policy" "$www" "$mnt" "$store" "$httpd" "$daemon_pid" || status=1
removed()
{
    [ -z "$(ls "$mnt/images")" ]
}
eventually 20 removed
echo run >"$mnt/ctl/cleanup"
is "what is kept" "$(find "$store/images" "$store/blobs" "$store/overlays" "$store/active" \
    -mindepth 1 -maxdepth 1 ! -name '.trash-*' ! -name .snap)" ""
active good
is "what lies outside" "$(shown)" "$before"
stop_daemon
nothing_half_done
is "mounts that are left" "$(mounts_below "$store")" ""
[ $status = 0 ] || fail "archives have not ended as is due"
