#!/bin/bash
# Sixteen writers of a thousand lines each and readers of every file, thousands of images queued at a
# server that never answers. Whatever was acknowledged is there, whatever was refused is not, also
# after a stop and after kill -9; a stop takes seconds; memory is bounded, and comes back.
# STRESS_ROUNDS (1) says how often; see storm.c for the rest.
. "${0%/*}/../system/functions.sh"
needs_mounts
needs_program sqlite3
. "${0%/*}/findings.sh"
: "${STORM:?the program that asks for it}"
stop_s=20
export STRESS_FEW=4
if sanitized; then # which is ten times slower
    export STRESS_LINES=${STRESS_LINES-200}
    stop_s=30
fi
export STRESS_WRITERS=${STRESS_WRITERS-16} STRESS_LINES=${STRESS_LINES-1000}
export STRESS_QUEUE=${STRESS_QUEUE-$((STRESS_WRITERS * STRESS_LINES * 5 / 16))}

start()
{
    start_daemon -o "log_level=info,queue=$STRESS_QUEUE,stall_timeout=1h" "$@"
}

storm()
{
    "$STORM" "$1" "$mnt" "$work/model" "$httpd/hang" "$daemon_pid" >"$work/$1" || fail "$(cat "$work/$1")"
    cat "$work/$1"
}

as_it_should_be()
{
    alive
    "$STORM" check "$mnt" "$work/model"
    is "images in the database" "$(sqlite3 "$db" 'SELECT count(*) FROM images')" \
        "$(ls "$mnt/images" | wc -l)"
}

# KiB by the word: before, most, after.
memory()
{
    sed -nE "s/.* ([0-9]+) KiB $2.*/\1/p" "$work/$1"
}

# Per name: an image in memory, twice a line of a listing while a reader holds one each, and the
# allocator's own: 2 KiB are above what all that takes. Besides, 24 MiB for the database's cache and
# the threads' buffers and arenas.
memory_is_bounded()
{
    local names=$1 first most
    sanitized && return
    first=$(memory queue 'at most') most=$(($(memory queue before) + 24576 + names * 2))
    [ "$first" -le $most ] || fail "$first KiB of memory for $names names: more than $most"
}

# What has been removed makes room for what comes next. How many threads hold a listing at once, and
# keep what that took, is a matter of luck: what is lost would be lost each time.
memory_is_used_again()
{
    local try most again
    most=$(memory queue 'at most')
    for try in 1 2 3; do
        clear_all
        storm queue
        again=$(memory queue 'at most')
        ! sanitized && [ "$again" -gt $((most + 4096)) ] || return 0
        most=$again
    done
    fail "$again KiB of memory in the end, and more each time"
}

clear_all()
{
    storm clear
    is "images" "$(ls "$mnt/images" | grep -cv '^few-' || true)" 0
}

killed_at_work()
{
    local at_work
    storm queue >/dev/null &
    at_work=$!
    in_background $at_work
    sleep "$1"
    kill_daemon
    wait $at_work || fail "the writers ended with $?"
    start
    as_it_should_be
    clear_all >/dev/null
}

start_httpd
start
sum=$(make_image few)
for ((i = 0; i < STRESS_FEW; i++)); do
    fetch "$httpd/ok/few.tar.gz" "$sum" few-$i
done
for ((i = 0; i < STRESS_FEW; i++)); do
    wait_state few-$i ACTIVE
done

for ((round = 0; round < ${STRESS_ROUNDS-1}; round++)); do
    storm queue
    as_it_should_be
    memory_is_bounded "$(ls "$mnt/images" | wc -l)"
    memory_is_used_again
    begun=$(date +%s%3N)
    stop_without_findings $stop_s
    echo "a stop with $(sqlite3 "$db" "SELECT count(*) FROM images WHERE state = 'NEW'") queued:" \
        "$(($(date +%s%3N) - begun)) ms"
    start
    as_it_should_be
    clear_all >/dev/null
    killed_at_work 1.5
    killed_at_work 0.3
done
is "integrity of the database" "$(sqlite3 "$db" 'PRAGMA integrity_check')" ok
stop_without_findings 20
