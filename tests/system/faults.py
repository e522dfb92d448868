#!/usr/bin/env python3
"""faults.py SCENARIO KIND[:ERRNO] [--jobs N] [--first N] [--last N] [--step N] [--break]
          [--library NAME]

Makes step N of a kind fail, for N = 1, 2, …, until the daemon takes no step of that number any
more; what must hold all the same is checked after each. See tests/fault/fault.h for the kinds, and
Main and Start below for the scenarios. Run by faults.sh, which makes the archives and starts the
server: WORK, WWW and HTTPD are in the environment, beside IMGSTOREFS and IMGSTORE_HELPER.

Each run has a store and a daemon of its own; each job a mount namespace of its own.
"""
import argparse
import collections
import contextlib
import errno
import itertools
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
import traceback

sys.dont_write_bytecode = True
from daemon import Workers, detach_all, mount, mounts_below  # noqa: E402
from faults_world import (  # noqa: E402
    CONTRACT, UNDERWAY, WORK, WWW, Archives, Trial, World, check, eventually, get, once_more, put)

MISSES = 3  # runs without a fault that end a sweep: threads make the last numbers uncertain


# --- the main job

class Main(Trial):
    """Everything that is done to an image in its life, the fault somewhere in it; then a start
    without one."""

    def run(self, fault, number):
        w = self.w
        self.begin(fault)
        self.job("retry" if number % 2 else "fetch")
        code = w.stop(signal.SIGUSR2)
        check(code in (0, 1), "the daemon ended with", code)
        w.check_database()
        self.go_on()

    def job(self, retry):
        w = self.w
        self.ask("fetch", "\n".join(self.a.line(n) for n in ("web", "twin", "other")))
        self.becomes_active("web", "twin", "other", retry=retry)
        put("%s/active/web/mark" % w.store, "kept")
        self.ask("deactivate", "web")
        check(w.state("web") == "STORED" and not w.mounted("web"), "web is deactivated and",
              w.state("web"))
        self.ask("activate", "web")
        self.becomes_active("web", retry="retry")
        self.ask("remove", "twin")
        self.ask_rmdir("other")
        for name in ("twin", "other"):
            check(w.read("images/%s/state" % name) is None, name, "is removed and there")
            check(not w.mounted(name), name, "is removed and mounted")
        self.ask("cleanup", "run")
        check(get("%s/active/web/mark" % w.store) == "kept", "web's layer is not kept")
        w.check_alive()
        check(w.read("health") is not None, "health cannot be read")

    def ask_rmdir(self, name):
        """As ask(), of what is as good as ctl/remove."""
        path = "%s/images/%s" % (self.w.mnt, name)
        try:
            os.rmdir(path)
            return
        except OSError as e:
            self.explained("images/" + name, errno.errorcode[e.errno])
        once_more(os.rmdir, path)

    def go_on(self):
        """A start without a fault finds all that was acknowledged, and leaves nothing behind."""
        w = self.w
        check(w.start(), "no start after the fault")
        eventually("web settles", lambda: self.settled("web"))
        check(w.state("web") == "ACTIVE", "after the start web is", w.state("web"), w.error("web"))
        self.a.right(w, "web")
        check(get("%s/active/web/mark" % w.store) == "kept", "web's layer is lost")
        there = once_more(os.listdir, w.mnt + "/images")
        check(there == ["web"], "there are", there)
        check(w.read("health") == "ok\n", "health is", w.read("health"))
        check(w.write("remove", "web") is None, "web cannot be removed",
              w.read("ctl/error_log"))
        check(w.write("cleanup", "run") is None, "no cleanup")
        eventually("nothing is left: %s" % w.left_over(), lambda: not w.left_over(), 5)
        check(w.stop() == 0, "no clean stop")
        check(not mounts_below(w.root), "is left mounted:", mounts_below(w.root))
        w.check_database()


# --- the start

