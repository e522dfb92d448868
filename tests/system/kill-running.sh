#!/usr/bin/env bash
# Killed again and again while four images are fetched: all of them arrive, whole.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon

names=(a b c d)
for name in "${names[@]}"; do
    sum=$(make_image "$name" tar.gz 400)
    fetch "$httpd/range/$name.tar.gz" "$sum" "$name"
done
for pause in 0.005 0.03 0.06 0.1 0.02 0.15; do
    sleep $pause
    kill_daemon
    start_daemon
done
for name in "${names[@]}"; do
    wait_state "$name" ACTIVE
    same_tree "$name"
done
nothing_half_done
is "overlays" "$(mounts_below "$store/active" | wc -l)" 4
