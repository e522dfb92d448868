"""A daemon with a store of its own, in a mount namespace of its own, that may die at any step; and
what must be so once it has started again.

The store lies on a tmpfs, which an unmount empties. The boot's id is a file of ours, bound over the
kernel's, so that a power cut can change it.
"""
import ctypes
import errno
import hashlib
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
import uuid

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE, MS_BIND, MNT_DETACH = 0x20000, 0x4000, 1 << 18, 0x1000, 2
PR_SET_PDEATHSIG = 1
BOOT_ID = "/proc/sys/kernel/random/boot_id"
GONE = (errno.ENOTCONN, errno.ECONNABORTED, errno.EIO)  # what a dead mount answers
PATIENCE = 60
BLOB = re.compile(r"([0-9a-f]{64})\.tar(\.gz|\.zst|\.xz|\.bz2)?")
IMAGE = re.compile(r"([0-9a-f]{64})(\.faithful)?")
CLEAN_ERROR = re.compile(r"[a-z-]+: [ -~]+\n")


class Died(Exception):
    """The daemon is gone, as it was to be."""


class Refused(Exception):
    """The daemon has said no; number: the errno."""

    def __init__(self, number):
        super().__init__(os.strerror(number))
        self.number = number


class Wrong(Exception):
    """What must never be."""


def libc(name, *args):
    if getattr(LIBC, name)(*args) < 0:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (name, os.strerror(number)))


def mount(source, target, kind=None, flags=0, data=None):
    libc("mount", *[s.encode() if s else None for s in (source, target, kind)],
         ctypes.c_ulong(flags), data.encode() if data else None)


def own_namespace():
    """Mounts of this process from now on are its own, and end with it."""
    libc("unshare", CLONE_NEWNS)
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def ended(*_):
    sys.exit(1)


def end_with_parent():
    """A worker whose parent is gone ends too, and its daemon with it."""
    signal.signal(signal.SIGTERM, ended)
    libc("prctl", PR_SET_PDEATHSIG, signal.SIGTERM)


def read(path):
    with open(path) as f:
        return f.read()


def mounts_below(folder):
    points = []
    with open("/proc/self/mountinfo") as f:
        for line in f:
            point = line.split()[4]
            if point.startswith(folder + "/"):
                points.append(point)
    return points


