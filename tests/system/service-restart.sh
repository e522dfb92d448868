#!/usr/bin/env bash
# A service of systemd's, as process 1: what it mounts is there for everybody; a restart, and the
# daemon's death, leave active images and what runs in them alone; a stop unmounts them.
. "${0%/*}/functions.sh"
. "${0%/*}/box.sh"
needs_box

start_httpd
sum=$(make_image web)
box_boot
tree=/run/imgstore

in_box_state_is()
{
    [ "$(in_box cat "$tree/images/$1/state" 2>/dev/null)" = "$2" ]
}

serves()
{
    in_box systemctl is-active -q imgstorefs && in_box test -s "$tree/version"
}

# The one mount of the image and the process in it are those of before.
undisturbed()
{
    is "the mount" "$(in_box findmnt -no ID,SOURCE,TARGET "$active")" "$mounted_before"
    is "where the process sits" "$(in_box readlink "/proc/$sitter/cwd")" "$active"
    is "its name" "$(in_box cat "/proc/$sitter/comm")" sleep
    in_box_state_is web ACTIVE
}

in_box systemctl start imgstorefs
in_box test -s "$tree/version" || fail "the tree is not there when it has started"
pid=$(property imgstorefs MainPID)
is "its mount namespace" "$(in_box readlink "/proc/$pid/ns/mnt")" "$(in_box readlink /proc/1/ns/mnt)"
in_box systemctl status --no-pager imgstorefs >"$work/status"
grep -qF 'Status: "serving /var/lib/imgstore/store at /run/imgstore"' "$work/status" ||
    fail "systemctl status does not say what is served: $(cat "$work/status")"

# From outside of the unit: the client finds the tree, and the image is what was packed.
in_box "$bindir/imgstore" fetch web "$httpd/ok/web.tar.gz" "$sum" --wait
active=$(in_box readlink "$tree/images/web/rootfs")
is "what rootfs shows" "$(in_box cat "$tree/images/web/rootfs/etc/image-name")" web
mounted_before=$(in_box findmnt -no ID,SOURCE,TARGET "$active")
in_box sh -c 'cd "$1" && exec sleep 1000' - "$active" &
sits()
{
    sitter=$(in_box pgrep -x sleep)
}
eventually 5 sits
eventually 5 in_box test "/proc/$sitter/cwd" -ef "$active"

in_box systemctl restart imgstorefs
serves || fail "does not serve after a restart"
[ "$(property imgstorefs MainPID)" != "$pid" ] || fail "was not restarted"
undisturbed

# Its death: it starts again by itself, and adopts what there is.
pid=$(property imgstorefs MainPID)
in_box kill -KILL "$pid"
is_another()
{
    [ "$(property imgstorefs MainPID)" != "$pid" ] && serves
}
eventually 10 is_another
undisturbed
box_says 'Main process exited, code=killed, status=9/KILL' -u imgstorefs ||
    fail "the journal does not tell of the death"

in_box kill "$sitter"
in_box systemctl stop imgstorefs
is "its result" "$(property imgstorefs Result)" success
is "what is still mounted" "$(in_box findmnt -rno TARGET | grep -E '/run/imgstore|/active/|/images/')" ""
