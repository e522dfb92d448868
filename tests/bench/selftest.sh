#!/usr/bin/env bash
# contrib/bench does what it says, tried on next to nothing: each part gives figures that are some,
# tables and a chart; who fails to verify fails.
. "${0%/*}/../system/functions.sh"
needs_mounts
needs_program python3 busybox curl zstd unshare setpriv
repo=$(cd "$here/../.." && pwd)
build=${IMGSTOREFS%/fs/imgstorefs}

bash -n "$repo/contrib/bench"
"$repo/contrib/bench" --help | grep -q -e --peers || fail "--help says nothing of --peers"

TMPDIR=$work "$python" -B "$repo/tests/bench/bench.py" selftest --build "$build" \
    --results "$work/results" >"$work/out" 2>"$work/err" || fail "$(cat "$work/err")"
"$python" -SE - "$work/results" <<'END'
import json, sys
import xml.etree.ElementTree as xml

folder = sys.argv[1]
with open(folder + "/results.json") as f:
    results = json.load(f)
runs = results["fetch"]["tiny.tar.gz"]
assert {"floor", "imgstorefs, dir"} <= set(runs), runs
assert all(0 < ready <= synced for r in runs.values() for ready, synced in r), runs
assert results["trees"]["tar c"]["plain directory"][0][1] > 0, results["trees"]
figures = {what: median for what, _, (median,) in results["small"]}
for beginning in ("second name", "state against", "readdir", "peak memory", "disk", "removal"):
    assert any(w.startswith(beginning) and v > 0 for w, v in figures.items()), (beginning, figures)
assert len(xml.parse(folder + "/results.svg").findall(".//{*}rect")) == 2 * len(runs)
with open(folder + "/results.md") as f:
    assert "tiny.tar.gz" in f.read()
END

start_httpd
make_tree web 3000
for ext in tar tar.gz tar.zst; do
    sum=$(pack web $ext)
    "$build/tests/bench/floor" "$httpd/ok/web.$ext" "$sum" "$work/$ext"
    cmp "$work/$ext" "$work/tar" || fail "the floor inflates $ext otherwise"
done
if "$build/tests/bench/floor" "$httpd/ok/web.tar" "$sum" "$work/wrong" 2>/dev/null; then
    fail "the floor takes any digest"
fi