def digest_of(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def tree_of(root):
    """{path: what is there}, times of directories and access left out."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            s = os.lstat(path)
            what = None
            if stat.S_ISLNK(s.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(s.st_mode):
                what = (s.st_nlink, s.st_size, s.st_mtime_ns, digest_of(path))
            marks = [] if stat.S_ISLNK(s.st_mode) else [
                (x, os.getxattr(path, x)) for x in sorted(os.listxattr(path))
                if x.startswith("user.")]
            found[os.path.relpath(path, root)] = (oct(s.st_mode), s.st_uid, s.st_gid, what,
                                                  *marks)
    return found


class World:
    def __init__(self, folder, httpd):
        self.folder, self.httpd = folder, httpd
        self.disk = folder + "/disk"
        self.mnt, self.store = self.disk + "/mnt", self.disk + "/store"
        self.db, self.log = self.disk + "/store.db", folder + "/log"
        self.fault_log = folder + "/fault.log"
        self.boot = folder + "/boot_id"
        self.daemon, self.runs, self.tracing = None, 0, None
        os.makedirs(self.disk)
        self.new_boot()
        mount(self.boot, BOOT_ID, None, MS_BIND)

    def new_boot(self):
        with open(self.boot, "w") as f:
            f.write("%s\n" % uuid.uuid4())

    def unmount_all(self, below):
        for point in reversed(mounts_below(below)):
            libc("umount2", point.encode(), MNT_DETACH)

    def reset(self):
        """An empty disk."""
        self.kill()
        self.unmount_all(self.folder)
        mount("crash", self.disk, "tmpfs", 0, "size=256m,mode=755")
        os.mkdir(self.mnt)
        for path in (self.log, self.fault_log):
            if os.path.exists(path):
                os.unlink(path)
        self.runs += 1

    def url(self, path):
        """Each run has URLs of its own: the server counts by them."""
        return "%s/%s?run=%d-%d" % (self.httpd, path, os.getpid(), self.runs)

    # The daemon

    def launch(self, fault=None, options=()):
        env = {k: v for k, v in os.environ.items() if not k.startswith("IMGSTORE_FAULT")}
        fault = fault or self.tracing
        if fault:
            env.update(IMGSTORE_FAULT=fault, IMGSTORE_FAULT_LOG=self.fault_log)
        settings = "db=%s,store=%s,helper=%s,log_level=debug,retry_delay=50ms" % (
            self.db, self.store, os.environ["IMGSTORE_HELPER"])
        with open(self.log, "a") as log:
            log.write("---- start: %s\n" % (fault or "no fault"))
            log.flush()
            self.daemon = subprocess.Popen(
                [os.environ["IMGSTOREFS"], "-f", "-o", settings, *options, self.mnt], env=env,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def start(self, fault=None, options=()):
        self.launch(fault, options)
        self.until(lambda: read(self.mnt + "/version"), "a tree")

    def alive(self):
        return self.daemon is not None and self.daemon.poll() is None

    def until(self, condition, what):
        """Waits for it; Died if the daemon is gone before."""
        end = time.monotonic() + PATIENCE
        while True:
            alive = self.alive()
            try:
                if condition():
                    return
            except OSError:
                pass
            if not alive:
                raise Died
            if time.monotonic() > end:
                raise Wrong("no %s after %d s" % (what, PATIENCE))
            time.sleep(0.002)

    def kill(self):
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()
            self.daemon = None

    def stop(self, number=signal.SIGTERM):
        """A clean stop; Died if it ended otherwise by a fault."""
        self.daemon.send_signal(number)
        code = self.daemon.wait(PATIENCE)
        self.daemon = None
        if code == -signal.SIGKILL:
            raise Died
        if code:
            raise Wrong("the daemon ended with %d" % code)

    def power_cut(self):
        """The daemon is dead: what only the running system knew is gone too."""
        self.unmount_all(self.disk)
        self.new_boot()

    # Its files

    def control(self, file, text):
        """Writes it; Refused, or Died if there is no telling whether it was taken."""
        try:
            fd = os.open(self.mnt + "/ctl/" + file, os.O_WRONLY)
        except OSError as e:
            if not self.ends_within(PATIENCE):
                raise
            raise Died from e
        try:
            os.write(fd, text.encode())
        except OSError as e:
            if e.errno in GONE and self.ends_within(PATIENCE):
                raise Died from e
            raise Refused(e.errno) from e
        finally:
            try:
                os.close(fd)
            except OSError:
                pass  # it has died since, which changes nothing

    def ends_within(self, seconds):
        """True as well where there is none."""
        try:
            if self.daemon:
                self.daemon.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def value(self, name, file="state"):
        return read("%s/images/%s/%s" % (self.mnt, name, file)).rstrip("\n")

    def wait_state(self, name, state):
        self.until(lambda: self.value(name) == state, "%s of %s" % (state, name))

    def info(self, name):
        lines = self.value(name, "info").splitlines()
        return dict(line.split(" ", 1) for line in lines)

    def fault_lines(self):
        return read(self.fault_log).splitlines() if os.path.exists(self.fault_log) else []

    # What must be so

    def settle(self, names):
        ends = ("ACTIVE", "STORED", "FAILED")

        def at_rest():
            for name in names:
                state = self.value(name)
                if state not in ends or (state == "STORED" and
                                         self.info(name)["want"] == "active"):
                    return False
            return True
        self.until(at_rest, "rest")

    def leftovers(self, kept=()):
        """What is half there or discarded; kept: digests whose download may be taken up again."""
        found = []
        for folder in ("blobs", "images", "overlays", "active"):
            for name in os.listdir(os.path.join(self.store, folder)):
                if folder == "blobs" and name in [digest + ".part" for digest in kept]:
                    continue
                if name.startswith(".") or name.endswith(".part"):
                    found.append(folder + "/" + name)
        return found

    def kept(self, names):
        return [self.info(n)["sha256"] for n in names if self.value(n) == "FAILED"]

    def check_store(self, states):
        """Nothing without an owner, nothing half there. states: {name: state}"""
        kept = self.kept(states)
        self.until(lambda: not self.leftovers(kept), "end of leftovers")
        for name in os.listdir(self.store):
            if name not in (".id", ".key", ".lock", "blobs", "images", "overlays", "active"):
                raise Wrong("the store holds %s" % name)
        active = sorted(n for n, state in states.items() if state == "ACTIVE")
        mounted = sorted(os.path.relpath(p, self.store + "/active")
                         for p in mounts_below(self.store + "/active"))
        if mounted != active:
            raise Wrong("ACTIVE are %s, mounted %s" % (active, mounted))
        if sorted(os.listdir(self.store + "/active")) != active:
            raise Wrong("active/ holds %s" % os.listdir(self.store + "/active"))
        for name in os.listdir(self.store + "/overlays"):
            if name not in states:
                raise Wrong("an orphan: overlays/%s" % name)
        for name in os.listdir(self.store + "/blobs"):
            if name in [digest + ".part" for digest in kept]:
                continue
            known = BLOB.fullmatch(name)
            if not known or digest_of(self.store + "/blobs/" + name) != known[1]:
                raise Wrong("blobs/%s is not what its name says" % name)

    def check_images(self, trees):
        """What is unpacked is whole, whether a name refers to it or not. {digest: tree}"""
        for name in os.listdir(self.store + "/images"):
            known = IMAGE.fullmatch(name)
            if not known:
                raise Wrong("images/%s" % name)
            folder = "%s/images/%s" % (self.store, name)
            if sorted(os.listdir(folder)) != ["info", "rootfs"]:
                raise Wrong("images/%s holds %s" % (name, os.listdir(folder)))
            if tree_of(folder + "/rootfs") != trees[known[1]]:
                raise Wrong("images/%s is not the archive's tree" % name)

    def check_database(self):
        """A copy of it: whoever opens it takes the log in, which is the daemon's to do."""
        copied = self.disk + "/copied.db"
        for suffix in ("", "-wal"):
            if os.path.exists(copied + suffix):
                os.unlink(copied + suffix)
            if os.path.exists(self.db + suffix):
                shutil.copyfile(self.db + suffix, copied + suffix)
        with sqlite3.connect(copied) as db:
            said = db.execute("PRAGMA integrity_check").fetchone()[0]
        db.close()
        if said != "ok":
            raise Wrong("integrity_check: %s" % said)
