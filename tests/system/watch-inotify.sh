#!/usr/bin/env bash
# inotify on images/ tells what happens in it, in order and nothing else: an image that appears, its
# files that change, its rootfs that comes and goes, its end, whoever ends it.
. "${0%/*}/functions.sh"
. "${0%/*}/watching.sh"
needs_mounts
needs_test_points
needs_program inotifywait
start_httpd
start_daemon
watch_images "$work/seen"

# What was seen since, progress apart: `=` a change of a file, `+` made, `-` removed. The same file twice
# is once: how many changes are told at once is a matter of time.
told()
{
    quiet "$work/seen"
    events "$work/seen" | awk -v from="${from:=0}" 'NR <= from { next }
        $2 == "MODIFY" { changed = $1; next }
        $2 == "CLOSE_WRITE" { if ($1 != changed) print "closed", $1; said = $1 "=" }
        $2 == "CREATE" { said = $1 "+" }
        $2 == "DELETE" { said = $1 "-" }
        $2 == "DELETE_SELF" || $1 ~ /progress$/ && $2 ~ /WRITE/ { next }
        said != before { printf "%s ", said; before = said }'
    echo
}

# tells WHAT: that is what is seen of what happens now.
tells()
{
    is "what is told" "$(told)" "$* "
    from=$(events "$work/seen" | wc -l)
}

# A recursive watcher watches a new folder a moment after it is told of it.
hold DOWNLOADING
sum=$(make_image web)
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web DOWNLOADING
quiet "$work/seen"
release DOWNLOADING
wait_state web ACTIVE
matches "what is told of a fetch" "$(told)" "web\+ (web/state= )?web/rootfs\+ web/state= "
from=$(events "$work/seen" | wc -l)

succeeds write "$mnt/ctl/deactivate" 'web\n'
tells web/rootfs- web/state=
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
tells web/state= web/rootfs+ web/state=

watch_images "$work/folder" "$mnt/images/web/snapshots"
succeeds write "$mnt/ctl/remove" 'web\n'
tells web/rootfs- web/state- web/progress- web/error- web/info- web/snapshots- web-
is "what the watcher of snapshots/ is told" "$(cat "$work/folder.raw")" "$mnt/images/web/snapshots/ DELETE_SELF"

# What fails.
hold DOWNLOADING
fetch "$httpd/404/x" "$(printf %064d 1)" bad
wait_state bad DOWNLOADING
quiet "$work/seen"
release DOWNLOADING
wait_state bad FAILED
matches "what is told of a failure" "$(told)" "bad\+ (bad/state= )?bad/error= bad/state= "
from=$(events "$work/seen" | wc -l)

# A retry, held, and a cancel.
hold DOWNLOADING
succeeds write "$mnt/ctl/retry" 'bad\n'
wait_state bad DOWNLOADING
matches "what is told of a retry" "$(told)" "(bad/state= )?bad/error= bad/state= "
from=$(events "$work/seen" | wc -l)
succeeds write "$mnt/ctl/cancel" 'bad\n'
tells bad/error= bad/state=
release DOWNLOADING

# A user's own rmdir tells of the folder by itself, once.
active web
matches "what is told" "$(told)" "web\+ (web/state= )?(web/rootfs\+ )?(web/state= )?"
from=$(events "$work/seen" | wc -l)
inotifywait -m -e modify,delete_self --format '%e' "$mnt/images/web/state" >"$work/file.raw" \
    2>"$work/file.err" &
in_background $!
eventually 10 grep -q '^Watches established' "$work/file.err"
watch_images "$work/other" "$mnt/images/web/snapshots"
rmdir "$mnt/images/web"
tells web-
eventually 5 grep -qx DELETE_SELF "$work/file.raw"
eventually 5 grep -q DELETE_SELF "$work/other.raw"
rmdir "$mnt/images/bad"
tells bad-
[ ! -e "$mnt/.gone" ] || fail "what the files' end is told through can be seen"
! ls -A "$mnt" | grep -q gone || fail "what the files' end is told through is listed"

# The name made anew at once: the old one ends, then the new one comes.
active web
told >"$work/before"
from=$(events "$work/seen" | wc -l)
hold DOWNLOADING
succeeds write "$mnt/ctl/remove" 'web\n'
fetch "$httpd/ok/web.tar.gz" "$(digest "$www/web.tar.gz")" web
wait_state web DOWNLOADING
quiet "$work/seen"
release DOWNLOADING
wait_state web ACTIVE
matches "what is told of a name made anew" "$(told)" \
    "web/rootfs- web/state- web/progress- web/error- web/info- web/snapshots- web- web\+ (web/state= )?web/rootfs\+ web/state= "
from=$(events "$work/seen" | wc -l)
same_tree web

# Two at once: each in its order.
hold DOWNLOADING
for name in a b; do
    fetch "$httpd/ok/web.tar.gz" "$(digest "$www/web.tar.gz")" $name
done
wait_state b DOWNLOADING
quiet "$work/seen"
release DOWNLOADING
wait_state a ACTIVE
wait_state b ACTIVE
both=$(told)
for name in a b; do
    matches "what is told of $name" "$(tr ' ' '\n' <<<"$both" | grep "^$name[+/-]" | uniq | tr '\n' ' ')" \
        "$name\+ ($name/state= )?$name/rootfs\+ $name/state= "
done
alive