class Start(Trial):
    """A store with images in all states, and a fault in the start upon it: nothing that a name
    refers to may go. The store is Template's, copied."""

    def run(self, fault, number):
        w = self.w
        Template.copy(w)
        before = self.inodes()
        if w.start(fault):
            self.settle()
            self.intact(before)
            code = w.stop(signal.SIGTERM if number % 2 else signal.SIGUSR2)
            check(code in (0, 1), "the daemon ended with", code)
        else:
            self.outcome("start refused")
        self.intact(before)
        w.check_database()
        check(w.start(), "no start after the fault")
        self.settle()
        self.intact(before)
        self.as_before()
        check(w.stop() == 0, "no clean stop")
        self.intact(before)
        eventually("nothing half done: %s" % w.half_done(), lambda: not w.half_done(), 5)
        w.check_database()

    def settle(self):
        def over():
            self.w.check_alive()
            return not any(self.w.state(n) in UNDERWAY for n in Template.NAMES) and all(
                self.w.state(n) in ("ACTIVE", "FAILED") for n in Template.ACTIVE)
        eventually("all settle: %s" % [(n, self.w.state(n)) for n in Template.NAMES], over)
        for name in Template.NAMES:
            check(self.w.state(name), name, "is forgotten")
            if self.w.state(name) == "ACTIVE":
                self.a.right(self.w, name)
            elif self.w.state(name) == "FAILED" and name != "bad":
                self.honest(name)

    def inodes(self):
        w = self.w
        digest = self.a.table["mounted"][1]
        kept = ["images/" + digest + "/info"]
        kept += ["blobs/" + n for n in os.listdir(w.store + "/blobs") if n.startswith(digest)]
        return {n: os.stat("%s/%s" % (w.store, n)).st_ino for n in kept}

    def intact(self, before):
        w = self.w
        for name in Template.LAYERS:
            check(get(w.layer(name, "mark")) == name, "the layer of", name, "is gone")
        for name, ino in before.items():
            check(os.path.exists("%s/%s" % (w.store, name)), name, "is gone")
            check(os.stat("%s/%s" % (w.store, name)).st_ino == ino, name, "was made again")
        check(get(w.root + "/elsewhere/mark") == "ghost", "the layer in use elsewhere is gone")

    def as_before(self):
        for name in Template.NAMES:
            s = self.w.state(name)
            if s == "FAILED" and name in Template.ACTIVE:
                check(self.w.write("retry", name) is None, "no retry of", name)
                eventually(name + " settles", lambda: self.settled(name))
                s = self.w.state(name)
            want = "ACTIVE" if name in Template.ACTIVE else Template.NAMES[name]
            check(s == want, name, "was to be", want, "and is", s, self.w.error(name))
        self.w.check_alive()


class Template:
    """The store that Start begins with. mounted and orphan are mounted by hand, as they are after
    a kill; the daemon cannot tell."""

    NAMES = {"mounted": "ACTIVE", "fallen": "ACTIVE", "stored": "STORED", "bad": "FAILED",
             "loading": "DOWNLOADING", "unpacked": "UNPACKED"}
    ACTIVE = ("mounted", "fallen", "loading", "unpacked")
    LAYERS = ("mounted", "fallen", "stored", "bad", "ghost")
    PATH = WORK + "/template"

    @classmethod
    def make(cls, a):
        w = World(cls.PATH)
        check(w.start(), "the daemon does not start")
        names = ("mounted", "fallen", "stored", "bad", "ghost")
        check(w.write("fetch", "\n".join(a.line(n) for n in names)) is None, "no fetch")
        for name in names:
            eventually(name, lambda: w.state(name) == "ACTIVE")
            put("%s/images/%s/rootfs/mark" % (w.mnt, name), name)
        check(w.write("deactivate", "stored") is None, "no deactivate")
        put(w.hold + "/UNPACKED", "")
        check(w.write("fetch", a.line("loading", "stall") + "\n" + a.line("unpacked")) is None,
              "no fetch")
        eventually("unpacked", lambda: w.state("unpacked") == "UNPACKED")
        eventually("loading", lambda: any(
            n.startswith(a.table["loading"][1]) and os.path.getsize(w.store + "/blobs/" + n) > 0
            for n in os.listdir(w.store + "/blobs") if n.endswith(".part")))
        w.end()
        db = sqlite3.connect(w.db)
        db.execute("DELETE FROM images WHERE name = 'ghost'")
        db.execute("UPDATE images SET state = 'FAILED', code = 'cancelled', "
                   "error = 'cancelled by the user' WHERE name = 'bad'")
        db.execute("UPDATE images SET url = ? WHERE name = 'loading'",
                   (a.line("loading").split()[0],))
        db.commit()
        states = dict(db.execute("SELECT name, state FROM images"))
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        check(states == cls.NAMES, "the template holds", states)
        for top in ("blobs", "images", "overlays", "active"):
            os.makedirs("%s/%s/.trash-1-0/a/b" % (w.store, top))

    @classmethod
    def copy(cls, w):
        subprocess.run(["cp", "-a", cls.PATH + "/store", cls.PATH + "/store.db", w.root],
                       check=True)
        with sqlite3.connect(w.db) as db:
            digest = db.execute("SELECT sha256 FROM images WHERE name = 'mounted'").fetchone()[0]
        db.close()
        image = "%s/images/%s" % (w.store, digest)
        if os.path.exists(image + "/image"):
            subprocess.run(["mount", "-t", "erofs", "-o", "ro,loop", image + "/image",
                            image + "/rootfs"], check=True)
        for name, at in (("mounted", w.store + "/active/mounted"),
                         ("ghost", w.root + "/elsewhere")):
            os.makedirs(at, exist_ok=True)
            mount("imgstore:" + name, at, "overlay",
                  0, "lowerdir=%s/images/%s/rootfs,upperdir=%s,workdir=%s/overlays/%s/work,"
                  "index=off,redirect_dir=on" %
                  (w.store, digest, w.layer(name)[:-1], w.store, name))


