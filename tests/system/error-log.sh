#!/usr/bin/env bash
# error_log keeps the last eight refusals, oldest first, masks credentials, and any write clears it.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon

is "error_log at first" "$(cat "$mnt/ctl/error_log")" ""
for i in {1..11}; do
    fails_with ENOENT write "$mnt/ctl/remove" "no-$i\n"
done
is "lines" "$(wc -l <"$mnt/ctl/error_log")" 8
is "oldest" "$(sed -n '1s/.* "\(.*\)".*/\1/p' "$mnt/ctl/error_log")" no-4
is "newest" "$(sed -n '$s/.* "\(.*\)".*/\1/p' "$mnt/ctl/error_log")" no-11
is "size" "$(stat -c %s "$mnt/ctl/error_log")" "$(wc -c <"$mnt/ctl/error_log")"

fails_with EINVAL write "$mnt/ctl/fetch" 'http://user:hunter2@h/x.tar nodigest\n'
grep -q 'user:\*\*\*@h' "$mnt/ctl/error_log" || fail "credentials are not masked"
! grep -q hunter2 "$mnt/ctl/error_log" "$log" || fail "the password is shown"

succeeds write "$mnt/ctl/error_log" 'x'
is "error_log after a write" "$(cat "$mnt/ctl/error_log")" ""
is "size" "$(stat -c %s "$mnt/ctl/error_log")" 0

# A line that is longer than anyone reads is cut, and stays one line.
head -c 60000 /dev/zero | tr '\0' a >"$work/long"
fails_with EINVAL write "$mnt/ctl/fetch" "@$work/long"
is "lines" "$(wc -l <"$mnt/ctl/error_log")" 1
