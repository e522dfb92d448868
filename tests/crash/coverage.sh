#!/usr/bin/env bash
# Each call of the program's that leaves something behind is come by in some scenario of crash.py, or
# is one of those in `unreached`, which says why that may be.
set -euo pipefail
here=$(cd "${0%/*}" && pwd)
for p in objdump addr2line; do
    command -v $p >/dev/null || { echo "SKIP: needs $p"; exit 77; }
done
hits=$(mktemp)
trap 'rm -f "$hits" "$hits".*' EXIT
status=0
for sink in auto dir; do
    IMGSTORE_SINK=$sink "$here/crash.py" trace --hits "$hits.$sink" || status=$?
    [ $status = 0 ] || exit $status
done
cat "$hits".* >"$hits"
"$here/coverage.py" "$IMGSTOREFS" "$hits" --allow "$here/unreached"