# --- a disk that breaks for good

class Broken(Trial):
    """From step N on everything of a kind fails: the daemon says so, hangs on nothing, and goes on
    once it is started upon a good disk. Nothing is promised but what was acknowledged."""

    def run(self, fault, number):
        w = self.w
        self.acknowledged = {}
        if w.start(fault):
            self.try_all()
            if w.process:
                code = w.stop()
                check(code in (0, 1), "the daemon ended with", code)
        else:
            self.outcome("start refused")
        if os.path.exists(w.db):
            w.check_database()
        detach_all(w.root)
        self.good_again()

    def try_all(self):
        w = self.w
        for name in ("web", "other"):
            r = w.write("fetch", self.a.line(name))
            self.acknowledged[name] = r is None
            self.outcome("refused " + r if r else "acknowledged")
        end = time.monotonic() + 2
        while time.monotonic() < end and not all(
                self.settled(n) for n in self.acknowledged if self.acknowledged[n]):
            time.sleep(0.01)
        for name in [n for n, known in self.acknowledged.items() if known]:
            check(w.state(name), name, "was acknowledged and is not there")
            if w.state(name) == "ACTIVE":
                self.a.right(w, name)
            elif w.state(name) == "FAILED":
                self.honest(name)
            self.outcome("stays " + w.state(name))
        for file, line in (("deactivate", "web"), ("activate", "web"), ("remove", "other"),
                           ("cleanup", "run")):
            r = w.write(file, line)
            check(r is None or r in CONTRACT | {"ENOENT"}, "ctl/%s refuses with" % file, r)
            if r is None and file == "remove":
                self.acknowledged["other"] = None
            self.outcome("refused " + r if r else "acknowledged")
        w.check_alive()
        if self.kind == "SQL" and self.hit():
            eventually("health says it", lambda: "database" in (w.read("health") or ""), 15)
            self.outcome("health says it")

    def good_again(self):
        w = self.w
        check(w.start(), "no start upon a good disk")
        for name, known in self.acknowledged.items():
            if known is None:
                check(not w.state(name), name, "was removed, and is there again")
            elif known:
                check(w.state(name), name, "was acknowledged, and is forgotten")
        for name in ("web", "other"):
            check(w.write("fetch", self.a.line(name)) is None, "no fetch upon a good disk",
                  w.read("ctl/error_log"))
            if w.state(name) == "STORED":
                # It may be on its way already.
                check(w.write("activate", name) in (None, "EBUSY"), "no activate")
            eventually(name + " settles", lambda: self.settled(name))
            check(w.state(name) == "ACTIVE", name, "is", w.state(name), w.error(name))
            self.a.right(w, name)
        check(w.stop() == 0, "no clean stop")
        check(not w.half_done(), "is left over:", w.half_done())
        w.check_database()


# --- imports

