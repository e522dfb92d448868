#!/usr/bin/env bash
# imgstore shell on a terminal: Ctrl-C, Ctrl-D, its size, its end.
. "${0%/*}/functions.sh"
. "${0%/*}/client_functions.sh"
needs_mounts
needs_program busybox
start_httpd
start_daemon
active_system web
timeout 120 "$python" -SE "$here/shell_terminal.py" "$IMGSTORE" web
exits 0 "$IMGSTORE" deactivate web
