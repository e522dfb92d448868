#!/usr/bin/env bash
# events: a line a transition, for readers who read, follow, poll, wait, are interrupted and killed.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
do_events()
{
    timeout 60 "$python" -SE "$here/events.py" "$1" "$mnt" "${@:2}"
}

# Empty, it is there and can be waited for.
is "size" "$(stat -c '%s %a' "$mnt/events")" "1 444"
timeout 0.3 cat "$mnt/events" && fail "a read of the empty log returns"

# The whole life of an image, in a file that is followed from its beginning.
cat "$mnt/events" >"$work/cat" &
in_background $!
active web
tail -n0 -f -s 0.1 "$mnt/events" >"$work/tail" 2>"$work/tail.err" &
in_background $!
tail -n2 -f -s 0.1 "$mnt/events" >"$work/tail-2" 2>>"$work/tail.err" &
in_background $!
eventually 5 eval '[ "$(wc -l <"$work/tail-2")" = 2 ]'
way=">NEW NEW>DOWNLOADING DOWNLOADING>DOWNLOADED DOWNLOADED>UNPACKING UNPACKING>UNPACKED UNPACKED>STORED"
way+=" STORED>ACTIVATING ACTIVATING>ACTIVE"
is "web's life" "$(do_events lives web)" "$way"
succeeds write "$mnt/ctl/deactivate" 'web\n'
is "web's life, once the write has returned" "$(do_events lives web)" "$way ACTIVE>STORED"
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
succeeds write "$mnt/ctl/remove" 'web\n'
is "web's life" "$(do_events lives web)" \
    "$way ACTIVE>STORED STORED>ACTIVATING ACTIVATING>ACTIVE ACTIVE>"
first=$(dd if="$mnt/events" bs=4096 count=1 status=none | head -n1)
matches "the first line" "$first" \
    '\{"seq":1,"time":"'"$time_re"'","image":"web","from":null,"to":"NEW","code":null,"message":null\}'
same_as()
{
    { dd if="$mnt/events" bs=65536 iflag=nonblock 2>/dev/null || :; } | tail -n "$1" | cmp -s - "$2"
}
eventually 5 same_as 12 "$work/cat"
eventually 5 same_as 4 "$work/tail"
eventually 5 same_as 6 "$work/tail-2"
is "what tail complains of" "$(cat "$work/tail.err")" ""

# A failure has its code and says why, as `error` does, with credentials masked.
fetch "http://user:secret@${httpd#http://}/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED
is "broken's failure" "$(do_events last_failure broken)" "$(cat "$mnt/images/broken/error")"
is "broken's life" "$(do_events lives broken)" ">NEW NEW>DOWNLOADING DOWNLOADING>FAILED"
! grep -q secret "$work/cat" || fail "a password is shown"

# A shell that reads line by line, as it does of a regular file: in blocks, with steps back.
while read -r line; do
    case $line in *'"to":"FAILED"'*) echo "$line" && break ;; esac
done <"$mnt/events" >"$work/shell"
is "what a shell finds" "$(<"$work/shell")" "$(grep '"to":"FAILED"' "$work/cat")"

active second
do_events places ''
do_events nonblocking second
succeeds write "$mnt/ctl/activate" 'second\n'
wait_state second ACTIVE
do_events blocking second
wait_state second ACTIVE

# Whoever waits can be killed, and may close the file.
can_be_killed() # FUNCTION
{
    rm -f "$work/waits"
    "$python" -SE "$here/events.py" "$1" "$mnt" second >"$work/waits" &
    pid=$!
    in_background $pid
    eventually 20 test -s "$work/waits"
    sleep 0.2
    is "what waits" "$(cat "$work/waits")" waits
    kill -KILL $pid
    eventually 5 eval "! kill -0 $pid 2>/dev/null"
    wait $pid || :
}
can_be_killed wait
refuses EPERM events write "$mnt/events" 'x\n'
refuses EPERM events truncate "$mnt/events" 0
alive

# The end of the daemon is the end of the wait.
rm "$work/waits"
"$python" -SE "$here/events.py" wait "$mnt" '' >"$work/waits" 2>&1 &
pid=$!
eventually 10 test -s "$work/waits"
begun=$(date +%s%3N)
stop_daemon
took=$(($(date +%s%3N) - begun))
wait_exit $pid 5 && fail "a read returns at the end of the daemon"
grep -q 'Errno 19' "$work/waits" || fail "it is not ENODEV: $(tail -n 1 "$work/waits")"
[ $took -lt $((3000 * patience)) ] || fail "the daemon took $took ms to stop"
no_mounts

# With a log that is soon full: whoever was there learns what it has missed.
start_daemon -o keep_events=4K
wait_state second ACTIVE
do_events there second
can_be_killed asynchronous
do_events there second
