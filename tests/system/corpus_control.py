"""corpus.py's part `control`: the cases of ctl_cases.json."""
import json
import os
import subprocess
import sys

from corpus_base import report


def case_bytes(c, case):
    data = b"".join(bytes.fromhex(part) * times for part, times in case["parts"])
    url = "%s/ok/%s" % (c.server, c.good["file"])
    # Names that are left out come from the URL: a good one.
    for mark, value in (("@URL_AFTER_SCHEME@", url[4:]), ("@URL@", url), ("@MNT@", c.mnt),
                        ("@SHA@", c.good["sha256"]), ("@FIFO@", "/nothing")):
        data = data.replace(mark.encode(), value.encode())
    return data


# Where a case and the contract differ, the contract decides: file: is no scheme of ours.
def wanted(case):
    return "REJECT" if case["id"].startswith("url-file-") else case["expect"]


def case_faults(c, case):
    images = os.path.join(c.mnt, "images")
    before = set(os.listdir(images))
    word = c.command("fetch", case_bytes(c, case))
    new = set(os.listdir(images)) - before
    faults = []
    if word != "OK" and new:
        faults.append("refused with %s, and yet there is %s" % (word, sorted(new)))
    if word not in ("OK", "EINVAL", "E2BIG", "EEXIST"):
        faults.append("gives " + word)
    want = wanted(case)
    if want == "REJECT" and word == "OK":
        faults.append("is taken")
    if want == "ACCEPT" and word != "OK":
        faults.append("is refused with " + word)
    for name, state in c.settled(new, 30).items():
        if state not in ("ACTIVE", "FAILED"):
            faults.append("%s is %s" % (name, state))
        elif state == "FAILED":
            faults += c.error_faults(name)
        if {"ACCEPT": "FAILED", "FAILED": "ACTIVE"}.get(want) == state:
            faults.append("%s is %s" % (name, state))
    c.remove(new)
    return faults


def pieces(c):
    """A line a byte at a time: nothing may come of it but refusals."""
    line = b"%s/ok/x %s bytewise\n" % (c.server.encode(), c.good["sha256"].encode())
    fd = os.open(os.path.join(c.mnt, "ctl/fetch"), os.O_WRONLY)
    taken = 0
    for at in range(len(line)):
        try:
            os.write(fd, line[at:at + 1])
            taken += 1
        except OSError:
            pass
    os.close(fd)
    return ["%d writes of one byte are taken" % taken] if taken else []


def writers(c):
    """Sixteen processes, 200 lines each: all of them arrive, whole."""
    script = """
import os, sys
for i in range(200):
    fd = os.open(sys.argv[1], os.O_WRONLY)
    try:
        os.write(fd, b"no-such-%s-%d\\n" % (os.fsencode(sys.argv[2]), i))
    except FileNotFoundError:
        pass
    os.close(fd)
"""
    running = [subprocess.Popen([sys.executable, "-SEc", script,
                                 os.path.join(c.mnt, "ctl/remove"), str(i)]) for i in range(16)]
    codes = [p.wait() for p in running]
    return ["exit codes %s" % codes] if any(codes) else []


def control(c):
    with open(os.path.join(c.dir, "ctl_cases.json")) as f:
        for case in json.load(f)["cases"]:
            report("case " + case["id"], case_faults(c, case))
    report("case pieces", pieces(c))
    report("case writers", writers(c))
    report("control: good one", c.good_one("after-control"))
    c.remove(["after-control"])
