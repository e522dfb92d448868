#!/usr/bin/env bash
# Only what a user was told waits for the disk: a second name for a digest is two syncs of the
# database, the answer to the write and ACTIVE, and none for the states between.
. "${0%/*}/functions.sh"
needs_mounts
needs_program strace
strace -o /dev/null true || skip "strace may not trace here"
export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # which needs ptrace for itself
start_httpd

sum=$(make_image web tar.gz 20)
strace -f -qq -o "$work/calls" -e signal=none -e trace=fdatasync \
    "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" >>"$log" 2>&1 &
daemon_pid=$!
eventually 60 read_value version
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
before=$(wc -l <"$work/calls")
fetch "$httpd/ok/web.tar.gz" "$sum" twin
wait_state twin ACTIVE
is "syncs of the database" $(($(wc -l <"$work/calls") - before)) 2
umount "$mnt"
wait_exit "$daemon_pid" 60 || fail "the daemon ended with $?"
daemon_pid=''
