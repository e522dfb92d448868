#!/usr/bin/env bash
# watch-umount.sh [ROUNDS]: a user's unmount right after a change is not refused because watchers are told
# of it just then, and ends the daemon and what it started; so does umount -l, and an unmount below a
# folder that has another name by now. Mounts of others, and one over the tree, end nothing.
. "${0%/*}/functions.sh"
. "${0%/*}/watching.sh"
needs_mounts
start_httpd
sum=$(make_image web)

# comes NAME: an image.
comes()
{
    fetch "$httpd/ok/web.tar.gz" "$sum" "$1"
    wait_state "$1" ACTIVE
}

# ends: the daemon, well, and what it had started; $events is what made the events.
ends()
{
    wait_exit "$daemon_pid" 20 || fail "the daemon ended with $?"
    daemon_pid=''
    no_mounts
    ! kill -0 "$events" 2>/dev/null || fail "what made the events is left"
}

begins()
{
    start_daemon
    eventually 5 replayer_is_there
    events=$(replayer)
}

begins
comes web
for ((i = 0; i < ${1:-12}; i++)); do
    wait_state web ACTIVE
    # A little later after the change each time.
    case $((i % 4)) in
    0) comes "new$i" ;;
    1) rmdir "$mnt/images/new$((i - 1))" ;;
    2) succeeds write "$mnt/ctl/deactivate" 'web\n' ;;
    3) comes a && comes b && echo "a" >"$mnt/ctl/deactivate" && rmdir "$mnt"/images/[ab] ;;
    esac
    for ((k = 0; k < i / 4 * 200; k++)); do :; done
    umount "$mnt" || fail "unmount $i was refused"
    ends
    begins
    if [ $((i % 4)) = 2 ]; then
        is "state" "$(cat "$mnt/images/web/state")" STORED
        succeeds write "$mnt/ctl/activate" 'web\n'
    fi
done

# Mounts elsewhere, one over the tree, and another name for its folder: it is mounted still, and tells.
stop_daemon
mnt=$work/folder/mnt
mkdir -p "$mnt"
begins
mkdir "$work/over"
for ((i = 0; i < 20; i++)); do
    mount -t tmpfs none "$work/over"
    umount "$work/over"
done
mount -t tmpfs none "$mnt"
mount -t tmpfs none "$work/over"
kill -0 "$events" || fail "a mount over the tree ends what makes the events"
umount "$work/over"
umount "$mnt"
mv "$work/folder" "$work/renamed"
mnt=$work/renamed/mnt
mount -t tmpfs none "$work/over"
watch_images "$work/seen"
comes later
eventually 10 grep -q 'images/later CREATE' "$work/seen.raw"
is "what makes the events" "$(replayer)" "$events"
kill "$watcher"
wait "$watcher" || true
umount "$work/over"
umount "$mnt"
ends

# Taken away with a file open in it: the daemon ends with its reader.
begins
exec 4<"$mnt/images"
umount -l "$mnt"
gone()
{
    ! kill -0 "$events" 2>/dev/null
}
eventually 5 gone
kill -0 "$daemon_pid" || fail "the daemon is gone before its reader"
exec 4<&-
ends
