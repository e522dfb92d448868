#!/usr/bin/env bash
# A database whose images cannot be read is refused, and nothing in the store is taken for leftovers
# of images that are not known.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon
active web
echo kept >"$mnt/images/web/rootfs/mine"
stop_daemon
sqlite3 "$db" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
page=$(sqlite3 "$db" "SELECT rootpage FROM sqlite_schema WHERE name = 'images'")
size=$(sqlite3 "$db" 'PRAGMA page_size')
cp "$db" "$work/whole.db"
head -c "$size" /dev/zero | tr '\0' '\377' |
    dd of="$db" bs="$size" seek=$((page - 1)) conv=notrunc status=none

status=0
timeout 20 "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" \
    2>"$work/refused" || status=$?
[ $status != 0 ] && [ $status != 124 ] || fail "a damaged database is accepted"
matches "the refusal" "$(cat "$work/refused")" '.*database.*damaged.*backup.*\.id.*'
is "the layer" "$(cat "$store/overlays/web/upper/mine")" kept

rm -f "$db"-*
cp "$work/whole.db" "$db"
start_daemon
wait_state web ACTIVE
is "the layer" "$(cat "$mnt/images/web/rootfs/mine")" kept
