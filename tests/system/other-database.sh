#!/usr/bin/env bash
# A database that does not know the store is refused: it would take all that lies there for
# leftovers, and what is in use with it.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
echo kept >"$mnt/images/web/rootfs/mine"
stop_daemon USR2

# One that is not there, which is not made; and one that belongs elsewhere.
right=$db
refused_start()
{
    local status=0
    timeout 20 "$IMGSTOREFS" -f -o "db=$1,store=$store,helper=$IMGSTORE_HELPER" "$mnt" \
        2>"$work/refused" || status=$?
    case $status in 0 | 124) fail "another database is accepted" ;; esac
    matches "the refusal" "$(cat "$work/refused")" "$2.*--db.*\.id.*"
    is "the layer" "$(cat "$store/overlays/web/upper/mine")" kept
}
refused_start "$work/other.db" '.*missing'
[ ! -e "$work/other.db" ] || fail "it was made"
own=$store
db=$work/other.db store=$work/elsewhere start_daemon
stop_daemon
store=$own
refused_start "$work/other.db" '.*another database'

db=$right
start_daemon
wait_state web ACTIVE
is "the layer" "$(cat "$mnt/images/web/rootfs/mine")" kept
stop_daemon

# The way out that the refusal names: everything begins anew, but for what is in use.
db=$work/new.db
rm "$store/.id"
start_daemon
is "images" "$(ls "$mnt/images")" ""
eventually 10 nothing_left_over
