"""archives.py POLICY DIR MNT STORE SERVER DAEMON: fetches every archive of DIR/cases.json (made by
contrib/scripts/create-malicious-tar.sh) under POLICY, which the daemon of that process id runs
with, and checks that each ends as is due. Prints a line for each that does not, and the sums.
"""
import collections
import hashlib
import json
import os
import re
import stat
import sys
import time

sys.dont_write_bytecode = True
import memory  # noqa: E402

PATIENCE = 240  # seconds for all of them
# KiB, a little more than twice what is seen: 18,248 and 28,104. AddressSanitizer keeps 256 MiB of what
# is freed.
DAEMON_PEAK, HELPER_PEAK, SANITIZED = 40 << 10, 60 << 10, 512 << 10
TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "symlink"}


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


class Entry:
    """One of a rootfs, however long its path: by way of descriptors, no symlink followed."""

    def __init__(self, root, path):
        fd = os.open(root + "/", os.O_PATH | os.O_DIRECTORY)
        parts = [p for p in path.split("/") if p]
        for part in parts[:-1]:
            below = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = below
        self.name = parts[-1] if parts else "."
        self.fd = fd
        self.at = "/proc/self/fd/%d/%s" % (fd, self.name)
        try:
            self.stat = os.lstat(self.at)
        except OSError:
            self.close()
            raise

    def close(self):
        os.close(self.fd)

    def type(self):
        return TYPES.get(stat.S_IFMT(self.stat.st_mode), "special")


def facts_of(entry, fact, root):
    s = entry.stat
    yield "type", entry.type()
    yield "mode", stat.S_IMODE(s.st_mode)
    yield "size", s.st_size
    if "target" in fact:
        yield "target", os.readlink(entry.at)
    if "text" in fact:
        with open(entry.at) as f:
            yield "text", f.read(4096)
    if "xattrs" in fact:
        have = os.listxattr(entry.at, follow_symlinks=False)
        yield "xattrs", {n: os.getxattr(entry.at, n, follow_symlinks=False).decode("latin1")
                         for n in have if n != "security.selinux"}
    if "same_as" in fact:
        other = Entry(root, fact["same_as"])
        yield "same_as", fact["same_as"] if other.stat.st_ino == s.st_ino else None
        other.close()


def fact_faults(root, path, fact):
    try:
        entry = Entry(root, path)
    except OSError as e:
        return [] if fact is None else ["%r: %s" % (path[:60], e.strerror)]
    if fact is None:
        entry.close()
        return ["%r is there" % path[:60]]
    bad = ["%s of %r is %.200r, not %.200r" % (key, path[:60], value, fact[key])
           for key, value in facts_of(entry, fact, root) if key in fact and value != fact[key]]
    entry.close()
    return bad


def walk(root):
    """Yields every lstat below, iteratively, at any depth."""
    todo = [os.open(root + "/", os.O_RDONLY | os.O_DIRECTORY)]
    while todo:
        fd = todo.pop()
        with os.scandir(fd) as entries:
            for e in entries:
                s = e.stat(follow_symlinks=False)
                yield s
                if stat.S_ISDIR(s.st_mode):
                    todo.append(os.open(e.name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW,
                                        dir_fd=fd))
        os.close(fd)


def strict_faults(s):
    if TYPES.get(stat.S_IFMT(s.st_mode), "special") == "special":
        return ["holds a special file"]
    loose = not stat.S_ISLNK(s.st_mode) and stat.S_IMODE(s.st_mode) & ~0o755
    return ["holds mode %o" % s.st_mode] if loose else []


