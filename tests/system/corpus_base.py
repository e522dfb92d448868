"""What the parts of corpus.py share: the corpus, the tree in which it is tried, and how a check is
told.
"""
import errno
import importlib.util
import json
import os
import re
import time

PATIENCE = 150  # seconds for everything that a part has asked for

CODES = (
    "unreachable timeout http-status checksum-mismatch unsupported-format corrupt-archive "
    "unsafe-path unsafe-link too-large-file too-many-files too-large-total too-large-download "
    "no-space io mount-failed cancelled interrupted internal"
).split()
# What is the machine's fault, or nobody's, cannot be the verdict on an archive.
NO_VERDICT = {"no-space", "io", "mount-failed", "cancelled", "interrupted", "internal"}


class Corpus:
    def __init__(self, policy, folder, mnt, store, server, daemon):
        self.policy, self.dir, self.mnt, self.store = policy, folder, mnt, store
        self.server, self.daemon = server, int(daemon)
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


def image(c, archive):
    end = ".faithful" if c.policy == "faithful" else ""
    return os.path.join(c.store, "images", archive["sha256"] + end)


def kept(c, archive):
    """What a FAILED archive must not leave: an unpacked image."""
    return ["the store keeps its image"] if os.path.lexists(image(c, archive)) else []
