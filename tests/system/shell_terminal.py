"""shell_terminal.py IMGSTORE NAME: a shell on a terminal, as one who sits before it has it."""
import os
import pty
import select
import signal
import sys
import termios
import time


class Terminal:
    def __init__(self, *command):
        self.got = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            os.execv(command[0], command)

    def sees(self, wanted, seconds=20):
        """What comes up to and with that is done with then."""
        end = time.monotonic() + seconds
        while wanted.encode() not in self.got:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.fd], [], [], left)[0]:
                sys.exit(f"no {wanted!r} in {self.got!r}")
            try:
                self.got += os.read(self.fd, 4096)
            except OSError:
                sys.exit(f"it ended without {wanted!r}: {self.got!r}")
        self.got = self.got.partition(wanted.encode())[2]

    def types(self, text):
        os.write(self.fd, text.encode())

    def ends(self, due, seconds=20):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if select.select([self.fd], [], [], 0)[0]:
                try:
                    os.read(self.fd, 4096)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                if code != due:
                    sys.exit(f"ended with {code}, not {due}")
                os.close(self.fd)
                return
            time.sleep(0.02)
        sys.exit(f"does not end with {due}")


def main():
    program, name = sys.argv[1:]
    # An interactive shell: the terminal is its own, Ctrl-C ends what runs in it and not the shell.
    t = Terminal(program, "shell", name)
    t.types("echo at-$((1 + 1)) $TERM\n")
    t.sees("at-2 vt100")
    termios.tcsetwinsize(t.fd, (33, 77))
    t.types("stty size; echo size-$?\n")
    t.sees("33 77")
    t.sees("size-0")
    t.types("tty\n")
    t.sees("/dev/console")
    t.types("echo run''ning; sleep 1000\n")
    t.sees("running")
    time.sleep(0.3)
    t.types("\x03")
    t.types("echo status-$?\n")
    t.sees("status-130")
    # It stops itself: nobody outside could continue it.
    t.types("kill -STOP $$; echo goes-''on\n")
    t.sees("goes-on")
    t.types("exit 5\n")
    t.ends(5)
    # Ctrl-D.
    t = Terminal(program, "shell", name)
    t.types("echo be''gun\n")
    t.sees("begun")
    t.sees("# ")  # before that it would be a line's end, and no key
    t.types("\x04")
    t.ends(0)
    # In a script: the terminal is the script's again.
    t = Terminal("/bin/sh", "-c", f"'{program}' shell {name}; echo ba''ck; read x; echo got-$x; exit 4")
    t.types("echo be''gun\n")
    t.sees("begun")
    t.types("exit\n")
    t.sees("back")
    t.types("it\n")
    t.sees("got-it")
    t.ends(4)
    # One command: Ctrl-C ends it, and that is told.
    t = Terminal(program, "shell", name, "sh", "-c", "echo be''gun; exec sleep 1000")
    t.sees("begun")
    time.sleep(0.3)
    t.types("\x03")
    t.ends(130)
    # The terminal goes, and with it all.
    t = Terminal(program, "shell", name, "sh", "-c", "echo be''gun; exec sleep 1000")
    t.sees("begun")
    os.close(t.fd)
    end = time.monotonic() + 20
    while os.waitpid(t.pid, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.kill(t.pid, signal.SIGKILL)
            sys.exit("outlives its terminal")
        time.sleep(0.02)


main()
