#!/usr/bin/env bash
# With 1,000 images in the table the daemon starts quickly, and lists them all.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o queue=2000

sum=$(make_image web)
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
for i in {1..1000}; do
    echo "$httpd/404/$i.tar $(printf '%064x' "$i") n$i"
done >"$work/list"
split -l 250 "$work/list" "$work/part."
for part in "$work"/part.*; do
    succeeds write "$mnt/ctl/fetch" "@$part"
done
all_failed()
{
    [ "$(cat "$mnt"/images/n*/state | grep -c FAILED)" = 1000 ]
}
eventually 60 all_failed
stop_daemon
begun=$(date +%s%3N)
start_daemon -o queue=2000
took=$(($(date +%s%3N) - begun))
echo "start-up with 1,001 images: $took ms"
[ $took -lt 5000 ] || fail "start-up took $took ms"
is "images" "$(ls "$mnt/images" | wc -l)" 1001
is "FAILED ones" "$(cat "$mnt"/images/n*/state | grep -c FAILED)" 1000
wait_state web ACTIVE
for i in {1..50}; do
    succeeds rmdir "$mnt/images/n$i"
done
is "images" "$(ls "$mnt/images" | wc -l)" 951
