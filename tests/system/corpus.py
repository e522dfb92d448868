#!/usr/bin/env python3
"""corpus.py PART DIR MNT STORE SERVER: tries PART of the corpus in DIR on the tree at MNT, and
prints a line for each check: `PASS what` or `FAIL what: why`.

PART is archives (DIR/manifest.json and DIR/thirdparty/manifest.json), control (DIR/ctl_cases.json)
or server (the faults of DIR/evil_http.py, which runs at SERVER and serves DIR).
"""
import errno
import importlib.util
import json
import os
import re
import stat
import subprocess
import sys
import time
import urllib.request

PATIENCE = 90  # seconds for everything that a part has asked for

CODES = (
    "unreachable timeout http-status checksum-mismatch unsupported-format corrupt-archive "
    "unsafe-path unsafe-link too-large-file too-many-files too-large-total too-large-download "
    "no-space io mount-failed cancelled interrupted internal"
).split()
# What is the machine's fault, or nobody's, cannot be the verdict on an archive.
NO_VERDICT = {"no-space", "io", "mount-failed", "cancelled", "interrupted", "internal"}


class Corpus:
    def __init__(self, folder, mnt, store, server):
        self.dir, self.mnt, self.store, self.server = folder, mnt, store, server
        spec = importlib.util.spec_from_file_location("check", os.path.join(folder, "check.py"))
        self.check = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.check)
        with open(os.path.join(folder, "manifest.json")) as f:
            self.manifest = json.load(f)["archives"]
        with open(os.path.join(folder, "thirdparty/manifest.json")) as f:
            self.thirdparty = json.load(f)["archives"]
        self.good = next(a for a in self.manifest if a["id"] == "g-gz")

    def image(self, name, file):
        return os.path.join(self.mnt, "images", name, file)

    def read(self, name, file):
        with open(self.image(name, file), "rb") as f:
            return f.read()

    def state(self, name):
        try:
            return self.read(name, "state").decode().strip()
        except FileNotFoundError:
            return "gone"

    def command(self, file, data):
        """One write(2); the errno's name, or OK."""
        fd = os.open(os.path.join(self.mnt, "ctl", file), os.O_WRONLY)
        try:
            os.write(fd, data)
            return "OK"
        except OSError as e:
            return errno.errorcode[e.errno]
        finally:
            os.close(fd)

    def fetch(self, lines):
        """All of them, in writes of at most 64 KiB."""
        batch = b""
        for line in [l.encode() + b"\n" for l in lines] + [b""]:
            if not line or len(batch) + len(line) > 65536:
                word = self.command("fetch", batch)
                if word != "OK":
                    raise RuntimeError("fetch of a batch gives " + word)
                batch = b""
            batch += line

    def settled(self, names, patience=PATIENCE):
        """Waits for ACTIVE or FAILED; returns each name's state."""
        waiting, end = list(names), time.monotonic() + patience
        states = {}
        while waiting and time.monotonic() < end:
            for name in list(waiting):
                states[name] = self.state(name)
                if states[name] in ("ACTIVE", "FAILED", "gone"):
                    waiting.remove(name)
            time.sleep(0.05)
        return states

    def remove(self, names):
        for name in names:
            self.command("remove", name.encode() + b"\n")

    def error_faults(self, name):
        """error is exactly one line, `CODE: message`, printable; no rootfs."""
        bad, raw = [], self.read(name, "error")
        if not re.fullmatch(rb"[a-z-]+: [ -~]+\n", raw):
            bad.append("error is no line: %r" % raw[:200])
        elif raw.split(b":")[0].decode() not in CODES:
            bad.append("unknown code: %r" % raw[:60])
        if os.path.lexists(self.image(name, "rootfs")):
            bad.append("FAILED, and has a rootfs")
        return bad

    def good_one(self, name):
        self.fetch(["%s/ok/%s %s %s" % (self.server, self.good["file"], self.good["sha256"], name)])
        state = self.settled([name], 30)[name]
        return [] if state == "ACTIVE" else ["a good fetch afterwards is %s (%s)" % (
            state, self.read(name, "error").decode().strip())]


def report(what, faults):
    if faults:
        print("FAIL %s: %s" % (what, "; ".join(f.replace("\n", " ") for f in faults[:5])))
    else:
        print("PASS " + what)


# The archives


def kept(c, archive):
    """What a FAILED archive must not leave: an unpacked image."""
    path = os.path.join(c.store, "images", archive["sha256"])
    return ["the store keeps its image"] if os.path.lexists(path) else []


