#!/usr/bin/env python3
"""Kills the daemon at any moment while it is asked for all kinds of things, and looks at what is
there: what was acknowledged, nothing else, and whole. Now and then the machine reboots with it, and
now and then the next start is killed too.

usage: kill_random.py [--rounds N] [--jobs N] [--seed S]
"""
import argparse
import contextlib
import errno
import os
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback

sys.dont_write_bytecode = True
import world as w  # noqa: E402
from images import make_images, needs, serve  # noqa: E402
from model import Image, Model  # noqa: E402
from daemon import Workers, detach_all, ended  # noqa: E402

NAMES = {"web1": "web", "web2": "web", "web3": "web", "zst1": "zst", "zst2": "zst", "xz1": "xz",
         "bz1": "bz2", "bz2": "bz2"}
MODES = ("ok", "ok", "nolength", "slow?bps=300000", "rangetrunc", "404", "wrongx1")
ACTIVE, CANCELLED = ("ACTIVE", None), ("FAILED", "cancelled")
# Where the digest is in the store already, or comes through another name, its URL matters not.
OUTCOMES = {"404": {ACTIVE, ("FAILED", "http-status")}}
ROUND_SECONDS = 300


class Writer:
    """Asks for things at random, and knows what must come of them."""

    def __init__(self, world, model, images, rng, options):
        self.world, self.model, self.images, self.rng = world, model, images, rng
        self.policy = options
        self.serial, self.acknowledged, self.refused = 0, 0, 0

    def fetch(self, name):
        mode = self.rng.choice(MODES)
        image = NAMES[name] if self.rng.random() < 0.9 else "zst"
        file, digest = self.images[image]
        self.serial += 1
        path, _, query = mode.partition("?")
        url = "%s&n=%d&%s" % (self.world.url("%s/%s" % (path, file)), self.serial, query)
        outcomes = OUTCOMES.get(mode, {ACTIVE})
        known = self.model.images.get(name)
        if known and known.digest != digest:
            self.expect(errno.EEXIST, "fetch", "%s %s %s\n" % (url, digest, name))
            return

        def effect(images):
            if not known:
                images[name] = Image(digest, outcomes, self.policy)
                images[name].outcomes = outcomes
            elif any(state == "FAILED" for state, _ in known.ends):
                images[name].ends |= outcomes
                images[name].outcomes |= outcomes
        self.model.request("fetch", "%s %s %s\n" % (url, digest, name), effect)

    def expect(self, number, file, text):
        try:
            self.world.control(file, text)
        except w.Refused as e:
            if e.number == number:
                return
            raise w.Wrong("%s %r: %s" % (file, text, e)) from e
        raise w.Wrong("%s was taken: %r" % (file, text))

    def change(self, file, name):
        ends = {"cancel": lambda image: {CANCELLED}, "retry": lambda image: image.outcomes,
                "activate": lambda image: {ACTIVE}, "deactivate": lambda image: {("STORED", None)}}
        if name not in self.model.images:
            self.expect(errno.ENOENT, file, name + "\n")
            return

        def effect(images):
            images[name].ends = frozenset(ends[file](images[name]))
        self.model.request(file, name + "\n", effect)

    def remove(self, name):
        if name in self.model.images:
            self.model.remove(name)
        else:
            self.expect(errno.ENOENT, "remove", name + "\n")

    def write(self, name):
        if name in self.model.images and self.world.value(name) == "ACTIVE":
            self.serial += 1
            self.model.write_layer(name, "written", "%d\n" % self.serial)

    def one(self):
        name = self.rng.choice(sorted(NAMES))
        what = self.rng.choices(
            ("fetch", "cancel", "retry", "activate", "deactivate", "remove", "write", "cleanup",
             "nothing"), (6, 1, 2, 3, 2, 2, 3, 0.5, 3))[0]
        if what == "nothing":
            time.sleep(self.rng.random() * 0.03)
        elif what == "cleanup":
            self.model.request("cleanup", "run\n", lambda images: None)
        elif hasattr(self, what):
            getattr(self, what)(name)
        else:
            self.change(what, name)

    def go_on(self):
        """Until the daemon is gone."""
        while True:
            try:
                self.one()
                self.acknowledged += 1
            except w.Refused as e:
                self.model.asked = None
                self.refused += 1
                if e.number not in (errno.EBUSY, errno.EAGAIN):
                    raise w.Wrong("refused: %s" % e) from e
            except (w.Died, OSError):
                if not self.world.ends_within(5):
                    raise
                return


