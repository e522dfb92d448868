"""client-terminal.py CASE CLIENT SLOW: the client in a terminal, on the tree at $IMGSTORE_MOUNT. SLOW
is a file of lines `NAME URL SHA256`, of images that take some seconds to come."""
import os
import re
import signal
import sys

from terminal import Run

case, client, slow = sys.argv[1:4]
with open(slow) as f:
    slow = [line.split() for line in f]
names = [line[0] for line in slow]


def run(*args, **more):
    return Run([client, *args], **more)


def fetch_all():
    for image in slow:
        if os.spawnv(os.P_WAIT, client, [client, "fetch", *image]):
            sys.exit("FAIL: cannot fetch %s" % image)


def within(r, columns):
    r.check("no frame is wider than the terminal", r.screen.widest < columns and not r.screen.wraps)


def bars(columns):
    """One bar each, redrawn in place; each leaves one line."""
    fetch_all()
    r = run("wait", *names, columns=columns)
    for name in names:
        r.sees(r"^%s +download +\[=*> *\] +\d+%% +[\d.]+/[\d.]+ [KM]iB +[\d.]+ [KM]?i?B/s" % name)
    r.check("the cursor is hidden", r.screen.hidden)
    within(r, columns)
    text = r.ends(0)
    within(r, columns)
    r.check("a line each", sorted(line.split()[0] for line in text.splitlines()) == sorted(names))
    for line in text.splitlines():
        r.check("it says active, and how large: " + line, "  active  " in line and "iB" in line)
    r.check("colours", "32" in r.screen.colours)
    r.check("a green line for what is active", "\033[32mactive" in r.raw)


def one():
    r = run("fetch", *slow[0], "--wait")
    r.sees(r"download +\[")
    text = r.ends(0)
    r.check("one line with the time", text.count("\n") == 0 and "active" in text and " in " in text)
    r = run("wait", slow[0][0] + "x")
    r.check("says so", "no such image; did you mean %s?" % slow[0][0] in r.ends(4))


def few_rows():
    fetch_all()
    r = run("wait", *names, rows=5)
    r.sees(r"^and %d more$" % (len(names) - 3))
    r.check("nothing has scrolled", not r.screen.above)
    r.resize(60, 4)
    r.kill(signal.SIGWINCH)
    r.sees(r"^and %d more$" % (len(names) - 2))
    r.ends(0)


def interrupted():
    fetch_all()
    r = run("wait", *names)
    r.sees("download")
    r.types("\x03")
    text = r.ends(130)
    r.check("says that they go on", "%d images go on in the background; `imgstore wait %s" % (
        len(names), names[0]) in text.replace("\n", ""))
    r = run("wait", names[0])
    r.sees("download")
    r.kill(signal.SIGTERM)
    r.check("says that it goes on", "%s goes on in the background; `imgstore wait %s`" % (
        names[0], names[0]) in r.ends(143))
    r = run("wait", *names)
    r.ends(0)


def stopped():
    """Ctrl-Z gives the terminal back meanwhile."""
    r = Run(["bash", "--norc", "-i"], PS1="$ ")
    r.types("'%s' fetch %s --wait\r" % (client, " ".join(slow[0])))
    r.sees(r"download +\[")
    r.types("\x1a")
    r.sees("Stopped")
    r.check("the cursor is there", not r.screen.hidden)
    r.types("fg\r")
    r.sees(r"active .* in ")
    r.types("exit\r")
    r.ends(0)


def plain():
    """NO_COLOR: no colours, but bars; TERM=dumb: not one sequence."""
    fetch_all()
    r = run("wait", *names, NO_COLOR="1")
    r.sees(r"download +\[")
    r.ends(0)
    r.check("no colours", not r.screen.colours)
    for args in (["list"], ["wait", *names]):
        r = run(*args, TERM="dumb")
        r.ends(0)
        r.check("no sequences", "\033" not in r.raw)
    r = run("list", NO_COLOR="1")
    r.ends(0)
    r.check("no colours", "\033" not in r.raw)


def listed(columns):
    text = run("list", columns=columns).ends(0)
    if text.strip() != "no images yet; `imgstore fetch NAME URL SHA256 --wait` gets the first one":
        sys.exit("FAIL: an empty list says " + text)
    bad = ["wrong", slow[0][1].replace("/slow/", "/ok/").split("?")[0], "0" * 64]
    os.spawnv(os.P_WAIT, client, [client, "fetch", *bad])
    r = run("wait", "wrong", columns=columns)
    text = r.ends(1)
    text = text.replace("\n", "")
    r.check("says what to do", "`imgstore remove wrong`" in text and "checksum-mismatch" in text)
    r = run("list", columns=columns)
    text = r.ends(0)
    r.check("two lines", text.count("\n") == 1)
    r.check("not wider than the terminal", not r.screen.wraps)
    r.check("an error that is too long is cut", text.endswith("..."))
    r.check("at the terminal's width", r.screen.widest == columns)
    r.check("red", "\033[31mFAILED" in r.raw)
    r = run("list", "--sort", "colour", columns=columns)
    r.check("names the keys", "name, state, progress, size, created or updated" in
            r.ends(2).replace("\n", ""))


