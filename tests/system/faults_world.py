"""What faults.py is made of: a store with its daemon, trees, mounts, what is served, and what must
hold in each trial."""
import collections
import ctypes
import errno
import os
import re
import signal
import sqlite3
import stat
import subprocess
import time

DAEMON, HELPER = os.environ["IMGSTOREFS"], os.environ["IMGSTORE_HELPER"]
WORK, WWW, HTTPD = os.environ["WORK"], os.environ["WWW"], os.environ["HTTPD"]
PATIENCE = float(os.environ.get("FAULTS_PATIENCE", 20))  # seconds until what waits counts as hung

libc = ctypes.CDLL(None, use_errno=True)


class Wrong(Exception):
    """What must hold does not."""


def check(holds, *what):
    if not holds:
        raise Wrong(" ".join(str(w) for w in what))


def eventually(what, holds, seconds=None):
    end = time.monotonic() + (seconds or PATIENCE)
    while not holds():
        check(time.monotonic() < end, "still not so after", seconds or PATIENCE, "s:", what)
        time.sleep(0.015)


# --- mounts

def mount(source, target, kind, options):
    if libc.mount(source.encode(), target.encode(), kind.encode(), 0, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), "mount %s: %s" % (target, options))


def mounts_below(path):
    with open("/proc/self/mountinfo") as table:
        points = [line.split()[4] for line in table]
    return [p for p in points if (p + "/").startswith(path + "/")]


def own_namespace():
    CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 1 << 18
    if libc.unshare(CLONE_NEWNS) < 0 or libc.mount(None, b"/", None, MS_REC | MS_PRIVATE, None) < 0:
        raise OSError(ctypes.get_errno(), "mount namespace")


def detach_all(path):
    for point in reversed(mounts_below(path)):
        libc.umount2(point.encode(), 2)


# --- trees

def once_more(f, *args):
    """The fault may hit what is only looked at: it may say so, once."""
    try:
        return f(*args)
    except OSError:
        return f(*args)


def tree(path):
    """What a tree holds, but times: {name: (mode, content or target)}."""
    found = {}
    for top, dirs, files in os.walk(path):
        for name in dirs + files:
            full = os.path.join(top, name)
            st = os.lstat(full)
            value = None
            if stat.S_ISLNK(st.st_mode):
                value = os.readlink(full)
            elif stat.S_ISREG(st.st_mode):
                with open(full, "rb") as f:
                    value = f.read()
            found[os.path.relpath(full, path)] = (st.st_mode, value)
    return found


# --- one daemon and its store

class World:
    """Below root: the store, its database, the mount point, the logs."""

    def __init__(self, root):
        self.root = root
        self.mnt, self.store = root + "/mnt", root + "/store"
        self.db, self.hold = root + "/store.db", root + "/hold"
        self.log, self.fault_log = root + "/log", root + "/fault"
        self.process = None
        os.makedirs(self.mnt)
        os.makedirs(self.hold, exist_ok=True)

    def launch(self, fault=None):
        env = {k: v for k, v in os.environ.items() if not k.startswith("IMGSTORE")}
        env["IMGSTORE_HOLD"] = self.hold
        if fault:
            env.update(IMGSTORE_FAULT=fault, IMGSTORE_FAULT_LOG=self.fault_log)
        with open(self.log, "ab") as log:
            self.log_from = log.tell()
            self.process = subprocess.Popen(
                [DAEMON, "-f", "-o",
                 "db=%s,store=%s,helper=%s,log_level=debug,retry_delay=20ms,min_free=0" %
                 (self.db, self.store, HELPER), self.mnt],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)

    def start(self, fault=None):
        """False: it refused to, and said why."""
        self.launch(fault)
        eventually("the tree is there", lambda: self.read("version") or self.ended())
        if self.process.poll() is None:
            return True
        code = self.process.returncode
        check(code > 0, "the daemon died of signal", -code, "at its start")
        check(code in (1, 2), "the daemon ended with", code)
        said = [line for line in self.said().splitlines() if line.startswith("imgstorefs: ")]
        check(len(said) == 1 and len(said[0]) > len("imgstorefs: ") + 8,
              "a refused start says why in one line, not", said)
        self.process = None
        check(not os.path.ismount(self.mnt), "a refused start leaves the tree mounted")
        return False

    def said(self):
        with open(self.log, "rb") as log:
            log.seek(self.log_from)
            return log.read().decode(errors="replace")

    def ended(self):
        return self.process.poll() is not None

    def alive(self):
        check(not self.ended(), "the daemon is gone:", self.process.returncode)

    def stop(self, how=signal.SIGTERM):
        self.alive()
        if "ASAN_OPTIONS" in os.environ:
            time.sleep(0.1)  # until the kernel has told of the last file's closing
        self.process.send_signal(how)
        eventually("the daemon ends", self.ended)
        code, self.process = self.process.returncode, None
        check(code >= 0, "the daemon died of signal", -code, "at its end")
        return code

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        detach_all(self.root)

    def read(self, path):
        for _ in range(2):  # the fault may hit the reading
            try:
                with open("%s/%s" % (self.mnt, path)) as f:
                    return f.read()
            except OSError as e:
                if e.errno != errno.ENOMEM:
                    return None
        return None

    def state(self, name):
        return (self.read("images/%s/state" % name) or "").strip()

    def error(self, name):
        return (self.read("images/%s/error" % name) or "").strip()

    def layer(self, name, rest=""):
        return "%s/overlays/%s/upper/%s" % (self.store, name, rest)

    def mounted(self, name):
        return os.path.ismount("%s/active/%s" % (self.store, name))

    def write(self, file, line):
        """None, or the errno's name."""
        fd = once_more(os.open, "%s/ctl/%s" % (self.mnt, file), os.O_WRONLY)
        try:
            os.write(fd, (line + "\n").encode())
        except OSError as e:
            return errno.errorcode.get(e.errno, e.errno)
        finally:
            os.close(fd)

    def sound(self):
        db = sqlite3.connect(self.db)
        check(db.execute("PRAGMA integrity_check").fetchone() == ("ok",), "database not sound")
        db.close()

    def left_over(self):
        out = []
        for top in ("blobs", "images", "overlays", "active"):
            out += [top + "/" + n for n in os.listdir("%s/%s" % (self.store, top))]
        return out

    def half_done(self):
        return [n for n in self.left_over()
                if ".part" in n or ".trash-" in n or ".new" in n or ".probe" in n]


