#!/usr/bin/env bash
# export/NAME@ID.tar is the tree of snapshot ID: its own, also where the image is not ACTIVE; what was
# exported comes back by import.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
snaps=$mnt/images/web/snapshots
mkdir "$snaps/build" "$snaps/other"
echo built >"$snaps/build/rootfs/made"
head -c 4M /dev/urandom >"$snaps/build/rootfs/big"
rm "$snaps/build/rootfs/payload"
echo image >"$mnt/images/web/rootfs/mine"
is "what is exported" "$(ls "$mnt/export" | tr '\n' ' ')" "web.tar web@build.tar web@other.tar "

names()
{
    tar -tf "$mnt/export/$1" | sort | tr '\n' ' '
}
is "build's names" "$(names web@build.tar)" \
    "$(cd "$snaps/build/rootfs" && find . -type d -printf '%p/\n' -o -print | sort | tr '\n' ' ')"
[[ $(names web@build.tar) == *made* ]] || fail "what was written to build is missing"
[[ $(names web@build.tar) != *payload* ]] || fail "what was deleted in build is there"
[[ $(names web.tar) != *made* ]] || fail "the image's archive has what was written to build"
[[ $(names web@other.tar) != *mine* ]] || fail "other's archive has what was written to the image"
tar -xOf "$mnt/export/web@build.tar" ./made | grep -qx built || fail "its contents are otherwise"
cmp "$mnt/export/web@build.tar" <(cat "$mnt/export/web@build.tar") || fail "another read gives other bytes"

# As a name, and without the image.
mv "$snaps/build" "$snaps/v1"
[ ! -e "$mnt/export/web@build.tar" ] || fail "the old name is exported still"
succeeds write "$mnt/ctl/deactivate" 'web\n'
is "what is exported" "$(ls "$mnt/export" | tr '\n' ' ')" "web@other.tar web@v1.tar "
cp "$mnt/export/web@v1.tar" "$work/v1.tar"

# Who reads it keeps it; the image and its other snapshots are not held up by that.
mkfifo "$work/pipe"
cat "$mnt/export/web@v1.tar" >"$work/pipe" &
reader=$!
in_background $reader
exec 9<"$work/pipe"
read -r -d '' -u 9 first || true
[ -n "$first" ] || fail "the archive begins with nothing"
refuses EBUSY images/web/snapshots/v1 rmdir "$snaps/v1"
refused EBUSY reset 'web/v1\n'
succeeds rmdir "$snaps/other"
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
exec 9<&-
wait $reader || true
eventually 5 rmdir "$snaps/v1"

cp "$work/v1.tar" "$mnt/import/built"
wait_state built ACTIVE
is "what was made, imported" "$(cat "$mnt/images/built/rootfs/made")" built
cmp "$work/v1.tar" "$mnt/export/built.tar" || fail "exported again, it is another tree"
stop_daemon
