#!/usr/bin/env python3
"""Rooms include downwards only, and each library is known in one room: from the #include lines.

usage: layers.py ROOT      prints each include that breaks a rule; exits 1 if there is one
"""
import fnmatch
import os
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')

# A room: where its files lie (the first match counts), and the rooms that it may include besides
# itself. The folders of what is included are looked up from ROOT, then from ROOT/backend.
ROOMS = {
    "client": ("fs/client/*", {"base"}),
    "fs": ("fs/*", {"backend.h", "metrics", "base"}),
    "backend.h": ("backend/backend.h", {"metrics", "base"}),
    "backend": ("backend/backend.c", {"backend.h", "engine", "stages", "base"}),
    "metrics": ("backend/metrics.*", {"base"}),
    "engine": ("backend/engine/*", {"backend.h", "metrics", "stages", "store", "base"}),
    "stages": ("backend/stages/*", {"store", "base"}),
    "store": ("backend/store/*", {"base"}),
    "helper": ("backend/helper/*", {"base"}),
    "base": ("backend/base/*", set()),
}

# Made by the build.
GENERATED = {"fs/config.h"}

# Headers from outside, the only files that may include them (patterns, a space between), and who
# among those may not.
LIBRARIES = [
    (["fuse*.h", "fuse*/*.h"], "fs/*", "fs/client/*"),
    (["sqlite3*.h"], "backend/store/*", ""),
    (["archive*.h", "igzip_lib.h", "isa-l.h", "isa-l/*.h", "zlib.h", "zstd*.h", "lzma.h",
      "lzma/*.h", "bzlib.h", "seccomp.h"], "backend/helper/*", ""),
    (["curl/*.h"], "backend/stages/fetch/http*.c", ""),
    (["openssl/*.h"], "backend/stages/digest* backend/store/seal*", ""),
    (["jansson*.h"], "fs/client/* fs/event.c fs/log_to.c", ""),
]


def room_of(path):
    for room, (pattern, _) in ROOMS.items():
        if fnmatch.fnmatchcase(path, pattern):
            return room
    return None


def resolve(root, path, name):
    """The path below root that `#include "name"` in `path` means; None if there is no such file."""
    for folder in (os.path.dirname(path), "", "backend"):
        candidate = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(os.path.join(root, candidate)):
            return candidate
    return None


def judge_ours(room, included, name):
    target = room_of(included)
    if target is None:
        return f'{room} includes "{name}", which belongs to no room'
    if target != room and target not in ROOMS[room][1]:
        return f'{room} includes "{name}" of {target}'
    return None


def judge_library(path, name):
    for headers, where, but in LIBRARIES:
        if any(fnmatch.fnmatchcase(name, h) for h in headers):
            belongs = any(fnmatch.fnmatchcase(path, w) for w in where.split())
            if belongs and not fnmatch.fnmatchcase(path, but):
                return None
            return f"<{name}> belongs only in {where}" + (f", not in {but}" if but else "")
    return None


def findings(root):
    for top in ("fs", "backend"):
        for folder, _, files in sorted(os.walk(os.path.join(root, top))):
            for file in sorted(f for f in files if f.endswith((".c", ".h", ".def"))):
                path = os.path.relpath(os.path.join(folder, file), root)
                yield from findings_in(root, path)


def findings_in(root, path):
    room = room_of(path)
    if room is None:
        yield f"{path}: lies in no room"
        return
    with open(os.path.join(root, path), encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            match = INCLUDE.match(line)
            if not match:
                continue
            name = match[2]
            # Brackets don't help: a file of ours is found either way.
            ours = resolve(root, path, name)
            reason = judge_ours(room, ours, name) if ours else judge_library(path, name)
            if reason is None and not ours and match[1] == '"' and name not in GENERATED:
                reason = f'"{name}" is no file of ours'
            if reason:
                yield f"{path}:{number}: {reason}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = list(findings(sys.argv[1]))
    print("\n".join(found) if found else "every include goes down")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