def kill_soon(world, rng, longest):
    """Kills it after a while, whatever goes on meanwhile."""
    timer = threading.Timer(rng.random() * longest, world.process.kill)
    timer.start()
    return timer


def one_round(world, model, made, rng):
    """What was acknowledged, and what refused."""
    policy = rng.choice(("strict", "faithful"))
    options = ("-o", "policy=" + policy)
    if rng.random() < 0.3:  # the start itself
        world.begin(None, options)
        kill_soon(world, rng, 0.2).join()
        world.kill()
        if rng.random() < 0.2:
            world.power_cut()
    world.start(None, options)
    model.check()
    for name, image in model.images.items():
        error = world.value(name, "error").partition(":")[0] or None
        image.ends = frozenset({(world.value(name), error)})
    if rng.random() < 0.2:
        world.stop(rng.choice((signal.SIGTERM, signal.SIGUSR2)))
        world.start(None, options)
    writer = Writer(world, model, made.images, rng, policy)
    timer = kill_soon(world, rng, 0.6)
    writer.go_on()
    timer.join()
    world.kill()
    world.check_database()
    if rng.random() < 0.25:
        world.power_cut()
    return writer.acknowledged, writer.refused


def too_long(*_):
    raise w.Wrong("nothing has come of it in %d s" % ROUND_SECONDS)


def attempt(world, model, made, rng):
    """What was acknowledged and what refused, or why it is wrong."""
    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(ROUND_SECONDS)
    world.runs += 1
    try:
        return one_round(world, model, made, rng), None
    except Exception:
        log = w.read(world.log).splitlines()[-120:]
        return None, "%s\n    %s" % (traceback.format_exc(), "\n    ".join(log))
    finally:
        signal.alarm(0)


@contextlib.contextmanager
def worker(number, folder, httpd, made, seed):
    world, rng = w.World("%s/%d" % (folder, number), httpd), random.Random(seed + number)
    world.reset()
    model = Model(world, made.trees)
    try:
        yield lambda _: attempt(world, model, made, rng)
    finally:
        world.kill()
        detach_all(folder)


def run(args, folder, url, made):
    """After the first failure there is no next round."""
    left, failed = list(range(args.rounds)), 0
    survived, acknowledged, refused = 0, 0, 0

    def next_task():
        return (left.pop(0),) if left and not failed else None

    with Workers(args.jobs, worker, folder, url, made, args.seed) as workers:
        for (number,), (done, why) in workers.run(next_task):
            if why:
                failed += 1
                print("FAIL: round %d: %s" % (number, why), flush=True)
            else:
                survived += 1
                acknowledged += done[0]
                refused += done[1]
        workers.end()
    print("%d rounds survived, %d failed; %d requests acknowledged, %d refused; seed %d" % (
        survived, failed, acknowledged, refused, args.seed))
    return 1 if failed or survived < args.rounds else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    args = parser.parse_args()
    if needs():
        return 77
    print("seed %d" % args.seed, flush=True)
    signal.signal(signal.SIGTERM, ended)
    folder = tempfile.mkdtemp(prefix="imgstorefs-crash.")
    httpd = None
    try:
        made = make_images(folder)
        httpd, url = serve(folder)
        return run(args, folder, url, made)
    finally:
        if httpd:
            httpd.kill()
        shutil.rmtree(folder, ignore_errors=True)


sys.exit(main())
