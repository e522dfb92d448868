"""events.py MOUNT IMAGE ROUNDS: see events. IMAGE hangs in its download: it is cancelled and tried
again."""
import os
import select
import signal
import struct
import sys
import time

TURNS = 100
WAYS = [(kind, n) for kind in ("read", "poll", "pipe") for n in (1, 100)]


def control(mnt, file, image):
    with open("%s/ctl/%s" % (mnt, file), "wb", buffering=0) as f:
        f.write(image.encode() + b"\n")


def until(mnt, image, state):
    while True:
        with open("%s/images/%s/state" % (mnt, image)) as f:
            if f.read().strip() == state:
                return


def follow(mnt, kind, source, out):
    """Says when each line with FAILED came."""
    wait = None
    if kind != "pipe":
        source = os.open(mnt + "/events", os.O_RDONLY | (os.O_NONBLOCK if kind == "poll" else 0))
        os.lseek(source, 0, os.SEEK_END)
    if kind == "poll":
        wait = select.poll()
        wait.register(source, select.POLLIN)
    os.write(out, struct.pack("q", 0))
    while True:
        if wait:
            wait.poll()
        try:
            data = os.read(source, 4096)
        except BlockingIOError:
            continue
        now = time.monotonic_ns()
        if b'"to":"FAILED"' in data:
            os.write(out, struct.pack("q", now))


def start(mnt, kind, n):
    readers = []
    for _ in range(n):
        told, tell = os.pipe()
        source, feed = os.pipe()
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            follow(mnt, kind, source, tell)
        os.close(tell)
        os.close(source)
        readers.append((pid, told, feed))
    for _, told, _ in readers:
        os.read(told, 8)
    return readers


def end(readers):
    for pid, told, feed in readers:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(told)
        os.close(feed)


def one_round(mnt, image, kind, n):
    """Microseconds, of each reader and turn."""
    readers, took = start(mnt, kind, n), []
    for _ in range(TURNS):
        if kind == "pipe":
            begun = time.monotonic_ns()
            for _, _, feed in readers:
                os.write(feed, b'{"to":"FAILED"}\n')
        else:
            control(mnt, "cancel", image)
            begun = time.monotonic_ns()
        for _, told, _ in readers:
            took.append((struct.unpack("q", os.read(told, 8))[0] - begun) / 1000)
        if kind != "pipe":
            control(mnt, "retry", image)
            until(mnt, image, "DOWNLOADING")
    end(readers)
    return took


def main():
    mnt, image, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3])
    took = {way: [] for way in WAYS}
    for i in range(rounds):
        print("round %d: load %.2f" % (i, os.getloadavg()[0]), flush=True)
        for way in WAYS:
            took[way].append(sorted(one_round(mnt, image, *way)))
    print("microseconds  readers   median      p99     most")
    for (kind, n), all_rounds in took.items():
        s = min(all_rounds, key=lambda s: s[len(s) * 99 // 100])
        print("%-12s %8d %8.0f %8.0f %8.0f" % (kind, n, s[len(s) // 2], s[len(s) * 99 // 100], s[-1]))


main()