class Trial:
    def __init__(self, policy, folder, mnt, store, server, daemon):
        self.policy, self.dir, self.mnt, self.store = policy, folder, mnt, store
        self.server, self.daemon = server, int(daemon)
        with open(os.path.join(folder, "cases.json")) as f:
            self.cases = [(file, due[policy]) for file, due in json.load(f).items()]

    def read(self, name, file):
        with open(os.path.join(self.mnt, "images", name, file)) as f:
            return f.read()

    def write(self, file, data):
        fd = os.open(os.path.join(self.mnt, "ctl", file), os.O_WRONLY)
        os.write(fd, data.encode())
        os.close(fd)

    def image(self, sha256):
        end = ".faithful" if self.policy == "faithful" else ""
        return os.path.join(self.store, "images", sha256 + end)

    def settled(self, names):
        states, end = {}, time.monotonic() + PATIENCE
        while len(states) < len(names) and time.monotonic() < end:
            for name in names:
                if name not in states:
                    state = self.read(name, "state").strip()
                    if state in ("ACTIVE", "FAILED"):
                        states[name] = state
            time.sleep(0.05)
        return states

    def failed_faults(self, name, sha256, due):
        error = self.read(name, "error")
        bad = []
        if not re.fullmatch(r"[a-z-]+: [ -~]+\n", error) or len(error) > 1024:
            bad.append("error is no clean line: %r" % error[:200])
        if error.split(":")[0] not in due["codes"]:
            bad.append("error is %s" % error.strip()[:150])
        if os.path.lexists(os.path.join(self.mnt, "images", name, "rootfs")):
            bad.append("has a rootfs")
        if os.path.lexists(self.image(sha256)):
            bad.append("its image is kept")
        return bad

    def used(self, sha256):
        """Bytes of disk: of the file that holds the image, or of the files that are it."""
        image = self.image(sha256)
        if os.path.exists(image + "/image"):
            return os.stat(image + "/image").st_blocks * 512
        return sum({s.st_ino: s.st_blocks * 512 for s in walk(image + "/rootfs")}.values())

    def active_faults(self, name, sha256, due):
        root = os.path.join(self.mnt, "images", name, "rootfs")
        bad = [f for path, fact in due["facts"].items() for f in fact_faults(root, path, fact)]
        below = list(walk(root))
        if self.policy == "strict":
            bad += {f for s in below for f in strict_faults(s)}
        if "entries" in due and len(below) != due["entries"]:
            bad.append("%d entries, not %d" % (len(below), due["entries"]))
        used = self.used(sha256)
        if used > due.get("disk", used):
            bad.append("takes %d bytes of disk" % used)
        skipped = re.search(r"^skipped (.*)$", self.read(name, "info"), re.M)[1]
        if "skipped" in due and skipped != str(due["skipped"]):
            bad.append("skipped %s, not %d" % (skipped, due["skipped"]))
        return bad

    def faults(self, name, sha256, dues, state):
        if state is None:
            return ["is %s after %d s" % (self.read(name, "state").strip(), PATIENCE)]
        check = self.failed_faults if state == "FAILED" else self.active_faults
        tried = [check(name, sha256, due) for due in dues if due["state"] == state]
        if not tried:
            return ["is %s (%s)" % (state, self.read(name, "error").strip()[:150])]
        return min(tried, key=len)

    def run(self):
        names = {"%s%d" % (self.policy[0], n): (file, digest(os.path.join(self.dir, file)), due)
                 for n, (file, due) in enumerate(self.cases)}
        ended, failures = collections.Counter(), 0
        with memory.Watch(self.daemon) as watch:
            for name, (file, sha256, _) in names.items():
                self.write("fetch", "%s/ok/%s %s %s\n" % (self.server, file, sha256, name))
            states = self.settled(names)
            for name, (file, sha256, dues) in names.items():
                bad = self.faults(name, sha256, dues, states.get(name))
                word = self.read(name, "error").split(":")[0].strip()
                ended[states.get(name) == "ACTIVE" and "ACTIVE" or "FAILED " + word] += 1
                failures += bool(bad)
                if bad:
                    print("FAIL %s: %s" % (file, "; ".join(bad[:4])))
            for name in names:
                self.write("remove", name + "\n")
        left = memory.children(self.daemon)
        if left:
            print("FAIL: helpers that are left: %s" % left)
        print("%s: %d archives: %s" % (self.policy, len(names), ", ".join(
            "%d %s" % (n, word) for word, n in sorted(ended.items()))))
        return self.memory_is_bounded(watch) and failures == 0 and not left

    def memory_is_bounded(self, watch):
        print("%s: peak memory: daemon %d KiB, helper %d KiB" % (
            self.policy, watch.daemon_peak, watch.helper_peak))
        with open("/proc/%d/maps" % self.daemon) as f:
            more = SANITIZED if "libasan" in f.read() else 0
        bounded = (0 < watch.daemon_peak < DAEMON_PEAK + more and
                   0 < watch.helper_peak < HELPER_PEAK + more)
        if not bounded:
            print("FAIL: more memory than %d and %d KiB" % (DAEMON_PEAK + more, HELPER_PEAK + more))
        return bounded


if __name__ == "__main__":
    if len(sys.argv) != 7:
        sys.exit(__doc__)
    sys.exit(0 if Trial(*sys.argv[1:]).run() else 1)
