#!/usr/bin/env bash
# events is followed from its very beginning, when there is no line yet, and once it has some: in each of the
# ways that there are, whoever follows gets each line once, whole and at once.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
all()
{
    { dd if="$mnt/events" bs=65536 iflag=nonblock 2>/dev/null || :; } >"$work/all"
}

# follow NAME LINES CMD…: it runs, and is to see all that there is but the first LINES.
followers=() seen_from=()
follow()
{
    local name=$1 from=$2
    shift 2
    "$@" >"$work/$name" 2>"$work/$name.err" &
    in_background $!
    followers+=("$name") seen_from+=("$from")
    eventually 10 eval "[ -n \"\$(find /proc/$!/fd -lname '$mnt/events' 2>/dev/null)\" ]"
}
by_line()
{
    local line
    while read -r line; do
        echo "$line"
    done <"$mnt/events"
}
from_stdin()
{
    exec tail -n0 -f -s 0.1 <"$mnt/events"
}
follow_all() # WHERE LINES: that are there
{
    local last5=$(($2 > 5 ? $2 - 5 : 0)) last10=$(($2 > 10 ? $2 - 10 : 0))
    follow "$1-cat" 0 cat "$mnt/events"
    follow "$1-tail-n0" "$2" tail -n0 -f -s 0.1 "$mnt/events"
    follow "$1-tail-n5" $last5 tail -n5 -f -s 0.1 "$mnt/events"
    follow "$1-tail" $last10 tail -f -s 0.1 "$mnt/events"
    follow "$1-tail-stdin" "$2" from_stdin
    follow "$1-readline" "$2" "$python" -SE "$here/events.py" readline "$mnt"
    follow "$1-shell" 0 by_line
    sleep 0.3
}
sees_all() # NAME LINES
{
    cmp -s "$work/$1" <(tail -n "+$(($2 + 1))" "$work/all")
}
all_see_all()
{
    local i
    all
    for i in "${!followers[@]}"; do
        eventually 5 sees_all "${followers[i]}" "${seen_from[i]}"
        is "${followers[i]}'s complaints" "$(cat "$work/${followers[i]}.err")" ""
    done
}

"$python" -SE "$here/events.py" empty "$mnt"
follow_all empty 0
active web
all_see_all
first=$(wc -l <"$work/all")
size=$(stat -c %s "$mnt/events")
is "the size, to whoever does not follow" "$size" "$(wc -c <"$work/all")"
follow_all filled "$first"
succeeds write "$mnt/ctl/deactivate" 'web\n'
all_see_all
succeeds write "$mnt/ctl/remove" 'web\n'
all_see_all
