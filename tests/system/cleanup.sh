#!/usr/bin/env bash
# cleanup: dry-run says what would go, run removes it: what no name refers to, and nothing else.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active used
active unused
used=$(digest "$www/used.tar.gz") unused=$(digest "$www/unused.tar.gz")
fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED
stored()
{
    find "$store/blobs" "$store/images" -mindepth 1 -maxdepth 1 -name "$1*" ! -name '.trash-*' | wc -l
}

cat "$mnt/ctl/cleanup" >/dev/null
succeeds write "$mnt/ctl/remove" 'unused\n'
matches "what an unused digest keeps" "$(stored "$unused")" '[1-9]'
succeeds write "$mnt/ctl/cleanup" 'dry-run\n'
grep -q "$unused" "$mnt/ctl/cleanup" || fail "dry-run does not name it"
! grep -q "$used" "$mnt/ctl/cleanup" || fail "dry-run names what is used"
matches "what an unused digest keeps" "$(stored "$unused")" '[1-9]'
succeeds write "$mnt/ctl/cleanup" 'run\n'
grep -q "$unused" "$mnt/ctl/cleanup" || fail "the report does not name it"
is "what is left of it" "$(stored "$unused")" 0
matches "what a used digest keeps" "$(stored "$used")" '[1-9]'
same_tree used
succeeds write "$mnt/ctl/cleanup" 'run'
! grep -q "$unused" "$mnt/ctl/cleanup" || fail "it went twice"

# What a name refers to, whatever its state, stays.
succeeds write "$mnt/ctl/deactivate" 'used\n'
succeeds write "$mnt/ctl/cleanup" 'run\n'
succeeds write "$mnt/ctl/activate" 'used\n'
wait_state used ACTIVE
nothing_half_done

# Of a digest that a name refers to nothing goes, under whichever policy it was unpacked.
stop_daemon
start_daemon -o policy=faithful
fetch "$httpd/ok/used.tar.gz" "$used" again
wait_state again ACTIVE
succeeds write "$mnt/ctl/remove" 'used\n'
succeeds write "$mnt/ctl/cleanup" 'run\n'
is "what is kept of it" "$(stored "$used")" 3
succeeds write "$mnt/ctl/remove" 'again\n'
succeeds write "$mnt/ctl/cleanup" 'run\n'
is "what is left of it" "$(stored "$used")" 0
nothing_half_done
# The size is the report's.
is "size" "$(stat -c %s "$mnt/ctl/cleanup")" "$(wc -c <"$mnt/ctl/cleanup")"
