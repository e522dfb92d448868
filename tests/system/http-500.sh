#!/usr/bin/env bash
# What a server may get over (5xx, 408, 429) is asked for again, three times in all.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

for code in 500 502 503 408 429; do
    sum=$(make_image "c$code")
    fetch "$httpd/${code}x2/c$code.tar.gz" "$sum" "c$code"
    wait_state "c$code" ACTIVE
    is "requests of $code" "$(asked "${code}x2/c$code.tar.gz")" 3
    same_tree "c$code"
done

sum=$(make_image never)
fetch "$httpd/500/never.tar.gz" "$sum" never
failed_with never http-status
is "requests" "$(asked 500/never.tar.gz)" 3
