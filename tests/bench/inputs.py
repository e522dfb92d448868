"""What the benchmark is run on, made once below a cache folder: root file systems and worse, as tar
archives. What is in them is fixed, but for the mirror's updates of Debian's packages."""
import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tarfile

FORMATS = {"tar": None, "tar.gz": ["gzip", "-6nc"], "tar.zst": ["zstd", "-3qc"]}
EPOCH = 1700000000
GIB = 1 << 30

# Together more than 50,000 entries, and more than 1 GiB.
LARGE = ["build-essential", "cmake", "git", "golang-go", "linux-headers-amd64", "postgresql",
         "python3-venv", "vim"]
# What differs from one run to the next, or is no part of a root file system that is handed on.
LEFT_OUT = ["./dev/*", "./proc/*", "./sys/*", "./run/*", "./tmp/*", "./var/log/*", "./var/cache/*",
            "./var/lib/apt/lists/*", "./etc/machine-id", "./etc/resolv.conf", "./etc/hostname",
            "./etc/ssl/private/*", "./etc/ssl/certs/ssl-cert-snakeoil*", "./var/lib/postgresql/*",
            "./etc/*-", "./var/lib/dpkg/*-old", "*.pyc", "./etc/ssl/certs/java/cacerts",
            "./var/lib/systemd/*", "./etc/ld.so.cache", "./debootstrap"]


class Input:
    """An archive: NAME is `debian-large.tar.gz` and the like."""

    def __init__(self, folder, name):
        self.name = name
        self.kind, _, ext = name.partition(".")
        self.format = {"tar": "plain", "tar.gz": "gzip", "tar.zst": "zstd"}[ext]
        self.path = os.path.join(folder, name)

    def load(self):
        with open(self.path + ".json", encoding="utf-8") as f:
            self.facts = json.load(f)
        self.sha256 = self.facts["sha256"]
        return self

    def ready(self):
        return os.path.exists(self.path + ".json")


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def run(*args, **more):
    subprocess.run(args, check=True, **more)


def chroot_install(root, packages):
    with open(root + "/usr/sbin/policy-rc.d", "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nexit 101\n")
    os.chmod(root + "/usr/sbin/policy-rc.d", 0o755)
    shutil.copy("/etc/resolv.conf", root + "/etc/resolv.conf")
    env = dict(os.environ, DEBIAN_FRONTEND="noninteractive", LC_ALL="C")
    options = ["-qq", "-y", "--no-install-recommends", "-o", "Dpkg::Use-Pty=0",
               "-o", "DPkg::options::=--force-unsafe-io"]
    run("unshare", "--mount", "--pid", "--fork", "sh", "-c",
        'mount -t proc proc "$1/proc" && exec chroot "$@"', "sh", root, "apt-get", "install",
        *options, *packages, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.unlink(root + "/usr/sbin/policy-rc.d")


def debian(folder, tar, packages):
    root = os.path.join(folder, "making.root")
    shutil.rmtree(root, ignore_errors=True)
    run("debootstrap", "--variant=minbase", "bookworm", root, stdout=subprocess.DEVNULL)
    if packages:
        chroot_install(root, packages)
    run("tar", "-C", root, "--sort=name", "--numeric-owner", "--clamp-mtime", f"--mtime=@{EPOCH}",
        *[f"--exclude={path}" for path in LEFT_OUT], "-cf", tar, ".")
    shutil.rmtree(root)


def member(name, size, kind=tarfile.REGTYPE):
    entry = tarfile.TarInfo(name)
    entry.size, entry.mtime, entry.type = size, EPOCH, kind
    entry.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return entry


class Text:
    """Reads like a file: SIZE bytes that compress about as text does."""

    def __init__(self, numbers, size):
        self.rest = base64.b16encode(numbers.randbytes(size // 2 + 1))[:size]

    def read(self, n):
        head, self.rest = self.rest[:n], self.rest[n:]
        return head


def many(folder, tar):
    numbers = random.Random(4)
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as out:
        for d in range(100):
            out.addfile(member(f"d{d:02}", 0, tarfile.DIRTYPE))
            for f in range(1000):
                size = numbers.randrange(1024, 4097)
                out.addfile(member(f"d{d:02}/f{f:03}", size), Text(numbers, size))


class Again:
    """Reads like a file: another one, over and over."""

    def __init__(self, path):
        self.file = open(path, "rb")

    def read(self, n):
        data = self.file.read(n)
        while len(data) < n:
            self.file.seek(0)
            data += self.file.read(n - len(data))
        return data


def big(folder, tar):
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as out:
        like = make(folder, ["debian-large.tar"])[0]
        out.addfile(member("disk.img", 2 * GIB), Again(like.path))


def flat(folder, tar):
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as out:
        out.addfile(member("d", 0, tarfile.DIRTYPE))
        for f in range(100000):
            out.addfile(member(f"d/file-{f:05}", 0))


def tiny(folder, tar):
    numbers = random.Random(1)
    with tarfile.open(tar, "w", format=tarfile.GNU_FORMAT) as out:
        out.addfile(member("d", 0, tarfile.DIRTYPE))
        for f in range(30):
            out.addfile(member(f"d/file-{f:02}", 4000), Text(numbers, 4000))


MAKERS = {
    "debian-small": lambda folder, tar: debian(folder, tar, []),
    "debian-large": lambda folder, tar: debian(folder, tar, LARGE),
    "many": many,
    "big": big,
    "flat": flat,
    "tiny": tiny,
}


def sha256(path):
    with open(path, "rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def contents(tar):
    """What is in a plain archive."""
    facts = {"entries": 0, "bytes": 0, "blocks": 0}
    with tarfile.open(tar, "r:") as archive:
        for entry in archive:
            archive.members = []
            facts["entries"] += 1
            if entry.isreg():
                facts["bytes"] += entry.size
                facts["blocks"] += -(-entry.size // 4096)
    return facts


def make_one(folder, item):
    plain = Input(folder, item.kind + ".tar")
    part = item.path + ".part"
    say(f"making {item.name}, once")
    if item.format == "plain":
        MAKERS[item.kind](folder, part)
        facts = contents(part)
    else:
        make(folder, [plain.name])
        facts = dict(plain.load().facts)
        with open(part, "wb") as out:
            run(*FORMATS[item.name.partition(".")[2]], plain.path, stdout=out)
    facts.update(sha256=sha256(part), size=os.path.getsize(part))
    os.rename(part, item.path)
    with open(item.path + ".json.part", "w", encoding="utf-8") as f:
        json.dump(facts, f)
    os.rename(item.path + ".json.part", item.path + ".json")


def make(folder, names):
    """The inputs of those names, made where they are missing."""
    os.makedirs(folder, exist_ok=True)
    items = [Input(folder, name) for name in names]
    for item in items:
        if not item.ready():
            make_one(folder, item)
    return [item.load() for item in items]
