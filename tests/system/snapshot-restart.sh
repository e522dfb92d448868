#!/usr/bin/env bash
# Snapshots outlive the daemon: adopted after a kill and SIGUSR2, mounted again after a clean stop, a
# reboot, and when somebody unmounts them.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
[ -z "${1-}" ] || export IMGSTORE_SINK=$1
start_httpd
start_daemon
active web
active resting
snaps=$mnt/images/web/snapshots
mkdir "$snaps/a" "$snaps/b" "$mnt/images/resting/snapshots/c"
echo a >"$snaps/a/rootfs/mine"
echo b >"$snaps/b/rootfs/mine"
echo c >"$mnt/images/resting/snapshots/c/rootfs/mine"
mv "$snaps/b" "$snaps/moved"
succeeds write "$mnt/ctl/deactivate" 'resting\n'

all_there()
{
    [ "$(cat "$snaps"/*/state | tr '\n' ' ')" = "ACTIVE ACTIVE " ] &&
        [ "$(cat "$snaps/a/rootfs/mine")" = a ] && [ "$(cat "$snaps/moved/rootfs/mine")" = b ] &&
        [ "$(cat "$mnt/images/resting/snapshots/c/rootfs/mine")" = c ] && state_is resting STORED
}
mounted()
{
    mounts_below "$store/active/.snap" | sort
}
inodes()
{
    stat -L -c %d "$store"/active/.snap/*
}
all_there || fail "they are not there at first"
before=$(mounted) devices=$(inodes)

# As they are: the same mounts.
kill_daemon
start_daemon
all_there || fail "they are not adopted after a kill"
is "the mounts" "$(inodes)" "$devices"
stop_daemon USR2
is "what is mounted after USR2" "$(mounted)" "$before"
start_daemon
all_there || fail "they are not adopted after USR2"
is "the mounts" "$(inodes)" "$devices"

# A clean stop unmounts them, but for what is in use.
sit_in web/snapshots/moved
stop_daemon
is "what is mounted" "$(mounted)" "$(realpath "$store")/active/.snap/2"
grep -q 'snapshot moved is left mounted: .*sleep' "$log" || fail "the log does not say what stays"
start_daemon
eventually 10 all_there
is "where the process is" "$(readlink /proc/$sitter/cwd)" "$(realpath "$store")/active/.snap/2"
stand_up

# While they wait for their turn they are ACTIVATING, and show no rootfs; they can be removed then.
stop_daemon
no_mounts
hold snapshot
start_daemon
is "state" "$(cat "$snaps/a/state")" ACTIVATING
[ ! -L "$snaps/a/rootfs" ] || fail "rootfs is there before it is mounted"
refuses EBUSY ctl/reset write "$mnt/ctl/reset" 'web/a\n'
release snapshot
eventually 10 all_there

# A reboot.
kill_daemon
while read -r m; do
    umount -l "$m"
done < <(mounts_below "$work" | tac)
start_daemon
eventually 10 all_there

# Somebody unmounts one.
umount "$store/active/.snap/1"
eventually 20 mountpoint -q "$store/active/.snap/1"
eventually 5 all_there
is "what is mounted" "$(mounted)" "$before"
