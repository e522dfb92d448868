"""What the tests in Python share: mounts, trees, a daemon with its files, and processes that share
the work.
"""
import contextlib
import ctypes
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE, MNT_DETACH = 0x20000, 0x4000, 1 << 18, 2
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36


class Wrong(Exception):
    """What must never be."""


# --- mounts

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


def mounts_below(folder):
    with open("/proc/self/mountinfo") as table:
        points = [line.split()[4] for line in table]
    return [p for p in points if p.startswith(folder + "/")]


def detach_all(folder):
    for point in reversed(mounts_below(folder)):
        libc("umount2", point.encode(), MNT_DETACH)


# --- trees

def read(path):
    with open(path) as f:
        return f.read()


def digest_of(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def tree_of(root, times=True):
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
                what = (s.st_nlink, s.st_size, times and s.st_mtime_ns, digest_of(path))
            marks = [] if stat.S_ISLNK(s.st_mode) else [
                (x, os.getxattr(path, x)) for x in sorted(os.listxattr(path))
                if x.startswith("user.")]
            found[os.path.relpath(path, root)] = (oct(s.st_mode), s.st_uid, s.st_gid, what,
                                                  *marks)
    return found


# --- a daemon

def end_with_parent(number):
    libc("prctl", PR_SET_PDEATHSIG, number)


def reap():
    """Until the helpers of a daemon that was killed are gone as well (a worker inherits them): their
    mount namespaces hold what a power cut would have taken."""
    with contextlib.suppress(ChildProcessError):
        while multiprocessing.parent_process():
            os.waitpid(-1, 0)


class Daemon:
    """In the folder disk: the store, its database, the mount point. In logs: its log, and that of
    its faults."""

    def __init__(self, disk, logs):
        self.mnt, self.store, self.db = disk + "/mnt", disk + "/store", disk + "/store.db"
        self.log, self.fault_log = logs + "/log", logs + "/fault.log"
        self.helper, self.process = os.environ["IMGSTORE_HELPER"], None

    def launch(self, fault, settings, *options, **more):
        """more: of the environment."""
        env = {k: v for k, v in os.environ.items()
               if k == "IMGSTORE_SINK" or not k.startswith("IMGSTORE")}
        env.update(more)
        if fault:
            env.update(IMGSTORE_FAULT=fault, IMGSTORE_FAULT_LOG=self.fault_log)
        every = "db=%s,store=%s,helper=%s,log_level=debug," % (
            self.db, self.store, self.helper)
        with open(self.log, "a") as log:
            log.write("---- start: %s\n" % (fault or "no fault"))
            log.flush()
            self.process = subprocess.Popen(
                [os.environ["IMGSTOREFS"], "-f", "-o", every + settings, *options, self.mnt],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                preexec_fn=lambda: end_with_parent(signal.SIGKILL))

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            reap()

    def fault_lines(self):
        return read(self.fault_log).splitlines() if os.path.exists(self.fault_log) else []

    def check_database(self):
        """A copy of it: whoever opens it takes the log in, which is the daemon's to do."""
        if not os.path.exists(self.db):
            raise Wrong("there is no database")
        copied = self.db + ".copied"
        for suffix in ("", "-wal"):
            if os.path.exists(copied + suffix):
                os.unlink(copied + suffix)
            if os.path.exists(self.db + suffix):
                shutil.copyfile(self.db + suffix, copied + suffix)
        with contextlib.closing(sqlite3.connect(copied)) as db:
            said = db.execute("PRAGMA integrity_check").fetchone()[0]
        if said != "ok":
            raise Wrong("integrity_check: %s" % said)


# --- processes that share the work

def ended(*_):
    sys.exit(1)


def _work(pipe, make, args):
    """Ends where its parent does, and its daemon with it."""
    signal.signal(signal.SIGTERM, ended)
    end_with_parent(signal.SIGTERM)
    libc("prctl", PR_SET_CHILD_SUBREAPER, 1)
    own_namespace()
    with make(*args) as do:
        for task in iter(pipe.recv, None):
            pipe.send(do(*task))


class Workers:
    """So many processes, each in a mount namespace of its own. make(number, *args) is a context in
    which one works; it gives the function that does a task."""

    def __init__(self, count, make, *args):
        self.pipes = {}
        for number in range(count):
            ours, theirs = multiprocessing.Pipe()
            process = multiprocessing.Process(target=_work, daemon=True,
                                              args=(theirs, make, (number, *args)))
            process.start()
            theirs.close()  # so that its death is the end of ours
            self.pipes[ours] = process

    def run(self, next_task):
        """Yields each task with what came of it, in the order of their ends, until next_task()
        gives None and none is left. Wrong, at once, if a process dies over its task."""
        idle, busy = list(self.pipes), {}
        while True:
            while idle and (task := next_task()) is not None:
                pipe = idle.pop()
                busy[pipe] = task
                try:
                    pipe.send(task)
                except OSError:
                    self.died(pipe, task)
            if not busy:
                return
            for pipe in multiprocessing.connection.wait(list(busy)):
                try:
                    result = pipe.recv()
                except (EOFError, OSError):
                    self.died(pipe, busy[pipe])
                idle.append(pipe)
                yield busy.pop(pipe), result

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """None outlives the test: who removes the folder that one has a disk mounted in leaves what
        is mounted on that disk hanging from it for good, with the loop devices that it lies on (the
        kernel keeps both together, and each holds the other)."""
        for process in self.pipes.values():
            process.terminate()
        for process in self.pipes.values():
            process.join(20)
            process.kill()
            process.join()

    def died(self, pipe, task):
        self.pipes[pipe].join(5)
        raise Wrong("a worker has ended with %s over the task %s" % (
            self.pipes[pipe].exitcode, task))

    def end(self):
        """Wrong if one does not end well."""
        for pipe in self.pipes:
            pipe.send(None)
        for process in self.pipes.values():
            process.join()
            if process.exitcode:
                raise Wrong("a worker has ended with %s" % process.exitcode)
