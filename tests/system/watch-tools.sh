#!/usr/bin/env bash
# watch-tools.sh TOOL: what people watch files with works on the tree as on any other: entr, tail -f,
# watch, a unit of systemd that waits for a path.
. "${0%/*}/functions.sh"
. "${0%/*}/watching.sh"
needs_mounts
needs_test_points

watches()
{
    hold DOWNLOADING
    sum=$(make_image web)
    fetch "$httpd/ok/web.tar.gz" "$sum" web
    wait_state web DOWNLOADING
}

try_entr()
{
    # Its own terminal it does without, its first run it makes at once.
    echo "$mnt/images/web/state" | entr -n sh -c "cat '$mnt/images/web/state' >>'$work/ran'" \
        >"$work/entr.log" 2>&1 &
    in_background $!
    eventually 10 grep -qx DOWNLOADING "$work/ran"
    sleep 0.5 # it passes over what comes while it runs and just after: one change it is
    succeeds write "$mnt/ctl/cancel" 'web\n'
    eventually 10 grep -qx FAILED "$work/ran"
}

# It takes a shorter file for one that was begun anew, and shows that.
try_tail()
{
    tail -s 0.1 -f "$mnt/images/web/state" >"$work/tailed" 2>"$work/tail.err" &
    in_background $!
    eventually 10 grep -qx DOWNLOADING "$work/tailed"
    release DOWNLOADING
    eventually 10 grep -qx ACTIVE "$work/tailed"
}

try_watch()
{
    script -qec "watch -n 0.2 -g cat '$mnt/images/web/state'" /dev/null >"$work/watched" 2>&1 &
    local pid=$!
    in_background $pid
    sleep 1
    kill -0 $pid || fail "watch has ended: $(cat "$work/watched")"
    release DOWNLOADING
    wait_exit $pid 10 || fail "watch ended with $?"
}

# systemd watches in a mount namespace of its own: the daemon is started outside of the test's.
try_systemd()
{
    local unit=imgstorefs-test-$$
    systemd-run -q --unit "$unit" --path-property "PathChanged=$mnt/images/web/state" \
        touch "$work/changed"
    release DOWNLOADING
    eventually 10 test -e "$work/changed"
    systemctl stop "$unit.path"
}

case $1 in
entr) needs_program entr ;;
watch) needs_program watch script ;;
systemd)
    needs_program systemd-run
    [ -d /run/systemd/system ] || skip "needs systemd to run"
    [ /proc/1/ns/mnt -ef /proc/self/ns/mnt ] || skip "needs the mount namespace of systemd"
    ;;
esac
start_httpd
start_daemon
watches
"try_$1"
alive
let_go_of_files
