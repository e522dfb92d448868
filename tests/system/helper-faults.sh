#!/usr/bin/env bash
# helper-faults FORMAT HELPER [OPTIONS]: whichever step of the unpacking helper fails, the image is
# FAILED and says why, or is right; see helper_faults.py.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
needs_program setfattr
format=$1 program=$2
shift 2
quiet=1 # each daemon's log is told of by the program below
[ -x "$program" ] || fail "there is no $program"
start_httpd

# Whatever libarchive takes memory for: long names, names that are not ASCII, links, xattrs, holes.
make_image web tar 300 >/dev/null
tree=$work/trees/web
long=$(printf 'a-rather-long-name-%.0s' {1..8})
mkdir -p "$tree/$long/$long" "$tree/é"
echo deep >"$tree/$long/$long/file"
ln -s "../$long/$long/file" "$tree/é/long-link-ü"
ln "$tree/$long/$long/file" "$tree/é/other name"
setfattr -n user.color -v green "$tree/etc/image-name"
setfattr -n user.shape -v "$(printf 'round%.0s' {1..80})" "$tree/é" || skip "no xattrs here"
truncate -s 256K "$tree/sparse"
printf x | dd of="$tree/sparse" bs=1 seek=100000 conv=notrunc status=none
printf y | dd of="$tree/sparse" bs=1 seek=200000 conv=notrunc status=none
for i in {1..20}; do echo "$i" >"$tree/tmp/$i"; done
chmod -R u=rwX,go=rX "$tree"
chmod 755 "$tree/bin/hello"
find "$tree" -exec touch -h -d @1700000000 {} +

how=(--format=posix --xattrs)
if [ "$format" = tar-gnu ]; then
    setfattr -x user.color "$tree/etc/image-name" # which that format has no place for
    setfattr -x user.shape "$tree/é"
    how=(--format=gnu)
fi
tar --numeric-owner --owner=0 --group=0 -S "${how[@]}" -C "$tree" -cf "$www/web.tar" .
case $format in
tar*) file=web.tar ;;
gz) file=web.tar.gz && gzip -1 <"$www/web.tar" >"$www/$file" ;;
xz) file=web.tar.xz && xz -1 <"$www/web.tar" >"$www/$file" ;;
zst) file=web.tar.zst && zstd -q -1 <"$www/web.tar" >"$www/$file" ;;
bz2) file=web.tar.bz2 && bzip2 -1 <"$www/web.tar" >"$www/$file" ;;
*) fail "no such format: $format" ;;
esac
WORK=$(realpath "$work") WWW=$www HTTPD=$httpd "$python" "$here/helper_faults.py" \
    "$program" "$file" "$(digest "$www/$file")" "$tree" "$@"
