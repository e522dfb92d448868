#!/usr/bin/env python3
"""bench.py: measures this program beside others. contrib/bench builds it, and calls this."""
import argparse
import datetime
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import chart
import contenders
import fetching
import inputs
import mounting
import place
import registry
import report
import small
import trees

REPO = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"),
                     "imgstorefs-bench")
QUICK_PARTS = ("fetch", "trees", "small")
PARTS = (*QUICK_PARTS, "mounts")
DISK_GIB = 12

# What is measured on one input alone.
ROLES = {"small": "debian-small.tar.gz", "large": "debian-large.tar.gz", "many": "many.tar.gz",
         "flat": "flat.tar.gz"}
TINY = "tiny.tar.gz"
QUICK = [*ROLES.values(), "big.tar"]
FULL = QUICK + ["debian-small.tar.zst", "debian-small.tar", "debian-large.tar.zst",
                "debian-large.tar", "many.tar.zst", "many.tar", "big.tar.gz", "big.tar.zst"]


def arguments():
    parser = argparse.ArgumentParser(prog="contrib/bench", description=f"""Measures this program
        beside the floor, pipes of common tools and other programs; prints tables and which aims are
        met, and writes them, a chart and every single figure as files. Inputs (7 GB) are made once,
        below {CACHE}. Needs root, and {DISK_GIB + 1} GiB in TMPDIR (or there).""")
    parser.add_argument("mode", nargs="?", default="quick", choices=["quick", "full", "selftest"],
                        help="quick: few inputs, 3 rounds, minutes; full: all, 5 rounds; selftest: "
                        "whether this works, on next to nothing")
    parser.add_argument("--peers", action="store_true",
                        help="with systemd-pull, podman, skopeo + umoci and fuse-overlayfs, which "
                        "it installs")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--best", action="store_true",
                        help="the best of the rounds, not their median: for a machine that others "
                        "use")
    parser.add_argument("--inputs", metavar="A,B", help=f"of {' '.join(sorted(FULL))}")
    parser.add_argument("--who", metavar="A,B",
                        help="of " + " ".join(c.word for c in contenders.ALL))
    parser.add_argument("--parts", metavar="A,B", help="of " + " ".join(PARTS))
    parser.add_argument("--build", metavar="DIR", default=REPO + "/build-bench",
                        help="measures what is built there; by default it is built")
    parser.add_argument("--results", metavar="DIR",
                        help="where they go; by default BUILD/bench-results")
    parser.add_argument("--readme", action="store_true",
                        help="measures nothing: puts the last results into contrib/doc/speed.md and "
                        "tests/bench/results")
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    full = args.mode == "full"
    args.rounds = args.rounds or {"full": 5, "quick": 3, "selftest": 1}[args.mode]
    chosen = args.inputs.split(",") if args.inputs else None
    args.inputs = chosen or (FULL if full else QUICK)
    args.slow = chosen or QUICK
    args.who = args.who.split(",") if args.who else [
        c.word for c in contenders.ALL if full or args.peers or c.word != "sha256sum"]
    args.parts = args.parts.split(",") if args.parts else PARTS if full else QUICK_PARTS
    report.BEST = args.best
    for given, known in ((args.inputs, FULL), (args.who, [c.word for c in contenders.ALL]),
                         (args.parts, PARTS)):
        unknown = [word for word in given if word not in known]
        if unknown:
            parser.error("unknown: " + " ".join(unknown))
    if args.mode == "selftest":
        args.inputs = args.slow = [TINY]
    args.results = args.results or args.build + "/bench-results"
    return args


class Bench:
    """What the parts share."""

    def __init__(self, args, disk, url):
        self.args, self.build, self.disk = args, args.build, disk
        self.url, self.notes, self.peers = url, [], args.peers
        self.selftest = args.mode == "selftest"
        self.roles = dict.fromkeys(ROLES, TINY) if self.selftest else ROLES
        self.registry = None
        if args.peers and shutil.which("docker-registry") and shutil.which("skopeo"):
            self.registry = registry.Registry(CACHE + "/registry")

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)
            inputs.say(text)


def first_of(path, key):
    with open(path, encoding="utf-8") as f:
        return next((line.split(":", 1)[1].strip() for line in f if line.startswith(key)), "?")


def output(*args):
    return subprocess.run(args, check=False, stdout=subprocess.PIPE, text=True).stdout.strip()


