#!/usr/bin/env bash
# export.sh POLICY: what is exported is the tree as it stands, for whoever reads it: whiteouts and
# opaque folders resolved, hard links, holes, devices, owners, times and extended attributes kept.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
policy=$1

tree=$work/trees/web
mkdir -p "$tree"
"$python" -SE "$here/tree.py" make "$tree" || skip "cannot make such a tree here"
tar --numeric-owner --format=posix -S --xattrs --xattrs-include='*' -C "$tree" -cf "$www/web.tar" .
start_daemon -o "policy=$policy"
fetch "$httpd/ok/web.tar" "$(digest "$www/web.tar")" web
wait_state web ACTIVE

listed()
{
    "$python" -SE "$here/tree.py" list "$1"
}
same_as_rootfs() # DIR [IMAGE]
{
    listed "$mnt/images/${2:-web}/rootfs/" >"$work/want"
    listed "$1" >"$work/got"
    diff -u "$work/want" "$work/got" >"$work/diff" ||
        fail "the tree is otherwise: $(grep '^[-+]' "$work/diff" | cut -c1-200 | head -n 20)"
}
unpacked()
{
    rm -rf "$work/out"
    mkdir "$work/out"
    tar --warning=no-timestamp -xpf "$1" --numeric-owner --xattrs --xattrs-include='*' -C "$work/out" 2>"$work/tar.log" || true
    if grep -v "Ignoring unknown extended header keyword 'LIBARCHIVE.xattr" "$work/tar.log"; then
        fail "tar has something to say"
    fi
}
# The one attribute that GNU tar does not take from an archive, as its name holds a `=`.
set_odd() # ROOT
{
    "$python" -SEc 'import os, sys
s = os.stat(sys.argv[1])
os.setxattr(sys.argv[1], "user.a=b%c", b"odd")
os.utime(sys.argv[1], ns=(0, s.st_mtime_ns))' "$1/colours"
}

[ "$policy" = strict ] || same_as_rootfs "$tree"
for how in pristine changed; do
    [ $how = pristine ] || "$python" -SE "$here/tree.py" change "$mnt/images/web/rootfs/"
    cp "$mnt/export/web.tar" "$work/$how.tar"
    cmp "$work/$how.tar" "$mnt/export/web.tar" || fail "two exports of $how are not alike"
    is "rest of a record of 10,240 bytes" $(($(stat -c %s "$work/$how.tar") % 10240)) 0
    for archive in "$work/$how.tar" "$mnt/export/web.tar"; do
        unpacked "$archive"
        [ $how = pristine ] || set_odd "$work/out"
        same_as_rootfs "$work/out"
    done
done
tar -tf "$mnt/export/web.tar" >"$work/names" 2>/dev/null
grep -q 'socket$' "$work/names" && fail "a socket is exported"
if command -v bsdtar >/dev/null; then
    rm -rf "$work/out"
    mkdir "$work/out"
    bsdtar -xpf "$mnt/export/web.tar" --numeric-owner -C "$work/out"
    same_as_rootfs "$work/out"
fi
"$python" -SEc 'import sys, tarfile
with tarfile.open(sys.argv[1], "r|", errors="surrogateescape") as tar:
    names = [m.name for m in tar]
with tarfile.open(sys.argv[2], errors="surrogateescape") as tar:
    assert names == tar.getnames() and len(names) == len(set(names)), "names"
    big = tar.getmember("./new-holes")
    assert big.isreg() and big.size == 20 << 20 and big.sparse, big.sparse
    assert tar.extractfile(big).read().count(b"f") == 100
    assert tar.getmember("./zz-other-link").linkname == "./relative"' \
    "$mnt/export/web.tar" "$work/changed.tar" || fail "Python reads it otherwise"
[ "$(stat -c %s "$work/changed.tar")" -lt 12000000 ] || fail "holes take room in the archive"

# Imported, it is the same tree, and its bytes are the same wherever its files lie now.
stop_daemon
start_daemon -o policy=faithful
cp "$work/changed.tar" "$www/again.tar"
fetch "$httpd/ok/again.tar" "$(digest "$www/again.tar")" again
wait_state again ACTIVE
same_as_rootfs "$mnt/images/again/rootfs/"
cmp "$mnt/export/again.tar" "$work/changed.tar" || fail "an image's bytes are not those of a layer"
mkdir "$work/trees/nothing"
fetch "$httpd/ok/nothing.tar" "$(pack nothing tar)" nothing
wait_state nothing ACTIVE
tar -xpf "$work/changed.tar" --numeric-owner --xattrs --xattrs-include='*' \
    -C "$mnt/images/nothing/rootfs/" 2>/dev/null || true
set_odd "$mnt/images/nothing/rootfs"
cmp "$mnt/export/nothing.tar" "$work/changed.tar" || fail "a layer's bytes are not those of an image"
