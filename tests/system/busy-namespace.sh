#!/usr/bin/env bash
# An overlay that another mount namespace holds is in use, though it could be unmounted here.
. "${0%/*}/functions.sh"
needs_mounts
needs_program unshare
unshare -m --propagation private true 2>/dev/null || skip "needs mount namespaces"
start_httpd
start_daemon
active web

unshare -m --propagation private sleep 100 &
holder=$!
in_background $holder
elsewhere()
{
    [ "$(readlink /proc/$holder/ns/mnt)" != "$(readlink /proc/$$/ns/mnt)" ] &&
        [ "$(cat /proc/$holder/comm)" = sleep ]
}
eventually 5 elsewhere
refused EBUSY deactivate 'web\n'
is state "$(cat "$mnt/images/web/state")" ACTIVE
same_tree web
refused EBUSY remove 'web\n'
refuses EBUSY images/web rmdir "$mnt/images/web"
is state "$(cat "$mnt/images/web/state")" ACTIVE
same_tree web
echo still >"$mnt/images/web/rootfs/writable"
kill $holder
wait $holder 2>/dev/null || true
succeeds write "$mnt/ctl/deactivate" 'web\n'
succeeds write "$mnt/ctl/remove" 'web\n'
