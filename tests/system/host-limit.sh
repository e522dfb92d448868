#!/usr/bin/env bash
# One server that hangs, however many images are asked of it and however often they are tried again,
# never takes the connections that are left for others; the order of requests is kept.
. "${0%/*}/functions.sh"
needs_mounts
needs_program curl ss
start_httpd
other=${httpd/127.0.0.1/localhost}
curl -s -o /dev/null "$other/ok/" || skip "localhost does not resolve"

sum=$(make_image web tar.gz 20)
start_daemon -o downloads=3,host_downloads=2,stall_timeout=1s,retry_delay=10ms,attempts=4
lines=
for n in {1..5}; do
    lines+="$httpd/hang/h$n $(printf %064d "$n") h$n\n"
done
succeeds write "$mnt/ctl/fetch" "$lines"
wait_state h1 DOWNLOADING
wait_state h2 DOWNLOADING
is "states" "$(cat "$mnt"/images/h{3,4,5}/state | tr '\n' ' ')" "NEW NEW NEW "
fetch "$other/ok/web.tar.gz" "$sum" first
wait_state first ACTIVE

# While they are tried again and again, too.
port=${httpd##*:}
for _ in {1..30}; do
    connections=$(ss -Htn state established "dport = :$port" | wc -l)
    [ "$connections" -le 2 ] || fail "$connections connections to one server"
    sleep 0.1
done
succeeds write "$mnt/ctl/remove" 'first\n'
fetch "$other/ok/web.tar.gz?again" "$sum" second
wait_state second ACTIVE
for n in {1..5}; do
    wait_state "h$n" FAILED
    matches "error of h$n" "$(cat "$mnt/images/h$n/error")" 'timeout: .*'
    is "requests for h$n" "$(asked "hang/h$n")" 4
done
stop_daemon
