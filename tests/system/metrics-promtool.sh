#!/usr/bin/env bash
# promtool (Debian's package prometheus) has nothing to say of metrics.
. "${0%/*}/functions.sh"
needs_mounts
needs_program promtool
start_httpd
start_daemon

silent()
{
    local said
    cat "$mnt/metrics" >"$work/imgstorefs.prom"
    said=$(promtool check metrics <"$work/imgstorefs.prom" 2>&1) || fail "promtool exits with $?: $said"
    is "what promtool says" "$said" ""
}
silent
active web
fetch "$httpd/404/x" "$(printf %064d 1)" broken
failed_with broken http-status
fails_with EINVAL write "$mnt/ctl/fetch" 'nonsense\n'
silent
# It can speak.
! sed 's/_total/_count/' "$work/imgstorefs.prom" | promtool check metrics 2>/dev/null ||
    fail "promtool takes anything"
