#!/usr/bin/env bash
# imgstore shell, for an ordinary user and a daemon of his own: as root in there, and as soon as he has
# left it can be unmounted.
. "${0%/*}/functions.sh"
[ -n "${IMGSTORE_TEST_USER-}" ] || skip "is run by ordinary.sh"
. "${0%/*}/client_functions.sh"
needs_program busybox
start_httpd
start_daemon
active_system web
exits 0 "$IMGSTORE" shell web sh -c 'id -u; cat /etc/image-name; cd /proc; echo [0-9]*; touch /root/mine'
is "in there" "$out" $'0\nweb\n1 2'
is "whose it is" "$(stat -c %u "$mnt/images/web/rootfs/root/mine")" "$UID"
exits 3 "$IMGSTORE" shell web sh -c 'sleep 1000 & exit 3'
exits 0 "$IMGSTORE" deactivate web
