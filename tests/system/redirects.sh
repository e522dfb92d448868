#!/usr/bin/env bash
# Redirects are followed, to http and https only, and not for ever.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web)
for code in 301 302 303 307 308; do
    fetch "$httpd/redirect/$code/web.tar.gz" "$sum" "r$code"
    wait_state "r$code" ACTIVE
done
sum=$(make_image chain)
fetch "$httpd/redirect-chain/4/chain.tar.gz" "$sum" chain
wait_state chain ACTIVE

sum=$(make_image other)
cp "$www/other.tar.gz" "$work/other.tar.gz"
try()
{
    fetch "$httpd/$2" "$sum" "$1"
    wait_state "$1" FAILED
    matches "error" "$(cat "$mnt/images/$1/error")" '(unreachable|http-status): .*'
}
try file "redirect-to?url=file://$work/other.tar.gz"
try ftp "redirect-to?url=ftp://127.0.0.1/x"
try gopher "redirect-to?url=gopher://127.0.0.1/x"
try loop redirect-loop
try none redirect-none
