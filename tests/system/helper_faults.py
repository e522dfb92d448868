#!/usr/bin/env python3
"""helper_faults.py HELPER FILE SHA256 TREE [--jobs N] [--sample N] [--only WORDS [--number N]]

Makes one step of the unpacking helper fail after the other, as FAULTS has it, each in a fetch of its
own: the image ends FAILED and says why in due words, nothing half done stays, and a retry without a
fault makes it right; or it is ACTIVE, and right. See tests/fault/helper/helper.c. Run by
helper-faults.sh, which makes the archive and starts the server.

Each job has a daemon, a store and a mount namespace of its own.
"""
import argparse
import collections
import errno
import multiprocessing
import os
import re
import shutil
import stat
import struct
import sys
import time

sys.dont_write_bytecode = True
import memory  # noqa: E402
from faults_world import HTTPD, WORK, Wrong, World, check, eventually, get, own_namespace, mount  # noqa: E402

# As enum fault_kind has them, and struct shared.
KINDS = "ALLOC READ WRITE SQL MOUNT FORK THREAD DB MALLOC JAIL".split()
LAYOUT = struct.Struct("256s%dq256s" % len(KINDS))

MEMORY = r"internal: (.*: )?(out of memory|Cannot allocate memory)$"
RIGHT = None  # nothing but ACTIVE will do
# What is made to fail, how a FAILED image may say so, and whether it may be ACTIVE all the same.
FAULTS = [
    ("fail:MALLOC", MEMORY, False),
    ("break:MALLOC", MEMORY, False),
    ("fail:READ:EIO", r"io: cannot read the archive: Input/output error$", False),
    ("fail:READ:EINTR", RIGHT, True),
    ("short:READ", RIGHT, True),
    ("shorts:READ", RIGHT, True),
    ("die:READ", r"internal: the unpacking helper was killed by SIGILL$", False),
    ("fail:WRITE:EIO", r"io: cannot (write|extend) .*: Input/output error$|"
     r"internal: the unpacking helper ended with status 2$", False),
    ("fail:WRITE:ENOSPC", r"no-space: .*: No space left on device|"
     r"internal: the unpacking helper ended with status 2$", False),
    ("break:WRITE:ENOSPC", r"no-space: .*: No space left on device|"
     r"internal: the unpacking helper ended with status 2$", False),
    ("fail:WRITE:EINTR", RIGHT, True),
    ("short:WRITE", RIGHT, True),
    ("shorts:WRITE", RIGHT, True),
    ("die:WRITE", r"internal: the unpacking helper was killed by SIGILL$", False),
    ("fail:JAIL", r"(io|internal): cannot .*: .*", True),
]
# Of the jail: without these a helper must not go on.
MUST = ("seccomp_load", "capset", "setrlimit64")
ONCE = ("shorts:", "break:WRITE")  # as good with a few first numbers as with all


def full_tree(path):
    """{name: all that an archive says of it}"""
    found, inodes = {}, collections.defaultdict(list)
    for top, dirs, files in os.walk(path):
        for name in dirs + files + ([""] if top == path else []):
            full = os.path.join(top, name).rstrip("/")
            st, rel = os.lstat(full), os.path.relpath(full, path)
            value = None
            if stat.S_ISLNK(st.st_mode):
                value = os.readlink(full)
            elif stat.S_ISREG(st.st_mode):
                with open(full, "rb") as f:
                    value = f.read()
                inodes[st.st_ino].append(rel)
            xattrs = {x: os.getxattr(full, x) for x in os.listxattr(full, follow_symlinks=False)
                      if x.startswith("user.")} if not stat.S_ISLNK(st.st_mode) else None
            found[rel] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime, value, xattrs)
    found["hard links"] = sorted(sorted(names) for names in inodes.values() if len(names) > 1)
    return found


