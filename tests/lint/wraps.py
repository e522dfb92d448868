#!/usr/bin/env python3
"""What the daemon's objects call to change something that outlives them is counted by tests/fault:
a function that is missing in wrap.def would be a crash point that no test knows of.

usage: wraps.py SOURCE_ROOT BUILD_ROOT
"""
import glob
import os
import re
import subprocess
import sys

# All that glibc has for it, known by their names without the 64 of large files.
CHANGES = re.compile(r"""
    p?writev?2? | (f|l)?truncate | (f|fd)?datasync | fsync | syncfs | sync | rename(at2?)?
  | linkat? | symlink(at)? | unlink(at)? | rmdir | remove | mkdir(at)? | mknod(at)? | mkfifo(at)?
  | f?chmod(at)? | [fl]?chown | fchownat | utimes? | lutimes | futimes(at)? | futimens | utimensat
  | [fl]?setxattr | [fl]?removexattr | (posix_)?fallocate | copy_file_range | sendfile | splice
  | tee | vmsplice | mkd?temps? | mkostemps? | tmpfile | creat
  | u?mount2? | pivot_root | fsopen | fspick | fsconfig | fsmount | open_tree | move_mount
  | mount_setattr | sqlite3_(step|exec|prepare\w*)
""", re.X)
WRAPPED = re.compile(r"^(?:WRAP|VARIADIC)\(\w+, (\w+)", re.M)
NOT_THE_DAEMON = ("/helper/", "/client/")


def plain(symbol):
    """The function, whatever large files and fortified builds call it."""
    return re.sub(r"^__(\w+)_chk$", r"\1", symbol).removesuffix("64")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, build = sys.argv[1:]
    with open(os.path.join(source, "tests/fault/wrap.def")) as f:
        wrapped = set(WRAPPED.findall(f.read()))
    objects = [o for folder in ("backend", "fs")
               for o in glob.glob(os.path.join(build, folder, "**/*.o"), recursive=True)
               if not any(n in o for n in NOT_THE_DAEMON)]
    if not objects:
        sys.exit("there are no objects below " + build)
    said = subprocess.run(["nm", "-u", *objects], check=True, capture_output=True, text=True).stdout
    called = {line.split()[-1] for line in said.splitlines() if " U " in line}
    changing = sorted(s for s in called if CHANGES.fullmatch(plain(s)))
    missing = [s for s in changing if s not in wrapped]
    for symbol in missing:
        print("tests/fault/wrap.def does not know %s" % symbol)
    print("%d functions that change something are called by %d objects, %d are not wrapped" % (
        len(changing), len(objects), len(missing)))
    sys.exit(1 if missing or len(changing) < 10 else 0)


main()
