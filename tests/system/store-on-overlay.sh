#!/usr/bin/env bash
# A store on an overlay is refused at start, with the cure.
. "${0%/*}/functions.sh"
needs_mounts
mkdir "$work"/{lower,upper,work,over}
mount -t overlay -o "lowerdir=$work/lower,upperdir=$work/upper,workdir=$work/work" overlay "$work/over" ||
    skip "needs an overlay mount"
store=$work/over/store
launch_daemon
status=0
wait_exit "$daemon_pid" 10 || status=$?
daemon_pid=''
[ $status != 0 ] || fail "starts with a store on an overlay"
grep -qi overlay "$log" || fail "does not say why"
grep -qi volume "$log" || fail "does not name the cure"
no_tree=$(ls "$mnt")
is "the mount point" "$no_tree" ""
