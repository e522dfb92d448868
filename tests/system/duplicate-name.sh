#!/usr/bin/env bash
# A name that is taken: the same digest succeeds and changes nothing, another one is EEXIST; of a
# FAILED image the new URL is taken and retried.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
other=$(make_image other)
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
before=$(cat "$mnt/images/web/info")
fetch "$httpd/404/elsewhere.tar.gz" "sha256:${sum^^}" web
sleep 0.2
is "state" "$(cat "$mnt/images/web/state")" ACTIVE
is "info" "$(cat "$mnt/images/web/info")" "$before"
refused EEXIST fetch "$httpd/ok/other.tar.gz $other web\n"
is "info after EEXIST" "$(cat "$mnt/images/web/info")" "$before"

fetch "$httpd/404/third.tar.gz" "$other" third
failed_with third http-status
refused EEXIST fetch "$httpd/ok/web.tar.gz $sum third\n"
fetch "$httpd/ok/other.tar.gz" "$other" third
wait_state third ACTIVE
is "url" "$(info third url)" "$httpd/ok/other.tar.gz"
same_tree third other

# The same, twice in one write.
more=$(make_image more)
fetch "$httpd/404/fourth.tar.gz" "$more" fourth
failed_with fourth http-status
line="$httpd/ok/more.tar.gz $more fourth"
succeeds write "$mnt/ctl/fetch" "$line\n$line\n"
wait_state fourth ACTIVE
same_tree fourth more
