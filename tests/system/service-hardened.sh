#!/usr/bin/env bash
# service-hardened.sh SINK: the units are what systemd finds no fault with, and what they forbid is
# nothing that images of either policy need, on a disk or in memory.
# SINK: erofs (over a loop device in memory), dir.
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
. "${0%/*}/box.sh"
needs_box
[ "$1" = dir ] || needs_erofs
needs_program setfattr getfattr setcap

: >"$work/memory/file"
setfattr -n user.test -v yes "$work/memory/file" 2>/dev/null || skip "needs user xattrs in memory"

# Everything that an archive may hold.
make_tree all
t=$work/trees/all
mknod "$t/etc/null" c 1 3
mknod "$t/etc/disk" b 7 99
mkfifo "$t/etc/fifo"
chmod 4755 "$t/bin/hello"
chown 1234:5678 "$t/payload"
chmod 640 "$t/payload"
mkdir -m 1777 "$t/sticky"
setfattr -n trusted.test -v yes "$t/payload" || skip "needs trusted xattrs in $work"
setfattr -n user.test -v yes "$t/payload"
cp "$t/bin/hello" "$t/bin/mail"
chown 0:5678 "$t/bin/mail"
chmod 2755 "$t/bin/mail"
cp "$t/bin/hello" "$t/bin/capable"
setcap cap_net_raw+ep "$t/bin/capable"
tar --numeric-owner --xattrs --xattrs-include='*' -C "$t" -cf "$www/all.tar" .
sum=$(digest "$www/all.tar")
start_httpd
box_boot
unit=$instance

# The manual's pages may not be installed here.
said=$(in_box env SYSTEMD_LOG_LEVEL=warning systemd-analyze verify --man=no "$unit" imgstorefs.service 2>&1) ||
    fail "systemd-analyze verify: $said"
is "what systemd-analyze verify says" "$said" ""
said=$(in_box systemd-analyze security --no-pager --offline=yes --threshold=60 \
    /lib/systemd/system/imgstorefs.service) || fail "the unit is not hardened: $said"
tail -n 1 <<<"$said"
for p in PrivateTmp PrivateDevices PrivateMounts PrivateNetwork PrivateIPC ProtectSystem ProtectHome \
    ProtectKernelTunables ProtectKernelModules ProtectKernelLogs ProtectControlGroups DynamicUser; do
    is "$p" "$(property "$unit" $p)" no
done
[[ " $(property "$unit" After) " == *" modprobe@loop.service "* ]] || fail "loop devices may come after it"
is ProtectProc "$(property "$unit" ProtectProc)" default

set_instance "IMGSTORE_SINK=$1" IMGSTORE_CTL_GROUP=daemon
start_instance

# One of each policy, which is set at the start: strict first.
client fetch strict "$httpd/ok/all.tar" "$sum" --wait
is "skipped" "$(in_box sed -n 's/^skipped //p' "$tree/images/strict/info")" 3
set_instance IMGSTORE_POLICY=faithful
in_box systemctl restart "$unit"
client fetch faithful "$httpd/ok/all.tar" "$sum" --wait
root=$(in_box readlink "$tree/images/faithful/rootfs")

# The same as what was packed, seen from outside of the unit.
listed()
{
    find . -printf '%P %y %m %U:%G %s %l\n' | sed '/^[^ ]* d /s/ [0-9]* $//' | sort
    find . -type b -o -type c | sort | xargs stat -c '%n %t:%T'
    getfattr -dm - payload bin/capable
}
(cd "$t" && listed) >"$work/want"
in_box bash -c "cd '$root'; $(declare -f listed); listed" >"$work/got"
diff "$work/want" "$work/got" || fail "the faithful image is not what was packed"

# An overlay acts with what its mounter may: all that an administrator does in an image works.
in_box bash -ec 'cd "$1"; mknod node c 1 5; chown 12:34 payload; chmod 6755 payload
    setcap cap_net_raw+ep payload; setfattr -n trusted.more -v yes payload
    [ "$(stat -c "%a %u:%g" payload)" = "6755 12:34" ]
    if chattr +i /tmp 2>/dev/null; then chattr -i /tmp; chattr +i payload; chattr -i payload; fi
    rm bin/hello; rm -r etc; mkdir etc; mv sticky stuck; echo new >etc/new' - "$root" ||
    fail "what an administrator does in an image does not work"

# Its control files are the group's; and all comes down.
is "group of ctl/fetch" "$(in_box stat -c %G "$tree/ctl/fetch")" daemon
client remove strict
in_box mkdir "$tree/images/faithful/snapshots/one"
is "a snapshot" "$(in_box cat "$tree/images/faithful/snapshots/one/rootfs/payload" | cmp - "$t/payload" && echo same)" same
in_box rmdir "$tree/images/faithful/snapshots/one"
client remove faithful
in_box systemctl stop "$unit"
is "its result" "$(property "$unit" Result)" success
box_says 'peration not permitted' -u "$unit" && fail "something was not permitted"
exit 0
