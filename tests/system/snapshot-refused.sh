#!/usr/bin/env bash
# What mkdir, rmdir and rename of snapshots refuse, each explained in error_log.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
active db
snaps=$mnt/images/web/snapshots
mkdir "$snaps/a" "$snaps/b"

for bad in .hidden -x 'a b' "$(printf %0129d 0)" 'ä'; do
    fails_with EINVAL mkdir "$snaps/$bad"
    matches "error_log" "$(tail -n1 "$mnt/ctl/error_log")" ".* images/web/snapshots/.* EINVAL .*letter or digit.*"
done
mkdir "$snaps/$(printf %0128d 0)"
rmdir "$snaps/$(printf %0128d 0)"

# A taken name: of mkdir the kernel itself says so, which has just looked it up.
fails_with EEXIST mkdir "$snaps/a"
refuses EEXIST images/web/snapshots/a rename "$snaps/a" "$snaps/b"
refuses EINVAL images/web/snapshots/a rename "$snaps/a" "$snaps/.b"
matches "both" "$(ls "$snaps" | tr '\n' ' ')" "a b "
fails_with EEXIST rename_flags 1 "$snaps/a" "$snaps/b"
refuses EINVAL images/web/snapshots/a rename_flags 2 "$snaps/a" "$snaps/b"
succeeds rename_flags 1 "$snaps/a" "$snaps/c"
succeeds rename "$snaps/c" "$snaps/c"
refuses EXDEV images/web/snapshots/c rename "$snaps/c" "$mnt/images/db/snapshots/c"
fails_with ENOENT rename "$snaps/a" "$snaps/d"
fails_with ENOENT rmdir "$snaps/a"

# Nothing else can be made, or changed.
refuses EPERM images/web/snapshots/x create "$snaps/x"
refuses EPERM images/web/snapshots/c/x mkdir "$snaps/c/x"
refuses EPERM images/web/snapshots/x symlink to "$snaps/x"
refuses EPERM images/web/x mkdir "$mnt/images/web/x"
refuses EPERM images/web/snapshots/c/state unlink "$snaps/c/state"
refuses EPERM images/web/snapshots rmdir "$snaps"
fails_with ENOTDIR mkdir "$snaps/c/state/x"

# Of what is neither STORED nor ACTIVE there is no snapshot.
fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED
refuses EBUSY images/broken/snapshots/a mkdir "$mnt/images/broken/snapshots/a"
fetch "$httpd/stall/web.tar.gz" "$(printf %064d 2)" slow
wait_state slow DOWNLOADING
refuses EBUSY images/slow/snapshots/a mkdir "$mnt/images/slow/snapshots/a"
matches "the reason" "$line" '.*slow is DOWNLOADING.*'
fails_with ENOENT mkdir "$mnt/images/nothing/snapshots/a"
matches "those that there are" "$(ls "$snaps" | tr '\n' ' ')" "b c "
