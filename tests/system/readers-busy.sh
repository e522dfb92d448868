#!/usr/bin/env bash
# Readers never wait, whatever is being downloaded, unpacked or held.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o stall_timeout=30s

sum=$(make_image web)
succeeds write "$mnt/ctl/fetch" "$httpd/hang $(printf %064d 1) a\n$httpd/hang $(printf %064d 2) b\n"
for i in {1..20}; do
    fetch "$httpd/slow/web.tar.gz?bps=2000" "$sum" "n$i"
done
begun=$(date +%s%3N)
for i in {1..100}; do
    for file in state progress error info; do
        read_value "images/n$((i % 20 + 1))/$file" || [ $file = error ]
    done
    read_value health
    read_value metrics
done
took=$(($(date +%s%3N) - begun))
[ $took -lt 3000 ] || fail "600 reads took $took ms"

# Eight readers at once each see whole lines.
reader()
{
    local i
    for i in {1..200}; do
        value=$(<"$mnt/images/n1/state")
        matches state "$value" 'NEW|DOWNLOADING|DOWNLOADED|UNPACKING|UNPACKED|STORED|ACTIVATING|ACTIVE'
        [ "$(wc -l <"$mnt/images/n1/info")" = 16 ] || fail "info is not whole"
    done
}
pids=()
for i in {1..8}; do
    reader & pids+=($!)
done
in_background "${pids[@]}"
for p in "${pids[@]}"; do
    wait "$p" || fail "a reader failed"
done
alive
