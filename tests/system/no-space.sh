#!/usr/bin/env bash
# A full disk is `no-space`, leaves nothing half done, and the daemon goes on when there is room.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
mkdir "$work/small"
mount -t tmpfs -o size=16M tmpfs "$work/small" || skip "needs tmpfs"
store=$work/small/store
start_daemon -o min_free=0

sum=$(make_image web tar.gz 12000)
fetch "$httpd/ok/web.tar.gz" "$sum" web
failed_with web no-space
nothing_half_done
active small
mount -o remount,size=64M "$work/small"
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
same_tree web
