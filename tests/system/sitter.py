"""sitter.py IMAGE: sits in that image's folder with `state` open; for each line on standard input says one:
its folder's name, what `state` there says, what the open file says, what is listed."""
import errno
import os
import sys


def attempt(call):
    try:
        return call()
    except OSError as e:
        return errno.errorcode[e.errno]


def read():
    with open("state") as f:
        return f.read().strip()


os.chdir(sys.argv[1])
fd = os.open("state", os.O_RDONLY)
for _ in sys.stdin:
    print(attempt(lambda: os.path.basename(os.getcwd())), attempt(read),
          attempt(lambda: os.pread(fd, 100, 0).decode().strip()),
          attempt(lambda: ",".join(sorted(os.listdir(".")))), flush=True)
