#!/usr/bin/env bash
# lost-image HOW: an unpacked image that lost data with the power is found before anyone sees it, and
# unpacked again from the download that is there. Before it is published it may have lost anything
# (files, zeros, info, info-empty, all); after that it is on the disk, but for one without its rootfs,
# or without the file that holds it (image).
# lost-image HOW dir: of images that are directories.
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
needs_test_points
needs_program sqlite3
[ -z "${2-}" ] || export IMGSTORE_SINK=$2
start_httpd

sum=$(make_image web tar.gz 300)
case $1 in
image) needs_erofs ;;
rootfs) ;;
*) hold UNPACKED ;;
esac
start_daemon
succeeds write "$mnt/ctl/fetch" "$httpd/ok/web.tar.gz $sum web\n"
if [ "$1" = rootfs ] || [ "$1" = image ]; then
    image=$store/images/$sum state=ACTIVE
else
    image=$store/images/$sum.part state=UNPACKED
fi
wait_state web $state
# Only now: whichever of two comes first is held, and the other may wait for its turn to unpack.
succeeds write "$mnt/ctl/fetch" "$httpd/ok/web.tar.gz $sum twin\n"
[ "$state" = UNPACKED ] || wait_state twin $state
kill_daemon
holds=$image/rootfs # the contents
[ ! -e "$image/image" ] || holds=$image/image
[ -n "$(find "$holds" -type f)" ] && [ -s "$image/info" ] || fail "$image is not what is to be damaged"
case $1 in
files) find "$holds" -type f -delete ;;
zeros)
    find "$holds" -type f -size +0 | while read -r file; do
        size=$(stat -c %s "$file")
        truncate -s 0 "$file"
        truncate -s "$size" "$file"
    done
    ;;
info) rm "$image/info" ;;
info-empty) truncate -s 0 "$image/info" ;;
all) find "$image" -mindepth 1 -delete ;;
rootfs | image)
    while read -r m; do
        umount "$m"
    done < <(mounts_below "$(realpath "$store")")
    rm -r "${image:?}/$1"
    ;;
esac
# Without its info it is found to be torn whatever the boot.
[[ $1 == info* ]] || another_boot
release UNPACKED
start_daemon
for name in web twin; do
    wait_state $name ACTIVE
    same_tree $name web
    is "error" "$(cat "$mnt/images/$name/error")" ""
done
is "entries" "$(info web entries)" "$(find "$work/trees/web" -mindepth 1 -printf x | wc -c)"
is "requests" "$(asked ok/web.tar.gz)" 1
# What was torn is discarded while another is unpacked, and goes with the next sweep at the latest.
succeeds write "$mnt/ctl/cleanup" 'run\n'
nothing_half_done
stop_daemon
