#!/usr/bin/env bash
# No length, chunks, a Content-Encoding nobody asked for, basic auth: all of these are fine.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

for mode in ok range nolength closelength gzip-encoding; do
    sum=$(make_image "$mode" tar.gz 300)
    fetch "$httpd/$mode/$mode.tar.gz" "$sum" "$mode"
    wait_state "$mode" ACTIVE
    same_tree "$mode"
done
# No content decoding is asked for.
[[ $(asked ok/ok.tar.gz last) != *'"gzip'* ]] || fail "asks for an encoded answer"
