#!/usr/bin/env bash
# faults SCENARIO KIND[:ERRNO] [OPTIONS]: whichever step of a kind fails, nothing is lost. See
# faults.py.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
[ -z "${ASAN_OPTIONS-}" ] || [[ " $* " != *" libc.so "* ]] ||
    skip "the runtime of the sanitizers does not survive it"
start_httpd

make_image web tar.gz 40 >"$work/web.sum"
make_image other tar 1 >"$work/other.sum"
make_image third tar.xz 600 >"$work/third.sum"
entry()
{
    printf '"%s": ["%s", "%s", "%s"]' "$1" "$2.$3" "$(<"$work/$2.sum")" "$work/trees/$2"
}
printf '{%s' "$(entry web web tar.gz)" >"$work/archives.json"
for name in twin mounted fallen stored bad ghost; do
    printf ', %s' "$(entry $name web tar.gz)" >>"$work/archives.json"
done
printf ', %s, %s, %s}' "$(entry other other tar)" "$(entry loading third tar.xz)" \
    "$(entry unpacked other tar)" >>"$work/archives.json"

WORK=$(realpath "$work") WWW=$www HTTPD=$httpd "$python" "$here/faults.py" "$@"
