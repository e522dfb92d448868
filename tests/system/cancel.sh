#!/usr/bin/env bash
# cancel STATE: in whatever state its work is, the image reads FAILED when the write returns.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
start_httpd
hold "$1"
start_daemon

sum=$(make_image web tar.gz 100)
fetch "$httpd/range/web.tar.gz" "$sum" web
wait_state web "$1"
succeeds write "$mnt/ctl/cancel" 'web\n'
is "state when the write returns" "$(cat "$mnt/images/web/state")" FAILED
matches error "$(cat "$mnt/images/web/error")" 'cancelled: .+'
refused EBUSY cancel 'web\n'
release "$1"
sleep 0.3
is "state later" "$(cat "$mnt/images/web/state")" FAILED
[ ! -L "$mnt/images/web/rootfs" ] || fail "a cancelled image has a rootfs"

# The cancelled run, held or not, does not stand in a new one's way.
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
same_tree web
is error "$(cat "$mnt/images/web/error")" ""
stop_daemon
no_mounts
nothing_half_done