UNDERWAY = "NEW DOWNLOADING DOWNLOADED UNPACKING UNPACKED ACTIVATING".split()

# What a failed step may be called. A mount that fails for want of something is no-space or io, too.
HONEST = {
    "SQL": {"io", "no-space", "internal"},
    "MOUNT": {"mount-failed"},
    "ALLOC": {"io", "internal", "mount-failed"},
    "READ": {"io", "mount-failed"}, # and what keeps the helper from being started is internal
    "WRITE": {"io", "no-space", "mount-failed"},
    "FORK": {"io", "internal"},
    "THREAD": {"io", "internal", "mount-failed"},
}
OF_ERRNO = {"EIO": {"io", "mount-failed"}, "EROFS": {"io", "mount-failed"},
            "ENOSPC": {"no-space"}, "EDQUOT": {"no-space"}}
CONTRACT = {"EIO", "ENOSPC", "ENOMEM", "EBUSY", "EAGAIN", "EDQUOT", "EROFS", "EMFILE", "EPERM"}


class Trial:
    """One run: a fault, and what came of it."""

    def __init__(self, world, archives, kind, num, broken):
        self.w, self.a = world, archives
        self.kind, self.num, self.broken = kind, num, broken
        self.outcomes = collections.Counter()

    def outcome(self, what):
        self.outcomes[what] += 1

    def ask(self, file, line):
        """A control write: acknowledged, or refused with an errno and a line that says so, and
        then well the second time, as the fault is over."""
        refused = self.w.write(file, line)
        if refused is None:
            return
        check(refused in CONTRACT, "ctl/%s refuses with" % file, refused)
        said = (self.w.read("ctl/error_log") or "").splitlines()
        check(said and " ctl/%s %s " % (file, refused) in said[-1],
              "ctl/%s refuses with" % file, refused, "and error_log says", said[-1:])
        self.outcome("refused " + refused)
        self.w.alive()
        again = self.w.write(file, line)
        check(again is None, "ctl/%s refuses with" % file, refused, "then", again,
              (self.w.read("ctl/error_log") or "").splitlines()[-1:])

    def settled(self, name):
        s = self.w.state(name)
        return s == "FAILED" or s == "ACTIVE" or self.w.ended()

    def honest(self, name):
        said = self.w.error(name)
        code = said.split(":")[0]
        check(re.fullmatch(r"[a-z-]+: [ -~]+", said), name, "is FAILED and says", repr(said))
        allowed = HONEST[self.kind]
        if self.num and self.kind == "WRITE":
            allowed = OF_ERRNO[self.num] | {"mount-failed"}
        if "cannot start the unpacking helper" in said:
            allowed = {"internal"}
        check(code in allowed, name, "is FAILED of a", self.kind, "fault and says", repr(said))
        self.outcome("FAILED " + code)

    def becomes_active(self, *names, retry="retry"):
        for name in names:
            eventually(name + " settles", lambda: self.settled(name))
            self.w.alive()
            if self.w.state(name) == "FAILED":
                self.honest(name)
                check(not os.path.lexists("%s/images/%s/rootfs" % (self.w.mnt, name)),
                      name, "is FAILED and has a rootfs")
                if retry == "retry":
                    self.ask("retry", name)
                else:
                    self.ask("fetch", self.a.line(name))
                eventually(name + " settles again", lambda: self.settled(name))
            check(self.w.state(name) == "ACTIVE", name, "is", self.w.state(name), "for good:",
                  self.w.error(name))
            self.a.right(self.w, name)

    def hit(self):
        try:
            with open(self.w.fault_log) as f:
                return f.readline().strip()
        except FileNotFoundError:
            return ""


class Archives:
    """What the server serves: {name: (file, digest, tree)}. Names share a digest as they please."""

    def __init__(self, table):
        self.table = {n: (f, digest, tree(t)) for n, (f, digest, t) in table.items()}

    def line(self, name, mode="range"):
        return "%s/%s/%s %s %s" % (HTTPD, mode, self.table[name][0], self.table[name][1], name)

    def right(self, w, name, extra=None):
        want = dict(self.table[name][2])
        link = "%s/images/%s/rootfs" % (w.mnt, name)
        check(once_more(os.path.lexists, link), name, "is ACTIVE without a rootfs")
        check(w.mounted(name), name, "is ACTIVE and not mounted")
        got = tree(once_more(os.readlink, link))
        got.pop("mark", None)
        check(got == want, name, "is not what was packed:",
              {k for k in set(got) | set(want) if got.get(k) != want.get(k)})


def put(path, text):
    with open(path, "w") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())


def get(path):
    try:
        with open(path) as f:
            return f.read()
    except FileNotFoundError:
        return None
