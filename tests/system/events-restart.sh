#!/usr/bin/env bash
# events is kept across restarts, without a gap in its numbers; after a power cut no number comes twice. What
# is not kept any more goes from the database too, bit by bit.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd
start_daemon
seqs()
{
    timeout 20 "$python" -SE "$here/events.py" seqs "$mnt"
}
newest()
{
    local all
    all=$(seqs)
    echo "${all##* }"
}
there=0
for how in TERM KILL TERM KILL; do
    active "web-$how-$there"
    there=$((there + 8))
    is "numbers, before $how" "$(seqs)" "$(seq -s ' ' $there)"
    before=$(cat "$mnt/events" & sleep 0.2; kill $!)
    case $how in KILL) kill_daemon ;; *) stop_daemon ;; esac
    start_daemon
    # After a clean stop images are mounted again, which is told.
    eventually 10 eval '! grep -qvx ACTIVE "$mnt"/images/*/state'
    [ $how = KILL ] || there=$(newest)
    is "numbers, after $how" "$(seqs)" "$(seq -s ' ' $there)"
    is "lines, after $how" "$(head -c ${#before} "$mnt/events")" "$before"
done

# A power cut: what was seen may be forgotten, and is not given to anything else.
kill_daemon
another_boot
start_daemon
active late
[ "$(newest)" -ge $((there + 1000000)) ] || fail "after a power cut numbers go on with $(newest)"
[ "$(newest)" -lt $((there + 1001000)) ] || fail "numbers jump more than once, to $(newest)"
stop_daemon
cut=$(sqlite3 "$db" 'SELECT max(seq) FROM history')
umount /proc/sys/kernel/random/boot_id
start_daemon
eventually 10 eval '! grep -qvx ACTIVE "$mnt"/images/*/state'
[ "$(newest)" -lt $((cut + 1000)) ] || fail "after a clean stop numbers jump"

# What a much longer history leaves behind: the start does not wait for it to go.
stop_daemon
sqlite3 "$db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000)
    INSERT INTO history (time, image, name, from_state, to_state, code, message)
    SELECT 1700000000000 + i, 1, 'old', 'NEW', 'FAILED', 'io', printf('%0200d', i) FROM n"
last=$(sqlite3 "$db" 'SELECT max(seq) FROM history')
begun=$(date +%s%3N)
start_daemon -o keep_events=64K
took=$(($(date +%s%3N) - begun))
[ $took -lt $((3000 * patience)) ] || fail "the start takes $took ms"
rows()
{
    sqlite3 "$db" 'SELECT count(*) FROM history'
}
before=$(rows)
[ "$before" -gt 290000 ] || fail "too much of the history went at once: $before rows are left"
eventually 10 eval '[ "$(rows)" -lt $((before - 500)) ]'
size=$(stat -c %s "$mnt/events")
{ [ "$size" -le 65536 ] && [ "$size" -ge 40000 ]; } || fail "$size bytes are kept"
[ "$(newest)" -ge "$last" ] || fail "the newest is not there"
stop_daemon

# Once there is little to go, it goes without a commit to come; what is shown is not deleted.
sqlite3 "$db" "DELETE FROM history WHERE seq < $((last - 1000))"
start_daemon -o keep_events=64K
eventually 10 eval '! grep -qvx ACTIVE "$mnt"/images/*/state'
lines=$(wc -w <<<"$(seqs)")
eventually 20 eval '[ "$(rows)" = '"$lines"' ]'
first=$(seqs)
is "the first row" "$(sqlite3 "$db" 'SELECT min(seq) FROM history')" "${first%% *}"
stop_daemon USR2
start_daemon -o keep_events=64K
is "after a restart" "$(seqs)" "$first"
