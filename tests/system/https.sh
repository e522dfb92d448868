#!/usr/bin/env bash
# https works with a certificate that is trusted, and never without; nor does https lead to http.
. "${0%/*}/functions.sh"
needs_mounts
needs_program openssl
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 \
    -addext subjectAltName=IP:127.0.0.1 -keyout "$work/key" -out "$work/cert" 2>/dev/null
cat "$work/key" "$work/cert" >"$work/pem"
start_httpd
plain=$httpd plain_pid=$httpd_pid
in_background "$plain_pid"
rm "$work/port"
start_httpd --tls "$work/pem"
httpd=https${httpd#http}

sum=$(make_image web)
start_daemon -o attempts=1
fetch "$httpd/ok/web.tar.gz" "$sum" untrusted
failed_with untrusted unreachable
stop_daemon

export CURL_CA_BUNDLE=$work/cert SSL_CERT_FILE=$work/cert
start_daemon -o attempts=1
fetch "$httpd/redirect-to?url=$plain/ok/web.tar.gz" "$sum" down
wait_state down FAILED
matches "error" "$(cat "$mnt/images/down/error")" '(unreachable|http-status): .*'
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