def machine(folder):
    disk = " on ".join(output("findmnt", "-no", "FSTYPE,SOURCE", "-T", folder).split()[:2])
    return {"cpu": first_of("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory": round(int(first_of("/proc/meminfo", "MemTotal").split()[0]) / 2**20),
            "kernel": os.uname().release, "load": os.getloadavg()[0],
            "disk": disk}


def describe(args, folder):
    return {"date": datetime.date.today().isoformat(), "mode": args.mode, "rounds": args.rounds,
            "best": args.best,
            "commit": output("git", "-C", REPO, "describe", "--always", "--dirty"),
            "machine": machine(folder), "inputs": {}, "fetch": {}, "trees": {}, "small": [],
            "mounts": {}}


def write(args, results):
    os.makedirs(args.results, exist_ok=True)
    for name, text in (("results.json", json.dumps(results) + "\n"),
                       ("results.md", report.markdown(results)),
                       ("aims.md", report.aims(results)), ("results.svg", chart.svg(results))):
        with open(f"{args.results}/{name}", "w", encoding="utf-8") as f:
            f.write(text)


def measure(bench, results, items):
    args = bench.args
    who = [c(bench) for c in contenders.ALL if c.word in args.who]
    results["about"] = {c.name: c.about for c in who}
    results["notes"] = bench.notes
    for name, item in items.items():
        results["inputs"][name] = item.facts
        if "fetch" in args.parts and not name.startswith("flat"):
            results["fetch"][name] = fetching.measure(bench, item, who, args.rounds)
            write(args, results)
    if "trees" in args.parts and bench.roles["large"] in items:
        results["trees"] = trees.measure(bench, items[bench.roles["large"]], args.rounds)
        write(args, results)
    if "small" in args.parts:
        for row in small.measure(bench, items, args.rounds):
            results["small"].append(row)
            write(args, results)
    if "mounts" in args.parts and not bench.selftest and bench.roles["large"] in items:
        results["mounts"] = mounting.measure(bench, items[bench.roles["large"]],
                                             min(args.rounds, 3))
    write(args, results)


def publish(args):
    """What contrib/doc/speed.md shows: the tables, the aims and the chart of the last results."""
    with open(args.results + "/results.json", encoding="utf-8") as f:
        results = json.load(f)
    report.BEST = results["best"]
    folder = f"{REPO}/tests/bench/results"
    os.makedirs(folder, exist_ok=True)
    for name in ("results.json", "results.svg"):
        shutil.copy(f"{args.results}/{name}", folder)
    subprocess.run([REPO + "/contrib/scripts/between", REPO + "/contrib/doc/speed.md", "benchmark"],
                   check=True, text=True,
                   input=report.readme(results, "../../tests/bench/results/results.svg"))


def benchmark(args, folder):
    """FOLDER is empty, and goes with this run."""
    if args.mode == "selftest":
        items = inputs.make(folder, args.inputs)
        disk, server = place.make_tmpfs(folder), place.start_busybox
    else:
        items = inputs.make(CACHE + "/inputs", args.inputs)
        disk, server = place.make_disk(folder, DISK_GIB), place.start_nginx
    results = describe(args, folder)
    if args.mode != "selftest":
        results["machine"]["disk"] = "journaled ext4 in a loop file with direct I/O on " + \
            results["machine"]["disk"]
    bench = Bench(args, disk, server(disk, os.path.dirname(items[0].path)))
    measure(bench, results, {item.name: item for item in items})
    print(report.markdown(results))
    print(report.aims(results))
    print(f"Every figure, and the chart: {args.results}")


def in_namespaces():
    """Once more, in namespaces of its own: whatever is mounted, attached or started in there ends
    with them, and they end with this process. The disk's file has a name until it is attached."""
    place_for_it = os.environ.get("TMPDIR") or CACHE
    os.makedirs(place_for_it, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench.", dir=place_for_it) as folder:
        inside = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--fork",
             "--kill-child", "--mount-proc", sys.executable, "-B", *sys.argv],
            env=dict(os.environ, IMGSTOREFS_BENCH=folder))

        def end(number, _):
            inside.kill()
            sys.exit(128 + number)

        with inside:
            signal.signal(signal.SIGINT, end)
            signal.signal(signal.SIGTERM, end)
            return inside.wait()


def main():
    args = arguments()
    if args.readme:
        return publish(args)
    inside = os.environ.get("IMGSTOREFS_BENCH")
    return benchmark(args, inside) if inside else in_namespaces()


sys.exit(main())
