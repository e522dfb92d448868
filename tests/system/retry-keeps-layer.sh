#!/usr/bin/env bash
# What was written into an image that then FAILED is there again after its retry.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
start_httpd
start_daemon
active web
echo kept >"$mnt/images/web/rootfs/mine"

succeeds write "$mnt/ctl/deactivate" 'web\n'
hold ACTIVATING
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVATING
succeeds write "$mnt/ctl/cancel" 'web\n'
is state "$(cat "$mnt/images/web/state")" FAILED
release ACTIVATING
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
is "what was written" "$(cat "$mnt/images/web/rootfs/mine")" kept
