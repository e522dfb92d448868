#!/usr/bin/env bash
# What is written to import/NAME becomes image NAME, whatever writes it: it is there when the writer's
# close returns, passes the states, limits and policies of what is fetched, and shares what is there.
. "${0%/*}/functions.sh"
. "${0%/*}/imports.sh"
needs_mounts
[ -z "${1-}" ] || export IMGSTORE_SINK=$1
start_httpd
start_daemon

# Any format, by its bytes.
for format in tar tar.gz tar.xz tar.zst tar.bz2; do
    sum=$(make_image "$format" "$format" 300)
    cp "$www/$format.$format" "$mnt/import/$format"
    [ -e "$mnt/images/$format/state" ] || fail "cp returned before there was an image"
    wait_state "$format" ACTIVE
    same_tree "$format"
    is "its url" "$(info "$format" url)" import:
    is "its digest" "$(info "$format" sha256)" "$sum"
    is "its format" "$(info "$format" format)" "$format"
    is "its size" "$(info "$format" size)" "$(stat -c %s "$www/$format.$format")"
    is "its blob" "$(digest "$store/blobs/$sum.$format")" "$sum"
done
nothing_of_imports
is "import/" "$(ls -A "$mnt/import")" ""

# Any writer.
made()
{
    wait_state "$1" ACTIVE
    same_tree "$1"
    nothing_of_imports
}
make()
{
    make_image "$1" "${2:-tar.gz}" "${3:-600}" >/dev/null
    from=$www/$1.${2:-tar.gz} to=$mnt/import/$1
}
make by-cat
cat "$from" >"$to"
made by-cat
make by-append
cat "$from" >>"$to"
made by-append
make by-two
head -c 100000 "$from" >"$work/one"
tail -c +100001 "$from" >"$work/two"
{
    cat "$work/one"
    cat "$work/two"
} >"$to"
made by-two
make by-many tar.zst
split -b 30000 "$from" "$work/piece."
for piece in "$work"/piece.*; do cat "$piece"; done >"$to"
made by-many
make by-bytes tar.gz 1
dd if="$from" of="$to" bs=1 status=none
made by-bytes
make by-dd tar 3000
dd if="$from" of="$to" bs=1000 conv=fsync status=none
made by-dd
make by-big-dd tar 3000
dd if="$from" of="$to" bs=8M oflag=direct status=none
made by-big-dd
make by-tee
tee "$to" <"$from" | cmp - "$from"
made by-tee
make by-curl
curl -sS -o "$to" "$httpd/ok/by-curl.tar.gz"
made by-curl
make by-cp-p
cp -p "$from" "$to"
made by-cp-p
make by-python
"$python" -SE - "$from" "$to" <<'END'
import sys
with open(sys.argv[1], "rb") as source, open(sys.argv[2], "wb") as out:
    out.write(source.read())
END
made by-python
make_tree by-tar 600
tar --owner=0 --group=0 -C "$work/trees/by-tar" -cf "$mnt/import/by-tar" .
made by-tar
make_tree by-pipe 600
tar --owner=0 --group=0 -C "$work/trees/by-pipe" -c . | gzip >"$mnt/import/by-pipe"
made by-pipe
make by-mv
cp "$from" "$work/moved"
mv "$work/moved" "$to"
made by-mv
make by-busybox
if command -v busybox >/dev/null; then
    busybox cp "$from" "$to"
    made by-busybox
fi

# What is there is shared: with what was fetched, and among imports.
sum=$(make_image shared tar.gz 500)
fetch "$httpd/ok/shared.tar.gz" "$sum" shared
wait_state shared ACTIVE
unpacked=$(stat -c %i "$store/images/$sum")
cp "$www/shared.tar.gz" "$mnt/import/shared2"
wait_state shared2 ACTIVE
same_tree shared2 shared
is "the unpacked image" "$(stat -c %i "$store/images/$sum")" "$unpacked"
is "its blobs" "$(ls "$store/blobs" | grep -c "$sum")" 1
cp "$www/by-cat.tar.gz" "$mnt/import/twin"
wait_state twin ACTIVE
same_tree twin by-cat
nothing_of_imports

# A name that the same digest was imported under can be fetched, which changes nothing; the other way
# around it is taken.
fetch "$httpd/404/x" "$sum" shared2
is "its url" "$(info shared2 url)" import:

# Nothing was done for what does not want to be kept: the writable layer is its own.
echo mine >"$mnt/images/by-cat/rootfs/etc/mine"
[ ! -e "$mnt/images/twin/rootfs/etc/mine" ] || fail "two names share a writable layer"

# It outlives the daemon.
stop_daemon
start_daemon
wait_state by-cat ACTIVE
is "its layer" "$(cat "$mnt/images/by-cat/rootfs/etc/mine")" mine
is "its url" "$(info by-many url)" import:
nothing_half_done
stop_daemon
no_mounts
