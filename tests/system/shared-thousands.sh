#!/usr/bin/env bash
# Thousands of names of one digest follow one download, and nobody else waits for them to do so.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
start_httpd
start_daemon -o log_level=info,stall_timeout=1h

sum=$(printf '%064x' 1)
for i in {1..4000}; do
    echo "$httpd/hang/x $sum n$i"
done >"$work/list"
split -l 500 "$work/list" "$work/part."
all_follow()
{
    [ "$(cat "$mnt"/images/n*/state | grep -cx DOWNLOADING)" = 4000 ]
}

hold NEW
for part in "$work"/part.*; do
    succeeds write "$mnt/ctl/fetch" "@$part"
done
is "what is under way before its time" "$(cat "$mnt"/images/n*/state | grep -cvx NEW)" 0
release NEW
longest=0
until all_follow; do
    begun=$(date +%s%3N)
    echo nobody 2>/dev/null >"$mnt/ctl/cancel" || true
    took=$(($(date +%s%3N) - begun))
    longest=$((took > longest ? took : longest))
done
echo "a refusal meanwhile: $longest ms at most"
[ $longest -lt 3000 ] || fail "a refusal took $longest ms"
is "requests" "$(asked hang/x)" 1
