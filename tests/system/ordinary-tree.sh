#!/usr/bin/env bash
# The tree that an ordinary user gets is root's, but for owners: names, types, contents, modes, times,
# links, xattrs. As an archive it is, too, and comes back as it went.
#   without arguments: root fetches a tree, and has the rest done by an ordinary user
#   URL SHA256 LISTING: that user, who compares
. "${0%/*}/functions.sh"

# Of who owns it, or whether it is the same file as another, nothing is said.
listing()
{
    "$python" -SE "$here/tree.py" list "$1" | awk '{ $4 = $5 = "-"; print }' |
        sed "s/ same as b'.*'$//; s/ same as b'.*' / /"
}

same()
{
    listing "$1" >"$work/got"
    diff "$work/want" "$work/got" >"$work/diff" || fail "$1 is not root's: $(head -n 20 "$work/diff")"
}

if [ -z "${IMGSTORE_TEST_USER-}" ]; then
    needs_mounts
    mkdir "$work/tree"
    "$python" -SE "$here/tree.py" make "$work/tree" || skip "needs a file system that holds everything"
    rm -rf "$work/tree/deep" # whose each path takes its time
    tar --xattrs --format=pax -C "$work/tree" -cf "$www/all.tar" .
    start_httpd
    start_daemon
    sum=$(digest "$www/all.tar")
    fetch "$httpd/ok/all.tar" "$sum" all
    wait_state all ACTIVE
    listing "$mnt/images/all/rootfs/" >"$work/listing"
    status=0
    "$here/ordinary.sh" ordinary-tree "$httpd/ok/all.tar" "$sum" "$work/listing" || status=$?
    [ $status != 77 ] || skip "that user's part was skipped"
    is "that user's part" $status 0
    exit
fi

cp "$3" "$work/want"
start_daemon
fetch "$1" "$2" all
wait_state all ACTIVE
same "$mnt/images/all/rootfs/"
mkdir "$mnt/images/all/snapshots/copy"
same "$mnt/images/all/snapshots/copy/rootfs/"
cp "$mnt/export/all.tar" "$work/all.tar"
cat "$work/all.tar" >"$mnt/import/again"
wait_state again ACTIVE
same "$mnt/images/again/rootfs/"

# Changed in each way there is, it is the same after a new start, but for times: what has just been
# written may have that of the moment when it reached the disk.
without_times()
{
    awk '{ $6 = "-"; print }' "$1"
}
"$python" -SE "$here/tree.py" change "$mnt/images/all/rootfs/"
listing "$mnt/images/all/rootfs/" >"$work/changed"
! grep -m1 fuseoverlayfs "$work/changed" || fail "the layer's own marks are seen"
stop_daemon
start_daemon
wait_state all ACTIVE
listing "$mnt/images/all/rootfs/" >"$work/got"
diff <(without_times "$work/changed") <(without_times "$work/got") >"$work/diff" ||
    fail "what was changed is otherwise: $(head -n 20 "$work/diff")"
succeeds write "$mnt/ctl/reset" 'all\n'
cp "$3" "$work/want"
wait_state all ACTIVE
same "$mnt/images/all/rootfs/"
