"""What each way to mount an unpacked image costs, an overlay on top as in use: time, and the page
cache, in which a mount from a file has contents twice unless it reads past the cache."""
import contextlib
import ctypes
import os
import shutil
import subprocess
import tempfile

import contenders
import trees
from inputs import run, say
from place import LIBC, drop_caches, read_through

MS_RDONLY = 1
MEMCG = "/sys/fs/cgroup/memory"
TIGHT_FILE = MEMCG + "/memory.limit_in_bytes"
TIGHT = 1.5  # times the contents: they fit in once, not twice


def mount_file(image, point, options):
    """mount(8) would take a loop device."""
    if LIBC.mount(image.encode(), point.encode(), b"erofs", MS_RDONLY, options.encode()):
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), image)


def mount_loop(image, point, options):
    loop = subprocess.run(["losetup", "--read-only", "--find", "--show", "--sector-size=4096",
                           options, image], check=True, stdout=subprocess.PIPE,
                          text=True).stdout.strip()
    try:
        run("mount", "-t", "erofs", "-o", "ro", loop, point)
    finally:
        run("losetup", "-d", loop)  # once it is unmounted


# (what it is called, how, with which options, KiB of read-ahead)
WAYS = [
    ("its file", mount_file, "", 0),
    ("its file, 1 MiB ahead", mount_file, "", 1024),
    ("its file, directio", mount_file, "directio", 0),
    ("its file, directio, 1 MiB ahead", mount_file, "directio", 1024),
    ("loop, direct I/O", mount_loop, "--direct-io=on", 0),
    ("loop, direct I/O, 1 MiB ahead", mount_loop, "--direct-io=on", 1024),
]


def devices():
    return set(os.listdir("/sys/class/bdi"))


def device_of(point, before):
    """The mount's entry in /sys/class/bdi: a file system without a device gets one of its own."""
    status = os.stat(point)
    name = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    return name if name in devices() else (devices() - before).pop()


class Way:
    def __init__(self, way, image, folder, stack):
        self.image = image
        self.name, mount, options, ahead = way
        image_at, self.root = folder + "/image", folder + "/root"
        for name in ("image", "root", "upper", "work"):
            os.makedirs(f"{folder}/{name}")
        before = devices()
        mount(image, image_at, options)
        stack.callback(run, "umount", image_at)
        if ahead:
            device = device_of(image_at, before)
            with open(f"/sys/class/bdi/{device}/read_ahead_kb", "w", encoding="ascii") as f:
                f.write(str(ahead))
        run("mount", "-t", "overlay", "overlay", "-o", f"lowerdir={image_at},"
            f"upperdir={folder}/upper,workdir={folder}/work", self.root)
        stack.callback(run, "umount", self.root)


def cached():
    """MiB that the kernel keeps of files."""
    with open("/proc/meminfo", encoding="ascii") as f:
        words = (line.split() for line in f)
        return sum(int(w[1]) for w in words if w[0] in ("Cached:", "Buffers:")) / 1024


@contextlib.contextmanager
def tight_memory(mib):
    """Whatever is run meanwhile has so much, page cache included."""
    group = tempfile.mkdtemp(prefix="bench.", dir=MEMCG)
    try:
        with open(group + "/memory.limit_in_bytes", "w", encoding="ascii") as f:
            f.write(f"{mib:.0f}M")
        move_to(group)
        try:
            yield
        finally:
            move_to(MEMCG)
    finally:
        os.rmdir(group)


def move_to(group):
    with open(group + "/tasks", "w", encoding="ascii") as f:
        f.write("0")


def once(todo, way, item):
    """{what: figure}, each in the unit that its name ends with"""
    figures = {}
    for what, job in todo.items():
        drop_caches()
        before = cached()
        figures[f"{what}, cold, s"] = trees.timed(job, way.root) / 1e3
        if what == "tar c":
            figures["memory that it takes, MiB"] = cached() - before
        figures[f"{what}, warm, s"] = trees.timed(job, way.root) / 1e3
    drop_caches()
    read_through(way.image)  # as it is once it is unpacked: in the page cache
    figures["tar c, just unpacked, s"] = trees.timed(todo["tar c"], way.root) / 1e3
    if os.path.exists(TIGHT_FILE):
        drop_caches()
        with tight_memory(TIGHT * item.facts["bytes"] / 2**20):
            for _ in range(3):
                figures[f"tar c, third time, memory for {TIGHT:g} times the contents, s"] = \
                    trees.timed(todo["tar c"], way.root) / 1e3
    return figures


def measure(bench, item, rounds):
    """{what: {way: [figure, …]}}"""
    results = {}
    with contextlib.ExitStack() as stack:
        erofs = contenders.OursErofs(bench)
        why = erofs.missing()
        if why:
            bench.note(f"{erofs.name}: {why}")
            return results
        folder = contenders.fresh(bench.disk)
        erofs.fetch(item, folder)
        stack.callback(erofs.clear, folder)
        image = f"{erofs.daemon.store}/images/{item.sha256}/image"
        places = contenders.fresh(bench.disk)
        stack.callback(shutil.rmtree, places)
        ways = []
        for i, way in enumerate(WAYS):
            try:
                ways.append(Way(way, image, f"{places}/{i}", stack))
            except (OSError, KeyError, subprocess.CalledProcessError) as error:
                bench.note(f"an image mounted from {way[0]}: {error}")
        if not ways:
            return results
        if not os.path.exists(TIGHT_FILE):
            bench.note("tight memory: needs version 1 of control groups")
        todo = trees.jobs(bench, ways[0].root)
        for i in range(rounds):
            for way in ways:
                for what, figure in once(todo, way, item).items():
                    results.setdefault(what, {}).setdefault(way.name, []).append(round(figure, 2))
            say(f"ways to mount {i + 1}/{rounds}: " + "; ".join(
                f"{what}: " + " ".join(f"{runs[-1]:g}" for runs in by_way.values())
                for what, by_way in results.items()))
    return results
