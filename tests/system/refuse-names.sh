#!/usr/bin/env bash
# What remove, cancel, retry, activate, deactivate and cleanup refuse, and with what.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

active web
fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED
fetch "$httpd/hang" "$(printf %064d 2)" busy
wait_state busy DOWNLOADING

for file in remove cancel retry activate deactivate; do
    refused ENOENT "$file" 'nobody\n'
    refused ENOENT "$file" 'we\n'
    refused EINVAL "$file" '\n' ''
    refused EINVAL "$file" 'web surplus\n'
    refuses EINVAL "ctl/$file" write "$mnt/ctl/$file" 'web\nbroken\n'
    refused EINVAL "$file" '../web\n'
    refused EINVAL "$file" 'web/\n'
    refused EINVAL "$file" 'w\000eb\n'
    refused EINVAL "$file" 'web\r\n' 'web\r'
done
refused EBUSY cancel 'web\n'
refused EBUSY cancel 'broken\n'
refused EBUSY retry 'web\n'
refused EBUSY retry 'busy\n'
refused EBUSY activate 'broken\n'
refused EBUSY activate 'busy\n'
refused EBUSY deactivate 'broken\n'
refused EBUSY deactivate 'busy\n'
for word in runs 'run now' dry DRY-RUN ''; do
    refused EINVAL cleanup "$word\n"
done

# These ask for what is so already.
succeeds write "$mnt/ctl/activate" 'web\n'
succeeds write "$mnt/ctl/deactivate" 'web\n'
succeeds write "$mnt/ctl/deactivate" 'web\n'
is "state" "$(cat "$mnt/images/web/state")" STORED
is "state" "$(cat "$mnt/images/busy/state")" DOWNLOADING
is "state" "$(cat "$mnt/images/broken/state")" FAILED
