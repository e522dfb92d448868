#!/usr/bin/env python3
"""Which of the program's calls that leave something behind no scenario comes by.

usage: coverage.py PROGRAM HITS [--allow FILE]
  HITS   what crash.py trace --hits wrote
Prints the calls that are not reached, as FUNCTION CALLED FILE:LINE, and the sum. Fails if one of them
is not in --allow, whose lines are FUNCTION CALLED and why no crash there matters.
"""
import argparse
import os
import re
import subprocess
import sys

WRAP_DEF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../fault/wrap.def")
ROW = re.compile(r"(?:WRAP|VARIADIC)\((?:WRITE|MOUNT|SQL), (\w+)", re.M)
CALL = re.compile(r"^\s*([0-9a-f]+):\s+(?:call|bl)\w*\s+.*<__wrap_(\w+)>")
ANY = re.compile(r"^\s*([0-9a-f]+):")
FUNCTION = re.compile(r"^[0-9a-f]+ <([\w.]+)>:")


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def calls(program, names):
    """(address in the call, the function it is in, what it calls)"""
    function, open_call = None, None
    for line in run("objdump", "-d", "--no-show-raw-insn", program).splitlines():
        here, address = FUNCTION.match(line), ANY.match(line)
        if here:
            function = here[1].split(".")[0]
        if open_call and address:
            yield int(address[1], 16) - 1, *open_call
            open_call = None
        called = CALL.match(line)
        if called and called[2] in names:
            open_call = function, called[2]


def lines_of(program, addresses):
    if not addresses:
        return []
    said = run("addr2line", "-e", program, *["%x" % a for a in addresses]).splitlines()
    return [re.sub(r"^.*/(?=(?:fs|backend)/)", "", line).split(" ")[0] for line in said]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("hits")
    parser.add_argument("--allow")
    args = parser.parse_args()
    with open(WRAP_DEF) as f:
        names = set(ROW.findall(f.read()))
    with open(args.hits) as f:
        hit = {int(line.split()[4], 16) for line in f}
    allowed = set()
    if args.allow:
        with open(args.allow) as f:
            allowed = {tuple(line.split()[:2]) for line in f if line.strip()}
    every = list(calls(args.program, names))
    missed = [c for c in every if c[0] not in hit]
    bad = 0
    for (_, function, called), line in zip(missed, lines_of(args.program, [c[0] for c in missed])):
        known = (function, called) in allowed
        bad += not known
        print("%s %s %s%s" % (function, called, line, "" if known or not args.allow else "  NEW"))
    print("%d of %d calls that leave something behind are reached" % (
        len(every) - len(missed), len(every)))
    return 1 if not every or (args.allow and bad) else 0


sys.exit(main())
