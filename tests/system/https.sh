#!/usr/bin/env bash
# https to a server whose certificate nobody vouches for is `unreachable`, and never downloaded.
. "${0%/*}/functions.sh"
needs_mounts
needs_program openssl
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key" -out "$work/cert" 2>/dev/null
cat "$work/key" "$work/cert" >"$work/pem"
start_httpd --tls "$work/pem"
sum=$(make_image web)
start_daemon -o attempts=1
fetch "https${httpd#http}/ok/web.tar.gz" "$sum" untrusted
failed_with untrusted unreachable
is "what is kept" "$(find "$store/blobs" -mindepth 1)" ""
