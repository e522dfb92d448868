#!/usr/bin/env bash
# imgstore logs: what happened to an image, and what happens to it, until it or the daemon has gone.
. "${0%/*}/functions.sh"
. "${0%/*}/client_functions.sh"
needs_mounts
start_httpd
start_daemon
exits 4 "$IMGSTORE" logs web
exits 4 "$IMGSTORE" logs web -f

fetch "http://user:secret@${httpd#http://}/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED
active web
exits 0 "$IMGSTORE" logs web
is "web's life" "$(sed -E "s/^$time_re  //" <<<"$out" | tr '\n' ',')" "NEW,NEW -> DOWNLOADING,DOWNLOADING -> \
DOWNLOADED,DOWNLOADED -> UNPACKING,UNPACKING -> UNPACKED,UNPACKED -> STORED,STORED -> ACTIVATING,\
ACTIVATING -> ACTIVE,"
exits 0 "$IMGSTORE" logs broken -n 1
matches "the failure" "$out" "$time_re  DOWNLOADING -> FAILED  http-status: 404 .*"
[[ $out != *secret* ]] || fail "a password is shown"
exits 0 "$IMGSTORE" logs web --json
is "as they are" "$out" "$(dd if="$mnt/events" bs=65536 iflag=nonblock 2>/dev/null | grep '"image":"web"')"

# It goes on with what happens, and ends with the image.
"$IMGSTORE" logs web -n 1 -f >"$work/followed" 2>"$work/followed.err" &
follower=$!
in_background $follower
eventually 10 grep -qs ' -> ACTIVE' "$work/followed"
exits 0 "$IMGSTORE" deactivate web
eventually 10 grep -q 'ACTIVE -> STORED' "$work/followed"
kill -0 $follower || fail "it does not go on"
exits 0 "$IMGSTORE" remove web
wait_exit $follower 10 || fail "it ends with $?"
is "what is said" "$(cat "$work/followed.err")" "imgstore: web: removed; nothing more will happen to it"
is "the last line" "$(tail -n1 "$work/followed" | sed 's/.*Z  //')" "STORED -> removed"
is "lines" "$(wc -l <"$work/followed")" 3
exits 0 "$IMGSTORE" logs web -f
exits 0 "$IMGSTORE" logs web

# Ctrl-C; a reader who goes; the daemon, killed or stopped.
follow()
{
    rm -f "$work/followed"
    "$IMGSTORE" logs broken -f --json >"$work/followed" 2>"$work/followed.err" &
    follower=$!
    in_background $follower
    eventually 10 grep -qs '"to":"FAILED"' "$work/followed"
}
follow
kill -TERM $follower
wait_exit $follower 10 2>/dev/null || is "its end" $? 143
timeout 20 "$IMGSTORE" logs broken -f | head -n1 >/dev/null || fail "it outlives its reader"
for how in TERM KILL; do
    follow
    if [ $how = TERM ]; then stop_daemon; else kill_daemon; fi
    wait_exit $follower 10 && fail "it ends as if all were well" || is "its end" $? 3
    matches "what is said" "$(cat "$work/followed.err")" 'imgstore: broken: the daemon has gone; .*'
    exits 3 "$IMGSTORE" logs broken
    [ $how = KILL ] || start_daemon
done
umount -l "$mnt"
start_daemon
exits 0 "$IMGSTORE" logs broken -n 1
