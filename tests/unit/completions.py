"""What zsh makes of lines when TAB is pressed.

usage: completions.py FOLDER TYPED...      FOLDER holds _imgstore; prints each line as it stands then
"""
import os
import pty
import re
import select
import sys
import time


def read_until(fd, wanted, seconds=10):
    got, end = b"", time.monotonic() + seconds
    while wanted not in got:
        left = end - time.monotonic()
        if left <= 0 or not select.select([fd], [], [], left)[0]:
            sys.exit(f"no {wanted} in {got}")
        got += os.read(fd, 4096)
    return got


folder = sys.argv[1]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="dumb", PS1="", COLUMNS="400")
    os.execvp("zsh", ["zsh", "-f", "-i"])
# `show` prints the line: what the terminal is told by pieces need not be put together.
os.write(fd, b"""stty cols 400; fpath=(%s $fpath); autoload -Uz compinit; compinit -u -D
unsetopt zle_bracketed_paste beep; show() { print -r -- "<[$BUFFER]>"; }; zle -N show
bindkey '^X' show; setopt no_list_ambiguous auto_list; zstyle ':completion:*' format ''
echo rea''dy
""" % folder.encode())
read_until(fd, b"ready\r\n")
for typed in sys.argv[2:]:
    os.write(fd, b"\x15" + typed.encode() + b"\t\x18")
    said = read_until(fd, b"]>")
    print(re.findall(rb"<\[(.*)\]>", said)[-1].decode())
os.write(fd, b"\x03exit\n")
os.close(fd)
os.waitpid(pid, 0)
