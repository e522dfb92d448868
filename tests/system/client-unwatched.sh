#!/usr/bin/env bash
# client-unwatched: where the kernel has no watches to give (fs.inotify's limits), waiting and watching
# work all the same: the client looks again and again.
. "${0%/*}/functions.sh"
needs_mounts
needs_program unshare
# "${few[@]}" LIMIT COUNT COMMAND: runs it where the user has no more than so many of these.
# shellcheck disable=SC2016
few=(unshare -Ur sh -c 'echo "$2" >/proc/sys/user/max_inotify_"$1" && shift 2 && exec "$@"' sh)
"${few[@]}" instances 0 true 2>/dev/null || skip "needs user namespaces"
start_httpd
start_daemon
export IMGSTORE_MOUNT=$mnt
sum=$(make_image web)
first=$(make_image first)
"$IMGSTORE" fetch first "$httpd/ok/first.tar.gz" "$first" --wait 2>/dev/null

"${few[@]}" instances 0 "$IMGSTORE" watch >"$work/none" 2>&1 &
watchers=($!)
"${few[@]}" watches 2 "$IMGSTORE" watch >"$work/two" 2>&1 &
watchers+=($!)
in_background "${watchers[@]}"
for seen in none two; do
    eventually 10 grep -q " first ACTIVE active$" "$work/$seen"
done
"${few[@]}" instances 0 "$IMGSTORE" fetch web "$httpd/slow/web.tar.gz?bps=2000" "$sum" --wait 2>"$work/err"
is "state" "$(cat "$mnt/images/web/state")" ACTIVE
matches "the last line" "$(tail -n1 "$work/err")" "web  active  .*"
for seen in none two; do
    eventually 10 grep -q " web ACTIVE active$" "$work/$seen"
done
rmdir "$mnt/images/first"
for seen in none two; do
    eventually 10 grep -q " first gone$" "$work/$seen"
done
kill "${watchers[@]}"
wait "${watchers[@]}" || true
