#!/usr/bin/env bash
# A database, its log or a folder of the store that is deleted or replaced under the running daemon:
# health says so, nothing is acknowledged that the next start would not know, what runs goes on, and
# with things back in place all is well.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3
start_httpd
start_daemon
active web
names_it()
{
    grep -q "$1" "$mnt/health"
}
mkdir "$work/away"
line="http://127.0.0.1:1/x.tar $(printf %064d 1) x"

taken_away() # WHAT IS-CALLED
{
    refused EIO fetch "$line\\n"
    refused EIO remove 'web\n'
    matches "error_log" "$(tail -n1 "$mnt/ctl/error_log")" \
        ".*database: .*$1 was $2 .*put the database back.*"
    [ ! -e "$mnt/images/x" ] || fail "what was refused appeared"
    same_tree web
    alive
}
back()
{
    mv "$work/away/"* "$work"
    succeeds write "$mnt/ctl/deactivate" 'web\n'
    succeeds write "$mnt/ctl/activate" 'web\n'
    wait_state web ACTIVE
}
mv "$db" "$work/away"
eventually 15 names_it "^database: .*store.db was deleted .*put the database back"
taken_away store.db deleted
mv "$work/away/store.db" "$work"
eventually 15 names_it '^ok$'
mv "$db-wal" "$work/away"
taken_away store.db-wal deleted
back
cp "$db" "$work/copy.db"
mv "$db" "$work/away"
mv "$work/copy.db" "$db"
taken_away store.db replaced
back

# Deleted for good: a stop, and the next start refuses rather than to begin anew.
rm "$db"*
taken_away store.db deleted
stop_daemon USR2
status=0
timeout 20 "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" \
    2>"$work/refused" || status=$?
[ $status = 1 ] || fail "it starts without its database: $status"
[ ! -e "$db" ] || fail "the database was made anew"
same_tree_of_mount()
{
    diff -r --no-dereference "$work/trees/web" "$store/active/web"
}
same_tree_of_mount || fail "what was active is not any more"
umount "$store/active/web"
rm "$store/.id" "$db"*
start_daemon

# Folders of the store
for folder in blobs images overlays; do
    mv "$store/$folder" "$work/away"
    [ $folder != blobs ] || eventually 15 names_it "^store: $folder was deleted"
    sum=$(make_image "in-$folder")
    fetch "$httpd/ok/in-$folder.tar.gz" "$sum" "in-$folder"
    sleep 0.5
    alive
    succeeds write "$mnt/ctl/remove" "in-$folder\n"
    mv "$work/away/$folder" "$store"
    active "after-$folder"
    same_tree "after-$folder"
done
stop_daemon
start_daemon
wait_state after-blobs ACTIVE
rm -rf --one-file-system "$store" 2>/dev/null || true
sum=$(make_image lost)
fetch "$httpd/ok/lost.tar.gz" "$sum" lost
failed_with lost io
alive
