#!/usr/bin/env bash
# Retry-After is waited for, shown in info, and capped by retry_max.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o retry_max=3s

sum=$(make_image web)
begun=$(date +%s%3N)
fetch "$httpd/429x1/web.tar.gz?after=2" "$sum" web
eventually 5 was_asked 429x1/web.tar.gz 1
waits()
{
    [[ $(info web next_retry) =~ ^$time_re$ ]]
}
eventually 5 waits
wait_state web ACTIVE
took=$(($(date +%s%3N) - begun))
[ $took -ge 2000 ] || fail "came back after $took ms, asked for 2 s"
is "requests" "$(asked 429x1/web.tar.gz)" 2
is "next_retry" "$(info web next_retry)" -

sum=$(make_image long)
begun=$(date +%s%3N)
fetch "$httpd/503x1/long.tar.gz?after=999999999" "$sum" long
wait_state long ACTIVE
took=$(($(date +%s%3N) - begun))
[ $took -le 10000 ] || fail "waited $took ms, retry_max is 3 s"

sum=$(make_image date)
fetch "$httpd/503x1/date.tar.gz?after=date&in=2" "$sum" date
wait_state date ACTIVE
sum=$(make_image odd)
fetch "$httpd/503x1/odd.tar.gz?after=-1e9,soon" "$sum" odd
wait_state odd ACTIVE
