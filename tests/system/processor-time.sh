#!/usr/bin/env bash
# An archive that takes more processor time to unpack than it may is FAILED and says what to raise. The
# limit is ten minutes and more: a helper that begins with a lower one keeps it.
. "${0%/*}/functions.sh"
. "${0%/*}/watching.sh"
needs_mounts
start_httpd

# Thirty times the same megabyte of noise, a bzip2 stream each: seconds of work from few bytes made.
"$python" -SE - "$www/slow.tar.bz2" <<'PYTHON'
import bz2, os, sys, tarfile
times, piece = 30, os.urandom(1 << 20)
info = tarfile.TarInfo("noise")
info.size = times * len(piece)
with open(sys.argv[1], "wb") as out:
    out.write(bz2.compress(info.tobuf()))
    stream = bz2.compress(piece)
    for _ in range(times):
        out.write(stream)
    out.write(bz2.compress(bytes(10240)))
PYTHON
sum=$(digest "$www/slow.tar.bz2")

cat >"$work/hasty" <<EOF_HELPER
#!/bin/sh
ulimit -St 1
exec "$IMGSTORE_HELPER" "\$@"
EOF_HELPER
chmod 755 "$work/hasty"
start_daemon -o "helper=$work/hasty"
fetch "$httpd/ok/slow.tar.bz2" "$sum" slow
failed_with slow too-large-total
error=$(cat "$mnt/images/slow/error")
matches "what it says" "$error" '.*processor time.*max_total_size.*-o max_total_size=SIZE.*'
is "what is kept unpacked" "$(find "$store/images" -mindepth 1 -maxdepth 1 ! -name '.trash-*')" ""
is "helpers that run" "$(helpers)" ""
alive
stop_daemon

start_daemon
succeeds write "$mnt/ctl/retry" "slow\n"
wait_state slow ACTIVE 60
is "what is there" "$(stat -Lc %s "$mnt/images/slow/rootfs/noise")" $((30 << 20))
