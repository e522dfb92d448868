#!/usr/bin/env bash
# cleanup-meanwhile PLACE: while a cleanup of thousands of things stands still, in whichever of its
# parts (scan, cleanup, sweep), everything else is answered; and what is fetched meanwhile stays,
# though the cleanup had its eye on it.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
needs_program sqlite3
start_httpd
start_daemon
active used
active late
late=$(digest "$www/late.tar.gz")
things=4000
printf "$store/blobs/%064x.tar\0" $(seq $things) | xargs -0 touch -d '-1 hour'
[ "$1" != sweep ] || hold sweep
succeeds rmdir "$mnt/images/late"

trash()
{
    compgen -G "$store/blobs/.trash-*" | wc -l
}

# all_is_answered ROUND
all_is_answered()
{
    local n=$1
    sum=$(make_image "new$n" tar.zst)
    fetch "$httpd/ok/new$n.tar.zst" "$sum" "new$n"
    wait_state "new$n" ACTIVE
    same_tree "new$n"
    is "the state" "$(cat "$mnt/images/used/state")" ACTIVE
    succeeds write "$mnt/ctl/deactivate" 'used\n'
    succeeds write "$mnt/ctl/activate" 'used\n'
    wait_state used ACTIVE
    succeeds rmdir "$mnt/images/new$n"
    [ ! -e "$mnt/images/new$n" ] || fail "new$n is still shown"
    kill -0 "$cleaner" 2>/dev/null || fail "the cleanup has ended"
}

if [ "$1" = sweep ]; then
    # Who asks what would go does not wait for what is going.
    succeeds write "$mnt/ctl/cleanup" 'dry-run\n'
    is "the report" "$(grep -c would-remove "$mnt/ctl/cleanup")" $((things + 2))
else
    nothing_half_done
    hold "$1"
fi
call write "$mnt/ctl/cleanup" 'run\n' >"$work/answer" &
cleaner=$!
in_background $cleaner
all_is_answered 1
if [ "$1" = cleanup ]; then
    is "what has gone" "$(trash)" 0
    # Let through for a moment it goes on a little, and stops again between two pieces.
    for i in {1..500}; do
        rm "$hold/cleanup"
        : >"$hold/cleanup"
        sleep 0.03
        [ "$(trash)" = 0 ] || break
    done
    some=$(trash)
    [ "$some" -gt 0 ] && [ "$some" -lt $things ] || fail "$some of $things have gone"
    sleep 0.1
    is "what has gone" "$(trash)" "$some"
fi
if [ "$1" != sweep ]; then
    fetch "$httpd/404/late.tar.gz" "$late" late
    wait_state late ACTIVE
fi
all_is_answered 2
release "$1"
wait $cleaner
is "the cleanup's answer" "$(cat "$work/answer")" OK
is "what is left" "$(compgen -G "$store/blobs/000*" | wc -l)" 0
nothing_half_done
if [ "$1" != sweep ]; then
    same_tree late
    is "blobs of what was fetched meanwhile" "$(compgen -G "$store/blobs/$late*" | wc -l)" 1
    ! grep -q "$late" "$mnt/ctl/cleanup" || fail "what was fetched meanwhile went"
    matches "the report's end" "$(tail -n1 "$mnt/ctl/cleanup")" "total 40[0-9][0-9] [0-9]+"
fi
same_tree used
