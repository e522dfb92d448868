"""watchers.py IMAGES NAME COUNT: so many watch the image NAME and say how many of them woke, each time
that more did. A sixth, and a hundred at most (a user may have 128 instances), with inotify, half of
which never read what they are told; the others with epoll, a file each."""
import ctypes
import os
import select
import sys
import time

ALL_EVENTS = 0xfff
libc = ctypes.CDLL(None, use_errno=True)
images, name, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
image = os.path.join(images, name)
poll = select.epoll()


def one_more():
    """Those of a test that has ended count for a moment longer; and another may have some."""
    end = time.monotonic() + 60
    while (fd := libc.inotify_init1(os.O_NONBLOCK)) < 0 and time.monotonic() < end:
        time.sleep(0.05)
    return fd


def instance():
    fd = one_more()
    for path in (images, image, image + "/state"):
        if fd < 0 or libc.inotify_add_watch(fd, os.fsencode(path), ALL_EVENTS) < 0:
            sys.exit("no watch: " + os.strerror(ctypes.get_errno()))
    return fd


def polled():
    fd = os.open(image + "/state", os.O_RDONLY)
    os.pread(fd, 100, 0)
    return fd


watching = min(100, count // 6)
pollers = [polled() for _ in range(count - watching)]
instances = [instance() for _ in range(watching)]
for fd in pollers:
    poll.register(fd, select.EPOLLPRI)
for fd in instances:
    poll.register(fd, select.EPOLLIN)
woke, polled_fds = set(), set(pollers)
print("ready", flush=True)
while True:
    for fd, _ in poll.poll():
        woke.add(fd)
        if fd in polled_fds:
            try:
                os.pread(fd, 100, 0)
            except OSError:
                poll.unregister(fd)
        elif fd % 2:
            os.read(fd, 65536)
        else:
            poll.unregister(fd)
    print("%d woke" % len(woke), flush=True)
