#!/usr/bin/env bash
# After a reboot the tree is back before anything is mounted; what was ACTIVE is ACTIVATING, and shows
# no rootfs, until it is mounted again, in its turn: behind what users ask for meanwhile. What is still
# mounted is ACTIVE from the first look on.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
start_httpd
count=40

# states STATE…: what the images web1 … read, each once.
states()
{
    cat "$mnt"/images/web*/state | sort -u
}

all_are()
{
    [ "$(states)" = "$1" ]
}

sum=$(make_image web)
new_sum=$(make_image new)
start_daemon
for ((i = 1; i <= count; i++)); do
    echo "$httpd/ok/web.tar.gz $sum web$i"
done >"$mnt/ctl/fetch"
eventually 60 all_are ACTIVE
echo kept >"$mnt/images/web7/rootfs/mine"
ids()
{
    awk -v d="$(realpath "$store")/active/" 'index($5, d) == 1 { print $1, $5 }' /proc/self/mountinfo
}

# Another daemon, the same mounts: none is made again, and none is waited for.
before=$(ids)
stop_daemon USR2
hold ACTIVATING
start_daemon
is "states of what is mounted" "$(states)" ACTIVE
is "mounts" "$(ids)" "$before"
kill_daemon

while read -r m; do
    umount -l "$m"
done < <(mounts_below "$work" | tac)
no_mounts
another_boot
start_daemon
is "images" "$(ls "$mnt/images" | wc -l)" $count
is "states of what is not mounted" "$(states)" ACTIVATING
is "phases" "$(cut -d' ' -f4 "$mnt"/images/web*/progress | sort -u)" activate
is "roots" "$(find "$mnt/images" -name rootfs)" ""
is "wants" "$(sed -n 's/^want //p' "$mnt"/images/web*/info | sort -u)" active
is "overlays" "$(mounts_below "$store/active")" ""

# Those that wait are as free to go as any.
succeeds write "$mnt/ctl/cancel" "web38\n"
failed_with web38 cancelled
succeeds write "$mnt/ctl/remove" "web39\n"
succeeds rmdir "$mnt/images/web40"
refused EBUSY deactivate 'web37\n'
succeeds write "$mnt/ctl/activate" "web36\n"
fetch "$httpd/ok/new.tar.gz" "$new_sum" new
wait_state new ACTIVATING
is "images" "$(ls "$mnt/images" | wc -l)" $((count - 1))
is "states" "$(states)" $'ACTIVATING\nFAILED'

release ACTIVATING
wait_state new ACTIVE
earlier=$(sed -n '/image=new active$/q; s/.* image=\(web[0-9]*\) active$/\1/p' "$log" | sort | uniq -d)
echo "were mounted again before the new one was mounted: $(wc -w <<<"$earlier")"
[ "$(wc -w <<<"$earlier")" -lt $((count / 2)) ] || fail "the new image waited for: $earlier"
for ((i = 1; i <= 37; i++)); do
    wait_state web$i ACTIVE
done
is "what was written" "$(cat "$mnt/images/web7/rootfs/mine")" kept
is "overlays" "$(mounts_below "$store/active" | wc -l)" 38
is "mounts of the two unpacked images" "$(mounts_below "$store/images" | wc -l)" \
    "$(mounts_below "$store/images" | sort -u | wc -l)"
