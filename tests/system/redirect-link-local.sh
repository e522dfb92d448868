#!/usr/bin/env bash
# A redirect to a name that resolves to an address of the link gets nowhere: no request is sent. A
# URL that is there itself is taken, and its redirects to the same host are followed.
if [ -z "${IMGSTORE_TEST_NET-}" ] && [ "$(id -u)" = 0 ] && unshare -n true 2>/dev/null; then
    IMGSTORE_TEST_NET=yes exec unshare -n bash "$0" "$@"
fi
. "${0%/*}/functions.sh"
needs_mounts
needs_program ip
[ -n "${IMGSTORE_TEST_NET-}" ] || skip "needs a network namespace"
ip link set lo up && ip address add 169.254.7.7/32 dev lo || skip "needs an address of the link"
echo '169.254.7.7 metadata.test' >"$work/hosts"
mount --bind "$work/hosts" /etc/hosts
start_httpd
sum=$(make_image web) other=$(make_image other)
(cd "$www" && exec "$python" -m http.server -b 169.254.7.7 8080) >"$work/metadata.log" 2>&1 &
in_background $!
eventually 10 curl -sf -o /dev/null http://metadata.test:8080/
: >"$work/metadata.log"

start_daemon
fetch "$httpd/redirect-to?url=http://metadata.test:8080/web.tar.gz" "$sum" name
failed_with name http-status
grep -q link-local "$mnt/images/name/error" || fail "the error does not say why"
fetch "$httpd/redirect-to?url=http://169.254.7.7:8080/web.tar.gz" "$sum" address
failed_with address http-status
grep -q link-local "$mnt/images/address/error" || fail "the error does not say why"
is "requests there" "$(cat "$work/metadata.log")" ""
mkdir "$www/folder" && cp "$www/web.tar.gz" "$www/folder/index.html"
fetch "http://metadata.test:8080/folder" "$sum" own
wait_state own ACTIVE
grep -q 'GET /folder/ HTTP.* 200' "$work/metadata.log" || fail "was not redirected"
fetch "http://169.254.7.7:8080/other.tar.gz" "$other" direct
wait_state direct ACTIVE
