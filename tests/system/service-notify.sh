#!/usr/bin/env bash
# service-notify.sh HOW: a service manager is told that the tree is there, what is served where, that
# it stops, and why it did not start; nothing that the daemon starts is told where to tell it.
# HOW: foreground, background, worker (as the client starts it), abstract (a socket without a file).
. "${0%/*}/functions.sh"
needs_mounts

socket=$work/notify.sock
[ "$1" != abstract ] || socket=@imgstorefs-test-$$
"$python" -SE "$here/notify.py" "$socket" "$work/told" &
in_background $!
listens()
{
    [ -e "$work/told" ]
}
eventually 10 listens

told()
{
    grep -qxF -e "$1" "$work/told" 2>/dev/null
}

# As a service manager starts it; $daemon_pid is who serves.
start_service()
{
    local options="db=$db,store=$store,helper=$IMGSTORE_HELPER"
    case $how in
    background)
        NOTIFY_SOCKET=$socket "$IMGSTOREFS" -o "$options,log_format=text" "$mnt" >>"$log" 2>&1
        eventually 10 told READY=1
        daemon_pid=$(sed -n 's/^MAINPID=//p' "$work/told")
        ;;
    worker)
        PATH=${IMGSTOREFS%/*}:$PATH IMGSTORE_DB_PATH=$db IMGSTORE_STORE_PATH=$store \
            NOTIFY_SOCKET=$socket "$IMGSTORE" worker "$mnt" >>"$log" 2>&1 &
        daemon_pid=$!
        ;;
    *)
        NOTIFY_SOCKET=$socket "$IMGSTOREFS" -f -o "$options" "$mnt" >>"$log" 2>&1 &
        daemon_pid=$!
        ;;
    esac
    eventually 10 told READY=1
}

has_no_socket()
{
    ! tr '\0' '\n' <"/proc/$1/environ" | grep -q '^NOTIFY_SOCKET='
}

children()
{
    cat /proc/"$daemon_pid"/task/*/children
}

how=$1
start_service
[ -s "$mnt/version" ] || fail "the tree is not there at READY=1"
told "STATUS=serving $store at $mnt" || fail "no such STATUS: $(cat "$work/told")"
if [ "$how" = background ]; then
    matches "MAINPID" "$daemon_pid" '[0-9]+'
    is "who serves" "$(readlink "/proc/$daemon_pid/exe")" "$(realpath "$IMGSTOREFS")"
else
    ! grep -q ^MAINPID= "$work/told" || fail "MAINPID without a fork"
fi
for child in $(children); do
    has_no_socket "$child" || fail "process $child was told where to tell: $(cat "/proc/$child/comm")"
done
gone()
{
    ! kill -0 "$daemon_pid" 2>/dev/null
}
! told STOPPING=1 || fail "STOPPING=1 before the stop"
kill -USR2 "$daemon_pid"
eventually 10 gone
daemon_pid=''
eventually 5 told STOPPING=1
told "STATUS=stopping, active mounts stay" || fail "no such STATUS: $(cat "$work/told")"

# A start that fails.
status=0
NOTIFY_SOCKET=$socket timeout 10 "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" \
    "$work/nothing" 2>"$work/said" || status=$?
is "exit status" "$status" 1
eventually 5 told "STATUS=$(sed -n 's/^imgstorefs: //p' "$work/said")"
told ERRNO=2 || fail "no ERRNO: $(cat "$work/told")"
is "how often READY=1 came" "$(grep -cx READY=1 "$work/told")" 1

# Nobody there to listen changes nothing.
NOTIFY_SOCKET=$work/nobody start_daemon
stop_daemon
no_mounts
