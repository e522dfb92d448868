"""watch-poll.py MNT: poll(2) on the files of the image web, which is held DOWNLOADING; reads what to
expect, a line each, from standard input, and says a line each."""
import errno
import os
import select
import selectors
import sys

mnt = sys.argv[1]
WANTED = select.POLLIN | select.POLLPRI


def path(name):
    return "%s/images/web/%s" % (mnt, name)


def open_file(name):
    return os.open(path(name), os.O_RDONLY)


def events_of(fd, ms):
    p = select.poll()
    p.register(fd, WANTED)
    return dict(p.poll(ms)).get(fd, 0)


def check(what, so):
    if not so:
        sys.exit("FAIL: " + what)


def step(what):
    print(what, flush=True)
    return sys.stdin.readline().strip()


fds = {name: open_file(name) for name in ("state", "progress", "error", "info")}
for name in ("state", "progress", "error"):
    check(name + " is ready before it is read", events_of(fds[name], 0) == WANTED)
    os.pread(fds[name], 4096, 0)
    check(name + " is not ready once it is read", events_of(fds[name], 0) == 0)
check("info can always be read", events_of(fds["info"], 0) == select.POLLIN)

epoll = select.epoll()
for name in ("state", "error", "progress"):
    epoll.register(fds[name], select.EPOLLPRI)
got = epoll.poll(0.2)
check("nothing has changed, but %s of %s" % (got, fds), not got)
selector = selectors.DefaultSelector()
selector.register(fds["state"], selectors.EVENT_READ)
edge = select.epoll()
edge_fd = open_file("state")
os.pread(edge_fd, 4096, 0)
edge.register(edge_fd, select.EPOLLPRI | select.EPOLLET)
edge.poll(0)

step("waits")
check("the selector wakes", selector.select(10))
seen = set()
while not {"state", "error"} <= seen:
    got = epoll.poll(10)
    check("epoll wakes, after %s" % seen, got)
    for fd, events in got:
        name = next(n for n in fds if fds[n] == fd)
        check("POLLPRI", events & select.EPOLLPRI)
        text = os.pread(fd, 4096, 0).decode()
        seen.add(name)
        check(name + " says " + text, name == "progress" or
              text.startswith("FAILED" if name == "state" else "cancelled: "))
check("epoll wakes at the edge", edge.poll(10))
while True:
    got = epoll.poll(0.5)
    if not got:
        break
    for fd, _ in got:
        os.pread(fd, 4096, 0)
check("the other file of the same name has not been read", events_of(edge_fd, 0) == WANTED)
os.pread(edge_fd, 4096, 0)

# There and back again between two looks is a change.
step("turns")
check("A, B, A is a change", events_of(fds["state"], 10000) == WANTED)
check("and reads A", os.pread(fds["state"], 100, 0) == b"FAILED\n")
check("and is told once", events_of(fds["state"], 0) == 0)

step("ends")
check("the end wakes", events_of(fds["state"], 10000) == select.POLLERR | select.POLLPRI)
check("the end wakes error, too", events_of(fds["error"], 10000) & select.POLLERR)
try:
    os.pread(fds["state"], 100, 0)
    sys.exit("FAIL: what is gone can be read")
except OSError as e:
    check("ENODEV", e.errno == errno.ENODEV)
print("done", flush=True)
