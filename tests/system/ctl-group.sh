#!/usr/bin/env bash
# ctl_group: its members command, others read; without allow_other nobody else sees the tree.
. "${0%/*}/functions.sh"
needs_mounts
needs_program setpriv
getent group nogroup >/dev/null || skip "needs the group nogroup"
id nobody >/dev/null 2>&1 || skip "needs the user nobody"
chmod 755 "$work"
uid=$(id -u nobody) gid=$(getent group nogroup | cut -d: -f3)
member()
{
    setpriv --reuid="$uid" --regid=12345 --groups="$gid" -- "$@"
}
stranger()
{
    setpriv --reuid="$uid" --regid=12345 --clear-groups -- "$@"
}
as()
{
    local who=$1
    shift
    "$who" "$python" -SE "$here/ctl.py" "$@"
}
stranger test -r "$here/ctl.py" || skip "the tests' folder is not readable by others"
start_httpd
sum=$(make_image web)

start_daemon
! stranger cat "$mnt/version" >/dev/null 2>&1 || fail "without allow_other others see the tree"
stop_daemon

start_daemon -o allow_other
stranger cat "$mnt/version" >/dev/null || fail "with allow_other others see nothing"
is "fetch by a stranger" "$(as stranger write "$mnt/ctl/fetch" "$httpd/ok/web.tar.gz $sum web\n")" EACCES
is "usage for a stranger" "$(as stranger open O_RDONLY "$mnt/ctl/fetch")" EACCES
stop_daemon

start_daemon -o ctl_group=nogroup
is "ctl/fetch" "$(stat -c '%a %U %G' "$mnt/ctl/fetch")" "660 root nogroup"
is "images" "$(stat -c '%a %U %G' "$mnt/images")" "775 root nogroup"
is "state" "$(as member write "$mnt/ctl/fetch" "$httpd/ok/web.tar.gz $sum web\n")" OK
wait_state web ACTIVE
is "state for a stranger" "$(stranger cat "$mnt/images/web/state")" ACTIVE
is "remove by a stranger" "$(as stranger write "$mnt/ctl/remove" 'web\n')" EACCES
is "rmdir by a stranger" "$(as stranger rmdir "$mnt/images/web")" EACCES
is "writing state" "$(as member open O_WRONLY "$mnt/images/web/state")" EACCES
is "mkdir by a member" "$(as member mkdir "$mnt/images/new")" EPERM
is "snapshots" "$(stat -c '%a %U %G' "$mnt/images/web/snapshots")" "775 root nogroup"
is "a snapshot by a stranger" "$(as stranger mkdir "$mnt/images/web/snapshots/a")" EACCES
is "a snapshot by a member" "$(as member mkdir "$mnt/images/web/snapshots/a")" OK
is "renamed" "$(as member rename "$mnt/images/web/snapshots/a" "$mnt/images/web/snapshots/b")" OK
is "reset" "$(as member write "$mnt/ctl/reset" 'web/b\n')" OK
is "a snapshot's rmdir by a stranger" "$(as stranger rmdir "$mnt/images/web/snapshots/b")" EACCES
is "a snapshot's rmdir by a member" "$(as member rmdir "$mnt/images/web/snapshots/b")" OK
is "rmdir by a member" "$(as member rmdir "$mnt/images/web")" OK
is "images" "$(ls "$mnt/images")" ""
