#!/usr/bin/env python3
"""Source files are short enough to be read, and hold no promises.

usage: sources.py ROOT
"""
import os
import re
import sys

FOLDERS = ("fs", "backend", "migrations", "tests", "contrib")
LINES = 500
NOT_OURS = ("tests/data/", "tests/fuzz/corpus/")
PROMISE = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b")


def sources(root):
    for top in FOLDERS:
        for folder, folders, files in os.walk(os.path.join(root, top)):
            folders[:] = [f for f in folders if f != "__pycache__"]
            for file in files:
                path = os.path.relpath(os.path.join(folder, file), root)
                if not path.startswith(NOT_OURS):
                    yield path


def findings(root):
    for path in sorted(sources(root)):
        with open(os.path.join(root, path), "rb") as f:
            data = f.read()
        if b"\0" in data:  # no text: an archive
            continue
        lines = data.decode("utf-8", "replace").splitlines()
        if len(lines) > LINES:
            yield f"{path}: {len(lines)} lines, more than {LINES}"
        for number, line in enumerate(lines, 1):
            if PROMISE.search(line):
                yield f"{path}:{number}: {line.strip()}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = list(findings(sys.argv[1]))
    print("\n".join(found) if found else "all files are short, and promise nothing")
    sys.exit(1 if found else 0)


main()
