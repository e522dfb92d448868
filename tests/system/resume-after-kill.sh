#!/usr/bin/env bash
# A download that the daemon's death broke off goes on where it broke.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web tar.gz 2000)
fetch "$httpd/stallx1/web.tar.gz?at=1500000" "$sum" web
downloaded()
{
    read_value images/web/progress
    [[ $value == *' 1500000 '* ]]
}
eventually 10 downloaded
kill_daemon
start_daemon
wait_state web ACTIVE
same_tree web
matches "ranges" "$(asked stallx1/web.tar.gz ranges)" '\[null, "bytes=[1-9][0-9]*-"\]'
nothing_half_done
