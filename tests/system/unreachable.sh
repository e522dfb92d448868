#!/usr/bin/env bash
# Nobody listens there: `unreachable`, after three attempts; a retry succeeds once somebody does.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
port=$("$python" -SEc 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
fetch "http://127.0.0.1:$port/web.tar.gz" "$sum" web
failed_with web unreachable
is "attempts" "$(info web attempts)" 3
fetch "http://no-such-host.invalid/web.tar.gz" "$sum" nohost
failed_with nohost unreachable 30
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
