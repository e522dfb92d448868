"""A service manager's ear: notify.py SOCKET FILE: what comes to SOCKET goes to FILE, a message
after the other, each ended by a line of its own, `--`. A SOCKET that begins with @ has no file."""
import os
import socket
import sys

name, out = sys.argv[1:3]
ear = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
ear.bind("\0" + name[1:] if name.startswith("@") else name)
log = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
while True:
    os.write(log, ear.recv(65536) + b"--\n")
