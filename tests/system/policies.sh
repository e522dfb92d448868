#!/usr/bin/env bash
# strict and faithful: modes, devices, setuid, owners, times, xattrs and links as the contract says.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd

tree=$work/trees/web
make_tree web
cd "$tree"
for mode in 4755 2755 6711 777 666 444 640 600 000 755 1644; do
    echo x >"f$mode"
    chmod "$mode" "f$mode"
    mkdir "d$mode"
    chmod "$mode" "d$mode"
done
chown 1234:5678 f640
touch -d '2001-02-03 04:05:06.789012345' f600
ln -s /etc/passwd absolute
ln -s ../etc/passwd out-by-one
mkfifo fifo
mknod null c 1 3 2>/dev/null || skip "needs mknod"
mknod loop b 7 0
"$python" -SEc 'import os
os.setxattr("f755", "user.colour", b"blue")
os.setxattr("d755", "user.colour", b"red")
os.setxattr("f755", "trusted.secret", b"x")'
rm out-by-one
mkdir deep
ln -s ../etc/passwd deep/up
cd "$work"
tar --numeric-owner --format=posix --xattrs --xattrs-include='*' -C "$tree" -cf "$www/web.tar" .
sum=$(digest "$www/web.tar")

start_daemon
fetch "$httpd/ok/web.tar" "$sum" strict
wait_state strict ACTIVE
stop_daemon
start_daemon -o policy=faithful
wait_state strict ACTIVE
fetch "$httpd/ok/web.tar" "$sum" faithful
wait_state faithful ACTIVE
is "policy" "$(info strict policy)" strict
is "policy" "$(info faithful policy)" faithful
is "requests" "$(asked ok/web.tar)" 1
is "unpacked images" "$(ls "$store/images" | sed "s/$sum/S/" | tr '\n' ' ')" "S S.faithful "

s=$mnt/images/strict/rootfs f=$mnt/images/faithful/rootfs
modes()
{
    (cd "$1/" && stat -c '%n %a' f[0-9]* d[0-9]*)
}
is "faithful modes" "$(modes "$f")" "$(modes "$tree")"
modes "$s" >"$work/strict-modes"
modes "$tree" | while read -r name mode; do
    case $name in
    f*) printf '%s %o\n' "$name" $((0$mode & 0755)) ;;
    d*) printf '%s %o\n' "$name" $((0$mode & 0755 | 0700)) ;;
    esac
done >"$work/want-modes"
diff -u "$work/want-modes" "$work/strict-modes" || fail "strict modes are otherwise"

is "skipped by strict" "$(info strict skipped)" 3
is "skipped by faithful" "$(info faithful skipped)" 0
is "specials in strict" "$(find "$s/" ! -type f ! -type d ! -type l)" ""
is "fifo" "$(stat -c %F "$f/fifo")" fifo
is "null" "$(stat -c '%F %t:%T' "$f/null")" "character special file 1:3"
is "loop" "$(stat -c '%F %t:%T' "$f/loop")" "block special file 7:0"
fails_with EACCES open O_RDONLY "$f/null"

for r in "$s" "$f"; do
    is "owner" "$(stat -c %u:%g "$r/f640")" 1234:5678
    is "time" "$(stat -c %.9Y "$r/f600")" "$(stat -c %.9Y "$tree/f600")"
    is "link" "$(readlink "$r/absolute")" /etc/passwd
    is "link" "$(readlink "$r/deep/up")" ../etc/passwd
    is "hard links" "$(stat -c %i "$r/etc/image-name")" "$(stat -c %i "$r/etc/other-name")"
    is "user xattr" "$("$python" -SEc 'import os, sys
print(os.getxattr(sys.argv[1], "user.colour").decode())' "$r/f755")" blue
done
xattrs()
{
    "$python" -SEc 'import os, sys
print(*sorted(x for x in os.listxattr(sys.argv[1])))' "$1"
}
is "xattrs, strict" "$(xattrs "$s/f755")" user.colour
is "xattrs, strict" "$(xattrs "$s/d755")" user.colour
is "xattrs, faithful" "$(xattrs "$f/f755")" "trusted.secret user.colour"
options()
{
    awk -v m="$(realpath "$store")/active/$1" '$5 == m { print "," $6 "," }' /proc/self/mountinfo
}
matches "strict's mount" "$(options strict)" '.*,nosuid,.*'
matches "strict's mount" "$(options strict)" '.*,nodev,.*'
matches "faithful's mount" "$(options faithful)" '.*,nodev,.*'
[[ $(options faithful) != *,nosuid,* ]] || fail "faithful is mounted nosuid"
