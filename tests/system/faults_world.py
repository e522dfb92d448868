"""What faults.py is made of: a store with its daemon, trees, mounts, what is served, and what must
hold in each trial."""
import collections
import errno
import os
import re
import signal
import time

from daemon import Daemon, Wrong, detach_all, mount, own_namespace, read, tree_of  # noqa: F401

WORK, WWW, HTTPD = os.environ["WORK"], os.environ["WWW"], os.environ["HTTPD"]
PATIENCE = float(os.environ.get("FAULTS_PATIENCE", 20))  # seconds until what waits counts as hung


def check(holds, *what):
    if not holds:
        raise Wrong(" ".join(str(w) for w in what))


def eventually(what, holds, seconds=None):
    end = time.monotonic() + (seconds or PATIENCE)
    while not holds():
        check(time.monotonic() < end, "still not so after", seconds or PATIENCE, "s:", what)
        time.sleep(0.015)


def once_more(f, *args):
    """The fault may hit what is only looked at: it may say so, once."""
    try:
        return f(*args)
    except OSError:
        return f(*args)


class World(Daemon):
    """Below root: all of it."""

    def __init__(self, root, helper=None, library=None):
        super().__init__(root, root)
        self.root, self.hold = root, root + "/hold"
        self.helper = helper or self.helper
        self.library = library
        os.makedirs(self.mnt)
        os.makedirs(self.hold, exist_ok=True)

    def start(self, fault=None):
        """False: it refused to, and said why."""
        self.log_from = os.path.getsize(self.log) if os.path.exists(self.log) else 0
        more = {"IMGSTORE_HOLD": self.hold}
        if fault and self.library:
            more["IMGSTORE_FAULT_LIBRARY"] = self.library
            if "ASAN_OPTIONS" in os.environ:  # OpenSSL loses what it had when it fails
                more["ASAN_OPTIONS"] = os.environ["ASAN_OPTIONS"] + ":detect_leaks=0"
        self.launch(fault, "retry_delay=20ms,min_free=0", **more)
        eventually("the tree is there", lambda: self.read("version") or not self.alive())
        if self.alive():
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

    def check_alive(self):
        check(self.alive(), "the daemon is gone:", self.process and self.process.returncode)

    def stop(self, how=signal.SIGTERM):
        self.check_alive()
        if "ASAN_OPTIONS" in os.environ:
            time.sleep(0.1)  # until the kernel has told of the last file's closing
        self.process.send_signal(how)
        eventually("the daemon ends", lambda: not self.alive())
        code, self.process = self.process.returncode, None
        check(code >= 0, "the daemon died of signal", -code, "at its end")
        return code

    def end(self):
        self.kill()
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

    def left_over(self):
        out = []
        for top in ("blobs", "images", "overlays", "active"):
            out += [top + "/" + n for n in os.listdir("%s/%s" % (self.store, top)) if n != ".snap"]
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
    "MALLOC": {"io", "internal", "no-space", "mount-failed"},
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

    def begin(self, fault):
        """A start with the fault somewhere ahead; one without it, if that is where it was."""
        if not self.w.start(fault):
            self.outcome("start refused")
            check(self.w.start(), "the daemon does not start although the fault is over")
        self.w.write("error_log", "-")

    def ask(self, file, line):
        """A control write: acknowledged, or refused with an errno and a line that says so, and
        then well the second time, as the fault is over."""
        refused = self.w.write(file, line)
        if refused is None:
            return
        self.explained("ctl/" + file, refused)
        again = self.w.write(file, line)
        check(again is None, "ctl/%s refuses with" % file, refused, "then", again,
              (self.w.read("ctl/error_log") or "").splitlines()[-1:])

    def explained(self, path, refused):
        """A refusal is one of the contract's, with a line that says so."""
        check(refused in CONTRACT, path, "refuses with", refused)
        said = (self.w.read("ctl/error_log") or "").splitlines()
        by_libfuse = refused == "ENOMEM" and self.w.library == "libfuse3"  # we never saw it
        check(by_libfuse or said and " %s %s " % (path, refused) in said[-1],
              path, "refuses with", refused, "and error_log says", said[-1:])
        self.outcome("refused " + refused)
        self.w.check_alive()

    def settled(self, name):
        s = self.w.state(name)
        return s == "FAILED" or s == "ACTIVE" or not self.w.alive()

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
            self.w.check_alive()
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
        """The first line that the layer has written."""
        return (self.w.fault_lines() or [""])[0]


class Archives:
    """What the server serves: {name: (file, digest, tree)}. Names share a digest as they please."""

    def __init__(self, table):
        self.table = {n: (f, digest, tree_of(t, False)) for n, (f, digest, t) in table.items()}

    def line(self, name, mode="range"):
        return "%s/%s/%s %s %s" % (HTTPD, mode, self.table[name][0], self.table[name][1], name)

    def right(self, w, name, extra=None):
        want = dict(self.table[name][2])
        link = "%s/images/%s/rootfs" % (w.mnt, name)
        there = os.path.lexists(link) or os.path.lexists(link)  # the fault may hit the look
        check(there, name, "is ACTIVE without a rootfs")
        check(w.mounted(name), name, "is ACTIVE and not mounted")
        got = tree_of(once_more(os.readlink, link), False)
        got.pop("mark", None)
        check(got == want, name, "is not what was packed:",
              {k for k in set(got) | set(want) if got.get(k) != want.get(k)})


def put(path, text):
    with open(path, "w") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())


def get(path):
    return read(path) if os.path.exists(path) else None
