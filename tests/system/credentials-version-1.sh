#!/usr/bin/env bash
# A database of version 1 had credentials in plain: they are used, and no byte of them stays in it, not of
# removed or changed rows either.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon
host=${httpd#http://}
declare -A sums
for name in web changed token; do
    sums[$name]=$(make_image $name)
done
stop_daemon
id=$(sqlite3 "$db" 'SELECT id FROM store')
rm "$db"* "$store/.key"

row()
{
    echo "INSERT INTO images VALUES ($1, '$2', '$3', '${sums[$2]-$(printf %064d 1)}', 'strict', 'NEW', 'active', '', '', '', -1, -1,
        -1, -1, 0, 0, 1, 1);"
}
{
    echo '.dbconfig no_ckpt_on_close on'
    echo 'PRAGMA journal_mode = WAL; PRAGMA secure_delete = OFF;'
    cat "$here/../../migrations/001_init.sql"
    echo "PRAGMA application_id = 0x696d6773; PRAGMA user_version = 1;"
    echo "INSERT INTO store VALUES ('$id');"
    row 1 web "http://u:secret@$host/auth/web.tar.gz"
    row 2 changed "http://CanaryUser:CanaryOld@$host/ok/changed.tar.gz"
    for i in {3..300}; do
        row "$i" "n$i" "http://CanaryUser:CanaryPass$i@$host/$(printf %0200d "$i")"
    done
    row 301 token "http://CanaryToken@$host/ok/token.tar.gz"
    echo "UPDATE images SET url = '$httpd/ok/changed.tar.gz' WHERE name = 'changed';"
    echo "DELETE FROM images WHERE name GLOB 'n*';"
} | sqlite3 "$db" >/dev/null
chmod 644 "$db"
grep -qa CanaryPass "$db"* && grep -qa CanaryOld "$db"* || fail "there is nothing to lose"

hold NEW
start_daemon
for file in "$db"*; do
    ! grep -qa -e Canary -e u:secret "$file" || fail "$file still has credentials"
    is "mode of $file" "$(stat -c %a "$file")" 600
done
is "version" "$(sqlite3 "$db" 'PRAGMA user_version')" 3
is "url" "$(sqlite3 "$db" "SELECT url FROM images WHERE id = 301")" "http://user:***@$host/ok/token.tar.gz"
kill_daemon
start_daemon
release NEW
for name in web changed token; do
    wait_state "$name" ACTIVE
done
is "what the server was given" "$(asked auth/web.tar.gz auth)" "[\"Basic $(printf u:secret | base64)\"]"
! grep -qa -e Canary -e u:secret "$db"* "$log" || fail "credentials are there again"
nothing_half_done
