#!/usr/bin/env bash
# If the shared download's URL fails, the next name goes on with its own.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o stall_timeout=3s,attempts=1

sum=$(make_image web)
succeeds write "$mnt/ctl/fetch" \
    "$httpd/stall/web.tar.gz $sum first\n$httpd/ok/web.tar.gz $sum second\n"
failed_with first timeout
wait_state second ACTIVE
is "requests" "$(asked ok/web.tar.gz)" 1
