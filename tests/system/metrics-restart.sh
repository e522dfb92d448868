#!/usr/bin/env bash
# metrics-restart STATE: what a restart finds in that state counts once it is ACTIVE, with the time from
# the start on; what was counted before does not count again, nor does what is only mounted again.
. "${0%/*}/functions.sh"
. "${0%/*}/metrics_functions.sh"
needs_mounts
needs_test_points
start_httpd
start_daemon

active up
sum=$(make_image failed)
fetch "$httpd/404/failed.tar.gz" "$sum" failed
failed_with failed http-status
is "fetches before" "$(metric 'fetches_total{outcome="active",.*}') $(metric 'fetches_total{outcome="failed",code="http-status"}')" "1 1"
hold "$1"
sum=$(make_image web tar.gz 100)
fetch "$httpd/range/web.tar.gz" "$sum" web
wait_state web "$1"
stop_daemon

start_daemon
begun=$(date +%s%3N)
is "fetches after" "$(metric 'fetches_total{.*}' | sort -u)" 0
is "images" "$(metric_sum 'images{.*}')" 3
wait_state web "$1"
release "$1"
wait_state web ACTIVE
wait_state up ACTIVE
is "fetches that ended" "$(metric_sum 'fetches_total{.*}')" 1
is "those that are ACTIVE" "$(metric 'fetches_total{outcome="active",code=""}')" 1
is "times" "$(metric fetch_to_active_seconds_count)" 1
took=$(metric fetch_to_active_seconds_sum)
[ "${took%.*}" -le $((($(date +%s%3N) - begun) / 1000 + 1)) ] || fail "it took $took s"
is "mounts" "$(metric activation_duration_seconds_count)" 2
