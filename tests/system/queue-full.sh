#!/usr/bin/env bash
# A full queue refuses with EAGAIN, all of a write or nothing, and takes more when there is room.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o downloads=1,queue=4,stall_timeout=1h

line()
{
    printf '%s' "$httpd/hang/$1 $(printf %064d "$1") n$1"
}
for n in {1..10}; do
    word=$(call write "$mnt/ctl/fetch" "$(line "$n")\n")
    [ "$word" = OK ] || break
done
is "the first that finds no room" "$word" EAGAIN
matches "its number" "$n" '[56]'
matches "error_log" "$(tail -n1 "$mnt/ctl/error_log")" ".* ctl/fetch EAGAIN \"http.* n$n\" .+"
taken=$(ls "$mnt/images" | wc -l)
is "images" "$taken" $((n - 1))
succeeds write "$mnt/ctl/remove" 'n2\n'
refuses EAGAIN ctl/fetch write "$mnt/ctl/fetch" "$(line 21)\n$(line 22)\n"
is "images" "$(ls "$mnt/images" | wc -l)" $((taken - 1))
succeeds write "$mnt/ctl/fetch" "$(line 23)\n"

# A retry takes room as well.
succeeds write "$mnt/ctl/cancel" 'n3\n'
succeeds write "$mnt/ctl/fetch" "$(line 24)\n"
refuses EAGAIN ctl/retry write "$mnt/ctl/retry" 'n3\n'
state_is n3 FAILED || fail "n3 is $value"
succeeds write "$mnt/ctl/remove" 'n24\n'
succeeds write "$mnt/ctl/retry" 'n3\n'
