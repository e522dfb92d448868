#!/usr/bin/env bash
# info: its keys in their order, and what they say at each end of an image's life.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

keys='name url sha256 state want policy sink format size entries bytes skipped attempts next_retry created updated'
sum=$(make_image web tar.xz 100)
active_since=$(date -u +%Y-%m-%dT%H:%M)
fetch "$httpd/ok/web.tar.xz" "${sum^^}" web
wait_state web ACTIVE
fetch "$httpd/404/x" "$(printf %064d 1)" broken
wait_state broken FAILED

for name in web broken; do
    is "keys" "$(cut -d' ' -f1 "$mnt/images/$name/info" | tr '\n' ' ')" "$keys "
    while read -r key value; do
        [ -n "$value" ] || fail "$key of $name has no value"
    done <"$mnt/images/$name/info"
done
is name "$(info web name)" web
is url "$(info web url)" "$httpd/ok/web.tar.xz"
is sha256 "$(info web sha256)" "$sum"
is state "$(info web state)" ACTIVE
is want "$(info web want)" active
is policy "$(info web policy)" strict
matches sink "$(info web sink)" '[a-z]+'
is format "$(info web format)" tar.xz
is size "$(info web size)" "$(stat -c %s "$www/web.tar.xz")"
# The root, etc bin tmp, two names of one file, os-release, hello, release, payload.
matches entries "$(info web entries)" '9|10'
is bytes "$(info web bytes)" \
    "$(find "$work/trees/web" -type f -printf '%i %s\n' | sort -u | awk '{ n += $2 } END { print n }')"
is skipped "$(info web skipped)" 0
matches attempts "$(info web attempts)" '[0-9]+'
is next_retry "$(info web next_retry)" -
matches created "$(info web created)" "$time_re"
matches updated "$(info web updated)" "$time_re"
[[ ! $(info web created) < $active_since ]] || fail "created before it was asked for"
[[ ! $(info web updated) < $(info web created) ]] || fail "updated before it was created"
is size "$(info broken size)" -
is format "$(info broken format)" -
is entries "$(info broken entries)" -
is state "$(info broken state)" FAILED

succeeds write "$mnt/ctl/deactivate" 'web\n'
is want "$(info web want)" stored
