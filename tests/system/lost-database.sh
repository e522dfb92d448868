#!/usr/bin/env bash
# A database that is gone, cut short, damaged or too new is refused at start: it says why and what to
# do, and neither it nor the store is touched. With the database back all is as it was; and the way
# out that the refusal names, when there is none to be had, leads out.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon
active web
echo kept >"$mnt/images/web/rootfs/mine"
for i in {1..60}; do # so that the file has a middle
    fetch "http://127.0.0.1:1/x.tar" "$(printf %064d "$i")" "n$i"
done
stop_daemon
is "files of the database" "$(echo "$db"*)" "$db $db.lock"
mkdir "$work/whole"
cp "$db" "$work/whole"
size=$(stat -c %s "$db")
listing()
{
    find "$store" "$db"* ! -name '*.lock' -type f -exec sha256sum {} + | sort
}

# refuses REGEX HOW…: the database as HOW leaves it.
refuses()
{
    local status=0 before
    "${@:2}"
    before=$(listing 2>/dev/null)
    timeout 20 "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" \
        2>"$work/refused" || status=$?
    [ $status = 1 ] || [ $status = 2 ] || fail "after '${*:2}' it exits with $status"
    is "lines of the refusal" "$(wc -l <"$work/refused")" 1
    matches "the refusal after '${*:2}'" "$(cat "$work/refused")" \
        "imgstorefs: .*($1).*--db.*begin anew: move away .*$db, and remove .*/\\.id.*"
    is "store and database after '${*:2}'" "$(listing 2>/dev/null)" "$before"
    rm -f "$db" "$db"-*
    cp "$work/whole/store.db" "$db"
}
overwrite() # AT BYTES
{
    head -c "$2" /dev/zero | tr '\0' '\132' |
        dd of="$db" bs=1 seek="$1" conv=notrunc status=none
}
refuses 'is missing' rm "$db"
refuses 'is empty' truncate -s 0 "$db"
refuses 'malformed' truncate -s $((size / 4096 / 2 * 4096)) "$db"
refuses 'file is not a database|malformed' truncate -s 700 "$db"
refuses 'not a database' overwrite 0 16
refuses 'malformed|damaged|not a database' overwrite 16 84
page=$(sqlite3 "$db" "SELECT max(pageno) FROM dbstat WHERE name = 'history'" 2>/dev/null) ||
    page=$((size / 4096 / 2))
refuses 'damaged|malformed' overwrite $(((page - 1) * 4096)) 4096
refuses 'newer program' sqlite3 "$db" 'PRAGMA user_version = 99'
refuses 'another program' sqlite3 "$db" 'PRAGMA application_id = 7'

start_daemon
wait_state web ACTIVE
is "the layer" "$(cat "$mnt/images/web/rootfs/mine")" kept
is "images" "$(find "$mnt/images" -mindepth 1 -maxdepth 1 | wc -l)" 61
stop_daemon

# No backup: what the refusal says is done, and leads to a store that works.
overwrite 0 16
mkdir "$work/away"
mv "$db"* "$work/away"
rm "$store/.id"
start_daemon
is "images" "$(ls "$mnt/images")" ""
eventually 10 nothing_left_over
is "layers" "$(ls "$store/overlays")" ""
active web
stop_daemon
start_daemon
wait_state web ACTIVE
nothing_half_done
