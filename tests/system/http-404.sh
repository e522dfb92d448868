#!/usr/bin/env bash
# What a server refuses for good (4xx but 408 and 429) is asked for once.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
for code in 400 401 403 404 410 416 451; do
    fetch "$httpd/$code/web.tar.gz" "$sum" "c$code"
    failed_with "c$code" http-status
    [[ $(cat "$mnt/images/c$code/error") == *$code* ]] || fail "the error does not say $code"
    is "requests of $code" "$(asked "$code/web.tar.gz")" 1
done
is "what is kept" "$(find "$store/blobs" -mindepth 1)" ""
