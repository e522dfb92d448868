#!/usr/bin/env bash
# An overlay in use, by a working directory or an open file: deactivate, remove and rmdir are EBUSY
# and undo nothing.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web

still_there()
{
    is state "$(cat "$mnt/images/web/state")" ACTIVE
    same_tree web
}
refuse_all()
{
    refused EBUSY deactivate 'web\n'
    still_there
    refused EBUSY remove 'web\n'
    still_there
    refuses EBUSY images/web rmdir "$mnt/images/web"
    still_there
}
sit_in web
refuse_all
stand_up

exec 9<"$mnt/images/web/rootfs/payload"
refuse_all
exec 9<&-
succeeds write "$mnt/ctl/deactivate" 'web\n'
succeeds rmdir "$mnt/images/web"
