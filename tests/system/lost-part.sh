#!/usr/bin/env bash
# lost-part HOW: a download that the daemon's death broke off (kept), or that lost data with the power
# (all of it, cut in half, or zeros) goes on with what is there, and begins anew if that was wrong.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon

sum=$(make_image web tar.gz 2000)
fetch "$httpd/stallx1/web.tar.gz?at=1500000" "$sum" web
downloaded()
{
    read_value images/web/progress
    [[ $value == *' 1500000 '* ]]
}
eventually 20 downloaded
is "state" "$(cat "$mnt/images/web/state")" DOWNLOADING
kill_daemon
part=$store/blobs/$sum.part
size=$(stat -c %s "$part")
[ "$size" -gt 1000000 ] || fail "the partial download has $size bytes"
half=$((size / 2))
case $1 in
kept) want="\"bytes=$size-\"" ;;
gone) rm "$part" && want='null' ;;
empty) truncate -s 0 "$part" && want='null' ;;
half) truncate -s $half "$part" && want="\"bytes=$half-\"" ;;
zeros) truncate -s 0 "$part" && truncate -s "$size" "$part" && want="\"bytes=$size-\", null" ;;
tail) truncate -s $half "$part" && truncate -s "$size" "$part" && want="\"bytes=$size-\", null" ;;
esac
[ "$1" = kept ] || another_boot
start_daemon
wait_state web ACTIVE
same_tree web
is "error" "$(cat "$mnt/images/web/error")" ""
is "the download" "$(digest "$store/blobs/$sum.tar.gz")" "$sum"
is "ranges" "$(asked stallx1/web.tar.gz ranges)" "[null, $want]"
nothing_half_done
stop_daemon