class Job:
    """A daemon whose helper is made to fail, again and again."""

    def __init__(self, options, number):
        root = "%s/job-%d" % (WORK, number)
        os.makedirs(root)
        # So small that nothing is unpacked while it downloads: the helper that is hit is the one
        # whose word counts.
        mount("helper-faults", root, "tmpfs", 0, "size=512m")
        shutil.copy(options.helper, root + "/unpack")  # a link would be resolved
        self.fault = root + "/unpack.fault"
        self.w, self.options = World(root, root + "/unpack"), options
        self.line = "%s/ok/%s %s web" % (HTTPD, options.file, options.digest)
        self.set("")
        check(self.w.start(), "the daemon does not start")

    def set(self, what):
        with open(self.fault + ".new", "wb") as f:
            f.write(LAYOUT.pack(what.encode(), *[0] * len(KINDS), b"").ljust(4096, b"\0"))
        os.rename(self.fault + ".new", self.fault)

    def seen(self):
        """The steps that there were, and the one that was hit."""
        with open(self.fault, "rb") as f:
            what, *counts, hit = LAYOUT.unpack(f.read(LAYOUT.size))
        return dict(zip(KINDS, counts)), hit.rstrip(b"\0").decode()

    def settled(self):
        self.w.check_alive()
        return self.w.state("web") in ("FAILED", "ACTIVE")

    def children(self):
        return memory.children(self.w.process.pid)

    def right(self):
        got, want = full_tree(os.readlink(self.w.mnt + "/images/web/rootfs")), self.options.want
        wrong = {k for k in set(got) | set(want) if got.get(k) != want.get(k)}
        check(not wrong, "a wrong tree:", [(k, got.get(k), want.get(k)) for k in sorted(wrong)][:2])

    def failed(self, due):
        w, said = self.w, self.w.error("web")
        check(due is not RIGHT, "nothing may fail of it, and it is FAILED:", said)
        check(re.match(due, said), "is FAILED and says", repr(said))
        check(not os.path.lexists(w.mnt + "/images/web/rootfs"), "is FAILED and has a rootfs")
        half = [n for n in w.left_over() if ".part" in n or n.startswith(("images/", "overlays/"))]
        half = [n for n in half if "/.trash-" not in n]
        check(not half, "is FAILED, and is left over:", half)
        check(any(n.startswith("blobs/" + self.options.digest) for n in w.left_over()),
              "the checked archive is gone")
        check(not self.children(), "the helper is still there")

    def trial(self, what, due, may_go_well):
        """(hit, outcome)"""
        w = self.w
        self.set(what)
        check(w.write("fetch", self.line) is None, "no fetch")
        eventually("web settles", self.settled)
        counts, hit = self.seen()
        outcome = w.state("web")
        if outcome == "FAILED":
            outcome = w.error("web")
            self.failed(due)
            self.set("")
            check(w.write("retry", "web") is None, "no retry")
            eventually("web settles again", self.settled)
            check(w.state("web") == "ACTIVE", "a retry without a fault fails:", w.error("web"))
        else:
            check(not hit or (may_go_well and not hit.split()[-1] in MUST),
                  "is ACTIVE although it was hit:", hit)
        self.right()
        self.clean()
        return counts, hit, outcome

    def clean(self):
        w = self.w
        check(w.write("remove", "web") is None, "no remove")
        check(w.write("cleanup", "run") is None, "no cleanup")
        eventually("nothing is left: %s" % w.left_over(), lambda: not w.left_over())
        check(not self.children(), "the helper is still there")

    def end(self):
        check(self.w.stop() == 0, "no clean stop")
        self.w.check_database()


def spelled(fault, number):
    """ACTION:KIND:N[:NUM] of a row's ACTION:KIND[:ERRNO]"""
    action, kind, *num = fault.split(":")
    return ":".join([action, kind, str(number)] + [str(getattr(errno, n)) for n in num])


