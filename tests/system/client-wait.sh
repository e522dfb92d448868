#!/usr/bin/env bash
# client-wait: who waits or watches off a terminal is told of each phase, on lines of their own that
# leave standard output alone; an end that comes is told at once, and nobody who looks on is in the
# way of an unmount.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
export IMGSTORE_MOUNT=$mnt
sum=$(make_image web tar.gz 400)
url="$httpd/slow/web.tar.gz?bps=400000"

# begin ARGUMENTS: the client in the background, $client; its outputs are $work/out and $work/err.
begin()
{
    "$IMGSTORE" "$@" >"$work/out" 2>"$work/err" &
    client=$!
    in_background "$client"
}

# ends WANT: with that status.
ends()
{
    local got=0
    wait_exit "$client" 20 || got=$?
    [ "$got" = "$1" ] || fail "ends with $got, not $1: $(cat "$work/out" "$work/err")"
}

# ---- each phase once, on standard error
begin fetch web "$url" "$sum" --wait
ends 0
is "standard output" "$(<"$work/out")" ""
matches "the last line" "$(tail -n1 "$work/err")" "web  active  [0-9]+ KiB in [0-9.]+ s"
grep -qx "web  download" "$work/err" || fail "no download: $(<"$work/err")"
is "lines twice" "$(uniq -d "$work/err")" ""
grep -q $'\033' "$work/err" && fail "sequences off a terminal"
begin wait web
ends 0
is "what is said of what is there" "$(cat "$work/out" "$work/err")" ""
rmdir "$mnt/images/web"
"$IMGSTORE" cleanup >"$work/out"
begin fetch web "$url" "$sum" --wait --json
ends 0
"$python" -SEc 'import json, sys; print(json.load(open(sys.argv[1]))["state"])' "$work/out" >"$work/said"
is "state" "$(<"$work/said")" ACTIVE

# ---- what fails, or goes, meanwhile
begin fetch hangs "$httpd/hang" "$(printf %064d 1)" --wait
eventually 10 grep -qx "hangs  download" "$work/err"
succeeds write "$mnt/ctl/cancel" 'hangs\n'
ends 1
matches "the last line" "$(tail -n1 "$work/err")" "imgstore: hangs: cancelled.*"
begin fetch hangs2 "$httpd/hang" "$(printf %064d 2)" --wait
eventually 10 grep -qx "hangs2  download" "$work/err"
rmdir "$mnt/images/hangs2"
ends 4

# ---- a signal ends the waiting, not the work
begin fetch hangs3 "$httpd/hang" "$(printf %064d 3)" --wait
eventually 10 grep -qx "hangs3  download" "$work/err"
kill -TERM "$client"
ends 143
is "the last line" "$(tail -n1 "$work/err")" \
    'hangs3 goes on in the background; `imgstore wait hangs3`'
is "state" "$(cat "$mnt/images/hangs3/state")" DOWNLOADING

# ---- watch: a line a change
begin watch
eventually 10 grep -q " hangs3 DOWNLOADING download$" "$work/out"
grep -q " web ACTIVE active$" "$work/out" || fail "no web: $(<"$work/out")"
grep -q " hangs FAILED cancelled" "$work/out" || fail "no error: $(<"$work/out")"
"$IMGSTORE" fetch later "$httpd/ok/web.tar.gz" "$sum"
eventually 10 grep -q " later ACTIVE active$" "$work/out"
rmdir "$mnt/images/later"
eventually 10 grep -q " later gone$" "$work/out"
matches "a line" "$(tail -n1 "$work/out")" "$time_re later gone"
kill -TERM "$client"
ends 143
# One that is named may come back.
begin watch later web
wait "$client" && fail "watches what is not there"
"$IMGSTORE" fetch later "$httpd/ok/web.tar.gz" "$sum"
begin watch later
eventually 10 grep -q " later ACTIVE active$" "$work/out"
rmdir "$mnt/images/later"
eventually 10 grep -q " later gone$" "$work/out"
"$IMGSTORE" fetch later "$httpd/ok/web.tar.gz" "$sum"
again()
{
    tail -n1 "$work/out" | grep -q " later ACTIVE active$"
}
eventually 10 again
kill -TERM "$client"
ends 143
# Whoever reads it has enough, or cannot take it.
got=0
timeout 20 bash -c '"$IMGSTORE" watch | head -n1 >/dev/null; exit "${PIPESTATUS[0]}"' || got=$?
case $got in 0 | 141) ;; *) fail "watch to one who has gone ends with $got" ;; esac
got=0
timeout 20 "$IMGSTORE" watch >/dev/full 2>"$work/err" || got=$?
is "watch to a full disk" "$got $(<"$work/err")" "5 imgstore: cannot write: No space left on device"
begin --json watch web
eventually 10 grep -q '"state":"ACTIVE"' "$work/out"
kill -INT "$client" 2>/dev/null || true # a job of a script ignores it
kill -TERM "$client"
ends 143

# ---- an unmount is not refused, and ends them all at once
watchers=()
for args in "watch" "wait hangs3" "wait hangs3 hangs3"; do
    # shellcheck disable=SC2086
    "$IMGSTORE" $args >"$work/out" 2>"$work/err" &
    watchers+=($!)
    in_background $!
done
sleep 0.3
# They have a file open for as long as they read it, each second: that may just be so.
umount "$mnt" || umount "$mnt" || umount "$mnt" || fail "the unmount was refused: somebody looks on"
before=$SECONDS
for client in "${watchers[@]}"; do
    ends 3
done
[ $((SECONDS - before)) -le $((3 * patience)) ] || fail "they notice late"
grep -q "no daemon" "$work/err" || fail "it says $(<"$work/err")"
wait_exit "$daemon_pid" 20 || fail "the daemon ended with $?"
daemon_pid=''
