#!/bin/bash
# Makes a small real root file system image: busybox with all its applets, and what a shell wants
# to find in /etc. The same busybox gives the same bytes.
# usage: create-test-image.sh [OUT]     OUT: test-image.tar.gz; its suffix says how to compress
# Prints OUT and its SHA-256.
set -euo pipefail

out=${1:-test-image.tar.gz}
case "$out" in
    *.tar) compress=(cat) ;;
    *.tar.gz | *.tgz) compress=(gzip -n -9) ;;
    *.tar.xz | *.txz) compress=(xz -T1) ;;
    *.tar.zst | *.tzst) compress=(zstd -q -c) ;;
    *.tar.bz2 | *.tbz2) compress=(bzip2) ;;
    *)
        echo "create-test-image: $out: not .tar .tar.gz .tar.xz .tar.zst .tar.bz2" >&2
        exit 2
        ;;
esac

busybox=$(PATH=/bin:/usr/bin:$PATH command -v busybox) || {
    echo "create-test-image: no busybox; contrib/setup installs it" >&2
    exit 1
}
if ldd "$busybox" >/dev/null 2>&1; then
    echo "create-test-image: $busybox needs libraries; contrib/setup installs busybox-static" >&2
    exit 1
fi
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
umask 022
chmod 755 "$root"

mkdir -p "$root"/{bin,sbin,usr/bin,usr/sbin,dev,etc,home,proc,root,run,srv,sys,tmp,var/log}
install -m 755 "$busybox" "$root/bin/busybox"
"$busybox" --list-full | while read -r applet; do
    [ "${applet##*/}" = busybox ] && continue
    dir=$root/$applet dir=${dir%/*}
    [ -d "$dir" ] || mkdir -p "$dir"
    ln -sf /bin/busybox "$root/$applet"
done
chmod 1777 "$root/tmp"
chmod 700 "$root/root"

cat >"$root/etc/os-release" <<'TEXT'
NAME="imgstore test image"
ID=imgstore-test
VERSION_ID=1
PRETTY_NAME="imgstore test image 1"
TEXT
printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$root/etc/passwd"
printf 'root:x:0:\nnogroup:x:65534:\n' >"$root/etc/group"
printf 'imgstore-test\n' >"$root/etc/hostname"
printf 'Hello from inside the image.\n' >"$root/etc/motd"

tar -C "$root" --format=posix --pax-option=delete=atime,delete=ctime,exthdr.name=%d/pax/%f \
    --sort=name --mtime=@1700000000 --owner=0 --group=0 --numeric-owner -cf - . |
    "${compress[@]}" >"$out.part"
mv "$out.part" "$out"
echo "$(realpath "$out") $(sha256sum <"$out" | cut -d' ' -f1)"
