#!/usr/bin/env python3
"""Dies at every step that leaves something behind, starts again, and looks at what is there.

usage: crash.py [--jobs N] [--every K] [--served] [--only N] [--hits FILE] KIND [SCENARIO]
  KIND       before, after, power, zero: see tests/fault/fault.h;
             recovery: dies at some steps, and again at each step of the start that follows;
             trace: nothing dies, all scenarios once, the steps go to --hits
  --every K  only each Kth step         --only N  that step alone
  --served   only what comes once the tree is there: a start goes on one thread, so that to die
             after a step is to die before the next
"""
import argparse
import collections
import multiprocessing
import os
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback

sys.dont_write_bytecode = True
import world as w  # noqa: E402
from images import make_images, needs, serve  # noqa: E402
from model import Model  # noqa: E402
from scenarios import RECOVERIES, SCENARIOS  # noqa: E402

MISSES = 3  # so many runs without a step N, and there are no more: threads take turns as they like
FAILURES = 5
POINT_SECONDS = 300


class Run:
    """One death of one scenario, and what came of it."""

    def __init__(self, world, made, kind, scenario, number, first=None):
        self.world, self.kind, self.number, self.first = world, kind, number, first
        self.prepare, self.options, self.body = SCENARIOS[scenario]
        self.model = Model(world, made.trees)
        self.images = made.images

    def die(self, fault, act):
        """True: it did. act() is what is done meanwhile."""
        seen = len(self.world.fault_lines())
        died = False
        try:
            self.world.start(fault, self.options)
            act()
        except w.Died:
            died = True
        except OSError:  # a dead mount's answer
            if not self.world.ends_within(w.PATIENCE):
                raise
            died = True
        self.world.kill()
        hit = len(self.world.fault_lines()) > seen
        if died and not hit:
            raise w.Wrong("the daemon ended by itself")
        return hit

    def settle(self):
        names = os.listdir(self.world.mnt + "/images")
        self.world.settle(names)
        kept = self.world.kept(names)
        self.world.until(lambda: not self.world.leftovers(kept), "end of leftovers")

    def survive(self):
        """False: there is no such step."""
        self.world.reset()
        self.prepare(self.world, self.model, self.images)
        body = lambda: self.body(self.world, self.model, self.images)  # noqa: E731
        if self.first:
            if not self.die(self.first, body):
                raise w.Wrong("there is no step " + self.first)
            if self.first.startswith(("power", "zero")):
                self.world.power_cut()
            if not self.die("%s:%d" % (self.kind, self.number), self.settle):
                return False
        elif not self.die("%s:%d" % (self.kind, self.number), body):
            return False
        if self.kind in ("power", "zero"):
            self.world.power_cut()
        self.look()
        return True

    def look(self):
        world = self.world
        world.start()
        self.model.check()
        kept = world.kept(self.model.images)
        world.stop()
        if w.mounts_below(world.disk):
            raise w.Wrong("still mounted: %s" % w.mounts_below(world.disk))
        if world.leftovers(kept):
            raise w.Wrong("is left over: %s" % world.leftovers(kept))
        world.check_database()


def too_long(*_):
    raise w.Wrong("nothing has come of it in %d s" % POINT_SECONDS)


def attempt(run):
    """(survived or None where there was no such step, what the layer said, why it is wrong)"""
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(POINT_SECONDS)
    why = None
    try:
        ended = run.survive()
    except w.Died:
        ended, why = False, "the daemon ended, without a fault"
    except (w.Wrong, w.Refused) as e:
        ended, why = False, str(e)
    except Exception:
        ended, why = False, traceback.format_exc()
    signal.alarm(0)
    lines = run.world.fault_lines()
    if why is None:
        return (True if ended else None), lines[-1:], None
    log = w.read(run.world.log).splitlines()[-60:]
    return False, lines[-1:], "%s\n    %s" % (why, "\n    ".join(log))


def work(folder, httpd, made, tasks, results):
    w.own_namespace()
    w.end_with_parent()
    world = w.World(folder, httpd)
    try:
        for task in iter(tasks.get, None):
            results.put((task, *attempt(Run(world, made, *task))))
            world.kill()
    finally:
        world.kill()
        world.unmount_all(folder)


class Sweep:
    """Hands out the steps of a series until there are no more."""

    def __init__(self, kind, scenario, first, every, only, begin=1):
        self.kind, self.scenario, self.first = kind, scenario, first
        self.every, self.only = every, only
        self.next, self.misses, self.survived = only or begin, 0, 0
        self.steps = collections.Counter()

    def task(self):
        if self.misses >= MISSES or (self.only and self.next != self.only):
            return None
        self.next += self.every
        return self.kind, self.scenario, self.next - self.every, self.first

    def take(self, survived, lines):
        if survived is None:
            self.misses += 1
            return
        self.survived += survived
        for line in lines:
            self.steps[line.split()[1]] += 1

    def __str__(self):
        steps = ", ".join("%d %s" % (n, kind) for kind, n in self.steps.most_common())
        after = " after %s" % self.first if self.first else ""
        return "%s %s%s: %d of %d survived (%s)" % (
            self.scenario, self.kind, after, self.survived, sum(self.steps.values()), steps)


