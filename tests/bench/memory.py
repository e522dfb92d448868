#!/usr/bin/env python3
"""memory.py PID: until SIGTERM, samples the peak resident memory of PID and of its children, then
prints MiB: the process, the largest child, both."""
import glob
import signal
import sys
import time

running = True


def stop(*_):
    global running
    running = False


def peak(pid):
    try:
        with open("/proc/%s/status" % pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


def children(pid):
    for path in glob.glob("/proc/%s/task/*/children" % pid):
        try:
            with open(path) as f:
                yield from f.read().split()
        except OSError:
            pass


signal.signal(signal.SIGTERM, stop)
daemon = child = 0
while running:
    daemon = max(daemon, peak(sys.argv[1]))
    child = max([child] + [peak(pid) for pid in children(sys.argv[1])])
    time.sleep(0.003)
print("%.1f %.1f %.1f" % (daemon / 1024, child / 1024, (daemon + child) / 1024))
