#!/usr/bin/env bash
# Every value's st_size is what a read gives, and its times are of today, not of 1970. (At the end of
# events a read waits: see events.sh. What export/ makes while it is read has no size.)
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
begun=$(date +%s)
start_daemon
active web
fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED

check()
{
    local f size
    while read -r f; do
        size=$(stat -c %s "$f")
        is "size of $f" "$size" "$(wc -c <"$f")"
        is "size of $f in two reads" "$size" "$(dd if="$f" bs=1 2>/dev/null | wc -c)"
        [ "$size" = 0 ] || is "last byte of $f" "$(tail -c1 "$f" | od -An -c | tr -d ' ')" '\n'
        ! LC_ALL=C grep -q '[^ -~]' "$f" || fail "$f is not ASCII"
    done < <(find "$mnt" \( -path '*/rootfs' -o -path "$mnt/export" -o -name events \) -prune -o -type f -print)
}
check
while read -r f t; do
    t=${t%.*}
    [ "$t" -ge $((begun - 1)) ] || fail "$f has the time $t, before it was made"
    [ "$t" -le $(($(date +%s) + 1)) ] || fail "$f has the time $t, which is to come"
done < <(find "$mnt" -path '*/rootfs' -prune -o -path '*/images/*' -printf '%p %T@\n')
is "size of the link" "$(stat -c %s "$mnt/images/web/rootfs")" "$(readlink "$mnt/images/web/rootfs" | tr -d '\n' | wc -c)"

# It changes with the value.
before=$(stat -c %.Y "$mnt/images/web/state")
sleep 0.05
succeeds write "$mnt/ctl/deactivate" 'web\n'
is "size" "$(stat -c %s "$mnt/images/web/state")" 7
[ "$(stat -c %.Y "$mnt/images/web/state")" != "$before" ] || fail "the time of state did not change"
check
