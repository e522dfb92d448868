#!/usr/bin/env bash
# watch-hang.sh HOW: nothing a watcher does holds up an image, a stop or an unmount.
# watcher: a thousand watch, one of them stopped until its queue is full;
# replayer: the process that makes the events is stopped; permission: it is stuck in what a watcher was to
# permit, and does not;
# kill: a daemon that is killed leaves no process behind, and nobody waiting.
. "${0%/*}/functions.sh"
. "${0%/*}/watching.sh"
needs_mounts
needs_program inotifywait
start_httpd
start_daemon
sum=$(make_image web)

# one NAME: an image comes and is ACTIVE, as if nobody watched.
one()
{
    fetch "$httpd/ok/web.tar.gz" "$sum" "$1"
    wait_state "$1" ACTIVE 5
}

no_processes()
{
    ! kill -0 "$1" 2>/dev/null
}

is_stuck()
{
    grep -q fanotify "/proc/$(replayer)/wchan" "/proc/$(replayer)/stack" 2>/dev/null
}

# ends PID: the replayer that there was is gone.
ends()
{
    eventually 5 no_processes "$1"
}

case $1 in
watcher)
    one a
    "$python" -SE "$here/watchers.py" "$mnt/images" a 1000 >"$work/watchers" &
    watchers=$!
    in_background $watchers
    eventually 60 grep -q ready "$work/watchers"
    kill -STOP $watchers
    # More than the kernel keeps for any of them: open, read, close.
    queue=$(cat /proc/sys/fs/inotify/max_queued_events)
    for ((i = 0; i < queue / 3 + 100; i++)); do
        read_value images/a/state
    done
    one b
    succeeds write "$mnt/ctl/deactivate" 'a\n'
    succeeds write "$mnt/ctl/activate" 'a\n'
    wait_state a ACTIVE
    watch_images "$work/seen"
    one c
    eventually 10 grep -q 'images/c CREATE' "$work/seen.raw"
    kill -CONT $watchers
    eventually 20 grep -q '^1000 woke' "$work/watchers"
    kill -STOP $watchers
    rmdir "$mnt/images/a"
    ! grep -q libasan "/proc/$daemon_pid/maps" || let_go_of_files
    begin=$(date +%s%N)
    stop_daemon
    [ $(($(date +%s%N) - begin)) -lt 3000000000 ] || fail "the stop took seconds"
    start_daemon
    ;;
replayer)
    one a
    eventually 5 replayer_is_there
    stopped=$(replayer)
    kill -STOP "$stopped"
    for name in b c d e; do
        one $name
    done
    rmdir "$mnt/images/b"
    succeeds write "$mnt/ctl/remove" 'c\n'
    kill -CONT "$stopped"
    watch_images "$work/seen"
    one f
    eventually 10 grep -q 'images/f CREATE' "$work/seen.raw"
    # A stop, and an unmount, while it hangs.
    for how in TERM INT umount; do
        stopped=$(replayer)
        kill -STOP "$stopped"
        one "stop-$how"
        rmdir "$mnt/images/stop-$how"
        begin=$(date +%s%N)
        if [ $how = umount ]; then
            kill "$watcher"
            wait "$watcher" || true
            umount "$mnt"
            wait_exit "$daemon_pid" 20 || fail "the daemon ended with $?"
            daemon_pid=''
        else
            stop_daemon $how
        fi
        [ $(($(date +%s%N) - begin)) -lt 3000000000 ] || fail "the stop took seconds: $how"
        ends "$stopped"
        start_daemon
        eventually 5 replayer_is_there
    done
    # One that is killed is started again, and tells.
    kill -KILL "$(replayer)"
    one g
    eventually 5 replayer_is_there
    ;;
permission)
    one a
    sleep 0.5
    "$python" -SE "$here/permission.py" "$mnt/images/a/state" >"$work/permission" &
    in_background $!
    eventually 10 test -s "$work/permission"
    ! grep -v watches "$work/permission" || skip "needs fanotify's permission events"
    succeeds write "$mnt/ctl/deactivate" 'a\n'
    eventually 10 is_stuck
    one b
    is "what is cleaned up" "$(rmdir "$mnt/images/b" 2>&1)" ""
    begin=$(date +%s%N)
    stuck=$(replayer)
    stop_daemon
    [ $(($(date +%s%N) - begin)) -lt 3000000000 ] || fail "the stop took seconds"
    ends "$stuck"
    start_daemon
    ;;
kill)
    active x
    eventually 5 replayer_is_there
    was=$(replayer)
    cat "$mnt/images/x/state" >/dev/null
    "$python" -SE "$here/watchers.py" "$mnt/images" x 120 >"$work/watchers" &
    in_background $!
    eventually 60 grep -q ready "$work/watchers"
    for ((i = 0; i < 20; i++)); do
        fetch "$httpd/ok/web.tar.gz" "$sum" "k$i"
    done
    kill_daemon
    ends "$was"
    timeout 5 cat "$mnt/images/x/state" 2>/dev/null && fail "a killed daemon answers"
    [ $? != 124 ] || fail "a reader waits for a killed daemon"
    is "who holds /dev/fuse" "$(find /proc/[0-9]*/fd -lname /dev/fuse -printf '%p\n' 2>/dev/null |
        xargs -r -n 1 dirname | xargs -r -n 1 dirname | while read -r p; do
        readlink "$p/ns/mnt"
    done | grep -Fx "$(readlink /proc/self/ns/mnt)" || true)" ""
    start_daemon
    wait_state x ACTIVE
    ;;
esac
alive
