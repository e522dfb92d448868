#!/usr/bin/env python3
"""ctl.py CALL ARGS: does exactly that system call and prints OK or the errno's name.

  write [-a] [-t] [-c] [-r] [-o OFFSET] PATH DATA...
        opens PATH once (-a O_APPEND, -t O_TRUNC, -c O_CREAT, -r O_RDWR) and does one write(2) for
        each DATA (-o: pwrite there), a word for each; a failed open is one word. DATA is spelled as
        a C string's inside, or @FILE.
  read PATH [OFFSET]          prints what one read(2) there gives
  mkdir rmdir unlink create mkfifo readlink PATH
  rename symlink link PATH PATH
  rename_flags FLAGS PATH PATH   FLAGS of renameat2(2): 1 RENAME_NOREPLACE, 2 RENAME_EXCHANGE
  truncate PATH SIZE;  chmod PATH MODE
  open FLAGS PATH             FLAGS as in O_RDONLY|O_TRUNC
"""
import ctypes
import errno
import os
import sys


def spelled(text):
    if text.startswith("@"):
        with open(text[1:], "rb") as f:
            return f.read()
    return text.encode().decode("unicode_escape").encode("latin-1")


def attempt(call, *args):
    try:
        result = call(*args)
    except OSError as e:
        return errno.errorcode[e.errno], None
    return "OK", result


def write(args):
    flags, offset = os.O_WRONLY, None
    letters = {"-a": os.O_APPEND, "-t": os.O_TRUNC, "-c": os.O_CREAT, "-r": os.O_RDWR}
    while args[0].startswith("-"):
        option = args.pop(0)
        if option == "-o":
            offset = int(args.pop(0))
        elif option == "-r":
            flags = flags & ~os.O_WRONLY | os.O_RDWR
        else:
            flags |= letters[option]
    word, fd = attempt(os.open, args[0], flags, 0o600)
    if fd is None:
        return word
    words = []
    for data in map(spelled, args[1:]):
        word, n = attempt(os.write, fd, data) if offset is None else attempt(os.pwrite, fd, data, offset)
        words.append(word if n is None or n == len(data) else "SHORT")
    word, _ = attempt(os.close, fd)
    return " ".join(words if word == "OK" else words + ["close:" + word])


def read(args):
    fd = os.open(args[0], os.O_RDONLY)
    sys.stdout.buffer.write(os.pread(fd, 1 << 20, int(args[1]) if len(args) > 1 else 0))


def opened(args):
    flags = 0
    for name in args[0].split("|"):
        flags |= getattr(os, name)
    return attempt(os.open, args[1], flags, 0o600)[0]


def rename_flags(args):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(-100, args[1].encode(), -100, args[2].encode(), int(args[0])) == 0:
        return "OK"
    return errno.errorcode[ctypes.get_errno()]


CALLS = {
    "write": write,
    "open": opened,
    "mkdir": lambda a: attempt(os.mkdir, a[0])[0],
    "rmdir": lambda a: attempt(os.rmdir, a[0])[0],
    "unlink": lambda a: attempt(os.unlink, a[0])[0],
    "mkfifo": lambda a: attempt(os.mkfifo, a[0])[0],
    "create": lambda a: attempt(os.open, a[0], os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)[0],
    "readlink": lambda a: attempt(os.readlink, a[0])[0],
    "rename": lambda a: attempt(os.rename, a[0], a[1])[0],
    "rename_flags": rename_flags,
    "symlink": lambda a: attempt(os.symlink, a[0], a[1])[0],
    "link": lambda a: attempt(os.link, a[0], a[1])[0],
    "truncate": lambda a: attempt(os.truncate, a[0], int(a[1]))[0],
    "chmod": lambda a: attempt(os.chmod, a[0], int(a[1], 8))[0],
}

if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(sys.argv[2:])
    elif sys.argv[1] in CALLS:
        print(CALLS[sys.argv[1]](sys.argv[2:]))
    else:
        sys.exit(__doc__)
