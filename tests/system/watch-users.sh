#!/usr/bin/env bash
# What makes the events of inotify disturbs nobody who is in the tree before it has told of an image: not
# who sits in its folder, not who has its files open, not whoever took the name after it.
. "${0%/*}/functions.sh"
. "${0%/*}/watching.sh"
needs_mounts
needs_program inotifywait
start_httpd
start_daemon
active web
eventually 5 replayer_is_there
watch_images "$work/seen"

# Whoever sits there is told of nothing for that long.
hold_events()
{
    quiet "$work/seen"
    events=$(replayer)
    kill -STOP "$events"
}
# tells LINE: of that, and of nothing more.
tells()
{
    kill -CONT "$events"
    eventually 10 grep -qxF "$mnt/images/$1" "$work/seen.raw"
    quiet "$work/seen"
    : >"$work/seen.raw"
}
sits()
{
    local said=''
    echo >&"${sitter[1]}"
    read -r -t 10 said <&"${sitter[0]}" || fail "who sits there says nothing"
    matches "what who sits there finds" "$said" "$*"
}
files=error,info,progress,rootfs,snapshots,state

# New.
hold_events
fetch "$httpd/ok/web.tar.gz" "$(digest "$www/web.tar.gz")" new
wait_state new ACTIVE
coproc sitter { "$python" -SE "$here/sitter.py" "$mnt/images/new"; }
in_background "$sitter_PID"
sits new ACTIVE ACTIVE $files
tells "new CREATE,ISDIR"
sits new ACTIVE ACTIVE $files

# Removed, the name made anew, before any of it is told.
hold_events
succeeds write "$mnt/ctl/remove" 'new\n'
fetch "$httpd/ok/web.tar.gz" "$(digest "$www/web.tar.gz")" new
wait_state new ACTIVE
tells "new DELETE,ISDIR"
gone='(ENOENT|ESTALE)'
sits "$gone" "$gone" ENODEV "$gone"
end_process "$sitter_PID" KILL

# The other way round: who sits in the new one while the end of the old one is told.
hold_events
succeeds write "$mnt/ctl/remove" 'web\n'
fetch "$httpd/ok/web.tar.gz" "$(digest "$www/web.tar.gz")" web
wait_state web ACTIVE
coproc sitter { "$python" -SE "$here/sitter.py" "$mnt/images/web"; }
in_background "$sitter_PID"
sits web ACTIVE ACTIVE $files
tells "web DELETE,ISDIR"
sits web ACTIVE ACTIVE $files
sit_in web
succeeds write "$mnt/ctl/deactivate" 'new\n'
quiet "$work/seen"
sits_in web || fail "who sits in a rootfs does not any more"
stand_up
same_tree web
let_go_of_files
