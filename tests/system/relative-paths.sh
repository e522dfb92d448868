#!/usr/bin/env bash
# Relative paths mean what they meant where the daemon was started, in the background too.
. "${0%/*}/functions.sh"
needs_mounts
needs_program pgrep
start_httpd
sum=$(make_image web)

cd "$work"
ln -s "$IMGSTORE_HELPER" helper
"$IMGSTOREFS" --db rel.db --store rel-store --helper ./helper mnt </dev/null >>"$log" 2>&1 ||
    fail "exits with $?"
cd /
daemon_pid=$(pgrep -f -- "--db rel.db --store rel-store --helper ./helper mnt" |
    while read -r p; do [ "$(readlink "/proc/$p/ns/mnt")" != "$(readlink /proc/self/ns/mnt)" ] || echo "$p"; done)
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
is "rootfs" "$(readlink "$mnt/images/web/rootfs")" "$(realpath "$work")/rel-store/active/web"
same_tree web
[ -e "$work/rel.db" ] || fail "the database is elsewhere"
kill "$daemon_pid"
gone()
{
    ! kill -0 "$daemon_pid" 2>/dev/null
}
eventually 10 gone
daemon_pid=''
no_mounts
