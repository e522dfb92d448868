#!/usr/bin/env bash
# watch-tools.sh TOOL: what people watch files with works on the tree as on any other: entr, tail -f,
# watch, a unit of systemd that waits for a path.
[ -n "${IMGSTORE_TEST_NAMESPACE-}" ] || exec 6</proc/self/ns/mnt # as it is outside
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

# systemd does not watch in the mount namespace of the test: so this daemon is started outside.
there()
{
    nsenter --mount=/proc/self/fd/6 "$@"
}

is_there()
{
    [ "$(there cat "$mnt/images/web/state" 2>/dev/null)" = "$1" ]
}

let_go()
{
    there umount -l "$mnt"
    systemctl stop "imgstorefs-test-$$.path"
}

try_systemd()
{
    stop_daemon
    there env IMGSTORE_HOLD="$hold" "$IMGSTOREFS" -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt"
    eventually 10 is_there DOWNLOADING
    systemd-run -q --unit "imgstorefs-test-$$" --path-property "PathChanged=$mnt/images/web/state" \
        touch "$work/changed"
    release DOWNLOADING
    eventually 10 is_there ACTIVE
    eventually 10 test -e "$work/changed"
    exit 0
}

case $1 in
entr) needs_program entr ;;
watch) needs_program watch script ;;
systemd)
    needs_program systemd-run nsenter
    [ -d /run/systemd/system ] || skip "needs systemd to run"
    ;;
esac
start_httpd
start_daemon
watches
"try_$1"
alive
let_go_of_files
