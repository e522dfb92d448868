"""What the tests of `events` do with an open file, a function each: events.py FUNCTION MOUNT ARGS…"""
import ctypes
import errno
import json
import os
import select
import signal
import struct
import sys
import threading
import time

KEYS = ["seq", "time", "image", "from", "to", "code", "message"]


def check(so, *what):
    if not so:
        sys.exit("FAIL: " + " ".join(map(str, what)))


def open_events(mnt, flags=os.O_NONBLOCK):
    return os.open(mnt + "/events", os.O_RDONLY | os.O_CLOEXEC | flags)


def control(mnt, file, line):
    with open("%s/ctl/%s" % (mnt, file), "wb", buffering=0) as f:
        f.write(line.encode() + b"\n")


def read_all(fd, size=65536):
    """To the end, as it is now."""
    data = b""
    while True:
        try:
            piece = os.read(fd, size)
        except BlockingIOError:
            return data
        check(piece, "a read gives nothing")
        data += piece


def at_end(fd):
    try:
        os.read(fd, 1)
    except BlockingIOError:
        return True
    return False


def lines_of(data):
    check(not data or data.endswith(b"\n"), "is cut", data[-100:])
    lines = [json.loads(line) for line in data.decode("ascii").split("\n")[:-1]]
    for line in lines:
        check(list(line) in (KEYS, ["missed"]), "keys", line)
    return lines


def lives(mnt, image):
    """How it went with that image, as `from>to from>to …`."""
    fd = open_events(mnt)
    lines = [l for l in lines_of(read_all(fd)) if l["image"] == image]
    print(" ".join("%s>%s" % (l["from"] or "", l["to"] or "") for l in lines))


def last_failure(mnt, image):
    fd = open_events(mnt)
    lines = [l for l in lines_of(read_all(fd)) if l["image"] == image and l["to"] == "FAILED"]
    print("%s: %s" % (lines[-1]["code"], lines[-1]["message"]))


def seqs(mnt):
    fd = open_events(mnt)
    print(" ".join(str(l.get("seq", "missed")) for l in lines_of(read_all(fd))))


