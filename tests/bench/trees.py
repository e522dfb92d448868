"""Reading the mounted tree of the large Debian, by everyone who has one, cold and warm."""
import contextlib
import os
import random
import shutil
import stat
import subprocess

import contenders
from inputs import run, say
from place import drop_caches, now, sync_fs

READS = 2000
PROGRAMS = """ls cat cp mv rm ln mkdir touch head tail sort uniq wc cut tr tee seq stat du df date
    env id uname chmod chown dd od expr factor sha256sum base64 grep sed gawk mawk find xargs tar
    gzip bash perl python3 git vim.basic make gcc g++ cpp ld as ar nm objdump readelf strip cmake go diff
    patch dpkg apt-get psql xz""".split()


class Trees:
    """name: root of each tree; they are let go of as STACK unwinds."""

    def __init__(self, bench, item, stack):
        self.bench, self.item, self.stack, self.roots = bench, item, stack, {}
        plain = contenders.fresh(bench.disk)
        os.mkdir(plain)
        stack.callback(shutil.rmtree, plain)
        run("tar", "-x", "--numeric-owner", "-C", plain, "-f", item.path)
        self.plain = self.roots["plain directory"] = plain
        for contender in (contenders.OursErofs, contenders.OursDir, contenders.Podman):
            self.fetched(contender(bench))
        if not bench.peers:
            bench.note("fuse-overlayfs: measured with --peers only")
        elif not shutil.which("fuse-overlayfs"):
            bench.note("fuse-overlayfs: not installed")
        else:
            self.fuse_overlayfs()

    def fetched(self, contender):
        why = contender.missing()
        if why:
            return self.bench.note(f"{contender.name}: {why}")
        folder = contenders.fresh(self.bench.disk)
        _, root = contender.fetch(self.item, folder)
        self.stack.callback(contender.clear, folder)
        self.roots[contender.name.replace("podman pull", "podman's overlay")] = root

    def fuse_overlayfs(self):
        folder = contenders.fresh(self.bench.disk)
        for name in ("", "/upper", "/work", "/mnt"):
            os.mkdir(folder + name)
        self.stack.callback(shutil.rmtree, folder)
        run("fuse-overlayfs", "-o", f"lowerdir={self.plain},upperdir={folder}/upper,"
            f"workdir={folder}/work", folder + "/mnt")
        self.stack.callback(run, "umount", folder + "/mnt")
        self.roots["fuse-overlayfs"] = folder + "/mnt"


def some_reads(root):
    """Lines `OFFSET PATH` for the probe, the same ones each time."""
    files = []
    for folder, dirs, names in os.walk(root):
        dirs.sort()
        for path in (os.path.join(folder, name) for name in sorted(names)):
            status = os.lstat(path)
            if stat.S_ISREG(status.st_mode) and status.st_size > 0:
                files.append((os.path.relpath(path, root), status.st_size))
    numbers = random.Random(7)
    picked = (numbers.choice(files) for _ in range(READS))
    return "".join(f"{numbers.randrange(size)} {path}\n" for path, size in picked)


def jobs(bench, plain):
    """{what: a function of a root that does it}"""
    reads = some_reads(plain)
    programs = [p for p in PROGRAMS if os.path.exists(f"{plain}/usr/bin/{p}")]
    quiet = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
    # tar reads nothing if it sees that it writes to /dev/null.
    pack = 'set -o pipefail; tar -C "$1" -cf - . | cat >/dev/null'
    start = 'for p; do "$p" --version || :; done'
    jobs = {
        "find -ls": lambda root: run("find", root, "-ls", **quiet),
        "tar c": lambda root: run("bash", "-c", pack, "bash", root),
        f"{READS:,} random reads of 4 KiB": lambda root: run(
            bench.build + "/tests/bench/probe", "random", root, input=reads, text=True,
            stdout=subprocess.DEVNULL),
    }
    if programs:
        jobs[f"{len(programs)} program starts"] = lambda root: run(
            "chroot", root, "sh", "-c", start, "sh", *programs, **quiet)
    return jobs


def timed(job, root):
    begun = now()
    job(root)
    return round(now() - begun, 1)


def measure(bench, item, rounds):
    """{what: {who: [[cold, warm], …]}}"""
    with contextlib.ExitStack() as stack:
        trees = Trees(bench, item, stack)
        sync_fs(bench.disk)
        todo = jobs(bench, trees.plain)
        results = {what: {who: [] for who in trees.roots} for what in todo}
        for i in range(rounds):
            for what, job in todo.items():
                for who, root in trees.roots.items():
                    if not bench.selftest:
                        drop_caches()
                    results[what][who].append([timed(job, root), timed(job, root)])
                say(f"{what} {i + 1}/{rounds}: " + ", ".join(
                    f"{who} {r[-1][0] / 1e3:.2f} ({r[-1][1] / 1e3:.2f} warm)"
                    for who, r in results[what].items()))
        return results
