"""What is not a matter of seconds: rows of (what, unit, every figure)."""
import contextlib
import gzip
import os
import shutil
import subprocess
import sys
import time

import contenders
from inputs import run, say
from place import Daemon, now, sync_fs

HERE = os.path.dirname(os.path.abspath(__file__))
HELLO = "/usr/share/doc/libfuse3-dev/examples/hello.c"
SECONDS = 1
MANY = 100000  # there is no aim for the memory of those


def ours(bench, sink="auto"):
    return Daemon(bench.build, contenders.fresh(bench.disk), sink)


def fetched(bench, daemon, item, name="image"):
    return daemon.fetch(f"{bench.url}/{item.name}", item.sha256, name)


def second_name(bench, item, rounds):
    with ours(bench) as daemon:
        fetched(bench, daemon, item)
        times = [fetched(bench, daemon, item, f"again{i}") for i in range(rounds)]
        for i in range(rounds):
            os.rmdir(f"{daemon.mnt}/images/again{i}")
    yield f"second name for the digest of {item.name}", "ms", times


# ---- state against hello


@contextlib.contextmanager
def hello(bench):
    """libfuse's own example, built from what Debian's package brings; its one file."""
    folder = contenders.fresh(bench.disk)
    os.makedirs(folder + "/mnt")
    source, program = folder + "/hello.c", folder + "/hello"
    for path, opened in ((HELLO, open), (HELLO + ".gz", gzip.open)):
        if os.path.exists(path):
            with opened(path, "rb") as f, open(source, "wb") as to:
                to.write(f.read())
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], check=True, text=True,
                           stdout=subprocess.PIPE).stdout.split()
    run("gcc", "-O3", "-o", program, source, *flags)
    run(program, folder + "/mnt")
    try:
        yield folder + "/mnt/hello"
    finally:
        run("umount", folder + "/mnt")
        shutil.rmtree(folder)


def states(bench, item, rounds):
    rates = {}
    with ours(bench) as daemon, hello(bench) as theirs:
        fetched(bench, daemon, item)
        for _ in range(rounds):
            for readers in (1, 8):
                for who, path in (("state", f"{daemon.mnt}/images/image/state"), ("hello", theirs)):
                    rates.setdefault((who, readers), []).append(
                        daemon.probe("reads", path, str(readers), str(SECONDS))[0])
    for readers in (1, 8):
        mine, its = rates["state", readers], rates["hello", readers]
        by = f"{readers} reader" + "s" * (readers > 1)
        yield f"reads of state a second, {by}", "", mine
        yield f"reads of libfuse's hello a second, {by}", "", its
        yield f"state against hello, {by}", "times", [round(a / b, 3) for a, b in zip(mine, its)]


def names(bench, item, rounds):
    """A directory of many, each first as it is in the image, then with a file more."""
    with contextlib.ExitStack() as stack:
        plain = contenders.fresh(bench.disk)
        os.mkdir(plain)
        stack.callback(shutil.rmtree, plain)
        run("tar", "-x", "-C", plain, "-f", item.path)
        roots = {"plain directory": plain}
        for sink in contenders.sinks(bench):
            daemon = stack.enter_context(ours(bench, sink))
            fetched(bench, daemon, item)
            roots["sink " + sink] = daemon.rootfs("image")
        for state, more in (("", 0), (" and one that was made", 1)):
            times = {who: [] for who in roots}
            for _ in range(rounds):
                for who, root in roots.items():
                    ms, count = daemon.probe("list", root + "/d")
                    if count != item.facts["entries"] - 1 + more:
                        raise RuntimeError(f"{root}: {count} names")
                    times[who].append(ms)
            for who, figures in times.items():
                yield (f"readdir of {item.facts['entries'] - 1:,} names{state}, {who}", "ms",
                       figures)
            for root in roots.values():
                open(root + "/d/more", "w", encoding="ascii").close()


# ---- memory and disk


def blocks(root, left_out=""):
    """Bytes that are taken below ROOT, without what is mounted there."""
    device, total, seen = os.lstat(root).st_dev, 0, set()
    for folder, dirs, files in os.walk(root):
        if folder == left_out or os.lstat(folder).st_dev != device:
            dirs.clear()
            continue
        for status in (os.lstat(os.path.join(folder, name)) for name in files + ["."]):
            if status.st_ino not in seen:
                seen.add(status.st_ino)
                total += status.st_blocks * 512
    return total


def memory_and_disk(bench, item, rounds):
    for sink in contenders.sinks(bench):
        peaks, ratios = [], []
        for _ in range(min(rounds, 3)):
            with ours(bench, sink) as daemon:
                sampler = subprocess.Popen(
                    [sys.executable, "-SE", HERE + "/memory.py", str(daemon.process.pid)],
                    stdout=subprocess.PIPE, text=True)
                time.sleep(0.1)
                fetched(bench, daemon, item)
                sampler.terminate()
                peaks.append(float(sampler.communicate()[0].split()[2]))
                sync_fs(bench.disk)
                taken = blocks(daemon.store, daemon.store + "/blobs")
                ratios.append(round(taken / (item.facts["blocks"] * 4096), 4))
        what = "peak memory" if item.facts["entries"] < MANY else "peak memory (100,000 entries)"
        which = f"{item.name}, sink {sink}"
        yield f"{what}, {which}", "MiB", peaks
        yield f"disk beyond the blob to contents at 4 KiB, {which}", "times", ratios


# ---- removal


def free(path):
    s = os.statvfs(path)
    return s.f_bfree * s.f_frsize


def removal(bench, item, rounds):
    for sink in contenders.sinks(bench):
        replies, cleaned = [], []
        for _ in range(rounds):
            with ours(bench, sink) as daemon:
                before = free(bench.disk)
                fetched(bench, daemon, item)
                sync_fs(bench.disk)
                begun = now()
                replies.append(daemon.probe("rmdir", daemon.mnt + "/images/image")[0])
                daemon.write("cleanup", "run")
                while before - free(bench.disk) > 2 << 20:  # the database's log
                    time.sleep(0.001)
                cleaned.append(round(now() - begun, 1))
        yield f"removal of {item.name}, sink {sink}, until rmdir returns", "ms", replies
        yield (f"removal of {item.name}, sink {sink}, rmdir and cleanup, until the space is free",
               "ms", cleaned)
    yield ("rm -r of the same tree in a plain directory", "ms",
           [rm(bench, item) for _ in range(rounds)])


def rm(bench, item):
    plain = contenders.fresh(bench.disk)
    os.mkdir(plain)
    run("tar", "-x", "-C", plain, "-f", item.path)
    sync_fs(bench.disk)
    begun = now()
    run("rm", "-r", plain)
    return round(now() - begun, 1)


def measure(bench, items, rounds):
    """ITEMS: by name; what is not there is not measured."""
    roles = bench.roles
    parts = [(second_name, roles["large"]), (states, roles["small"]), (names, roles["flat"]),
             (removal, roles["many"])]
    parts += [(memory_and_disk, name) for name in bench.args.slow if not name.startswith("flat")]
    for part, name in parts:
        if name in items:
            for row in part(bench, items[name], rounds):
                say(f"{row[0]}: {' '.join(f'{x:g}' for x in row[2])} {row[1]}")
                yield list(row)
