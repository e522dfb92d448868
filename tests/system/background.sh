#!/usr/bin/env bash
# Without -f the daemon goes to the background, and only once the tree is there; a start that fails
# says why and exits otherwise.
. "${0%/*}/functions.sh"
. "${0%/*}/watching.sh"
needs_mounts
needs_program pgrep

"$IMGSTOREFS" -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" </dev/null >"$log" 2>&1 ||
    fail "exits with $?"
[ -e "$mnt/version" ] || fail "the tree is not there when the command returns"
daemon_pid=$(pgrep -f "db=$db")
matches "its process" "$daemon_pid" '[0-9]+'
is "its parent's session" "$(($(ps -o sid= -p "$daemon_pid")))" "$daemon_pid"
is "its folder" "$(readlink "/proc/$daemon_pid/cwd")" /
status=0
"$IMGSTOREFS" -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" >"$work/log2" 2>&1 || status=$?
[ $status != 0 ] || fail "a start that must fail exits with 0"
[ -s "$work/log2" ] || fail "a start that fails says nothing"
kill "$daemon_pid"
gone()
{
    ! kill -0 "$daemon_pid" 2>/dev/null
}
eventually 10 gone
daemon_pid=''
no_mounts

# Nothing that it starts keeps what the caller has open, nor what the daemon has.
said=$(timeout 20 "$IMGSTOREFS" -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" 5<"$log") ||
    fail "exits with $?, or does not return"
is "what a good start says" "$said" ""
daemon_pid=$(pgrep -f "db=$db")
eventually 5 replayer_is_there
# (Once its libraries are there.)
holds_its_own()
{
    [[ $(cd "/proc/$(replayer)/fd" && readlink -- * | tr '\n' ' ') =~ ^socket:[^\ ]*\ /dev/null\ /dev/null\ /\ $ ]]
}
eventually 5 holds_its_own
kill "$daemon_pid"
eventually 10 gone
daemon_pid=''
no_mounts
