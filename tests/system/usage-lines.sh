#!/usr/bin/env bash
# Reading a control file prints its usage, one line.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon

for file in fetch remove cancel retry activate deactivate reset log_level; do
    is "lines of ctl/$file" "$(wc -l <"$mnt/ctl/$file")" 1
    matches "ctl/$file" "$(cat "$mnt/ctl/$file")" '[ -~]+'
    is "size of ctl/$file" "$(stat -c %s "$mnt/ctl/$file")" "$(wc -c <"$mnt/ctl/$file")"
done
grep -q 'URL SHA256 \[NAME\]' "$mnt/ctl/fetch" || fail "ctl/fetch does not say what it takes"
grep -q NAME "$mnt/ctl/remove" || fail "ctl/remove does not say what it takes"
is "error_log" "$(cat "$mnt/ctl/error_log")" ""
