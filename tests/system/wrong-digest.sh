#!/usr/bin/env bash
# A wrong digest is asked for once more from scratch, then FAILED with both; nothing is kept.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
wrong=$(printf '%064d' 7)
fetch "$httpd/range/web.tar.gz" "$wrong" web
failed_with web checksum-mismatch
error=$(cat "$mnt/images/web/error")
[[ $error == *$sum* ]] || fail "the error does not show what it was: $error"
[[ $error == *$wrong* ]] || fail "the error does not show what was wanted: $error"
is "requests" "$(asked range/web.tar.gz)" 2
is "ranges" "$(asked range/web.tar.gz ranges)" "[null, null]"
is "what is kept" "$(find "$store/blobs" "$store/images" -mindepth 1)" ""

# Of two answers the second may be right.
fetch "$httpd/wrongx1/web.tar.gz" "$sum" second
wait_state second ACTIVE
same_tree second web

# A wrong digest says so whatever else the archive is.
head -c 5000 /dev/urandom >"$www/garbage.tar"
fetch "$httpd/range/garbage.tar" "$wrong" garbage
failed_with garbage checksum-mismatch
