#!/usr/bin/env bash
# A clock that is set back, under the running daemon and between two runs, delays nothing and loses
# nothing: waits for a retry, what is discarded, the order of history, what is kept as unused.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd
set_back() # DAYS
{
    echo "-$(($1 * 86400000))" >"$hold/clock"
}
start_daemon -o retry_max=3s,keep_unused=1h
active before
year=$(info before created)

# While a retry is waited for: the wait is what it was.
sum=$(make_image waits)
fetch "$httpd/429x1/waits.tar.gz?after=2" "$sum" waits
eventually 5 was_asked 429x1/waits.tar.gz 1
set_back 400
[[ $(date -u +%Y) != 1970 ]] || skip "the clock is set back already"
wait_state waits ACTIVE 10
[[ $(info waits updated) < $year ]] || fail "the clock does not show"
sum=$(make_image dated)
fetch "$httpd/503x1/dated.tar.gz?after=date&in=2" "$sum" dated
wait_state dated ACTIVE 10

# Between two runs: what is due in a year from then is waited for as long as any.
sum=$(make_image later)
rm "$hold/clock"
fetch "$httpd/503/later.tar.gz?after=3" "$sum" later
eventually 5 was_asked 503/later.tar.gz 1
kill_daemon
set_back 400
start_daemon -o retry_max=3s,keep_unused=1h
again()
{
    [ "$(asked 503/later.tar.gz)" -ge 2 ]
}
eventually 10 again
succeeds write "$mnt/ctl/remove" 'later\n'

# What is discarded twice under one time has two names, and goes.
for i in 1 2 3; do
    set_back "$i"
    succeeds write "$mnt/ctl/remove" 'waits\n'
    active waits
done
# What has been unused for no time at all is kept, whatever the clock says; cleanup takes it.
succeeds write "$mnt/ctl/remove" 'dated\n'
sum=$(digest "$www/dated.tar.gz")
stop_daemon
start_daemon -o retry_max=3s,keep_unused=1h
sleep 0.5
[ -e "$store/blobs/$sum.tar.gz" ] || fail "what was unused for a second went"
succeeds write "$mnt/ctl/cleanup" 'run\n'
[ ! -e "$store/blobs/$sum.tar.gz" ] || fail "what is unused stays"
same_tree before
same_tree waits
nothing_half_done

# History is in the order in which things happened.
stop_daemon
is "steps out of order" "$(sqlite3 "$db" "SELECT count(*) FROM history a JOIN history b
    ON b.seq = (SELECT min(seq) FROM history WHERE seq > a.seq AND image = a.image)
    WHERE a.to_state <> b.from_state AND b.from_state <> b.to_state")" 0
[ "$(sqlite3 "$db" 'SELECT count(*) FROM history a JOIN history b ON b.seq = a.seq + 1
    WHERE b.time < a.time')" -gt 0 ] || fail "the clock was not set back"
