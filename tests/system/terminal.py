"""What tests need to look at a program in a terminal: a pty with a process in it, and a small
terminal behind it that knows what the client sends, and fails on anything else."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

PATIENCE = float(os.environ.get("IMGSTORE_TEST_PATIENCE", "1"))
SEQUENCE = re.compile(r"\x1b\[(\??)([0-9;]*)([A-Za-z])")


class Screen:
    """Rows of text; what has scrolled off is in `above`."""

    def __init__(self, columns, rows):
        self.columns, self.rows = columns, rows
        self.main = self.cells = [""] * rows
        self.above = []
        self.row = self.column = 0
        self.widest = 0  # the most columns that a line of a frame had
        self.wraps = 0
        self.hidden = self.alternate = False
        self.colours = set()

    def line_feed(self):
        if self.row < self.rows - 1:
            self.row += 1
            return
        self.above.append(self.cells[0])
        self.cells[:] = self.cells[1:] + [""]

    def put(self, c):
        if self.column == self.columns:
            self.wraps += 1
            self.column = 0
            self.line_feed()
        line = self.cells[self.row].ljust(self.column)
        self.cells[self.row] = line[:self.column] + c + line[self.column + 1:]
        self.column += 1
        self.widest = max(self.widest, self.column)

    def sequence(self, private, numbers, final):
        first = int(numbers.split(";")[0] or 0)
        if private and final in "hl" and first == 25:
            self.hidden = final == "l"
        elif private and final in "hl" and first == 1049:
            self.alternate = final == "h"
            self.cells = [""] * self.rows if self.alternate else self.main
        elif private and final in "hl" and first == 2004:
            pass  # a shell's
        elif final == "m":
            self.colours.add(numbers)
        elif final == "A":
            self.row = max(0, self.row - max(1, first))
        elif final == "H" and not numbers:
            self.row = self.column = 0
        elif final == "K" and not numbers:
            self.cells[self.row] = self.cells[self.row][:self.column]
        elif final == "J" and not numbers:
            self.cells[self.row] = self.cells[self.row][:self.column]
            self.cells[self.row + 1:] = [""] * (self.rows - self.row - 1)
        else:
            sys.exit("FAIL: no terminal knows ESC[%s%s%s" % (private, numbers, final))

    def feed(self, text):
        """Returns what is not whole yet."""
        at = 0
        while at < len(text):
            c = text[at]
            if c == "\x1b":
                m = SEQUENCE.match(text, at)
                if not m:
                    return text[at:]
                self.sequence(*m.groups())
                at = m.end()
                continue
            if c == "\n":
                self.line_feed()
            elif c == "\r":
                self.column = 0
            elif c == "\b":
                self.column = max(0, self.column - 1)
            else:
                self.put(c)
            at += 1
        return ""

    def text(self):
        return "\n".join(line.rstrip() for line in self.above + self.cells).strip("\n")


def set_size(fd, columns, rows):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


class Run:
    """A command in a terminal of its own."""

    def __init__(self, command, columns=80, rows=24, **env):
        self.screen = Screen(columns, rows)
        self.raw, self.rest, self.status = "", "", None
        environ = dict(os.environ, TERM="xterm-256color")
        environ.pop("NO_COLOR", None)
        environ.update(env)
        ready, go = os.pipe()
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.read(ready, 1)  # the size comes first
            os.execvpe(command[0], command, environ)
        set_size(self.fd, columns, rows)
        self.before = termios.tcgetattr(self.fd)
        os.write(go, b"x")
        os.close(ready)
        os.close(go)

    def take(self, seconds):
        """Whether anything came; the end is nothing."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            data = os.read(self.fd, 65536).decode()
        except OSError:
            data = ""
        self.raw += data
        self.rest = self.screen.feed(self.rest + data)
        return data != ""

    def fail(self, what):
        self.kill(signal.SIGKILL)
        sys.exit("FAIL: %s; the screen:\n%s\nraw, the last of it: %r" % (
            what, self.screen.text(), self.raw[-1500:]))

    def sees(self, pattern, seconds=15):
        """Waits until the screen shows it."""
        end = time.monotonic() + seconds * PATIENCE
        while not re.search(pattern, self.screen.text(), re.M):
            if time.monotonic() > end:
                self.fail("never shows %r" % pattern)
            if not self.take(0.1):
                time.sleep(0.01)

    def runs_for(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.take(0.05)

    def types(self, keys):
        os.write(self.fd, keys.encode())

    def kill(self, number):
        os.kill(self.pid, number)

    def resize(self, columns, rows):
        set_size(self.fd, columns, rows)
        self.screen.columns, self.screen.rows = columns, rows

    def ends(self, status, seconds=15):
        """With that status (a signal's number, negative), and the terminal as it was."""
        end = time.monotonic() + seconds * PATIENCE
        after = self.before
        while True:
            pid, got = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                self.fail("does not end")
            self.take(0.05)
        while self.take(0.1):
            pass
        try:
            after = termios.tcgetattr(self.fd)
        except OSError:
            pass
        code = os.waitstatus_to_exitcode(got)
        os.close(self.fd)
        if code != status:
            sys.exit("FAIL: ends with %d, not %d:\n%s" % (code, status, self.screen.text()))
        self.check("the cursor is there again", not self.screen.hidden)
        self.check("the screen is the one that it was", not self.screen.alternate)
        self.check("the keyboard is as it was", after[3] == self.before[3])
        return self.screen.text()

    def check(self, what, so):
        if not so:
            sys.exit("FAIL: %s: not so:\n%s\nraw, the last of it: %r" % (
                what, self.screen.text(), self.raw[-1500:]))
