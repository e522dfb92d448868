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
import contextlib
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
from daemon import Workers, detach_all, ended, mounts_below  # noqa: E402

MISSES = 3  # so many runs without a step N, and there are no more: threads take turns as they like
FAILURES = 5
POINT_SECONDS = 300
LEAVING = re.compile(r"\w+ (WRITE|MOUNT|SQL|DB) \d+ (\w+)")


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
        if mounts_below(world.disk):
            raise w.Wrong("still mounted: %s" % mounts_below(world.disk))
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


# What a scenario does where nothing dies: the lines of all its steps, and which leave something
# behind, by the number that fault.h counts them with; how many come before the tree is there.
Survey = collections.namedtuple("Survey", "lines steps begin")


def survey(world, made, scenario):
    run = Run(world, made, "trace", scenario, 0)
    world.reset()
    world.tracing = None
    run.prepare(world, run.model, run.images)
    world.tracing = "trace"
    world.start(None, run.options)
    begin = len(steps_of(world.fault_lines()))
    run.body(world, run.model, run.images)
    world.tracing = None
    world.kill()
    lines = world.fault_lines()
    return Survey(lines, steps_of(lines), begin)


def steps_of(lines):
    return [known[2] for known in map(LEAVING.match, lines) if known]


def try_one(world, made, kind, scenario, number, first):
    try:
        return attempt(Run(world, made, kind, scenario, number, first))
    finally:
        world.kill()


@contextlib.contextmanager
def worker(number, folder, httpd, made):
    world = w.World("%s/%d" % (folder, number), httpd)
    try:
        yield lambda what, *task: what(world, made, *task)
    finally:
        world.kill()
        detach_all(folder)


class Sweep:
    """Hands out the steps of a series until there are no more. due: so many there must be."""

    def __init__(self, kind, scenario, first, args, begin, due):
        self.kind, self.scenario, self.first = kind, scenario, first
        self.every, self.only = args.every, args.only
        self.next, self.misses, self.survived = self.only or begin, 0, 0
        self.due = 0 if self.only else max(1, due // self.every)
        self.steps = collections.Counter()

    def task(self):
        if self.misses >= MISSES or (self.only and self.next != self.only):
            return None
        self.next += self.every
        return try_one, self.kind, self.scenario, self.next - self.every, self.first

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


def run(workers, sweeps):
    """The failures, as text."""
    by_key = {(s.kind, s.scenario, s.first): s for s in sweeps}
    left, failures = list(sweeps), []

    def next_task():
        while left and len(failures) < FAILURES:
            task = left[0].task()
            if task:
                return task
            left.pop(0)
        return None

    def fail(what):
        failures.append(what)
        print("FAIL:", what, flush=True)

    for (_, kind, scenario, number, first), (survived, lines, why) in workers.run(next_task):
        by_key[(kind, scenario, first)].take(survived, lines)
        if why:
            fail("%s %s:%d%s %s: %s" % (scenario, kind, number, " after " + first if first else "",
                                        lines, why))
    for sweep in sweeps if not failures else []:
        if sum(sweep.steps.values()) < sweep.due:
            fail("%s: at least %d steps are due" % (sweep, sweep.due))
    return failures


def surveys_of(workers, wanted):
    tasks = [(survey, name) for name in wanted]
    found = {task[1]: s for task, s in workers.run(lambda: tasks.pop() if tasks else None)}
    return {name: found[name] for name in SCENARIOS if name in found}


def first_death(seen, kind, function):
    """At the middle one of that function's steps once the tree is there; what is mounted again after
    a reboot may be faster."""
    steps = [n for n, name in enumerate(seen.steps, 1) if name == function]
    numbers = [n for n in steps if n > seen.begin] or steps
    if not numbers:
        raise w.Wrong("no step is %s" % function)
    return "%s:%d" % (kind, numbers[len(numbers) // 2])


def sweeps_of(args, surveys):
    """Threads take turns as they like, and a step more or less: half of what was seen is due."""
    if args.kind == "recovery":
        return [Sweep("before", name, first_death(surveys[name], kind, function), args, 1,
                      surveys[name].begin // 2)
                for name, kind, function in RECOVERIES if name in surveys]
    sweeps = []
    for name, seen in surveys.items():
        begin = seen.begin if args.served else 1
        sweeps.append(Sweep(args.kind, name, None, args, begin, (len(seen.steps) - begin) // 2))
    return sweeps


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
    signal.signal(signal.SIGTERM, ended)
    folder = tempfile.mkdtemp(prefix="imgstorefs-crash.")
    httpd, began = None, time.monotonic()
    try:
        made = make_images(folder)
        httpd, url = serve(folder)
        with Workers(args.jobs, worker, folder, url, made) as workers:
            surveys = surveys_of(workers, [args.scenario] if args.scenario else SCENARIOS)
            if args.kind == "trace":
                with open(args.hits, "w") as out:
                    out.writelines("%s\n" % line for s in surveys.values() for line in s.lines)
                return 0
            sweeps = sweeps_of(args, surveys)
            failures = run(workers, sweeps)
            workers.end()
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
