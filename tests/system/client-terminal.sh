#!/usr/bin/env bash
# client-terminal CASE: what the client draws in a terminal of so many columns, and that it gives
# the terminal back as it was. See client-terminal.py.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
export IMGSTORE_MOUNT=$mnt DAEMON_PID=$daemon_pid

for i in 1 2 3 4 5; do
    sum=$(make_image "image-$i" tar.gz $((i * 400)))
    echo "image-$i $httpd/slow/image-$i.tar.gz?bps=$((i * 400 * 1024 / 2)) $sum"
done >"$work/slow"
timeout 60 "$python" -SE "$here/client-terminal.py" "$1" "$IMGSTORE" "$work/slow"
# One case kills it.
if ! kill -0 "$daemon_pid" 2>/dev/null; then
    wait "$daemon_pid" || true
    daemon_pid=''
fi
