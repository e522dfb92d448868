#!/usr/bin/env bash
# cleanup-fetch [SINK]: while one cleanup follows the other the same digest is fetched, used and removed:
# each time it becomes ACTIVE, and is what was packed.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon -o "sink=${1:-auto},log_level=info"
rounds=200
sum=$(make_image web tar.gz 64)

clean_on()
{
    while [ -e "$work/clean" ]; do
        echo run >"$mnt/ctl/cleanup" || exit 1
        echo . >>"$work/cleanups"
        sleep 0.002
    done
}
touch "$work/clean"
clean_on &
cleaner=$!
in_background $cleaner

begun=$SECONDS
for ((i = 1; i <= rounds; i++)); do
    fetch "$httpd/ok/web.tar.gz" "$sum" web
    # Now and then a second name comes, whose fetch finds what the first one has.
    [ $((i % 4)) -ne 0 ] || fetch "$httpd/ok/web.tar.gz" "$sum" second
    wait_state web ACTIVE
    same_tree web
    if [ $((i % 4)) -eq 0 ]; then
        succeeds rmdir "$mnt/images/web"
        wait_state second ACTIVE
        same_tree second web
        succeeds rmdir "$mnt/images/second"
    else
        succeeds rmdir "$mnt/images/web"
    fi
done
rm "$work/clean"
wait $cleaner || fail "a cleanup was refused"
echo "$rounds rounds, $(wc -l <"$work/cleanups") cleanups, $((SECONDS - begun)) s"
[ "$(wc -l <"$work/cleanups")" -gt 20 ] || fail "there was hardly a cleanup"
succeeds write "$mnt/ctl/cleanup" 'run\n'
is "what is left" "$(ls -A "$store/blobs" "$store/images" | grep -v :)" ""
nothing_half_done
is "warnings" "$(grep -c ' warn ' "$log" || true)" 0
