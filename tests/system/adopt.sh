#!/usr/bin/env bash
# Over a kill and a new start an active overlay stays as it stands: who sits in it notices nothing.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web

sit_in web
exec 9>"$store/active/web/open"
id()
{
    awk -v m="$(realpath "$store")/active/web" '$5 == m { print $1 }' /proc/self/mountinfo
}
before=$(id)
kill_daemon
is "what the sitter sees" "$(cat "/proc/$sitter/cwd/etc/image-name")" web
start_daemon
wait_state web ACTIVE
is "the mount" "$(id)" "$before"
echo written >&9
exec 9>&-
is "what was written through it" "$(cat "$mnt/images/web/rootfs/open")" written
is "what the sitter sees" "$(cat "/proc/$sitter/cwd/open")" written
refused EBUSY deactivate 'web\n'
stand_up
succeeds write "$mnt/ctl/deactivate" 'web\n'
