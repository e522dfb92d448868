#!/usr/bin/env bash
# A write of one line may lack its newline; then the open file refuses more, whatever it is.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
line="$httpd/ok/web.tar.gz $sum"
fails_with 'OK EINVAL EINVAL EINVAL' write "$mnt/ctl/fetch" "$line one" "$line two\n" '\n' "$line three"
is "images" "$(ls "$mnt/images")" one
is "refusals in error_log" "$(grep -c ' ctl/fetch EINVAL ".*" an earlier write' "$mnt/ctl/error_log")" 3
fails_with 'OK OK OK EINVAL' write "$mnt/ctl/fetch" "$line two\n" "$line three\n" "$line four" "$line five\n"
wait_state four ACTIVE
# A name cut in two must not remove the image of the first half.
succeeds write "$mnt/ctl/fetch" "$line web\n$line web-1\n"
wait_state web ACTIVE
wait_state web-1 ACTIVE
fails_with 'OK EINVAL' write "$mnt/ctl/remove" 'web-1' '-2\n'
# A refused write without a newline ends this open file too: what follows may be its rest.
fails_with 'ENOENT EINVAL' write "$mnt/ctl/remove" 'nob' 'ody\n'
is "state" "$(cat "$mnt/images/web/state")" ACTIVE
# Programs that write in pieces.
! (for i in {1..200}; do echo "$line many-$i"; done) | dd of="$mnt/ctl/fetch" bs=1000 iflag=fullblock 2>/dev/null ||
    fail "pieces cut in mid-line were taken"
# One write of many lines.
for i in {1..200}; do echo "$line cat-$i"; done >"$work/list"
cat "$work/list" >"$mnt/ctl/fetch"
is "images of the list" "$(find "$mnt/images" -mindepth 1 -maxdepth 1 -name 'cat-*' | wc -l)" 200
