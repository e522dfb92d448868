"""The most memory that a daemon and the helpers it starts ever had, by looking often: a helper that
grows does so for longer than the time between two looks."""
import os
import threading
import time


def resident(pid):
    """KiB at the highest, 0 once it is gone."""
    try:
        with open("/proc/%s/status" % pid) as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


def is_helper(pid):
    """Not the process that makes the events of inotify: that one stays."""
    try:
        with open("/proc/%s/cmdline" % pid, "rb") as f:
            return not f.read().startswith(b"imgstorefs-watch")
    except OSError:
        return False


def children(pid):
    """The helpers that unpack."""
    found = []
    try:
        for task in os.listdir("/proc/%s/task" % pid):
            with open("/proc/%s/task/%s/children" % (pid, task)) as f:
                found += f.read().split()
    except OSError:
        pass
    return [child for child in found if is_helper(child)]


class Watch(threading.Thread):
    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.daemon_peak, self.helper_peak, self.going = pid, 0, 0, True

    def run(self):
        while self.going:
            self.daemon_peak = max(self.daemon_peak, resident(self.pid))
            for child in children(self.pid):
                self.helper_peak = max(self.helper_peak, resident(child))
            time.sleep(0.005)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.join()
