#!/usr/bin/env bash
# imgstore snapshot and reset: the tree's own ways, with its reasons.
. "${0%/*}/functions.sh"
. "${0%/*}/client_functions.sh"
needs_mounts
start_httpd
start_daemon
active web
snaps=$mnt/images/web/snapshots
exits 0 "$IMGSTORE" snapshot web
is "none" "$out" ""
exits 0 "$IMGSTORE" snapshot web build
exits 0 "$IMGSTORE" snapshot web@other
is "they are" "$(ls "$snaps" | tr '\n' ' ')" "build other "
exits 5 "$IMGSTORE" snapshot web build
matches "taken" "$err" 'imgstore: web@build: exists: .*imgstore reset web@build.*'
exits 2 "$IMGSTORE" snapshot web .x
exits 4 "$IMGSTORE" snapshot none x
exits 4 "$IMGSTORE" snapshot none
fetch "$httpd/404/x" "$(printf %064d 1)" bad
wait_state bad FAILED
exits 5 "$IMGSTORE" snapshot bad x
matches "the reason" "$err" 'imgstore: bad@x: busy: bad is FAILED: .*'

exits 0 "$IMGSTORE" snapshot web
matches "the first" "$(sed -n 2p <<<"$out")" "build  ACTIVE +$time_re +(-|[0-9.]+ [KMG]?i?B)"
exits 0 "$IMGSTORE" snapshot web --json
is "as JSON" "$("$python" -SEc 'import json, sys
print([(s["id"], s["state"]) for s in json.load(open(sys.argv[1]))])' "$work/out")" \
    "[('build', 'ACTIVE'), ('other', 'ACTIVE')]"

exits 0 "$IMGSTORE" snapshot web build --rename built
exits 5 "$IMGSTORE" snapshot web built --rename other
matches "the reason" "$err" 'imgstore: web@built: exists.*'
exits 4 "$IMGSTORE" snapshot web build --rename x
exits 2 "$IMGSTORE" snapshot web built --rename a/b
is "they are" "$(ls "$snaps" | tr '\n' ' ')" "built other "

echo mine >"$mnt/images/web/rootfs/mine"
echo mine >"$snaps/built/rootfs/mine"
exits 0 "$IMGSTORE" reset web@built
[ ! -e "$snaps/built/rootfs/mine" ] || fail "the snapshot is as it was"
[ -e "$mnt/images/web/rootfs/mine" ] || fail "the image was reset, too"
exits 0 "$IMGSTORE" reset web web@built
[ ! -e "$mnt/images/web/rootfs/mine" ] || fail "the image is as it was"
exits 4 "$IMGSTORE" reset web@build
exits 4 "$IMGSTORE" reset none web
sit_in web/snapshots/built
exits 5 "$IMGSTORE" snapshot web built --remove
matches "by whom" "$err" "imgstore: web@built: busy: .*pid $sitter.*"
exits 5 "$IMGSTORE" reset web@built
stand_up
exits 5 "$IMGSTORE" remove web
exits 0 "$IMGSTORE" snapshot web built --remove
exits 0 "$IMGSTORE" snapshot web other --remove
exits 0 "$IMGSTORE" remove web
