#!/usr/bin/env bash
# A server that falls silent is given up after stall_timeout, however it does it.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o stall_timeout=1s,connect_timeout=2s,attempts=1

sum=$(make_image web tar.gz 100)
fetch "$httpd/stall/web.tar.gz" "$sum" stall
fetch "$httpd/hang/web.tar.gz" "$(printf %064d 1)" hang
failed_with stall timeout
failed_with hang timeout
