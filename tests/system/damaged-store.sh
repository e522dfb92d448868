#!/usr/bin/env bash
# What has rotted in the store is noticed, and fetched anew.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
sum=$(info web sha256)
succeeds write "$mnt/ctl/deactivate" 'web\n'

# An unpacked image that has lost its contents
rm -r "$store/images/$sum/rootfs"
succeeds write "$mnt/ctl/activate" 'web\n'
failed_with web mount-failed
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
same_tree web

# A download that is not what its name says any more
succeeds write "$mnt/ctl/deactivate" 'web\n'
rm -r "$store/images/$sum"
printf 'damaged' | dd of="$store/blobs/$sum.tar.gz" conv=notrunc bs=1 seek=40 status=none
succeeds write "$mnt/ctl/activate" 'web\n'
failed_with web mount-failed
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
grep -q "image=web .*expected $sum, got [0-9a-f]\{64\}.*fetched anew" "$log" || fail "nothing is said"
same_tree web
nothing_half_done
