#!/usr/bin/env bash
# log_format: text, JSON and the journal's own protocol say the same, the image and the code as fields; a
# journal that hangs holds up nobody. In a mount namespace with a /run of its own: the journal is there.
. "${0%/*}/functions.sh"
needs_mounts
needs_program pgrep
[[ $work != /run/* ]] || skip "needs TMPDIR outside /run"
mount -t tmpfs tmpfs /run # the test's mounts are its own
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

bucher=$work/b$'\xff'cher # no UTF-8
with json
"$python" - "$log" <<'END' || fail "the JSON is not as it should be: $(cat "$log")"
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert any(r"/b\377cher at " in l["message"] for l in lines), "what is no UTF-8"
END
bucher=$work/bücher

# --- the journal
status=0
timeout 20 "$IMGSTOREFS" -f -o "log_format=journal,db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" >"$work/no-journal" 2>&1 || status=$?
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

# begin_anew: what was sent until now is read, and forgotten.
begin_anew()
{
    "$python" - <<'END'
import socket
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"MESSAGE=mark\n", "/run/systemd/journal/socket")
END
    eventually 10 grep -q '"MESSAGE": "mark"' "$work/journal"
    : >"$work/journal"
}

told()
{
    "$python" - "$work/journal" 2>/dev/null <<'END'
import json, sys
lines = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
assert all(l["SYSLOG_IDENTIFIER"] == "imgstorefs" and l["SYSLOG_FACILITY"] == "3" and int(l["SYSLOG_PID"]) > 1 for l in lines)
assert any(l["PRIORITY"] == "6" and l.get("IMGSTORE_IMAGE") == "web" and l["MESSAGE"] == "active"
           and "IMGSTORE_CODE" not in l for l in lines)
broken, = [l for l in lines if "IMGSTORE_CODE" in l]
assert (broken["PRIORITY"], broken["IMGSTORE_IMAGE"], broken["IMGSTORE_CODE"]) == ("4", "broken", "http-status")
assert "404" in broken["MESSAGE"] and any("IMGSTORE_IMAGE" not in l for l in lines)
END
}
with journal
eventually 10 told
is "the standard error" "$(cat "$log")" ""

# auto: in the background, and where the standard error is the journal's.
begin_anew
JOURNAL_STREAM=$(stat -c %d:%i "$log") with auto
eventually 10 told
begin_anew
JOURNAL_STREAM=1:1 with auto
is "what the journal was told of another's stream" "$(cat "$work/journal")" ""
"$IMGSTOREFS" -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" </dev/null >"$log" 2>&1 || fail "exits with $?"
daemon_pid=$(pgrep -f "^$IMGSTOREFS -o db=$db")
things_happen
eventually 10 told
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
kept, sent = [], 1
while sent:  # one sender's own limit may come before the queue's
    sent = 0
    kept.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    kept[-1].setblocking(False)
    try:
        while True:
            kept[-1].sendto(b"MESSAGE=full\n", "/run/systemd/journal/socket")
            sent += 1
    except BlockingIOError:
        pass
END
# A hundred requests that each have lines: one wait of 200 ms, not hundreds.
begun=$SECONDS
for ((i = 0; i < 100; i++)); do
    succeeds write "$mnt/ctl/fetch" "$httpd/hang/x $wrong hung-$i\n"
    succeeds rmdir "$mnt/images/hung-$i"
done
[ $((SECONDS - begun)) -le $((15 * patience)) ] || fail "a journal that hangs holds up requests"
things_happen
kill -CONT "$journal"
more=0
asked_more()
{
    fetch "$httpd/ok/web.tar.gz" "$sum" "more-$((more += 1))"
    grep -qE "$1" "$work/journal"
}
eventually 10 asked_more '"MESSAGE": "[0-9]+ lines of the log were lost before this"'

# Another journal in its place is found, too, and told of the loss.
kill "$journal"
wait "$journal" 2>/dev/null || true
rm /run/systemd/journal/socket
: >"$work/journal"
fetch "$httpd/ok/web.tar.gz" "$sum" unheard
wait_state unheard ACTIVE
"$python" "$work/journal.py" "$work/journal" &
journal=$!
in_background $journal
eventually 10 test -S /run/systemd/journal/socket
eventually 10 asked_more '"MESSAGE": "[0-9]+ lines of the log were lost before this"'
! grep -q '"unheard"' "$work/journal" || fail "it was told what there was nobody to tell"
eventually 10 asked_more "\"IMGSTORE_IMAGE\": \"more-$more\""
stop_daemon
