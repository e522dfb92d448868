#!/usr/bin/env bash
# The client's exit codes, over a real tree.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd

exits()
{
    local want=$1 got=0
    shift
    timeout 60 "$@" >"$work/out" 2>"$work/err" || got=$?
    [ "$got" = "$want" ] || fail "exits with $got, not $want: $* ($(cat "$work/out" "$work/err"))"
}
export IMGSTORE_MOUNT=$mnt
exits 3 "$IMGSTORE" list
exits 3 "$IMGSTORE" fetch web http://h/x "$(printf %064d 1)"
exits 2 "$IMGSTORE"
exits 2 "$IMGSTORE" nonsense
start_daemon

sum=$(make_image web)
other=$(make_image other)
exits 0 "$IMGSTORE" list
exits 2 "$IMGSTORE" fetch web
exits 0 "$IMGSTORE" status
exits 2 "$IMGSTORE" list --nonsense
exits 4 "$IMGSTORE" status web
exits 4 "$IMGSTORE" wait web
exits 4 "$IMGSTORE" remove web
exits 0 "$IMGSTORE" fetch web "$httpd/ok/web.tar.gz" "$sum" --wait
is state "$(cat "$mnt/images/web/state")" ACTIVE
exits 0 "$IMGSTORE" fetch web "$httpd/ok/web.tar.gz" "$sum"
exits 5 "$IMGSTORE" fetch web "$httpd/ok/other.tar.gz" "$other"
exits 0 "$IMGSTORE" wait web
exits 0 "$IMGSTORE" status web
grep -q ACTIVE "$work/out" || fail "status does not say ACTIVE"
exits 1 "$IMGSTORE" fetch broken "$httpd/404/x" "$other" --wait
exits 1 "$IMGSTORE" wait broken
exits 1 "$IMGSTORE" wait web broken
exits 0 "$IMGSTORE" status broken
exits 5 "$IMGSTORE" cancel broken
exits 0 "$IMGSTORE" retry broken
exits 1 "$IMGSTORE" wait broken
exits 5 "$IMGSTORE" retry web
exits 0 "$IMGSTORE" deactivate web
is state "$(cat "$mnt/images/web/state")" STORED
exits 0 "$IMGSTORE" wait web
exits 0 "$IMGSTORE" activate web
exits 0 "$IMGSTORE" wait web
is state "$(cat "$mnt/images/web/state")" ACTIVE
exits 0 "$IMGSTORE" cleanup --dry-run
exits 0 "$IMGSTORE" cleanup
(cd "$mnt/images/web/rootfs/" && exits 5 "$IMGSTORE" remove web)
exits 0 "$IMGSTORE" remove web
exits 4 "$IMGSTORE" status web

# The URL from standard input: no credential in the process list.
echo "$httpd/ok/other.tar.gz" | exits 0 "$IMGSTORE" fetch other - "$other" --wait
is url "$(info other url)" "$httpd/ok/other.tar.gz"
unset IMGSTORE_MOUNT
exits 0 "$IMGSTORE" --mount "$mnt" status other
exits 3 "$IMGSTORE" --mount "$work" list