def trials_of(options, counts):
    todo = []
    for fault, due, may in FAULTS:
        if options.only and options.only not in fault:
            continue
        total = counts[fault.split(":")[1]]
        step = max(1, min(options.sample, total // 4))
        numbers = sorted({*range(1, total + 1, step), total})
        if fault.startswith(ONCE) and len(numbers) > 3:
            numbers = [1, 2, total] if options.sample > 1 else numbers[::max(1, total // 12)]
        if options.number:
            numbers = [options.number]
        todo += [(fault, n, due, may) for n in numbers]
    return todo


def work(options, number, todo, results):
    own_namespace()
    job = None
    while True:
        try:
            task = todo.get(timeout=60)
        except Exception as e:
            results.put(("end", "", "", "no task after a minute: %r\n" % e))
            break
        if task is None:
            break
        fault, n, due, may = task
        what, wrong, hit, outcome = spelled(fault, n), None, "", ""
        try:
            if job is None:
                job = Job(options, number)
            _, hit, outcome = job.trial(what, due, may)
        except Exception as e:  # whatever it is, the others go on
            wrong = "%s: %s: %s\n" % (what, type(e).__name__, e)
            try:
                hit = job.seen()[1]
                wrong += "  hit: %s\n" % hit
                wrong += "".join("    %s\n" % line for line in job.w.said().splitlines()[-12:])
                job.w.end()
            except Exception as more:
                wrong += "  and then: %r\n" % more
            job, number = None, number + options.jobs
        results.put((fault, hit, outcome, wrong))
    try:
        if job:
            job.end()
    except Wrong as e:
        results.put(("end", "", "", "at the end: %s\n" % e))
    results.put(None)


def count(options):
    """How many steps of each kind a run without a fault has."""
    own_namespace()
    job = Job(options, 0)
    counts, _, outcome = job.trial("count", RIGHT, True)
    check(outcome == "ACTIVE", "without a fault:", outcome)
    job.end()
    return counts


def counted(options, results):
    try:
        results.put(count(options))
    except Exception as e:
        results.put("%s: %s" % (type(e).__name__, e))


def summary(options, counts, faults, outcomes, failures, seconds):
    print("%s: %d faults, %d wrong, %.0f s; steps: %s" % (
        options.file, sum(faults.values()), failures, seconds,
        ", ".join("%s %d" % kv for kv in counts.items() if kv[1])))
    print("  injected: " + ", ".join("%s %d" % kv for kv in faults.items()))
    for text, n in sorted(outcomes.items()):
        print("  %4d %s" % (n, text))


def main():
    p = argparse.ArgumentParser()
    for name in ("helper", "file", "digest", "tree"):
        p.add_argument(name)
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--sample", type=int, default=1)
    p.add_argument("--only")
    p.add_argument("--number", type=int)
    options = p.parse_args()
    if "ASAN_OPTIONS" in os.environ and options.sample > 1:
        options.sample *= 3
    began, options.want = time.monotonic(), full_tree(options.tree)
    results, todo = multiprocessing.Queue(), multiprocessing.Queue()
    first = multiprocessing.Process(target=counted, args=(options, results))
    first.start()
    counts = results.get()
    first.join()
    check(isinstance(counts, dict), counts)
    tasks = trials_of(options, counts)
    for t in tasks + [None] * options.jobs:
        todo.put(t)
    jobs = [multiprocessing.Process(target=work, args=(options, n + 1, todo, results))
            for n in range(options.jobs)]
    for j in jobs:
        j.start()
    faults, outcomes = collections.Counter(), collections.Counter()
    failures, left = 0, len(jobs)
    while left:
        one = results.get()
        if one is None:
            left -= 1
            continue
        fault, hit, outcome, wrong = one
        faults[fault] += bool(hit)
        if wrong:
            failures += 1
            print("FAIL " + wrong, flush=True)
        else:
            outcomes["%s: %s" % (fault.split(":")[1], re.sub(r"; needed: .*", "; needed …", outcome))] += 1
    for j in jobs:
        j.join()
    summary(options, counts, faults, outcomes, failures, time.monotonic() - began)
    never = {t[0] for t in tasks} - {fault for fault, n in faults.items() if n}
    check(tasks and (options.number or not never), "never injected:", sorted(never) or "anything")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
