#!/usr/bin/env python3
"""corpus.py PART POLICY DIR MNT STORE SERVER DAEMON: tries PART of the corpus in DIR on the tree at
MNT, whose daemon is that process and takes new images under POLICY, and prints a line for each
check: `PASS what` or `FAIL what: why`; lines that begin with NOTE are figures.

PART is archives (DIR/manifest.json and DIR/thirdparty/manifest.json), control (DIR/ctl_cases.json)
or server (the faults of DIR/evil_http.py, which runs at SERVER and serves DIR).
"""
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from corpus_archives import archives  # noqa: E402
from corpus_base import Corpus  # noqa: E402
from corpus_control import control  # noqa: E402
from corpus_server import server  # noqa: E402

if __name__ == "__main__":
    if len(sys.argv) != 8 or sys.argv[1] not in ("archives", "control", "server"):
        sys.exit(__doc__)
    {"archives": archives, "control": control, "server": server}[sys.argv[1]](Corpus(*sys.argv[2:]))