def rootfs_faults(c, name):
    """What must be so of any ACTIVE image under the strict policy."""
    bad = []
    root = os.fsencode(c.image(name, "rootfs")) + b"/"
    for path, s in c.check.walk(root).items():
        if c.check.kind(s) == "special":
            bad.append("%r is a special file" % path)
        elif not stat.S_ISLNK(s.st_mode) and stat.S_IMODE(s.st_mode) & ~0o755:
            bad.append("%r has mode %o" % (path, stat.S_IMODE(s.st_mode)))
    return bad


def outcome_faults(c, archive, name, state):
    want = archive["expected"]
    if state not in ("ACTIVE", "FAILED"):
        return ["is %s after %d s" % (state, PATIENCE)]
    if want != "SAFE" and state != want:
        return ["is %s, must be %s (%s)" % (state, want, c.read(name, "error").decode().strip())]
    if state == "FAILED":
        code = c.read(name, "error").decode().split(":")[0]
        return (c.error_faults(name) + kept(c, archive)
                + (["its error is " + code] if code in NO_VERDICT else []))
    return rootfs_faults(c, name)


def archives(c):
    # id "e.X" of the manifest, "t.N" of the third parties: by number, as their names are long.
    asked = {"e." + a["id"]: (a, a["file"]) for a in c.manifest}
    asked.update({"t.%d" % i: (a, "thirdparty/" + a["file"]) for i, a in enumerate(c.thirdparty)})
    c.fetch(["%s/ok/%s %s %s" % (c.server, file, a["sha256"], name)
             for name, (a, file) in asked.items()])
    states = c.settled(asked)
    manifest = os.path.join(c.dir, "manifest.json")
    for name, (archive, file) in asked.items():
        faults = outcome_faults(c, archive, name, states[name])
        if states[name] == "ACTIVE" and name.startswith("e."):
            faults += c.check.tree(manifest, archive["id"], c.image(name, "rootfs") + "/")
        report("archive " + file, faults)
    report("archives: good one", c.good_one("after-archives"))
    c.remove(list(asked) + ["after-archives"])
    report("archives: all can be removed", [n for n in os.listdir(os.path.join(c.mnt, "images"))])


# Control-file cases


def case_bytes(c, case):
    data = b"".join(bytes.fromhex(part) * times for part, times in case["parts"])
    url = "%s/ok/%s" % (c.server, c.good["file"])
    # Names that are left out come from the URL: a good one.
    for mark, value in (("@URL_AFTER_SCHEME@", url[4:]), ("@URL@", url), ("@MNT@", c.mnt),
                        ("@SHA@", c.good["sha256"]), ("@FIFO@", "/nothing")):
        data = data.replace(mark.encode(), value.encode())
    return data


# Where a case and the contract differ, the contract decides: file: is no scheme of ours.
def wanted(case):
    return "REJECT" if case["id"].startswith("url-file-") else case["expect"]


def case_faults(c, case):
    images = os.path.join(c.mnt, "images")
    before = set(os.listdir(images))
    word = c.command("fetch", case_bytes(c, case))
    new = set(os.listdir(images)) - before
    faults = []
    if word != "OK" and new:
        faults.append("refused with %s, and yet there is %s" % (word, sorted(new)))
    if word not in ("OK", "EINVAL", "E2BIG", "EEXIST"):
        faults.append("gives " + word)
    want = wanted(case)
    if want == "REJECT" and word == "OK":
        faults.append("is taken")
    if want == "ACCEPT" and word != "OK":
        faults.append("is refused with " + word)
    for name, state in c.settled(new, 30).items():
        if state not in ("ACTIVE", "FAILED"):
            faults.append("%s is %s" % (name, state))
        elif state == "FAILED":
            faults += c.error_faults(name)
        if {"ACCEPT": "FAILED", "FAILED": "ACTIVE"}.get(want) == state:
            faults.append("%s is %s" % (name, state))
    c.remove(new)
    return faults


def pieces(c):
    """A line a byte at a time: nothing may come of it but refusals."""
    line = b"%s/ok/x %s bytewise\n" % (c.server.encode(), c.good["sha256"].encode())
    fd = os.open(os.path.join(c.mnt, "ctl/fetch"), os.O_WRONLY)
    taken = 0
    for at in range(len(line)):
        try:
            os.write(fd, line[at:at + 1])
            taken += 1
        except OSError:
            pass
    os.close(fd)
    return ["%d writes of one byte are taken" % taken] if taken else []


