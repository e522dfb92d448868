#!/usr/bin/env bash
# After a reboot (mounts gone, rows ACTIVE) images are activated again; what was STORED stays so.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
active second
active resting
succeeds write "$mnt/ctl/deactivate" 'resting\n'
echo kept >"$mnt/images/web/rootfs/mine"

kill_daemon
while read -r m; do
    umount -l "$m"
done < <(mounts_below "$work" | tac)
no_mounts
start_daemon
wait_state web ACTIVE
wait_state second ACTIVE
is "what was written" "$(cat "$mnt/images/web/rootfs/mine")" kept
same_tree second
sleep 0.2
is "state" "$(cat "$mnt/images/resting/state")" STORED
is "overlays" "$(mounts_below "$store/active" | wc -l)" 2
