#!/usr/bin/env python3
"""tree.py list DIR     prints all that is to be known of each entry below DIR, sorted: what two equal
                      trees have in common. Sockets are left out.
tree.py make DIR     makes a tree with an example of everything that an archive can hold; as root
tree.py change DIR   changes such a tree in each way that a writable layer knows of
"""
import hashlib
import os
import shutil
import socket
import stat
import sys

TYPES = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link", stat.S_IFCHR: "char",
         stat.S_IFBLK: "block", stat.S_IFIFO: "fifo"}


def walk(root):
    """Yields path and lstat below root, the root first, in order."""
    todo = [b""]
    while todo:
        path = todo.pop()
        s = os.lstat(os.path.join(root, path))
        yield path, s
        if stat.S_ISDIR(s.st_mode):
            names = sorted(os.listdir(os.path.join(root, path)), reverse=True)
            todo += [os.path.join(path, name) for name in names]


def contents(path):
    digest = hashlib.sha256()
    with open(path, "rb") as f:
        while data := f.read(1 << 20):
            digest.update(data)
    return digest.hexdigest()[:16]


def show(root):
    first = {}
    for path, s in walk(root):
        full = os.path.join(root, path)
        kind = TYPES.get(stat.S_IFMT(s.st_mode))
        if not kind:
            continue
        facts = [repr(path)[2:-1] or ".", kind, "%o" % stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid,
                 s.st_mtime_ns]
        if kind == "file":
            facts += [s.st_size, contents(full)]
        if kind == "link":
            facts.append(repr(os.readlink(full)))
        if kind in ("char", "block"):
            facts.append("%d:%d" % (os.major(s.st_rdev), os.minor(s.st_rdev)))
        if kind != "dir" and first.setdefault((s.st_dev, s.st_ino), path) != path:
            facts.append("same as %r" % first[s.st_dev, s.st_ino])
        for name in sorted(os.listxattr(full, follow_symlinks=False)):
            if not name.startswith("trusted.overlay.") and name != "security.selinux":
                facts.append("%s=%r" % (name, os.getxattr(full, name, follow_symlinks=False)))
        print(*facts)


def put(path, data=b"x\n", **how):
    with open(path, "wb") as f:
        f.write(data)
    look(path, **how)


def look(path, mode=None, owner=None, ns=None, **xattrs):
    if owner:
        os.chown(path, *owner, follow_symlinks=False)
    if mode is not None:
        os.chmod(path, mode)
    for name, value in xattrs.items():
        os.setxattr(path, name.replace("_", "."), value, follow_symlinks=False)
    if ns is not None:
        os.utime(path, ns=(0, ns), follow_symlinks=False)


def sparse(path, size, *written):
    with open(path, "wb") as f:
        for at, data in written:
            f.seek(at)
            f.write(data)
        f.truncate(size)


MiB = 1 << 20


def make_files():
    put("plain", mode=0o640, owner=(1234, 5678), ns=981173045 * 10**9 + 123456789)
    put("empty", b"")
    put("setuid", mode=0o6755)
    put("large-owner", owner=(3000000, 4294967290))
    put("before-1970", ns=-1500000000)
    put("half-a-second-before", ns=-10 * 10**9)
    put("far", ns=4000000000 * 10**9)
    put("colours", user_colour=b"blue", user_raw=b"\0\n=\xff", trusted_secret=b"s", user_empty=b"")
    put("latin-1-\xe9".encode("latin-1"))
    put("utf-8-\u00e9\u4e16")
    put("new\nline")
    put("n" * 255, b"long")
    put("blocks", os.urandom(3 * MiB + 1))
    for size in (511, 512, 513, 4095, 4096, 4097):
        put("size-%d" % size, os.urandom(size))


def make_sparse():
    sparse("all-hole", 5 * MiB)
    sparse("hole-at-the-end", 3 * MiB, (0, b"a" * 5000))
    sparse("hole-at-the-front", 3 * MiB + 17, (3 * MiB, b"b" * 17))
    sparse("holes", 9 * MiB, (0, b"c"), (3 * MiB + 1, b"d" * 5000), (7 * MiB, b"e" * 65536))
    put("zeros", bytes(3 * MiB), user_zeros=b"yes")
    put("small-zeros", bytes(100000))


def make_others():
    os.symlink("/etc/passwd", "absolute")
    os.symlink("plain", "relative")
    os.symlink("t" * 300, "long-target")
    os.symlink(b"\xff\xfe", b"raw-\xff")
    look("relative", owner=(7, 8), ns=1000000001 * 10**9, trusted_of_link=b"l")
    os.mkfifo("fifo", 0o600)
    os.mknod("null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.mknod("disk", 0o660 | stat.S_IFBLK, os.makedev(259, 1048575))
    os.mknod("unused", 0o660 | stat.S_IFCHR, os.makedev(0, 1))
    os.link("plain", "zz-other-name-of-plain")
    os.link("blocks", "a-name-that-comes-first")
    os.link("relative", "zz-other-link", follow_symlinks=False)


def make_folders():
    os.mkdir("dir")
    look("dir", mode=0o1777, owner=(1, 2), user_folder=b"d")
    os.makedirs("dir/sub/sub")
    put("dir/sub/file")
    put("dir/sub/sub/file")
    os.link("plain", "dir/plain")
    os.mkdir("dir/empty")
    os.mkdir("replaced")
    put("replaced/old")
    os.mkdir("replaced/old-dir")
    os.mkdir("moved")
    put("moved/file")
    os.makedirs("/".join(["d" * 200] * 15))
    put("/".join(["d" * 200] * 15) + "/" + "f" * 200)
    os.makedirs("deep/" + "/".join("d" * 700))
    put("deep/" + "/".join("d" * 700) + "/bottom")
    look("dir", ns=1600000000 * 10**9 + 5)


def make(root):
    os.chdir(root)
    make_files()
    make_sparse()
    make_others()
    make_folders()
    look(".", mode=0o751, owner=(9, 10), user_root=b"r", ns=1234567890 * 10**9 + 7)


def change(root):
    """Some of it is what GNU tar could not have archived."""
    os.chdir(root)
    os.setxattr("colours", "user.a=b%c", b"odd")
    os.mkfifo("new-fifo")
    os.link("new-fifo", "zz-other-name-of-new-fifo")
    os.unlink("empty")
    os.unlink("dir/plain")
    shutil.rmtree("dir/sub/sub")
    shutil.rmtree("replaced")
    os.mkdir("replaced")
    put("replaced/new")
    shutil.move("moved", "moved-away")
    put("moved-away/another")
    os.unlink("size-512")
    os.mkdir("size-512")
    put("size-512/file")
    os.rmdir("dir/empty")
    put("dir/empty", b"a file now")
    with open("blocks", "r+b") as f:
        f.write(b"changed")
    os.link("blocks", "dir/third-name-of-blocks")
    with open("zeros", "r+b") as f:
        f.seek(MiB)
        f.write(b"x" * 100)
    sparse("new-holes", 20 * MiB, (10 * MiB, b"f" * 100))
    look("plain", mode=0o600, user_late=b"1")
    if os.geteuid() == 0:
        os.mknod("new-device", 0o600 | stat.S_IFCHR, os.makedev(5, 1))
    with socket.socket(socket.AF_UNIX) as s:
        s.bind("socket")
    os.symlink("socket", "new-link")
    look("dir", ns=1500000000 * 10**9 + 999999999)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("list", "make", "change"):
        sys.exit(__doc__)
    {"list": show, "make": make, "change": change}[sys.argv[1]](os.fsencode(sys.argv[2]))