def places(mnt, _):
    """Where a read begins, by what the offset is."""
    fd = open_events(mnt)
    size = os.fstat(fd).st_size
    data = read_all(fd)
    check(len(data) == size, "st_size is", size, "not", len(data))
    check(os.lseek(fd, 0, os.SEEK_CUR) == size, "the offset is not the size")
    check(at_end(fd), "goes on")
    check(os.pread(fd, 65536, 0) == data, "from offset 0")
    check(os.pread(fd, 65536, 7) == data[7:], "from offset 7")
    check(read_all(fd, 1000) == b"", "the cursor was lost")
    os.lseek(fd, 0, os.SEEK_SET)
    check(b"".join(os.read(fd, 7) for _ in range(-(-size // 7) + 100) if not at_end_of(fd, size)) == data,
          "in pieces of 7")
    first = data.split(b"\n")[0] + b"\n"
    check(os.pread(fd, len(first) + 10, 0) == first, "a read cuts the second line")
    check(os.pread(fd, 10, 0) == first[:10], "a small buffer")
    # As bash reads a line: more than that, and a step back.
    os.lseek(fd, 0, os.SEEK_SET)
    got = b""
    while len(got) < size:
        piece = os.read(fd, 512)
        line = piece.split(b"\n")[0] + b"\n"
        os.lseek(fd, len(line) - len(piece), os.SEEK_CUR)
        got += line
    check(got == data, "by steps back")
    check(os.lseek(fd, 0, os.SEEK_END) == size and at_end(fd), "SEEK_END")
    check(os.pread(fd, 10, size + 1000000) if False else at_end_of(fd, size), "behind the end")
    st = os.fstat(fd)
    last = lines_of(data)[-1]["time"]
    check(time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(st.st_mtime)) == last[:19], "st_mtime", st, last)
    check(st.st_mode & 0o7777 == 0o444, "mode")


def at_end_of(fd, size):
    return os.lseek(fd, 0, os.SEEK_CUR) >= size


def nonblocking(mnt, image):
    """poll, select and epoll wake once there is a line, and not before."""
    fd, again = open_events(mnt), open_events(mnt)
    os.lseek(fd, 0, os.SEEK_END)
    os.lseek(fd, 0, os.SEEK_SET)
    os.read(fd, 10)
    check(select.select([fd], [], [], 0)[0], "what a read has left, back from the end, is not ready")
    os.lseek(fd, 0, os.SEEK_END)
    poll, epoll = select.poll(), select.epoll()
    poll.register(fd, select.POLLIN | select.POLLPRI)
    epoll.register(fd, select.EPOLLIN)
    check(poll.poll(100) == [], "poll is ready at the end")
    check(epoll.poll(0) == [] and select.select([fd], [], [], 0)[0] == [], "select, epoll")
    check(select.select([again], [], [], 1)[0], "what was never read is not ready")
    read_all(again)
    check(not select.select([again], [], [], 0)[0], "what was read is ready")
    woken = []

    def waits(call):
        begun = time.monotonic()
        woken.append((bool(call()), time.monotonic() - begun))
    threads = [threading.Thread(target=waits, args=(call,)) for call in (
        lambda: poll.poll(20000), lambda: epoll.poll(20), lambda: select.select([again], [], [], 20)[0])]
    for t in threads:
        t.start()
    time.sleep(0.3)
    control(mnt, "deactivate", image)
    for t in threads:
        t.join()
    check(len(woken) == 3 and all(w and s < 10 for w, s in woken), "woken", woken)
    check(poll.poll(0)[0][1] & (select.POLLIN | select.POLLPRI) == select.POLLIN | select.POLLPRI, "POLLPRI")
    got = lines_of(read_all(fd))
    check([(l["from"], l["to"]) for l in got] == [("ACTIVE", "STORED")], "what is new", got)
    check(lines_of(read_all(again)) == got, "another reader sees otherwise")
    check(poll.poll(0) == [], "ready, once it is read")


def blocking(mnt, image):
    """A read at the end waits; a signal interrupts it; the next line ends it."""
    fd = open_events(mnt, 0)
    os.lseek(fd, 0, os.SEEK_END)

    class Alarm(Exception):
        pass

    def on_alarm(*_):
        raise Alarm
    signal.signal(signal.SIGALRM, on_alarm)
    for _ in range(20):
        signal.setitimer(signal.ITIMER_REAL, 0.02)
        try:
            check(False, "reads", os.read(fd, 4096))
        except Alarm:
            pass
    signal.signal(signal.SIGALRM, lambda *_: None)
    libc = ctypes.CDLL(None, use_errno=True)
    signal.siginterrupt(signal.SIGALRM, True)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    buf = ctypes.create_string_buffer(100)
    check(libc.read(fd, buf, 100) == -1 and ctypes.get_errno() == errno.EINTR, "no EINTR")
    # Two threads at one open file: each line goes to one of them.
    got = []
    threads = [threading.Thread(target=lambda: got.append(os.pread(fd, 4096, os.fstat(fd).st_size)))
               for _ in range(2)]
    for t in threads:
        t.start()
    time.sleep(0.3)
    control(mnt, "deactivate", image)
    control(mnt, "activate", image)
    for t in threads:
        t.join()
    lines = [l for piece in got for l in lines_of(piece)]
    check(len({l["seq"] for l in lines}) == len(lines) >= 2, "lines", got)


def io_submit(fd, size, offset):
    """One asynchronous read (aio_abi.h); returns once the kernel has taken it."""
    libc = ctypes.CDLL(None, use_errno=True)
    ctx, buf = ctypes.c_ulong(0), ctypes.create_string_buffer(size + 4096)
    address = (ctypes.addressof(buf) + 4095) & ~4095
    iocb = ctypes.create_string_buffer(
        struct.pack("=QIIHhIQQqQII", 0, 0, 0, 0, 0, fd, address, size, offset, 0, 0, 0))
    check(libc.syscall(206, 1, ctypes.byref(ctx)) == 0, "io_setup")
    pointers = (ctypes.c_void_p * 1)(ctypes.addressof(iocb))
    return libc.syscall(209, ctx, 1, pointers)


def wait_state(mnt, image, state):
    for _ in range(1000):
        with open("%s/images/%s/state" % (mnt, image)) as f:
            if f.read() == state + "\n":
                return
        time.sleep(0.01)
    sys.exit("FAIL: %s is not %s" % (image, state))


def cycle(mnt, image):
    """Three lines."""
    control(mnt, "deactivate", image)
    control(mnt, "activate", image)
    wait_state(mnt, image, "ACTIVE")


def asynchronous(mnt, image):
    """Waits in an asynchronous read. The kernel does none behind what it takes for the end: so the
    log has to be shorter than it was when the kernel asked."""
    fd, direct, before, now = open_events(mnt), open_events(mnt, os.O_DIRECT), 0, 0
    while now >= before:  # to open it would ask
        before = os.fstat(fd).st_size
        cycle(mnt, image)
        os.lseek(fd, 0, os.SEEK_SET)
        now = len(read_all(fd))
    print("waits", flush=True)
    io_submit(direct, 4096, now)
    print("returns", flush=True)
    time.sleep(1000)


def there(mnt, image):
    """A reader that is there while more is written than is kept, and what it is told."""
    fd = open_events(mnt)
    last = lines_of(read_all(fd))[-1]["seq"]
    for _ in range(30):
        cycle(mnt, image)
    size, data = os.fstat(fd).st_size, read_all(fd)
    lines = lines_of(data)
    check(list(lines[0]) == ["missed"], "nothing is said", lines[0])
    check(lines[0]["missed"] == lines[1]["seq"] - last - 1, "missed", lines[0], last, lines[1])
    check(len(data) - len(json.dumps(lines[0], separators=(",", ":"))) - 1 == size, "st_size", size, len(data))
    check(1024 <= size <= 4096, "is kept", size)
    check([l["seq"] for l in lines[1:]] == list(range(lines[1]["seq"], last + 91)), "gaps")
    cycle(mnt, image)
    check([l["seq"] for l in lines_of(read_all(fd))] == list(range(last + 91, last + 94)), "goes on otherwise")


def wait(mnt, _):
    fd = open_events(mnt, 0)
    os.lseek(fd, 0, os.SEEK_END)
    print("waits", flush=True)
    os.read(fd, 4096)


def restless(mnt, _):
    """Reads all from now on, while signals interrupt it all the time, until the image `end` is there."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    fd, data = open_events(mnt, 0), b""
    print("waits", flush=True)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.0007)
    while b'"image":"end"' not in data:
        data += os.read(fd, 4096)
    signal.setitimer(signal.ITIMER_REAL, 0)
    got = [l["seq"] for l in lines_of(data)]
    check(got == list(range(1, got[-1] + 1)), "lines are lost or come twice", got)


def crowd(mnt, readers):
    """Of so many open files most are never read, a tenth is waited for in reads of a thread each, and
    as many in poll(2). Told on standard input what the last line's number is, all who read must have
    come to it."""
    files = [open_events(mnt, os.O_NONBLOCK if i % 10 else 0) for i in range(int(readers))]
    reached, poll = {}, select.poll()

    def follow(fd):
        data = b""
        while True:
            try:
                data += os.read(fd, 8192)
            except OSError as e:
                reached[fd] = errno.errorcode[e.errno]
                return
            if data.endswith(b"\n"):
                reached[fd] = lines_of(data)[-1]["seq"]
                data = b""
    threading.stack_size(256 * 1024)
    for i, fd in enumerate(files):
        if i % 10 == 0:
            threading.Thread(target=follow, args=(fd,), daemon=True).start()
        elif i % 10 == 1:
            os.lseek(fd, 0, os.SEEK_END)
            poll.register(fd, select.POLLIN)
    check(poll.poll(0) == [], "ready")
    print("waits", flush=True)
    last = int(sys.stdin.readline())
    end = time.monotonic() + 20
    while time.monotonic() < end and (len(reached) < len(files[::10]) or set(reached.values()) != {last}):
        time.sleep(0.05)
    check(set(reached.values()) == {last}, "not all come to", last, set(reached.values()))
    check(len(poll.poll(0)) == len(files[1::10]), "not all are ready")
    print("reached", flush=True)
    while set(reached.values()) != {"ENODEV"} and time.monotonic() < end + 20:
        time.sleep(0.05)
    check(set(reached.values()) == {"ENODEV"}, "at the end", set(reached.values()))
    print("ended", flush=True)


def empty(mnt):
    """What an empty log is: it has a size, and nothing to be read."""
    fd = open_events(mnt)
    check(os.fstat(fd).st_size == 1, "st_size", os.fstat(fd).st_size)
    check(not select.select([fd], [], [], 0)[0] and at_end(fd), "it goes on")
    check(os.lseek(fd, 0, os.SEEK_END) == 1, "SEEK_END")
    check(not select.select([fd], [], [], 0)[0] and at_end(fd), "it goes on at its end")
    os.lseek(fd, 0, os.SEEK_SET)
    check(at_end(fd), "it goes on, at 0 again")


def readline(mnt):
    """Follows as Python does."""
    with open(mnt + "/events") as f:
        f.seek(0, 2)
        while True:
            print(f.readline(), end="", flush=True)


def each_once(path, last):
    """What was followed goes on by one, up to that number, but for what it was told to have missed."""
    with open(path, "rb") as f:
        lines = lines_of(f.read())
    at = lines[0]["seq"] - 1
    for line in lines:
        at += line.get("missed", 1)
        check(line.get("seq", at) == at, "comes after", at - 1, line)
    check(at == int(last), "ends with", at)


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
