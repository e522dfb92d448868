#!/usr/bin/env bash
# What has rotted in the store is noticed; a download is fetched anew by itself.
. "${0%/*}/functions.sh"
. "${0%/*}/disks.sh"
needs_mounts
start_httpd
start_daemon
active web
sum=$(info web sha256)
succeeds write "$mnt/ctl/deactivate" 'web\n'

# An unpacked image that has lost its contents
umount "$store/images/$sum/rootfs" 2>/dev/null || true
rm -r "$store/images/$sum/rootfs"
succeeds write "$mnt/ctl/activate" 'web\n'
failed_with web mount-failed
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
same_tree web

# A download that is not what its name says any more is fetched anew by itself, once.
damage()
{
    succeeds write "$mnt/ctl/deactivate" 'web\n'
    lose_image "$sum"
    "$@"
    succeeds write "$mnt/ctl/activate" 'web\n'
    failed_with web mount-failed
    before=$(asked ok/web.tar.gz)
    succeeds write "$mnt/ctl/retry" 'web\n'
}
blob=$store/blobs/$sum.tar.gz
fetched_anew()
{
    wait_state web ACTIVE
    same_tree web
    is "digest" "$(digest "$blob")" "$sum"
    was_asked ok/web.tar.gz $((before + 1)) || fail "asked $(asked ok/web.tar.gz) times"
    nothing_half_done
}
overwrite()
{
    printf 'damaged' | dd of="$blob" conv=notrunc bs=1 seek=40 status=none
}
damage overwrite
fetched_anew
damage truncate -s 100 "$blob"
fetched_anew
damage rm "$blob"
fetched_anew

# At a start as well; a hold keeps it from being unpacked before.
for how in "truncate -s 100" "truncate -s 0" rm; do
    hold DOWNLOADED
    damage true
    wait_state web DOWNLOADED
    kill_daemon
    $how "$blob"
    before=$(asked ok/web.tar.gz)
    release DOWNLOADED
    start_daemon
    fetched_anew
done

# With the server gone it ends FAILED, and says that.
succeeds write "$mnt/ctl/deactivate" 'web\n'
lose_image "$sum"
overwrite
mv "$www/web.tar.gz" "$www/away.tar.gz"
succeeds write "$mnt/ctl/activate" 'web\n'
failed_with web mount-failed
succeeds write "$mnt/ctl/retry" 'web\n'
failed_with web http-status
mv "$www/away.tar.gz" "$www/web.tar.gz"
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
grep -q "image=web .*expected $sum, got [0-9a-f]\{64\}.*fetched anew" "$log" || fail "nothing is said"
same_tree web
nothing_half_done
