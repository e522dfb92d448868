#!/bin/sh
# Makes hostile and unusual archives, always the same, and says what is due of each; only ever
# unpack them with a program that you want to see fail, on a disk of its own: some are bombs.
# usage: create-malicious-tar.sh DIR [PATTERN...]     PATTERN: those alone (as 'lim-*')
set -eu
exec python3 -B "${0%/*}/malicious" "$@"
