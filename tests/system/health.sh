#!/usr/bin/env bash
# health names what is wrong, a line each: here free space under min_free.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon -o min_free=100000T
unwell()
{
    read_value health && [ "$value" != ok ]
}
eventually 15 unwell
matches health "$(cat "$mnt/health")" '.*space.*'
is "size" "$(stat -c %s "$mnt/health")" "$(wc -c <"$mnt/health")"
stop_daemon
start_daemon -o min_free=0
is health "$(cat "$mnt/health")" ok
