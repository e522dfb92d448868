#!/usr/bin/env bash
# imgstore status: of an image in each state, a snapshot, the store; it never waits.
. "${0%/*}/functions.sh"
. "${0%/*}/client_functions.sh"
needs_mounts
start_httpd
start_daemon
shows() # LINE…: whole lines of $out, as patterns
{
    local line
    for line; do
        grep -Eqx -- "$line" <<<"$out" || fail "no line '$line' in: $out"
    done
}
exits 0 "$IMGSTORE" status
shows '. imgstorefs [0-9.]+ - healthy' "     Mount: $mnt" '    Health: ok' '    Images: 0' \
    ' Snapshots: 0' '      Disk: [0-9.]+ [KMGT]iB of [0-9.]+ [KMGT]iB free' '      Next: .*imgstore fetch .*'
exits 4 "$IMGSTORE" status web
active web
fetch "$httpd/404/x" "$(printf %064d 1)" bad
wait_state bad FAILED
exits 0 "$IMGSTORE" snapshot web build
exits 0 timeout 5 "$IMGSTORE" status web
shows "\* web - ACTIVE since $time_re; (now|.*s ago)" "    SHA256: $(info web sha256)" \
    "       URL: $(info web url)" "    Rootfs: $(readlink "$mnt/images/web/rootfs")" \
    '   Entries: [0-9]+, .* unpacked, 0 left out' '    Policy: strict' ' Snapshots: 1 \(build\)' '' \
    "$time_re  ACTIVATING -> ACTIVE"
exits 0 "$IMGSTORE" status bad
shows '\* bad - FAILED since .*' '     Error: http-status: 404 .*' '      Next: .*`imgstore retry bad`.*'
exits 0 "$IMGSTORE" status web@build
shows '\* web@build - ACTIVE since .*' "    Rootfs: $(readlink "$mnt/images/web/snapshots/build/rootfs")"
exits 0 "$IMGSTORE" status
shows '    Images: 2 \(1 FAILED, 1 ACTIVE\)' ' Snapshots: 1' '      Next: .*FAILED.*'

# The last ten of many; since when is when it came into its state.
for i in 1 2 3; do
    exits 0 "$IMGSTORE" deactivate web
    exits 0 "$IMGSTORE" activate web
    exits 0 "$IMGSTORE" wait web
done
exits 0 "$IMGSTORE" status web
is "events" "$(grep -Ec "^$time_re  " <<<"$out")" 10
since=$(sed -n '1s/.*since \([^;]*\);.*/\1/p' <<<"$out")
is "since" "$since" "$(tail -n1 <<<"$out" | cut -d' ' -f1)"

# Every value is in the JSON.
exits 0 "$IMGSTORE" --json status web
while read -r key value; do
    is "$key" "$("$python" -SEc 'import json, sys
value = json.load(open(sys.argv[1]))[sys.argv[2]]
print("-" if value is None else value)' "$work/out" "$key")" "$value"
done <"$mnt/images/web/info"

# Colours on a terminal that has them, unless they are not wanted.
on_terminal()
{
    env "$@" script -qec "'$IMGSTORE' status web" /dev/null </dev/null
}
if command -v script >/dev/null; then
    escape=$(printf '\033')
    [[ $(on_terminal TERM=xterm) == *"$escape"* ]] || fail "no colours on a terminal"
    [[ $(on_terminal TERM=xterm NO_COLOR=1) != *"$escape"* ]] || fail "colours in spite of NO_COLOR"
    [[ $(on_terminal TERM=dumb) != *"$escape"* ]] || fail "colours on a dumb terminal"
fi
exits 0 "$IMGSTORE" status web bad web@build
stop_daemon
exits 3 "$IMGSTORE" status
exits 3 "$IMGSTORE" status web
