#!/usr/bin/env bash
# A user's own service: the tree in ~/images, seen by everything that the user runs; a restart and a
# stop are as the system's.
. "${0%/*}/functions.sh"
. "${0%/*}/box.sh"
needs_box
needs_program setpriv fusermount3
uid=1234 home=/home/tester run=/run/user/1234

echo "tester:x:$uid:$uid::$home:/bin/sh" >>"$box/etc/passwd"
echo "tester:x:$uid:" >>"$box/etc/group"
mkdir -p "$box$home"
mount -t tmpfs tmpfs "$box$home"
mkdir "$box$home/.config"
cp "$IMGSTORE_UNITS/user/imgstorefs.service" "$box/usr/lib/systemd/user/"
echo "IMGSTORE_HELPER=${bindir-/usr/local/bin}/${IMGSTORE_HELPER##*/}" >"$box$home/.config/imgstorefs.conf"
echo ASAN_OPTIONS=detect_leaks=0 >>"$box$home/.config/imgstorefs.conf"
chown -R $uid:$uid "$box$home"
box_boot
in_box chmod 666 /dev/fuse # as udev has it
in_box install -d -o $uid -g $uid "$run"

as_user()
{
    in_box setpriv --reuid $uid --regid $uid --init-groups env HOME=$home XDG_RUNTIME_DIR=$run "$@"
}

# The user's manager, which a login would start.
in_box systemd-run -q --unit=manager --uid=$uid -p Delegate=yes -p Type=notify \
    -E HOME=$home -E XDG_RUNTIME_DIR=$run -E PATH="$PATH" /lib/systemd/systemd --user
is "what systemd-analyze verify says" \
    "$(as_user systemd-analyze --user verify --man=no imgstorefs.service 2>&1 | grep imgstorefs)" ""

as_user systemctl --user start imgstorefs 2>"$work/said" || {
    ! box_says 'no writable layers here' || skip "needs writable layers without root"
    fail "does not start"
}
matches "its status" "$(as_user systemctl --user show --value -p StatusText imgstorefs)" \
    "serving $home/.local/share/imgstore/store at $home/images"
as_user test -s $home/images/version || fail "the tree is not there for the user"
pid=$(as_user systemctl --user show --value -p MainPID imgstorefs)
is "whose it is" "$(in_box stat -c %u "/proc/$pid")" $uid
as_user systemctl --user restart imgstorefs
as_user test -s $home/images/version || fail "the tree is not there after a restart"
as_user systemctl --user stop imgstorefs
is "its result" "$(as_user systemctl --user show --value -p Result imgstorefs)" success
is "what is still mounted" "$(in_box findmnt -rno TARGET | grep "^$home/")" ""
