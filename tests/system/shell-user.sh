#!/usr/bin/env bash
# imgstore shell without root: in a user namespace, where the root file system is the user's; where it
# is another's it says what to do.
. "${0%/*}/functions.sh"
. "${0%/*}/client_functions.sh"
needs_mounts # to be root at first, that is
needs_program busybox setpriv unshare
as_user=(setpriv --reuid 1234 --regid 1234 --clear-groups)
"${as_user[@]}" unshare -r -m -p -f true 2>/dev/null || skip "needs user namespaces for everyone"
cp "$IMGSTORE" "$work/imgstore" # where everyone may run it

# A tree of plain files, its rootfs a user's own folder: what a daemon of his would show him.
make_system web
chown -R 1234:1234 "$work/trees/web"
mkdir -p "$work/plain"/{ctl,images/web}
echo ACTIVE >"$work/plain/images/web/state"
ln -s "$work/trees/web" "$work/plain/images/web/rootfs"
before=$(find "$work/trees/web" | sort)
in_web()
{
    exits "$1" "${as_user[@]}" "$work/imgstore" --mount "$work/plain" shell web "${@:2}"
}
in_web 0 sh -c 'id -u; cat /etc/image-name; echo x >/dev/null; cat /etc/resolv.conf >/tmp/x
    touch /sys/kernel/x 2>/dev/null || echo ro'
is "as root, in there" "$out" $'0\nweb\nro'
in_web 5 sh -c 'exit 5'
in_web 0 sh -c 'cd /proc && echo [0-9]*'
is "processes" "$out" "1 2"
is "what is left" "$(find "$work/trees/web" | sort)" "$before"
in_web 0 touch /root/mine
is "whose it is" "$(stat -c %u "$work/trees/web/root/mine")" 1234

# Another's.
start_httpd
start_daemon -o allow_other
active db
exits 125 "${as_user[@]}" "$work/imgstore" shell db true
matches "what to do" "$err" 'imgstore: db: you may not enter .*: the store is another user.s; .*sudo'
stop_daemon
start_daemon
exits 5 "${as_user[@]}" "$work/imgstore" shell db true
matches "what to do" "$err" 'imgstore: .*: not permitted: .*allow_other.*'
