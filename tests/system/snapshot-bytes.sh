#!/usr/bin/env bash
# upper_bytes: what a snapshot's layer holds is looked up in the background, and "-" until then.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
snap=$mnt/images/web/snapshots/build
mkdir "$snap"
bytes_are()
{
    [ "$(sed -n 's/^upper_bytes //p' "$snap/info")" = "$1" ]
}
eventually 15 bytes_are 0
mkdir -p "$snap/rootfs/a/b"
head -c 100000 /dev/zero >"$snap/rootfs/a/b/big"
ln "$snap/rootfs/a/b/big" "$snap/rootfs/a/twin"
truncate -s 1G "$snap/rootfs/a/hole"
upper=$store/overlays/.snap/1/upper
want=$(($(find "$upper" -mindepth 1 -printf '%i %b\n' | sort -u | awk '{ n += $2 } END { print n }') * 512))
[ "$want" -ge 100000 ] || fail "the layer holds $want bytes"
eventually 15 bytes_are "$want"
is "size of info" "$(stat -c %s "$snap/info")" "$(wc -c <"$snap/info")"
