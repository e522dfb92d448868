#!/usr/bin/env bash
# SIGUSR2 ends the daemon and leaves active overlays as they are.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
stop_daemon USR2
! mountpoint -q "$mnt" || fail "the tree is still mounted"
is "what is still mounted" "$(mounts_below "$work" | grep -v /images/)" \
    "$(realpath "$store")/active/web"
is "what it shows" "$(cat "$store/active/web/etc/image-name")" web
start_daemon
wait_state web ACTIVE
is "overlays" "$(mounts_below "$store/active" | wc -l)" 1
stop_daemon
no_mounts
