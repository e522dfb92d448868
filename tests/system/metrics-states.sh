#!/usr/bin/env bash
# However fast images change their states, in each read of metrics each is counted once, and each read
# is whole.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

lines=''
for i in {1..10}; do
    sum=$(make_image "n$i")
    for j in {1..5}; do
        lines+="$httpd/ok/n$i.tar.gz $sum n$i-$j\n"
    done
done
succeeds write "$mnt/ctl/fetch" "$lines"
"$python" -SE - "$mnt/metrics" 50 <<'PYTHON'
import collections, re, sys, time
path, images = sys.argv[1], int(sys.argv[2])
seen, reads, end = collections.Counter(), 0, time.monotonic() + 60
while True:
    with open(path) as f:
        text = f.read()
    reads += 1
    states = {s: int(n) for s, n in re.findall(r'^imgstorefs_images\{state="(\w+)"\} (\d+)$', text, re.M)}
    ended = int(re.search(r'^imgstorefs_fetches_total\{outcome="active",code=""\} (\d+)$', text, re.M)[1])
    if len(states) != 9 or sum(states.values()) != images:
        sys.exit(f"in read {reads} the states of {images} images are {states}")
    if ended != states["ACTIVE"]:
        sys.exit(f"in read {reads} {ended} fetches have ended, {states['ACTIVE']} images are ACTIVE")
    if not text.endswith("\n") or text.count("# TYPE ") != text.count("# HELP "):
        sys.exit(f"read {reads} is not whole")
    seen.update(s for s, n in states.items() if n)
    if ended == images:
        break
    if time.monotonic() > end:
        sys.exit(f"not all are ACTIVE: {states}")
print(f"{reads} reads; states seen: {dict(seen)}")
if len(seen) < 3:
    sys.exit("too few states were seen for that to tell anything")
PYTHON
