#!/usr/bin/env bash
# events with 600 readers, most of whom never read: all who do see all, no image goes slower for it, and the
# daemon stops at once, with them there.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
active other

# The milliseconds that thirty turns take, of one image deactivated and activated again.
turns()
{
    local i begun
    begun=$(date +%s%3N)
    for i in {1..30}; do
        echo web >"$mnt/ctl/deactivate"
        echo web >"$mnt/ctl/activate"
        until state_is web ACTIVE; do
            :
        done
    done
    echo $(($(date +%s%3N) - begun))
}
alone=$(turns)
memory=$(awk '/^VmRSS/ { print $2 }' /proc/"$daemon_pid"/status)
mkfifo "$work/say"
"$python" -SE "$here/events.py" crowd "$mnt" 600 <"$work/say" >"$work/crowd" 2>&1 &
crowd=$!
in_background $crowd
exec 9>"$work/say"
eventually 20 grep -q waits "$work/crowd"
watched=$(turns)
timeout 20 "$python" -SE "$here/events.py" seqs "$mnt" >"$work/seqs"
awk "{ print \$NF }" "$work/seqs" >&9
eventually 30 grep -q reached "$work/crowd"
echo "thirty turns: $alone ms alone, $watched ms with 600 readers"
[ "$watched" -lt $((alone * 4 + 1000 * patience)) ] || fail "readers hold an image up"
more=$(($(awk '/^VmRSS/ { print $2 }' /proc/"$daemon_pid"/status) - memory))
[ -n "${ASAN_OPTIONS-}${TSAN_OPTIONS-}" ] || [ $more -lt 8192 ] || fail "the daemon has grown by $more KiB"

# Signals lose no line, and double none, when they come just then.
restless=()
for i in {1..8}; do
    "$python" -SE "$here/events.py" restless "$mnt" '' >"$work/restless-$i" 2>&1 &
    restless+=($!)
    in_background $!
    eventually 20 test -s "$work/restless-$i"
done
turns >/dev/null
fetch "$httpd/404/x" "$(printf %064d 1)" end
for p in "${restless[@]}"; do
    wait_exit "$p" 20 || fail "signals: $(cat "$work"/restless-*)"
done

# Whoever detaches the tree does not wait for its readers; nor does the daemon.
umount -l "$mnt"
kill -0 "$daemon_pid" || fail "the daemon is gone, with files open"
begun=$(date +%s%3N)
stop_daemon
took=$(($(date +%s%3N) - begun))
[ $took -lt $((3000 * patience)) ] || fail "the daemon took $took ms to stop"
wait_exit $crowd 20 || fail "readers: $(cat "$work/crowd")"
no_mounts
