#!/usr/bin/env bash
# retry takes a FAILED image up again with its own URL, and counts its attempts anew.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
mv "$www/web.tar.gz" "$www/away"
fetch "$httpd/ok/web.tar.gz" "$sum" web
failed_with web http-status
mv "$www/away" "$www/web.tar.gz"
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
is error "$(cat "$mnt/images/web/error")" ""
is attempts "$(info web attempts)" 1
same_tree web
