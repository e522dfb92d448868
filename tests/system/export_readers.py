#!/usr/bin/env python3
"""export_readers.py PATH N [unread]: opens PATH N times, and prints how a read(2) of one byte from
each ends, as `COUNT WORD`, sorted (unread: reads nothing), then `done`; holds them open until its
standard input ends.
"""
import collections
import errno
import os
import sys


def first_read(fd):
    try:
        return "OK" if os.read(fd, 1) else "END"
    except OSError as e:
        return errno.errorcode[e.errno]


def main():
    path, n = sys.argv[1], int(sys.argv[2])
    files = [os.open(path, os.O_RDONLY) for _ in range(n)]
    if "unread" not in sys.argv:
        for word, count in sorted(collections.Counter(map(first_read, files)).items()):
            print(count, word, flush=True)
    print("done", flush=True)
    sys.stdin.read()


main()
