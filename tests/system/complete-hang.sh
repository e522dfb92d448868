#!/usr/bin/env bash
# A daemon that does not answer does not hold up who presses TAB.
. "${0%/*}/functions.sh"
. "${0%/*}/client_functions.sh"
needs_mounts
start_httpd
start_daemon
active web
exits 0 "$IMGSTORE" __complete deactivate ''
is "what is offered" "$out" $'web\tACTIVE'
kill -STOP "$daemon_pid"
begun=$(date +%s%3N)
got=$(timeout -s KILL 20 "$IMGSTORE" __complete deactivate '' 2>&1) || :
took=$(($(date +%s%3N) - begun))
kill -CONT "$daemon_pid"
is "what is said" "$got" ""
[ $took -lt $((3000 * patience)) ] || fail "it took $took ms"