class Pool:
    def __init__(self, folder, jobs, httpd, made):
        self.tasks, self.results = multiprocessing.Queue(), multiprocessing.Queue()
        self.workers = [multiprocessing.Process(target=work, daemon=True, args=(
            "%s/%d" % (folder, i), httpd, made, self.tasks, self.results)) for i in range(jobs)]
        for worker in self.workers:
            worker.start()

    def run(self, sweeps):
        """The failures, as text."""
        by_key = {(s.kind, s.scenario, s.first): s for s in sweeps}
        left, under_way, failures = list(sweeps), 0, []
        while under_way or left:
            while left and under_way < 2 * len(self.workers) and len(failures) < FAILURES:
                task = left[0].task()
                if task:
                    self.tasks.put(task)
                    under_way += 1
                else:
                    left.pop(0)
            if not under_way:
                break
            task, survived, lines, why = self.results.get()
            under_way -= 1
            by_key[(task[0], task[1], task[3])].take(survived, lines)
            if why:
                failures.append("%s %s:%d%s %s: %s" % (
                    task[1], task[0], task[2], " after " + task[3] if task[3] else "",
                    lines, why))
                print("FAIL:", failures[-1], flush=True)
        return failures

    def end(self):
        for _ in self.workers:
            self.tasks.put(None)
        for worker in self.workers:
            worker.join()


def trace(folder, httpd, made, hits):
    w.own_namespace()
    world = w.World(folder, httpd)
    world.tracing = "trace"
    with open(hits, "w") as out:
        for name in SCENARIOS:
            run = Run(world, made, "trace", name, 0)
            world.reset()
            run.prepare(world, run.model, run.images)
            world.start(None, run.options)
            run.body(world, run.model, run.images)
            out.write("\n".join(world.fault_lines()) + "\n")
    world.unmount_all(folder)


LEAVING = re.compile(r"\w+ (WRITE|MOUNT|SQL|DB) ")


def steps_of_start(folder, httpd, made, scenario, result):
    """How many steps there are before the tree is."""
    w.own_namespace()
    world = w.World(folder, httpd)
    run = Run(world, made, "trace", scenario, 0)
    world.reset()
    run.prepare(world, run.model, run.images)
    world.tracing = "trace"
    world.start(None, run.options)
    result.value = sum(bool(LEAVING.match(line)) for line in world.fault_lines())
    world.kill()
    world.unmount_all(folder)


def begin_of(folder, httpd, made, scenario):
    result = multiprocessing.Value("i", 0)
    child = multiprocessing.Process(target=steps_of_start, args=(
        "%s/start-%s" % (folder, scenario), httpd, made, scenario, result))
    child.start()
    child.join()
    if child.exitcode or not result.value:
        raise w.Wrong("%s does not start" % scenario)
    return result.value


def sweeps_of(args, begin):
    if args.kind == "recovery":
        return [Sweep("before", scenario, first, args.every, args.only)
                for scenario, first in RECOVERIES if args.scenario in (None, scenario)]
    return [Sweep(args.kind, name, None, args.every, args.only, begin(name))
            for name in SCENARIOS if args.scenario in (None, name)]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--only", type=int)
    parser.add_argument("--served", action="store_true")
    parser.add_argument("--hits")
    parser.add_argument("kind", choices=("before", "after", "power", "zero", "recovery",
                                         "trace"))
    parser.add_argument("scenario", nargs="?", choices=SCENARIOS)
    args = parser.parse_args()
    if needs(test_points=True):
        return 77
    signal.signal(signal.SIGTERM, w.ended)
    folder = tempfile.mkdtemp(prefix="imgstorefs-crash.")
    httpd, failures, sweeps = None, [], []
    began = time.monotonic()
    try:
        made = make_images(folder)
        httpd, url = serve(folder)
        if args.kind == "trace":
            trace(folder + "/0", url, made, args.hits)
            return 0

        def begin(name):
            return begin_of(folder, url, made, name) if args.served else 1

        pool = Pool(folder, args.jobs, url, made)
        sweeps = sweeps_of(args, begin)
        failures = pool.run(sweeps)
        pool.end()
    finally:
        if httpd:
            httpd.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print("\n".join(map(str, sweeps)))
    total = sum(sum(s.steps.values()) for s in sweeps)
    print("%d crash points, %d survived, %.0f s" % (
        total, sum(s.survived for s in sweeps), time.monotonic() - began))
    return 1 if failures or not total else 0


sys.exit(main())
