#!/usr/bin/env bash
# --json gives JSON, on everything that prints.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED

export IMGSTORE_MOUNT=$mnt
json()
{
    local expression=$1 status=0
    shift
    "$IMGSTORE" --json "$@" >"$work/out" || status=$?
    [ $status -le 1 ] || fail "$* exits with $status"
    "$python" -SEc 'import json, sys
j = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$work/out" "$expression" || fail "no JSON from $*: $(cat "$work/out")"
}
is "status" "$(json 'j["state"], j["name"]' status web)" "('ACTIVE', 'web')"
is "status" "$(json 'j["state"]' status broken)" FAILED
is "list" "$(json 'sorted(i["name"] for i in (j if isinstance(j, list) else j["images"]))' list)" "['broken', 'web']"
json j wait web >/dev/null
json j cleanup --dry-run >/dev/null
