"""permission.py FILE: is to permit each opening of FILE (fanotify), says `watches`, and never does."""
import ctypes
import os
import sys
import time

CLASS_CONTENT, MARK_ADD, OPEN_PERM, HERE = 4, 1, 0x10000, -100
libc = ctypes.CDLL(None, use_errno=True)
fd = libc.fanotify_init(CLASS_CONTENT, os.O_RDONLY)
r = libc.fanotify_mark(fd, MARK_ADD, ctypes.c_uint64(OPEN_PERM), HERE, os.fsencode(sys.argv[1]))
print("watches" if r == 0 else os.strerror(ctypes.get_errno()), flush=True)
time.sleep(1000)
