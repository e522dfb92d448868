#!/usr/bin/env bash
# An open file read again at offset 0 gives the value as it is now; of a removed image it is ENODEV.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web

exec 9<"$mnt/images/web/state"
again()
{
    "$python" -SEc 'import errno, os
try:
    print(os.pread(9, 100, 0).decode().strip())
except OSError as e:
    print(errno.errorcode[e.errno])'
}
is "first read" "$(again)" ACTIVE
succeeds write "$mnt/ctl/deactivate" 'web\n'
is "read again" "$(again)" STORED
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
is "read again" "$(again)" ACTIVE
succeeds write "$mnt/ctl/remove" 'web\n'
is "after the image is gone" "$(again)" ENODEV

# Another image of the same name is another file.
fetch "$httpd/ok/web.tar.gz" "$(digest "$www/web.tar.gz")" web
wait_state web ACTIVE
is "the old one's file" "$(again)" ENODEV
exec 9<&-
