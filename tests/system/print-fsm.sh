#!/usr/bin/env bash
# --print-fsm prints the nine states and their transitions as Graphviz, and needs no mount.
. "${0%/*}/functions.sh"

"$IMGSTOREFS" --print-fsm >"$work/fsm"
matches "first line" "$(head -n1 "$work/fsm")" 'digraph .*\{'
is "last line" "$(tail -n1 "$work/fsm")" '}'
for state in NEW DOWNLOADING DOWNLOADED UNPACKING UNPACKED STORED ACTIVATING ACTIVE FAILED; do
    grep -qw "$state" "$work/fsm" || fail "no $state"
done
grep -qE 'NEW"? *-> *"?DOWNLOADING' "$work/fsm" || fail "NEW does not lead to DOWNLOADING"
! command -v dot >/dev/null || dot -Tsvg "$work/fsm" >/dev/null || fail "dot does not take it"
