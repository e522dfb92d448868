#!/usr/bin/env bash
# Names of one digest share its download and its unpacked image, each with a layer of its own.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web tar.gz 100)
u="$httpd/slow/web.tar.gz?bps=100000"
succeeds write "$mnt/ctl/fetch" "$u $sum one\n$u $sum two\n$u $sum three\n"
for name in one two three; do
    wait_state "$name" ACTIVE
    same_tree "$name" web
done
is "requests of running ones" "$(asked slow/web.tar.gz)" 1

# What is in the store is not downloaded again.
fetch "$httpd/404/web.tar.gz" "$sum" late
wait_state late ACTIVE
is "requests for what is there" "$(asked 404/web.tar.gz)" 0

# Nor is what is unpacked, though its download has gone.
rm "$store/blobs/$sum".*
fetch "$httpd/404/web.tar.gz" "$sum" later
wait_state later ACTIVE
same_tree later web
is "requests for what is unpacked" "$(asked 404/web.tar.gz)" 0
is "size and format" "$(info later size) $(info later format)" "$(info late size) tar.gz"

# But that is for who wants it unpacked like that.
stop_daemon
start_daemon -o policy=faithful,attempts=1
fetch "$httpd/404/web.tar.gz" "$sum" faithful
failed_with faithful http-status
succeeds rmdir "$mnt/images/faithful"
is "unpacked images" "$(find "$store/images" -mindepth 1 -maxdepth 1 | wc -l)" 1

echo one >"$mnt/images/one/rootfs/who"
[ ! -e "$mnt/images/two/rootfs/who" ] || fail "what one writes, two sees"
