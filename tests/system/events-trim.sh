#!/usr/bin/env bash
# events is followed with tail while more is written than is kept: each line comes once, or is told to be
# missed, and nobody else sees another size for it.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o keep_events=8K
tail -n0 -f -s 0.05 "$mnt/events" >"$work/empty" 2>"$work/err" &
in_background $!
active web
tail -f -s 0.05 "$mnt/events" >"$work/tail" 2>>"$work/err" &
in_background $!
tail -n1 -f -s 3 "$mnt/events" >"$work/slow" 2>>"$work/err" &
in_background $!
sleep 0.3
trims=0 before=0
for i in {1..60}; do
    echo web >"$mnt/ctl/deactivate"
    echo web >"$mnt/ctl/activate"
    wait_state web ACTIVE
    size=$(stat -c %s "$mnt/events")
    [ "$size" -le 8192 ] || fail "$size bytes are kept"
    [ "$size" -ge "$before" ] || trims=$((trims + 1))
    before=$size
done
[ $trims -ge 3 ] || fail "there were $trims trims"
last=$((8 + 180))
for t in empty tail slow; do
    eventually 10 eval "tail -n1 '$work/$t' | grep -q '\"seq\":$last,'"
    "$python" -SE "$here/events.py" each_once "$work/$t" $last
done
is "what tail complains of" "$(cat "$work/err")" ""
is "the size" "$({ dd if="$mnt/events" bs=65536 iflag=nonblock 2>/dev/null || :; } | wc -c)" "$size"
