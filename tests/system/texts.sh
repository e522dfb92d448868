#!/usr/bin/env bash
# README, version and health say what they are there for.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon

is "health" "$(cat "$mnt/health")" ok
is "lines of version" "$(wc -l <"$mnt/version")" 1
version=$(cat "$mnt/version")
matches "version" "$version" '[ -~]*[0-9]+\.[0-9]+\.[0-9]+[ -~]*'
[[ $("$IMGSTOREFS" -V) == *"$(grep -oE '[0-9]+\.[0-9]+\.[0-9]+' <<<"$version" | head -n1)"* ]] ||
    fail "-V and version differ"
lines=$(wc -l <"$mnt/README")
matches "lines of README" "$lines" '1[0-9]|2[0-5]'
grep -q ctl/fetch "$mnt/README" || fail "README does not name ctl/fetch"
