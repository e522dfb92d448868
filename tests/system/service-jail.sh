#!/usr/bin/env bash
# What the unit forbids takes nothing from the jail of the unpacking helper, which can be ended in it;
# and who holds a layer from elsewhere is seen and named.
. "${0%/*}/functions.sh"
. "${0%/*}/box.sh"
needs_box

start_httpd
sum=$(make_image web)
make_image slow tar 4096 >/dev/null
box_boot
start_instance
pid=$(property "$instance" MainPID)

# Held while it reads: an archive that comes slowly.
client fetch slow "$httpd/slow/slow.tar?bps=100000" "$(digest "$www/slow.tar")" >/dev/null
jailed()
{
    helper=$(in_box pgrep -x imgstore-unpack) &&
        in_box grep -qP '^Seccomp:\t2$' "/proc/$helper/status" &&
        in_box grep -qP '^CapBnd:\t0+$' "/proc/$helper/status"
}
eventually 10 jailed
status_of_helper=$(in_box cat "/proc/$helper/status")
for line in Uid=65534 Gid=65534 CapPrm=0000000000000000 CapEff=0000000000000000 NoNewPrivs=1; do
    grep -qP "^${line%=*}:\t${line#*=}(\t|$)" <<<"$status_of_helper" ||
        fail "the helper has not $line: $status_of_helper"
done
for ns in mnt net ipc user; do
    [ "$(in_box readlink "/proc/$helper/ns/$ns")" != "$(in_box readlink "/proc/$pid/ns/$ns")" ] ||
        fail "the helper shares the daemon's namespace: $ns"
done
is "what it sees" "$(in_box ls "/proc/$helper/root/")" ""
in_box kill -STOP "$helper" # so that only a signal ends it
client cancel slow
ended()
{
    ! in_box test -e "/proc/$helper"
}
eventually 5 ended
client remove slow

# A layer that an ordinary user's process holds, in namespaces of its own.
client fetch web "$httpd/ok/web.tar.gz" "$sum" --wait
in_box setpriv --reuid 1234 --regid 1234 --clear-groups unshare -Um sleep 1000 &
holds()
{
    holder=$(in_box pgrep -xu 1234 sleep)
}
eventually 5 holds
root=$(in_box readlink "$tree/images/web/rootfs")
device=$(in_box stat -c %d "$root")
status=0
said=$(client deactivate web 2>&1) || status=$?
is "exit status of deactivate" "$status" 5
[[ $said == *"$holder"* ]] || fail "does not name process $holder: $said"
is "what rootfs shows" "$(in_box cat "$tree/images/web/rootfs/etc/image-name")" web
# The mount that came back is the holder's own, not another over the same layer.
is "the mount's device" "$(in_box stat -c %d "$root")" "$device"
in_box kill "$holder"
client deactivate web
in_box systemctl stop "$instance"
is "its result" "$(property "$instance" Result)" success