def watched(columns):
    fetch_all()
    r = run("watch", columns=columns)
    r.sees(r"^%d images: %d under way" % (len(names), len(names)))
    r.sees(r"^%s +download +\[" % names[-1])
    r.check("a screen of its own", r.screen.alternate and r.screen.hidden)
    r.sees(r"^%d images: 0 under way, %d ready" % (len(names), len(names)))
    r.sees(r"^%s +active +[\d.]+ [KM]iB" % names[0])
    within(r, columns)
    # What comes and goes is seen at once.
    os.spawnv(os.P_WAIT, client, [client, "remove", names[0]])
    r.sees(r"^%d images: 0 under way, %d ready" % (len(names) - 1, len(names) - 1), 5)
    r.types("q")
    r.check("leaves nothing", r.ends(0) == "")
    r = run("watch", names[1], columns=columns)
    r.sees("^1 image: ")
    r.types("\x03")
    r.ends(0)
    r = run("watch", names[1], "nothere", columns=columns)
    r.check("says so", "nothere: no such image" in r.ends(4))
    r = run("watch", "--json", columns=columns)
    r.runs_for(1)
    r.types("\x03")
    r.ends(130)
    r.check("JSON alone", "\033" not in r.raw and '"name":"%s"' % names[1] in r.raw)
    r = run("watch", columns=columns)
    r.sees("^%s +active" % names[1])
    os.kill(int(os.environ["DAEMON_PID"]), signal.SIGKILL)
    r.check("says that the daemon is gone", "no daemon" in r.ends(3))


def shell(command):
    return Run(["sh", "-c", command], IMGSTORE=client)


def imported():
    """What a pipe brings slowly; Ctrl-C breaks it off."""
    fifo = os.path.join(os.path.dirname(sys.argv[3]), "fifo")
    os.mkfifo(fifo)
    r = shell("exec $IMGSTORE import piped - <%s" % fifo)
    with open(fifo, "wb") as f:
        f.write(b"x" * 100000)
        f.flush()
        r.sees(r"^piped +import +97.7 KiB")
        r.types("\x03")
        r.check("says so", "piped: broken off, nothing of it is kept" in r.ends(130))
    r.check("no bar is left", "97.7" not in r.screen.text())
    r = shell("exec $IMGSTORE import piped - </dev/tty")
    r.check("a terminal is no archive", "standard input is a terminal" in r.ends(2))


def exported():
    """To one who reads slowly."""
    fetch_all()
    name = names[-1]
    run("wait", name).ends(0)
    r = shell("$IMGSTORE export %s | (for i in 1 2 3 4 5 6; do sleep 0.2; head -c 300000; done; cat) "
              ">/dev/null" % name)
    r.sees(r"^%s +export +[\d.]+ [KM]iB" % name)
    r.check("says how much", re.fullmatch(name + r"  exported  [\d.]+ MiB in [\d.]+ s", r.ends(0)))
    r = run("export", name)
    r.check("no tar on a terminal", "imgstore export %s %s.tar" % (name, name) in
            r.ends(2).replace("\n", ""))


def hung():
    """A daemon that does not answer: Ctrl-C ends it all the same, and the terminal is as it was."""
    fetch_all()
    daemon = int(os.environ["DAEMON_PID"])
    watchers = run("wait", names[-1]), run("watch")
    for r in watchers:
        r.sees("^%s +download +" % names[-1])
    os.kill(daemon, signal.SIGSTOP)
    try:
        for r in watchers:
            r.runs_for(1.2)  # until it asks the daemon
            r.types("\x03")
        for r in watchers:
            r.check("says why", "the daemon does not answer" in r.ends(130, 8))
    finally:
        os.kill(daemon, signal.SIGCONT)


CASES = {"bars": bars, "one": one, "few-rows": few_rows, "interrupted": interrupted,
         "stopped": stopped, "plain": plain, "listed": listed, "watched": watched,
         "imported": imported, "exported": exported, "hung": hung}
function, *columns = case.split("-at-")
CASES[function](*map(int, columns))
print("all as it should be")
