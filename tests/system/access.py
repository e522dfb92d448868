#!/usr/bin/env python3
"""access.py TREE OTHER [SKIPPED…]: tries, as whoever runs it, everything on every file of TREE, and
prints

  OPERATION KIND ERRNO      sorted, each once; OK is what succeeded

KIND is what the file is: root, ctl, images, image, snapshots, snapshot, rootfs, control (a file in
ctl), state (any other).
OTHER is a file elsewhere, to be renamed into the tree. SKIPPED is an "OPERATION KIND" not to be tried.
"""
import errno
import os
import stat
import sys

NAME = "intruder"


def kind(tree, path):
    rest = os.path.relpath(path, tree).split("/")
    if rest == ["."]:
        return "root"
    if rest[0] == "ctl":
        return "control" if len(rest) > 1 else "ctl"
    if rest[0] == "images":
        file = "rootfs" if rest[-1] == "rootfs" else "state"
        if rest[2:3] == ["snapshots"]:
            return ["snapshots", "snapshot", file][len(rest) - 3]
        return ["images", "image", file][len(rest) - 1]
    if rest[0] == "export":
        return "archive" if len(rest) > 1 else "export"
    if rest[0] == "import":
        return "import"
    return "state"


def read(path):
    if os.path.islink(path):
        os.readlink(path)
    elif os.path.isdir(path):
        os.listdir(path)
    else:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.read(fd, 1 << 16)
        finally:
            os.close(fd)


def opened(path, flags):
    os.close(os.open(path, flags))


# On a file or folder. A link is not followed, but where that is what is tried.
ON = {
    "read": read,
    "open-write": lambda p: opened(p, os.O_WRONLY | os.O_NOFOLLOW),
    "open-append": lambda p: opened(p, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW),
    "open-trunc": lambda p: opened(p, os.O_RDWR | os.O_TRUNC | os.O_NOFOLLOW),
    "truncate": lambda p: os.truncate(p, 0),
    "chmod": lambda p: os.chmod(p, 0o777),  # of a link: what it points to
    "chown": lambda p: os.chown(p, os.getuid(), os.getgid(), follow_symlinks=False),
    "utime": lambda p: os.utime(p, (1, 1), follow_symlinks=False),
    "touch": lambda p: os.utime(p, None, follow_symlinks=False),
    "setxattr": lambda p: os.setxattr(p, "user.x", b"x", follow_symlinks=False),
    "removexattr": lambda p: os.removexattr(p, "user.x", follow_symlinks=False),
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "rename-to": lambda p: os.rename(p, p + NAME),
    "rename-over": lambda p: os.rename(sys.argv[2], p),
    "link-to": lambda p: os.link(p, os.path.join(os.path.dirname(p), NAME), follow_symlinks=False),
    "link-out": lambda p: os.link(p, sys.argv[2] + NAME, follow_symlinks=False),
}

# In a folder.
IN = {
    "create": lambda p: os.close(os.open(p, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)),
    "mkdir": os.mkdir,
    "symlink": lambda p: os.symlink("/", p),
    "mkfifo": os.mkfifo,
    "mknod": lambda p: os.mknod(p, stat.S_IFREG | 0o600),
    "rename-in": lambda p: os.rename(sys.argv[2], p),
}


def word(call, path):
    try:
        call(path)
    except OSError as e:
        return errno.errorcode[e.errno]
    return "OK"


def main():
    tree = sys.argv[1]
    found = set()
    paths = [tree]
    for folder, folders, files in os.walk(tree):
        paths += [os.path.join(folder, name) for name in folders + files]
    for path in paths:
        what = kind(tree, path)
        for name, call in ON.items():
            if f"{name} {what}" in sys.argv[3:]:
                continue
            found.add((name, what, word(call, path)))
        if os.path.isdir(path) and not os.path.islink(path):
            for name, call in IN.items():
                if f"{name} {what}" in sys.argv[3:]:
                    continue
                found.add((name, what, word(call, os.path.join(path, NAME))))
    for row in sorted(found):
        print(*row)


main()
