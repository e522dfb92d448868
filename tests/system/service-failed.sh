#!/usr/bin/env bash
# A start that fails is a failed unit, with the reason in its journal and its status; wrong use is
# not tried again.
. "${0%/*}/functions.sh"
. "${0%/*}/box.sh"
needs_box
box_boot

failed()
{
    is "the unit" "$(in_box systemctl is-failed imgstorefs)" failed
    box_says "$1" -u imgstorefs || fail "the journal does not say: $1"
    matches "its status" "$(property imgstorefs StatusText)" ".*$1.*"
}

set_to()
{
    cp "$work/settings" "$box_settings"
    printf '%s\n' "$@" >>"$box_settings"
}
box_settings=/proc/$box_init/root$settings
cp "$box_settings" "$work/settings"

set_to IMGSTORE_MAX_FILES=many
! in_box systemctl start imgstorefs 2>"$work/said" || fail "starts with a wrong setting"
grep -q 'systemctl status imgstorefs' "$work/said" || fail "says nothing: $(cat "$work/said")"
failed 'IMGSTORE_MAX_FILES.*max_files=many: takes a number'
is "restarts after wrong use" "$(property imgstorefs NRestarts)" 0

# What may heal is tried again, and then given up.
set_to IMGSTORE_CTL_GROUP= IMGSTORE_STORE_PATH=/proc/store
in_box systemctl start imgstorefs 2>/dev/null && fail "starts without a store"
given_up()
{
    [ "$(property imgstorefs ActiveState)" = failed ]
}
eventually 15 given_up
failed '/proc/store'
[ "$(property imgstorefs NRestarts)" -gt 1 ] || fail "is not tried again"

set_to
in_box systemctl reset-failed imgstorefs
in_box systemctl start imgstorefs
is "the unit" "$(in_box systemctl is-active imgstorefs)" active
in_box systemctl stop imgstorefs
