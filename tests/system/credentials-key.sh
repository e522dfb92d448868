#!/usr/bin/env bash
# The store's key is lost or damaged: images stay, what needs no credentials goes on, what does says so;
# fetching the name again with its URL mends it. A sealed value that was moved to another row, or whose
# URL was changed, opens nothing.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon
host=${httpd#http://}
auth=$(printf u:CanaryPass | base64)
sum=$(make_image web)
other=$(make_image other)
fetch "http://u:CanaryPass@$host/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
fetch "http://u:CanaryPass@$host/404/web.tar.gz" "$(printf %064d 1)" lost
fetch "$httpd/404/x" "$(printf %064d 2)" plain
wait_state lost FAILED
wait_state plain FAILED
is "mode and size of the key" "$(stat -c '%a %s' "$store/.key")" "600 32"
echo kept >"$mnt/images/web/rootfs/kept"

cannot_be_read()
{
    succeeds write "$mnt/ctl/retry" "$1\n"
    failed_with "$1" io
    matches "error of $1" "$(cat "$mnt/images/$1/error")" 'io: the credentials .* fetch the name again .*'
}

without_the_key()
{
    is "times asked" "$(asked 404/web.tar.gz)" "$1"
    start_daemon
    is "a file in the layer" "$(cat "$mnt/images/web/rootfs/kept")" kept
    cannot_be_read lost
    is "times asked, without the credentials" "$(asked 404/web.tar.gz)" "$1"
    succeeds write "$mnt/ctl/retry" 'plain\n'
    failed_with plain http-status
    fetch "http://u:CanaryPass@$host/404/web.tar.gz" "$(printf %064d 1)" lost
    failed_with lost http-status
    stop_daemon
    start_daemon
    succeeds write "$mnt/ctl/retry" 'lost\n'
    failed_with lost http-status
    matches "what the server was given" "$(asked 404/web.tar.gz auth)" "\[(\"Basic $auth\"(, )?)+\]"
    is "url" "$(info lost url)" "http://user:***@$host/404/web.tar.gz"
}

stop_daemon USR2
rm "$store/.key"
without_the_key 1
stop_daemon USR2
head -c 7 /dev/urandom >"$store/.key"
without_the_key 3
is "size of what was damaged" "$(stat -c '%a %s' "$store/.key.damaged")" "600 7"
is "mode and size of the key" "$(stat -c '%a %s' "$store/.key")" "600 32"

# Whoever can write the database, and has not the key, can send them nowhere else.
kill_daemon
sqlite3 "$db" "UPDATE images SET url = replace(url, '404/web', 'ok/other'), sha256 = '$other'
    WHERE name = 'lost'"
start_daemon
cannot_be_read lost
is "times asked for it" "$(asked ok/other.tar.gz)" 0
nothing_half_done