def writers(c):
    """Sixteen processes, 200 lines each: all of them arrive, whole."""
    script = """
import os, sys
for i in range(200):
    fd = os.open(sys.argv[1], os.O_WRONLY)
    try:
        os.write(fd, b"no-such-%s-%d\\n" % (os.fsencode(sys.argv[2]), i))
    except FileNotFoundError:
        pass
    os.close(fd)
"""
    running = [subprocess.Popen([sys.executable, "-SEc", script,
                                 os.path.join(c.mnt, "ctl/remove"), str(i)]) for i in range(16)]
    codes = [p.wait() for p in running]
    return ["exit codes %s" % codes] if any(codes) else []


def control(c):
    with open(os.path.join(c.dir, "ctl_cases.json")) as f:
        for case in json.load(f)["cases"]:
            report("case " + case["id"], case_faults(c, case))
    report("case pieces", pieces(c))
    report("case writers", writers(c))
    report("control: good one", c.good_one("after-control"))
    c.remove(["after-control"])


# The server's faults

# path and query (F is a good archive's file), which states may come of it
FAULTS = """
ok/F A; range/F A; rangetrunc/F A; etagchange/F A; rangelie/F AF; rangeignore/F A
truncate/F F; truncatex2/F A; reset/F F; resetx2/F A; drop/F F; dropx2/F A
slow/F?bps=20000 A; slowheader/F AF; stall/F F; hang F
500x2/F A; 503x2/F A; 502x2/F A; 404x1/F F; 408x2/F A; status/404/F F; status/500/F F; status/204/F F
status/206/F F; status/304/F F; 429/F A; 429/F?n=1&after=0 A; 429date/F A; 429huge/F F
redirect/301/F A; redirect/302/F A; redirect/303/F A; redirect/307/F A; redirect/308/F A
redirect-chain/3/F A; redirect-chain/60/F F; redirect-loop F; redirect-to?url=file:///etc/hostname F
redirect-file F; redirect-unix F; redirect-gopher F; redirect-ftp F; redirect-badloc F
endless F; endless-chunked F; lie-length/F AF; lie-length/F?d=-500 F; huge-length/F F
neg-length/F AF; two-lengths/F AF; nolength/F A; closelength/F A; badchunk/F F; trunc-chunk/F AF
gzip-encoding/F AF; gzip-bomb-encoding F; wrong/F F; wrongx1/F A; wrongx2/F F; empty/F F; html/F F
headers/200 F; header-endless F; badstatus F; http09 F; continue/F A
auth/F F; cookie/F A; disposition/F A
"""


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


def server(c):
    # Each fault gets an archive of its own, so that no digest is shared and all run side by side.
    usable = [a for a in c.manifest if a["expected"] == "ACTIVE"]
    usable += [dict(a, file="thirdparty/" + a["file"]) for a in c.thirdparty
               if a["expected"] == "ACTIVE" and "duplicate_of" not in a]
    # What an earlier part has left in the store would not be asked for.
    c.command("cleanup", b"run\n")
    seen, asked = set(), []
    # The long names' archive is too small for a chunk to be broken in it.
    pool = (a for a in usable if a["bytes"] > 2000 and a.get("id") != "g-pax-long" and
            not (a["sha256"] in seen or seen.add(a["sha256"])))
    for (path, may), archive in zip(faults_list(), pool):
        fault = re.sub(r"/F\b", "/" + archive["file"], path)
        name = "s.%d" % len(asked)
        asked.append((name, path, may, archive))
        c.fetch(["%s/%s %s %s" % (c.server, fault, archive["sha256"], name)])
    states = c.settled([a[0] for a in asked])
    for name, path, may, archive in asked:
        state = states[name]
        faults = [] if state[:1] in may and state in ("ACTIVE", "FAILED") else [
            "is %s, may be %s (%s)" % (state, may, c.read(name, "error").decode().strip())]
        if state == "FAILED":
            faults += c.error_faults(name) + kept(c, archive)
        report("server " + path, faults)
    with urllib.request.urlopen(c.server + "/_stats") as f:
        stats = json.load(f)
    once = [p for p in stats if p.startswith(("/status/404/", "/auth/")) and stats[p]["requests"] != 1]
    report("server: 4xx asked once", once)
    until_idle(c)
    report("server: good one", c.good_one("after-server"))
    used = sum(os.stat(os.path.join(d, f)).st_blocks * 512
               for d, _, files in os.walk(os.path.join(c.store, "blobs")) for f in files)
    report("server: nothing endless is kept", ["%d bytes" % used] if used > 64 << 20 else [])
    c.remove([a[0] for a in asked] + ["after-server"])


if __name__ == "__main__":
    if len(sys.argv) != 6 or sys.argv[1] not in ("archives", "control", "server"):
        sys.exit(__doc__)
    {"archives": archives, "control": control, "server": server}[sys.argv[1]](Corpus(*sys.argv[2:]))
