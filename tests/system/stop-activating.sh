#!/usr/bin/env bash
# A stop in the moment of a mount leaves no mount.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
sum=$(make_image web)
lines=''
for i in {1..40}; do
    lines+="$httpd/ok/web.tar.gz $sum web$i\n"
done
fetch "$httpd/ok/web.tar.gz" "$sum" first
wait_state first ACTIVE
for round in 1 2 3 4; do
    succeeds write "$mnt/ctl/fetch" "$lines"
    sleep "0.0$((round * 2))"
    stop_daemon
    no_mounts
    start_daemon
done
for i in {1..40}; do
    wait_state "web$i" ACTIVE
done
