"""A daemon with a store of its own, in a mount namespace of its own, that may die at any step; and
what must be so once it has started again.

The store lies on a tmpfs, which an unmount empties. The boot's id is a file of ours, bound over the
kernel's, so that a power cut can change it.
"""
import errno
import os
import re
import signal
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)) + "/../system")
from daemon import (  # noqa: E402
    Daemon, Wrong, detach_all, digest_of, mount, mounts_below, read, tree_of)

MS_BIND = 0x1000
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


class World(Daemon):
    def __init__(self, folder, httpd):
        self.folder, self.httpd = folder, httpd
        self.disk, self.boot = folder + "/disk", folder + "/boot_id"
        self.runs, self.tracing = 0, None
        super().__init__(self.disk, folder)
        os.makedirs(self.disk)
        self.new_boot()
        mount(self.boot, BOOT_ID, None, MS_BIND)

    def new_boot(self):
        with open(self.boot, "w") as f:
            f.write("%s\n" % uuid.uuid4())

    def reset(self):
        """An empty disk."""
        self.kill()
        detach_all(self.folder)
        mount("crash", self.disk, "tmpfs", 0, "size=2g,mode=755")
        os.mkdir(self.mnt)
        for path in (self.log, self.fault_log):
            if os.path.exists(path):
                os.unlink(path)
        self.runs += 1

    def url(self, path):
        """Each run has URLs of its own: the server counts by them."""
        return "%s/%s?run=%d-%d" % (self.httpd, path, os.getpid(), self.runs)

    # The daemon

    def start(self, fault=None, options=()):
        self.begin(fault, options)
        self.until(lambda: read(self.mnt + "/version"), "a tree")

    def begin(self, fault=None, options=()):
        self.launch(fault or self.tracing, "retry_delay=50ms", *options)

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

    def stop(self, number=signal.SIGTERM):
        """A clean stop; Died if it ended otherwise by a fault."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self.process = None
        if code == -signal.SIGKILL:
            raise Died
        if code:
            raise Wrong("the daemon ended with %d" % code)

    def power_cut(self):
        """The daemon is dead: what only the running system knew is gone too."""
        detach_all(self.disk)
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

    def change(self, call, *paths):
        """call(*paths) below images/; Refused, or Died if there is no telling whether it was done."""
        try:
            call(*("%s/images/%s" % (self.mnt, path) for path in paths))
        except OSError as e:
            if e.errno in GONE and self.ends_within(PATIENCE):
                raise Died from e
            raise Refused(e.errno) from e

    def write_import(self, name, data, unlink=False):
        """Written in pieces, and closed; Refused, or Died if there is no telling."""
        path = "%s/import/%s" % (self.mnt, name)
        try:
            fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                for at in range(0, len(data), 65536):
                    os.write(fd, data[at:at + 65536])
                if unlink:
                    os.unlink(path)
            except OSError:
                try:
                    os.close(fd)
                except OSError:
                    pass
                raise
            os.close(fd)
        except OSError as e:
            if e.errno in GONE and self.ends_within(PATIENCE):
                raise Died from e
            raise Refused(e.errno) from e

    def export(self, tree):
        """All of export/TREE.tar; Refused, or Died."""
        try:
            with open("%s/export/%s.tar" % (self.mnt, tree), "rb") as f:
                return f.read()
        except OSError as e:
            if e.errno in GONE and self.ends_within(PATIENCE):
                raise Died from e
            raise Refused(e.errno) from e

    def archive(self, file):
        with open("%s/www/%s" % (os.path.dirname(self.folder), file), "rb") as f:
            return f.read()

    def blobs(self):
        return {name[:64] for name in os.listdir(self.store + "/blobs") if BLOB.fullmatch(name)}

    def ends_within(self, seconds):
        """True as well where there is none."""
        try:
            if self.process:
                self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def value(self, name, file="state"):
        return read("%s/images/%s/%s" % (self.mnt, name, file)).rstrip("\n")

    def wait_state(self, name, state):
        self.until(lambda: self.value(name) == state, "%s of %s" % (state, name))

    def snapshots(self, name):
        """{id: number}, which is part of the inode"""
        with os.scandir("%s/images/%s/snapshots" % (self.mnt, name)) as found:
            return {entry.name: entry.inode() >> 8 for entry in found}

    def info(self, name):
        lines = self.value(name, "info").splitlines()
        return dict(line.split(" ", 1) for line in lines)

    # What must be so

    def settle(self, names):
        ends = ("ACTIVE", "STORED", "FAILED")

        def at_rest():
            for name in names:
                state = self.value(name)
                if state not in ends or (state == "STORED" and
                                         self.info(name)["want"] == "active"):
                    return False
                for snapshot in self.snapshots(name):
                    if self.value(name, "snapshots/%s/state" % snapshot) not in ends:
                        return False
            return True
        self.until(at_rest, "rest")

    def leftovers(self, kept=()):
        """What is half there or discarded; kept: digests whose download may be taken up again."""
        found = []
        for folder in ("blobs", "images", "overlays", "active", "overlays/.snap", "active/.snap"):
            if not os.path.exists(os.path.join(self.store, folder)):
                continue
            for name in os.listdir(os.path.join(self.store, folder)):
                if name == ".snap" or (
                        folder == "blobs" and name in [digest + ".part" for digest in kept]):
                    continue
                if name.startswith(".") or name.endswith(".part"):
                    found.append(folder + "/" + name)
        return found

    def entries(self, folder):
        """Of the store's folder, those of its .snap as well."""
        found = os.listdir("%s/%s" % (self.store, folder))
        return [n for n in found if n != ".snap"] + [
            ".snap/" + n for n in os.listdir("%s/%s/.snap" % (self.store, folder))]

    def kept(self, names):
        return [self.info(n)["sha256"] for n in names if self.value(n) == "FAILED"]

    def check_store(self, states):
        """Nothing without an owner, nothing half there. states: {name: state}"""
        kept = self.kept(states)
        self.until(lambda: not self.leftovers(kept), "end of leftovers")
        for name in os.listdir(self.store):
            if name not in (".id", ".key", ".lock", "blobs", "images", "overlays", "active"):
                raise Wrong("the store holds %s" % name)
        snaps = sorted(".snap/%d" % number for name in states
                       for number in self.snapshots(name).values())
        active = sorted([n for n, state in states.items() if state == "ACTIVE"] + snaps)
        mounted = sorted(os.path.relpath(p, self.store + "/active")
                         for p in mounts_below(self.store + "/active"))
        if mounted != active:
            raise Wrong("ACTIVE are %s, mounted %s" % (active, mounted))
        for folder, want in (("active", active), ("overlays", snaps)):
            found = sorted(self.entries(folder))
            if [n for n in found if folder == "active" or n.startswith(".snap/")] != want:
                raise Wrong("%s/ holds %s, not %s" % (folder, found, want))
        for name in self.entries("overlays"):
            if name not in states and name not in snaps:
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
            if sorted(set(os.listdir(folder)) | {"image"}) != ["image", "info", "rootfs"]:
                raise Wrong("images/%s holds %s" % (name, os.listdir(folder)))
            shown = self.tree_of_image(folder)
            if shown != trees[known[1]]:
                raise Wrong("images/%s is not the archive's tree: %s" % (
                    name, set(shown.items()) ^ set(trees[known[1]].items())))

    def tree_of_image(self, folder):
        """Of the directory, or of the file system in a file, mounted for that."""
        if not os.path.exists(folder + "/image"):
            return tree_of(folder + "/rootfs")
        looked = self.folder + "/looked"
        os.makedirs(looked, exist_ok=True)
        subprocess.run(["mount", "-t", "erofs", "-o", "loop,ro", folder + "/image", looked], check=True)
        try:
            return tree_of(looked)
        finally:
            subprocess.run(["umount", looked], check=True)
