#!/usr/bin/env bash
# ctl/log_level: what is logged changes while the daemon runs, for whoever may write to ctl.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o log_level=warn
sum=$(make_image web)

# said REGEX: the lines of the log that it fits, since it was asked before.
said()
{
    grep -cE "$1" "$log" || true
    : >"$log"
}

is "at first" "$(cat "$mnt/ctl/log_level")" "write: error, warn, info or debug; now warn"
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
is "lines at warn" "$(wc -l <"$log")" 0

was=$(stat -c %Y "$mnt/ctl/log_level")
sleep 1.1
succeeds write "$mnt/ctl/log_level" 'debug\n'
is "after debug" "$(cat "$mnt/ctl/log_level")" "write: error, warn, info or debug; now debug"
is "its size" "$(stat -c %s "$mnt/ctl/log_level")" "$(wc -c <"$mnt/ctl/log_level")"
[ "$(stat -c %Y "$mnt/ctl/log_level")" -gt "$was" ] || fail "the file's time stays"
fetch "$httpd/ok/web.tar.gz" "$sum" other
wait_state other ACTIVE
[ "$(said ' debug image=other NEW -> ')" -ge 1 ] || fail "debug shows no more than warn"

echo error >"$mnt/ctl/log_level"
fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED
is "warnings at error" "$(said ' warn ')" 0
echo warn >"$mnt/ctl/log_level"
succeeds write "$mnt/ctl/retry" 'broken\n'
wait_state broken FAILED
eventually 5 grep -qE '^[^ ]+ warn  image=broken code=http-status ' "$log"

for data in 'loud\n' 'DEBUG\n' 'info debug\n' '4\n'; do
    refused EINVAL log_level "$data"
done
refused EINVAL log_level 'info\ndebug\n' info
refused EINVAL log_level '\n' ''
is "after refusals" "$(cat "$mnt/ctl/log_level")" "write: error, warn, info or debug; now warn"
stop_daemon
