#!/usr/bin/env bash
# Credentials in a URL are used, and shown nowhere: not in the tree, the log, the client or errors.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

host=${httpd#http://}
sum=$(make_image web)
fetch "http://u:secret@$host/auth/web.tar.gz" "$sum" web
wait_state web ACTIVE
is "url" "$(info web url)" "http://user:***@$host/auth/web.tar.gz"
fetch "http://u:seCr3t-two@$host/404/x" "$(printf %064d 1)" missing
fetch "http://u:seCr3t-two@127.0.0.1:1/x" "$(printf %064d 2)" nobody
fetch "http://only-seCr3t-two@$host/auth/other" "$(printf %064d 3)" token
for name in missing nobody token; do
    wait_state "$name" FAILED
done
fails_with EINVAL write "$mnt/ctl/fetch" "http://u:seCr3t-two@$host/x nodigest\n"
fails_with EEXIST write "$mnt/ctl/fetch" "http://u:seCr3t-two@$host/x $(printf %064d 9) web\n"

everything()
{
    find "$mnt" -path '*/rootfs' -prune -o -type f -exec cat {} +
    for name in web missing nobody token; do
        "$IMGSTORE" --mount "$mnt" status "$name" || true
        "$IMGSTORE" --mount "$mnt" --json status "$name" || true
    done
    "$IMGSTORE" --mount "$mnt" list
    cat "$log"
    tr '\0' '\n' <"/proc/$daemon_pid/cmdline"
}
everything >"$work/everything" 2>&1
! grep -n -e ':secret' -e seCr3t "$work/everything" || fail "a credential is shown"
grep -q 'user:\*\*\*@' "$work/everything" || fail "nothing is masked"
is "mode of the database" "$(stat -c %a "$db")" 600

# The real one is what a retry uses, after a restart too.
succeeds write "$mnt/ctl/remove" 'web\n'
"$IMGSTORE" --mount "$mnt" cleanup >/dev/null
fetch "http://u:secret@$host/authx0/web.tar.gz" "$sum" again
wait_state again ACTIVE
