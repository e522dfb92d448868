#!/usr/bin/env bash
# happy, for an ordinary user: one line written, and a root file system appears that he can list,
# write to and run; two names share the image, and each has a layer of its own, which stays.
. "${0%/*}/functions.sh"
[ -n "${IMGSTORE_TEST_USER-}" ] || skip "is run by ordinary.sh"
start_httpd
start_daemon
sum=$(make_image web "$1" 200)

echo "$httpd/ok/web.$1 $sum web" >"$mnt/ctl/fetch"
echo "$httpd/ok/web.$1 $sum other" >"$mnt/ctl/fetch"
wait_state web ACTIVE
wait_state other ACTIVE
same_tree web
same_tree other web
is "how often it was downloaded" "$(asked "ok/web.$1")" 1
is "sink" "$(info web sink)" dir
is "processes that serve layers" "$(served)" 2
matches "the log" "$(grep -o 'writable layers: .*' "$log")" \
    "writable layers: fuse-overlayfs, because overlay: mounting needs CAP_SYS_ADMIN"

# What is written stays in the layer, over a deactivation, and is no other's.
root=$mnt/images/web/rootfs
echo changed >"$root/etc/image-name"
rm -r "$root/tmp"
mv "$root/bin" "$root/programs"
is "what runs inside" "$("$root/programs/hello")" hello
is "the other's" "$(cat "$mnt/images/other/rootfs/etc/image-name")" web
is "the image" "$(cat "$store/images/$sum/rootfs/etc/image-name")" web
same_tree other web
succeeds write "$mnt/ctl/deactivate" 'web\n'
is "state" "$(cat "$mnt/images/web/state")" STORED
[ ! -e "$store/active/web" ] || fail "what is deactivated has a mount point"
is "processes that serve layers" "$(served)" 1
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
is "what was changed" "$(cat "$root/etc/image-name")" changed
is "what was deleted" "$(cd "$root" && echo bi[n] tm[p])" ""
is "what was renamed" "$("$root/programs/hello")" hello

# Back to the image; and away.
succeeds write "$mnt/ctl/reset" 'web\n'
wait_state web ACTIVE
same_tree web
mkdir "$root/closed" "$root/closed/in"
touch "$root/closed/in/file"
chmod 000 "$root/closed/in"
chmod 555 "$root/closed"
succeeds write "$mnt/ctl/remove" 'web\n'
rmdir "$mnt/images/other"
is "what is left" "$(ls "$mnt/images")" ""
nothing_half_done

# Nothing stays behind a clean stop.
fetch "$httpd/ok/web.$1" "$sum" web
wait_state web ACTIVE
sleep 0.2 # what was read is closed by then
stop_daemon
no_mounts
eventually 5 none_served
