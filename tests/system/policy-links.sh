#!/usr/bin/env bash
# A relative symlink that climbs above the root: strict refuses it, faithful keeps it as data.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
make_tree web
ln -s ../../../etc/passwd "$work/trees/web/etc/climbs"
sum=$(pack web tar.gz)
start_daemon
fetch "$httpd/ok/web.tar.gz" "$sum" strict
failed_with strict unsafe-link
is "what is kept unpacked" "$(find "$store/images" -mindepth 1 -maxdepth 1 ! -name '.trash-*')" ""
stop_daemon
start_daemon -o policy=faithful
fetch "$httpd/ok/web.tar.gz" "$sum" faithful
wait_state faithful ACTIVE
is "link" "$(readlink "$mnt/images/faithful/rootfs/etc/climbs")" ../../../etc/passwd
succeeds write "$mnt/ctl/retry" 'strict\n'
failed_with strict unsafe-link
