#!/usr/bin/env bash
# poll and epoll on state, progress and error: ready once the value is another than this open file last
# read, POLLERR once the image is gone.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
start_httpd
start_daemon
sum=$(make_image web)
hold DOWNLOADING
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web DOWNLOADING
sleep 0.5

coproc poller { "$python" -SE "$here/watch-poll.py" "$mnt"; }

in_background "$poller_PID"

exec 8<&"${poller[0]}" 9>&"${poller[1]}"
# at WHAT: it has got that far.
at()
{
    local said=''
    read -r -t 20 said <&8 || fail "the poller says nothing more"
    is "what the poller is at" "$said" "$1"
}
go_on()
{
    echo >&9
}

at waits
sleep 0.3
go_on
sleep 0.3
succeeds write "$mnt/ctl/cancel" 'web\n'
at turns
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web DOWNLOADING
succeeds write "$mnt/ctl/cancel" 'web\n'
go_on
at ends
go_on
sleep 0.3
succeeds write "$mnt/ctl/remove" 'web\n'
at done
alive
