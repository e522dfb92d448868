#!/usr/bin/env bash
# progress: one line, PERCENT DONE TOTAL PHASE; PERCENT never falls within a phase of an attempt.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

sum=$(make_image web tar.gz 1500)
size=$(stat -c %s "$www/web.tar.gz")
fetch "$httpd/slow/web.tar.gz?bps=1000000" "$sum" web
until state_is web ACTIVE || [ "$value" = FAILED ]; do
    read_value images/web/progress && echo "$value"
done >"$work/seen"
cat "$mnt/images/web/progress" >>"$work/seen"
awk -v size="$size" '
    BEGIN { order["queued"] = 1; order["download"] = 2; order["unpack"] = 3; order["activate"] = 4
            order["stored"] = 4; order["active"] = 5 }
    !/^(100|[0-9][0-9]?|-) ([0-9]+|-) ([0-9]+|-) (queued|download|unpack|activate|active|stored|failed)$/ {
        bad("no such line") }
    $1 > 100 { bad("over 100") }
    $2 != "-" && $2 > size { bad("DONE is more than there is") }
    $3 != "-" && $3 != 0 && $3 != size { bad("TOTAL is wrong") }
    $4 == phase && $1 < percent { bad("PERCENT fell") }
    $4 != phase && order[$4] < order[phase] && !(phase == "activate" && $4 == "stored") {
        bad("the phase went back") }
    $4 == "download" { n[$1]++ }
    { phase = $4; percent = $1 }
    function bad(why) { print why ": " $0; failed = 1 }
    END { for (p in n) seen++
          if (seen < 4) bad("only " seen " values of a 1.5 s download")
          exit failed }' <(uniq "$work/seen") || fail "progress went wrong"
is "the last line" "$(tail -n1 "$work/seen")" "100 $size $size active"

fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED
matches "of a failed one" "$(cat "$mnt/images/broken/progress")" '[0-9]+ ([0-9]+|-) ([0-9]+|-) failed'
succeeds write "$mnt/ctl/deactivate" 'web\n'
matches "of a stored one" "$(cat "$mnt/images/web/progress")" "100 $size $size stored"