class Import(Trial):
    """Archives that are written here, one to its end and one that is broken off: what was closed
    without an error is there, and of all else nothing is left."""

    def run(self, fault, number):
        w = self.w
        self.begin(fault)
        self.imported("web", number)
        self.broken_off("other", number)
        self.becomes_active("web")
        code = w.stop(signal.SIGUSR2)
        check(code in (0, 1), "the daemon ended with", code)
        check(w.start(), "no start after the fault")
        self.becomes_active("web")
        there = os.listdir(w.mnt + "/images")
        check(there == ["web"], "there are", there)
        check(w.write("remove", "web") is None, "web cannot be removed")
        check(w.write("cleanup", "run") is None, "no cleanup")
        eventually("nothing is left: %s" % w.left_over(), lambda: not w.left_over(), 5)
        check(w.stop() == 0, "no clean stop")
        w.check_database()

    def write(self, name, bytes=None, pieces=3000):
        """None, or the errno's name."""
        with open("%s/%s" % (WWW, self.a.table[name][0]), "rb") as f:
            data = f.read()[:bytes]
        try:
            fd = os.open("%s/import/%s" % (self.w.mnt, name), os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                for at in range(0, len(data), pieces):
                    os.write(fd, data[at:at + pieces])
            except OSError:
                os.dup2(os.open("/dev/null", os.O_RDONLY), fd)  # its own answer does not matter
                raise
            finally:
                os.close(fd)
        except OSError as e:
            return errno.errorcode[e.errno]
        return None

    def is_over(self, name):
        return name not in once_more(os.listdir, self.w.mnt + "/import")

    def imported(self, name, number):
        refused = self.write(name, pieces=3000 if number % 2 else 1 << 20)
        if refused is None:
            return
        check(refused in CONTRACT, "import/%s refuses with" % name, refused)
        said = self.w.read("ctl/error_log") or ""  # what it left when it was closed is there, too
        check(" import/%s %s " % (name, refused) in said, "import/%s refuses with" % name, refused,
              "and error_log says", said)
        self.outcome("refused " + refused)
        self.w.check_alive()
        eventually("import/%s is gone" % name, lambda: self.is_over(name))
        again = self.write(name)
        check(again is None, "import/%s refuses with" % name, refused, "then", again,
              self.w.read("ctl/error_log"))

    def broken_off(self, name, number):
        refused = self.write(name, 5000)
        check(refused == "EINVAL" or refused in CONTRACT, "half of it is answered", refused)
        eventually("import/%s is gone" % name, lambda: self.is_over(name))
        check(not self.w.state(name), name, "was broken off, and is an image")


SCENARIOS = {"main": Main, "start": Start, "broken": Broken, "import": Import}


# --- the sweep

def where(line):
    """A line of the fault log, with its place in the source."""
    if " MALLOC " in line:  # in a library
        return line
    try:
        out = subprocess.run(["addr2line", "-sfe", os.environ["IMGSTOREFS"], line.split()[4]], capture_output=True,
                             text=True, timeout=10).stdout.split()
        return "%s in %s" % (line, " ".join(out))
    except (OSError, IndexError, subprocess.TimeoutExpired):
        return line


def run_one(options, archives, number):
    """(hit, outcomes, what is wrong or None)"""
    w = World("%s/run-%s-%d" % (WORK, options.kind, number), library=options.library)
    broken = options.broken or options.scenario == "broken"
    words = ["break" if broken else "fail", options.kind, str(number)]
    if options.errno:
        words.append(str(getattr(errno, options.errno)))
    trial = SCENARIOS[options.scenario](w, archives, options.kind, options.errno, broken)
    wrong = None
    try:
        trial.run(":".join(words), number)
        trial.outcome("over")
    except Exception as e:  # of the trial's own making, too: the sweep goes on and is not whole
        wrong = "%s %s: %s\n  %s\n" % (options.scenario, ":".join(words), e, where(trial.hit()))
        if os.environ.get("FAULTS_TRACE"):
            wrong += traceback.format_exc()
        wrong += "".join("    " + line + "\n" for line in (get(w.log) or "").splitlines()[-25:])
    finally:
        w.end()
    hit = trial.hit()
    if not os.environ.get("FAULTS_KEEP") or not wrong:
        shutil.rmtree(w.root, ignore_errors=True)
    return hit, dict(trial.outcomes), wrong


@contextlib.contextmanager
def worker(_, options, archives):
    yield lambda number: run_one(options, archives, number)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("scenario", choices=SCENARIOS)
    p.add_argument("kind")
    p.add_argument("--jobs", type=int, default=2)
    p.add_argument("--first", type=int, default=1)
    p.add_argument("--last", type=int, default=0)
    p.add_argument("--step", type=int, default=1)
    p.add_argument("--break", dest="broken", action="store_true")
    p.add_argument("--library", help="MALLOC: of this one alone, a part of its file's name")
    options = p.parse_args()
    if "ASAN_OPTIONS" in os.environ and options.step > 1:
        options.step *= 3
    options.kind, _, options.errno = options.kind.partition(":")
    with open(WORK + "/archives.json") as f:
        archives = Archives(json.load(f))
    began = time.monotonic()
    if options.scenario == "start":
        Template.make(archives)
    numbers = itertools.count(options.first, options.step)
    runs = faults = failures = 0
    totals, functions = collections.Counter(), collections.Counter()

    def next_task():
        number = next(numbers)
        over = runs - faults >= MISSES or (options.last and number > options.last)
        return None if over else (number,)

    with Workers(options.jobs, worker, options, archives) as workers:
        for _, (hit, outcomes, wrong) in workers.run(next_task):
            runs += 1
            if hit:
                faults += 1
                functions[hit.split()[3]] += 1
                totals.update(outcomes)
            if wrong:
                failures += 1
                print("FAIL " + wrong, flush=True)
        workers.end()
    print("%s %s%s: %d runs, %d faults, %d wrong, %.0f s" %
          (options.scenario, options.kind, options.errno and ":" + options.errno, runs, faults,
           failures, time.monotonic() - began))
    print("  ended: " + ", ".join("%s %d" % kv for kv in sorted(totals.items())))
    print("  failed: " + ", ".join("%s %d" % kv for kv in functions.most_common()))
    check(faults, "no fault was ever injected")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
