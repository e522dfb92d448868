#!/usr/bin/env bash
# Without room for the line a control write is ENOSPC, and nothing of it shows.
. "${0%/*}/functions.sh"
needs_mounts
mkdir "$work/small"
mount -t tmpfs -o size=2M tmpfs "$work/small" || skip "needs tmpfs"
db=$work/small/store.db
start_daemon
dd if=/dev/zero of="$work/small/fill" bs=4096 2>/dev/null || true

word=OK
for i in {1..300}; do
    word=$(call write "$mnt/ctl/fetch" "http://127.0.0.1:1/x.tar $(printf %064d "$i") n$i\n")
    [ "$word" = OK ] || break
done
is "the write that found no room" "$word" ENOSPC
[ ! -e "$mnt/images/n$i" ] || fail "what was refused appeared"
alive
rm "$work/small/fill"
succeeds write "$mnt/ctl/fetch" "http://127.0.0.1:1/x.tar $(printf %064d 9999) later\n"
[ -d "$mnt/images/later" ] || fail "no image"
