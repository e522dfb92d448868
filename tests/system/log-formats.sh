#!/usr/bin/env bash
# log_format: text, JSON and the journal's own protocol say the same, the image and the code as fields; a
# journal that hangs holds up nobody. In a mount namespace with a /run of its own: the journal is there.
if [ -z "${OWN_RUN-}" ] && unshare -m --propagation private true 2>/dev/null; then
    OWN_RUN=1 exec unshare -m --propagation private "$0" "$@"
fi
. "${0%/*}/functions.sh"
needs_mounts
needs_program pgrep
[ -n "${OWN_RUN-}" ] || skip "needs mount namespaces"
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal
start_httpd
sum=$(make_image web)
wrong=$(printf %064d 1)
bucher=$work/bücher # its name is in the log at the start

# What happens under each format.
things_happen()
{
    fetch "$httpd/ok/web.tar.gz" "$sum" web
    wait_state web ACTIVE
    fetch "$httpd/404/x" "$wrong" broken
    wait_state broken FAILED
    succeeds rmdir "$mnt/images/web"
    succeeds rmdir "$mnt/images/broken"
}

# with FORMAT [OPTION]: a daemon of that format, all that happens, and its stop.
with()
{
    : >"$log"
    rm -rf "$db"* "$store" "$bucher"
    store=$bucher start_daemon -o "log_format=$1,log_level=info"
    things_happen
    stop_daemon
}

# --- text
with text
grep -vE "^$time_re (error|warn |info |debug) (image=[a-z]+ )?(code=[a-z-]+ )?[^ ]" "$log" && fail "no line of text"
grep -qE " info  image=web active$" "$log" || fail "no line about web"
grep -qE " warn  image=broken code=http-status .*404" "$log" || fail "no line about broken"
grep -qF " serves $bucher at " "$log" || fail "the name in UTF-8 is not as it is"
with auto
grep -qE " info  image=web active$" "$log" || fail "auto is no text here"

# --- JSON: what it says is what text says
with json
"$python" - "$log" "$bucher" <<'END' || fail "the JSON is not as it should be: $(cat "$log")"
import json, re, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert all(list(l) == ["time", "level", "image", "code", "message"] for l in lines), "keys"
assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", l["time"]) for l in lines), "times"
assert {"level": "info", "image": "web", "code": None, "message": "active"}.items() <= \
    next(l for l in lines if l["image"] == "web").items()
broken = [l for l in lines if l["code"]]
assert [(l["level"], l["image"], l["code"]) for l in broken] == [("warn", "broken", "http-status")], broken
assert "404" in broken[0]["message"]
assert any(f" serves {sys.argv[2]} at " in l["message"] for l in lines), "UTF-8"
END

# --- the journal
status=0
"$IMGSTOREFS" -f -o "log_format=journal,db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" >"$work/no-journal" 2>&1 || status=$?
is "without a journal: status" "$status" 1
grep -q 'log_format=journal: .*choose text or json' "$work/no-journal" || fail "it does not say why: $(cat "$work/no-journal")"

cat >"$work/journal.py" <<'END'
"""Takes what is sent to the journal, and writes an object a message."""
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/run/systemd/journal/socket")
with open(sys.argv[1], "a", encoding="utf-8", buffering=1) as out:
    while True:
        fields = s.recv(65536).decode().removesuffix("\n").split("\n")
        out.write(json.dumps(dict(f.split("=", 1) for f in fields)) + "\n")
END
"$python" "$work/journal.py" "$work/journal" &
journal=$!
in_background $journal
eventually 10 test -e "$work/journal"

told()
{
    "$python" - "$work/journal" <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert all(l["SYSLOG_IDENTIFIER"] == "imgstorefs" and int(l["SYSLOG_PID"]) > 1 for l in lines)
assert any(l["PRIORITY"] == "6" and l.get("IMGSTORE_IMAGE") == "web" and l["MESSAGE"] == "active"
           and "IMGSTORE_CODE" not in l for l in lines)
broken, = [l for l in lines if "IMGSTORE_CODE" in l]
assert (broken["PRIORITY"], broken["IMGSTORE_IMAGE"], broken["IMGSTORE_CODE"]) == ("4", "broken", "http-status")
assert "404" in broken["MESSAGE"] and any("IMGSTORE_IMAGE" not in l for l in lines)
END
}
with journal
told || fail "the journal was told otherwise: $(cat "$work/journal")"
is "the standard error" "$(cat "$log")" ""

# auto: in the background, and where the standard error is the journal's.
: >"$work/journal"
JOURNAL_STREAM=$(stat -c %d:%i "$log") with auto
told || fail "with JOURNAL_STREAM the journal was told otherwise: $(cat "$work/journal")"
: >"$work/journal"
JOURNAL_STREAM=1:1 with auto
is "what the journal was told of another's stream" "$(cat "$work/journal")" ""
"$IMGSTOREFS" -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" </dev/null >"$log" 2>&1 || fail "exits with $?"
daemon_pid=$(pgrep -f "^$IMGSTOREFS -o db=$db")
things_happen
told || fail "from the background the journal was told otherwise: $(cat "$work/journal")"
umount "$mnt"
gone()
{
    ! kill -0 "$daemon_pid" 2>/dev/null
}
eventually 10 gone
daemon_pid=''

# It hangs, and its queue is full: nobody waits for it, and it is told of the loss.
start_daemon -o log_format=journal
kill -STOP "$journal"
"$python" - <<'END'
import socket
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.setblocking(False)
try:
    while True:
        s.sendto(b"MESSAGE=full\nSYSLOG_IDENTIFIER=imgstorefs\nSYSLOG_PID=2\nPRIORITY=7\n", "/run/systemd/journal/socket")
except BlockingIOError:
    pass
END
begun=$SECONDS
things_happen
[ $((SECONDS - begun)) -le $((10 * patience)) ] || fail "a journal that hangs holds up an image"
kill -CONT "$journal"
heard()
{
    echo debug >"$mnt/ctl/log_level"
    fetch "$httpd/ok/web.tar.gz" "$sum" "more-$((more += 1))"
    grep -qE '"MESSAGE": "[0-9]+ lines of the log were lost before this"' "$work/journal"
}
more=0
eventually 10 heard

# Another journal in its place is found, too.
kill "$journal"
wait "$journal" 2>/dev/null || true
rm /run/systemd/journal/socket
fetch "$httpd/ok/web.tar.gz" "$sum" unheard
wait_state unheard ACTIVE
"$python" "$work/journal.py" "$work/journal" &
journal=$!
in_background $journal
eventually 10 test -S /run/systemd/journal/socket
heard_again()
{
    heard && grep -q more- "$work/journal"
}
eventually 10 heard_again
stop_daemon
