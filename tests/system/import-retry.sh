#!/usr/bin/env bash
# What was imported cannot be fetched anew: a retry works while its blob is there, and fails at once
# where it is not, saying so; a URL may be given to it later. No URL of a user's is `import:`.
. "${0%/*}/functions.sh"
. "${0%/*}/imports.sh"
needs_mounts
start_httpd
start_daemon -o attempts=5
refused EINVAL fetch "import: $(printf %064d 1) x\n"
refused EINVAL fetch "import:x $(printf %064d 1) x\n"

# Cancelled, and tried again from what has come.
needs_test_points
sum=$(make_image web tar.gz 300)
hold DOWNLOADED
cp "$www/web.tar.gz" "$mnt/import/web"
wait_state web DOWNLOADED
succeeds write "$mnt/ctl/cancel" 'web\n'
failed_with web cancelled
release DOWNLOADED
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
same_tree web
is "its url" "$(info web url)" import:
nothing_half_done

# lose: there is neither blob nor image of it any more.
lose()
{
    stop_daemon
    umount -l "$store/images/$sum/rootfs" 2>/dev/null || true
    rm -rf "$store/images/$sum" "$store/blobs/$sum.tar.gz"
    start_daemon -o attempts=5
}
gone='unreachable: it was imported, and what was is not in the store any more; import it again, or fetch .*'

# Found missing at a start: at once, and for good.
lose
failed_with web unreachable 5
matches "its error" "$(cat "$mnt/images/web/error")" "$gone"
is "its attempts" "$(info web attempts)" 1
is "its next retry" "$(info web next_retry)" -
succeeds write "$mnt/ctl/retry" 'web\n'
failed_with web unreachable 5
nothing_half_done

# Its name is taken, until it is removed; what is fetched takes its place.
refuses EEXIST import/web create "$mnt/import/web"
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
is "its url" "$(info web url)" "$httpd/ok/web.tar.gz"
same_tree web

# Imported again under another name, it is there for both.
succeeds write "$mnt/ctl/remove" 'web\n'
cp "$www/web.tar.gz" "$mnt/import/web"
wait_state web ACTIVE
lose
failed_with web unreachable 5
cp "$www/web.tar.gz" "$mnt/import/again"
wait_state again ACTIVE
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
same_tree web
stop_daemon
no_mounts
