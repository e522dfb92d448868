"""corpus.py's part `server`: the faults of evil_http.py."""
import collections
import json
import os
import re
import time
import urllib.request

from corpus_base import kept, report

# path and query (F is a good archive's file), which states may come of it
FAULTS = """
ok/F A; range/F A; rangetrunc/F A; etagchange/F A; rangelie/F AF; rangeignore/F A
truncate/F F; truncatex2/F A; reset/F F; resetx2/F A; drop/F F; dropx2/F A
slow/F?bps=20000 A; slowheader/F AF; stall/F F; hang F
500x2/F A; 503x2/F A; 502x2/F A; 404x1/F F; 408x2/F A; status/404/F F; status/500/F F; status/204/F F
status/206/F F; status/304/F F; 429/F A; 429/F?n=1&after=0 A; 429date/F A; 429huge/F F
redirect/301/F A; redirect/302/F A; redirect/303/F A; redirect/307/F A; redirect/308/F A
redirect-chain/3/F A; redirect-chain/60/F F; redirect-loop F; redirect-to?url=file:///etc/hostname F
redirect-file F; redirect-unix F; redirect-gopher F; redirect-ftp F; redirect-meta F; redirect-badloc F
endless F; endless-chunked F; lie-length/F AF; lie-length/F?d=-500 F; huge-length/F F
neg-length/F AF; two-lengths/F AF; nolength/F A; closelength/F A; badchunk/F AF; trunc-chunk/F AF
gzip-encoding/F AF; gzip-bomb-encoding F; wrong/F F; wrongx1/F A; wrongx2/F F; empty/F F; html/F F
headers/200 F; header-endless F; badstatus F; http09 F; continue/F A
auth/F F; cookie/F A; disposition/F A
"""


# What a mode that fails is told as, and how often it may be asked: three times, once more for a
# wrong digest; once where the request is at fault.
DUE = {}
for _row in """
truncate unreachable 3; reset unreachable 3; drop unreachable 3; stall timeout 3; hang timeout 3
slowheader timeout|http-status|unreachable 3; 404x1 http-status 1; status http-status 3
429huge http-status 3; redirect-chain http-status 1; redirect-loop http-status 11
redirect-to http-status 1; redirect-file http-status 1; redirect-unix unreachable|http-status 3
redirect-gopher http-status 1; redirect-ftp http-status 1; redirect-meta http-status 1
redirect-badloc http-status 1; endless too-large-download 1; endless-chunked too-large-download 1
lie-length unreachable|checksum-mismatch 3; huge-length too-large-download 1
neg-length http-status 3; two-lengths http-status|unreachable|checksum-mismatch 3
badchunk unreachable 3; trunc-chunk unreachable 3; gzip-encoding checksum-mismatch 2
gzip-bomb-encoding checksum-mismatch|timeout 3; wrong checksum-mismatch 2
wrongx2 checksum-mismatch 2; empty checksum-mismatch 2; html checksum-mismatch 2
headers checksum-mismatch 2; header-endless http-status 3; badstatus http-status|unreachable 3
http09 http-status|unreachable 3; auth http-status 1; rangelie unreachable|http-status 5
""".replace("\n", ";").split(";"):
    if _row.strip():
        _mode, _codes, _most = _row.split()
        DUE[_mode] = (_codes.split("|"), int(_most))
BYTES_MAX = (64 << 20) + (16 << 20)  # max_download_size, and what waits in sockets


def due_faults(c, name, path, state, asked_for):
    mode = path.split("?")[0].split("/")[0]
    codes, most = DUE.get(mode, ([], 4))
    code = c.read(name, "error").decode().split(":")[0]
    told = c.stats.get(asked_for, {"requests": 0, "bytes": 0})
    bad = []
    if state == "FAILED" and code not in codes:
        bad.append("its code is %s, not %s" % (code, "|".join(codes)))
    # Some share a path: what two ask of it is looked at together.
    if told["requests"] > most * c.sharing[asked_for]:
        bad.append("asked %d times, %d are due" % (told["requests"], most))
    if told["bytes"] > BYTES_MAX * most:
        bad.append("took %d bytes" % told["bytes"])
    print("NOTE server %s: %s, %d requests" % (path, code if state == "FAILED" else state,
                                               told["requests"]))
    return bad


def faults_list():
    for item in FAULTS.replace("\n", ";").split(";"):
        if item.strip():
            yield item.split()


def until_idle(c):
    """It still compresses for those who went long ago."""
    quick, end = 0, time.time() + 20
    while quick < 5 and time.time() < end:
        begun = time.time()
        try:
            urllib.request.urlopen(c.server + "/_ping", timeout=2).close()
        except OSError:
            pass
        quick = quick + 1 if time.time() - begun < 0.1 else 0
        time.sleep(0.05)


def until(so, seconds=30):
    end = time.monotonic() + seconds
    while not so() and time.monotonic() < end:
        time.sleep(0.05)


def server(c):
    # Each fault gets an archive of its own, so that no digest is shared and all run side by side.
    usable = [a for a in c.manifest if a["expected"] == "ACTIVE"]
    usable += [dict(a, file="thirdparty/" + a["file"]) for a in c.thirdparty
               if a["expected"] == "ACTIVE" and "duplicate_of" not in a]
    # What an earlier part has left in the store would not be asked for.
    until(lambda: not os.listdir(os.path.join(c.mnt, "images")))
    c.command("cleanup", b"run\n")
    until(lambda: not os.listdir(os.path.join(c.store, "blobs")))
    seen, asked = set(), []
    # The long names' archive is too small for a chunk to be broken in it.
    pool = (a for a in usable if a["bytes"] > 2000 and a.get("id") != "g-pax-long" and
            not (a["sha256"] in seen or seen.add(a["sha256"])))
    for (path, may), archive in zip(faults_list(), pool):
        fault = re.sub(r"/F\b", "/" + archive["file"], path)
        name = "s.%d" % len(asked)
        asked.append((name, path, may, archive, "/" + fault.split("?")[0]))
        c.fetch(["%s/%s %s %s" % (c.server, fault, archive["sha256"], name)])
    states = c.settled([a[0] for a in asked])
    with urllib.request.urlopen(c.server + "/_stats") as f:
        c.stats = json.load(f)
    c.sharing = collections.Counter(a[4] for a in asked)
    for name, path, may, archive, asked_for in asked:
        state = states[name]
        faults = [] if state[:1] in may and state in ("ACTIVE", "FAILED") else [
            "is %s, may be %s (%s)" % (state, may, c.read(name, "error").decode().strip())]
        if state == "FAILED":
            faults += c.error_faults(name) + kept(c, archive)
        report("server " + path, faults + due_faults(c, name, path, state, asked_for))
    once = [p for p in c.stats
            if p.startswith(("/status/404/", "/auth/")) and c.stats[p]["requests"] != 1]
    report("server: 4xx asked once", once)
    until_idle(c)
    report("server: good one", c.good_one("after-server"))
    used = sum(os.stat(os.path.join(d, f)).st_blocks * 512
               for d, _, files in os.walk(os.path.join(c.store, "blobs")) for f in files)
    report("server: nothing endless is kept", ["%d bytes" % used] if used > 64 << 20 else [])
    c.remove([a[0] for a in asked] + ["after-server"])
