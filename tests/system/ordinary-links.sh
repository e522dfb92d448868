#!/usr/bin/env bash
# What fuse-overlayfs cannot keep apart no image of an ordinary user has: files with two names become
# two files, within max_total_size, and each keeps what is written to it; a name that stands for a
# deletion is refused; and the program's own attributes, by which it would hide an image's files or
# call them root's, setuid or devices, are left out.
. "${0%/*}/functions.sh"
[ -n "${IMGSTORE_TEST_USER-}" ] || skip "is run by ordinary.sh"
start_httpd
start_daemon -o max_total_size=80K
make_tree web 30
ln "$work/trees/web/payload" "$work/trees/web/payload2"
ln -s nowhere "$work/trees/web/link"
ln "$work/trees/web/link" "$work/trees/web/link2"
touch -d @1000000000.5 "$work/trees/web/payload"
setfattr -n user.test -v value "$work/trees/web/payload" 2>/dev/null || skip "needs user xattrs"
tar --xattrs --format=pax -C "$work/trees/web" -cf "$www/web.tar" .
fetch "$httpd/ok/web.tar" "$(digest "$www/web.tar")" web
wait_state web ACTIVE
same_tree web
root=$mnt/images/web/rootfs
for name in payload payload2; do
    is "$name" "$(stat -c '%h %Y %s' "$root/$name") $(getfattr --absolute-names --only-values -n user.test "$root/$name")" \
        "1 1000000000 30720 value"
done

echo one >"$root/etc/image-name"
echo two >"$root/payload2"
for _ in 1 2; do
    is "what was written" "$(cat "$root/etc/image-name" "$root/etc/other-name" "$root/payload2" | tr '\n' ' ')" \
        "one web two "
    cmp "$root/payload" "$work/trees/web/payload"
    succeeds write "$mnt/ctl/deactivate" 'web\n'
    succeeds write "$mnt/ctl/activate" 'web\n'
    wait_state web ACTIVE
done

ln "$work/trees/web/payload" "$work/trees/web/payload3"
ln "$work/trees/web/payload" "$work/trees/web/payload4"
fetch "$httpd/ok/much.tar" "$(pack web tar && cp "$www/web.tar" "$www/much.tar")" much
failed_with much too-large-total
mkdir "$work/trees/wh"
touch "$work/trees/wh/.wh.gone"
fetch "$httpd/ok/wh.tar" "$(pack wh tar)" wh
failed_with wh unsupported-format
nothing_half_done

make_tree marks
for space in fuseoverlayfs containers; do
    setfattr -n user.$space.override_stat -v 0:0:40755 "$work/trees/marks"
    setfattr -n user.$space.override_stat -v 0:0:4755:file "$work/trees/marks/bin/hello"
    setfattr -n user.$space.override_stat -v 0:0:644:block-8-0 "$work/trees/marks/payload"
    setfattr -n user.$space.opaque -v y "$work/trees/marks/bin"
done
tar --xattrs --format=pax -C "$work/trees/marks" -cf "$www/marks.tar" .
fetch "$httpd/ok/marks.tar" "$(digest "$www/marks.tar")" marks
wait_state marks ACTIVE
same_tree marks
is "the program" "$(stat -c '%u %a %F' "$mnt/images/marks/rootfs/bin/hello")" "$UID 755 regular file"
is "the payload" "$(stat -c '%u %a %F' "$mnt/images/marks/rootfs/payload")" "$UID 644 regular file"
