"""create-malicious-tar.sh DIR [PATTERN...]

Makes hostile and unusual archives in DIR, always the same, and DIR/cases.json: for each policy what
is due of each archive (cases.py says how it reads). PATTERN: those alone (as lim-*).
"""
import fnmatch
import json
import os
import sys

from cases import CASES
import damage  # noqa: F401: each registers its cases
import limits  # noqa: F401
import links  # noqa: F401
import paths  # noqa: F401
import special  # noqa: F401


def main():
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    folder, patterns = sys.argv[1], sys.argv[2:] or ["*"]
    os.makedirs(folder, exist_ok=True)
    wanted = [c for c in CASES.values() if any(fnmatch.fnmatch(c.file, p) for p in patterns)]
    for case in wanted:
        with open(os.path.join(folder, case.file), "wb") as f:
            f.write(case.make())
    with open(os.path.join(folder, "cases.json"), "w") as f:
        json.dump({c.file: c.due for c in wanted}, f, indent=1)
    print("%d archives in %s" % (len(wanted), folder))


main()
