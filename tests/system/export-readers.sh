#!/usr/bin/env bash
# Readers of exports: many, idle ones, some that close half-way or are killed. None holds up an image,
# and what an image is asked for does not break off who reads.
. "${0%/*}/functions.sh"
needs_mounts
needs_test_points
start_httpd
start_daemon
make_image web tar 4096 >"$work/sum"
fetch "$httpd/ok/web.tar" "$(<"$work/sum")" web
wait_state web ACTIVE
tar=$mnt/export/web.tar

no_exports_run()
{
    ! cat "/proc/$daemon_pid/task/"*/comm 2>/dev/null | grep -qx export
}
# readers ARGS: export_readers.py with them, until end_readers; what it says is $said.
readers()
{
    mkfifo "$work/in" "$work/out"
    "$python" -SE "$here/export_readers.py" "$tar" "$@" <"$work/in" >"$work/out" &
    reader=$!
    in_background $reader
    exec 7>"$work/in" 8<"$work/out"
    rm "$work/in" "$work/out"
    said=''
    while read -r -t $((20 * patience)) word <&8 && [ "$word" != "done" ]; do
        said+="$word, "
    done
}
end_readers()
{
    exec 7>&- 8<&-
    wait $reader
}
# A read of 1,000 bytes from descriptor 9.
read_some()
{
    "$python" -SEc 'import errno, os
try:
    print("OK" if os.read(9, 1000) else "END")
except OSError as e:
    print(errno.errorcode[e.errno])'
}
# read_waits FILE: a process that reads it, and has nothing to read yet; what it reads is $work/read.
read_waits()
{
    cat "$1" >"$work/read" 2>"$work/read.err" &
    waiter=$!
    in_background $waiter
    eventually 5 waits $waiter
}
# It is in a read: where it sleeps is read from the kernel's word on its system call.
waits()
{
    local call
    read -r call _ <"/proc/$1/syscall" && [ "$call" = 0 ] &&
        [ "$(readlink "/proc/$1/fd/3")" = "$tar" ]
}
ends()
{
    ! kill -0 "$1" 2>/dev/null
}

# More than may run: the rest are told so, and those that run go on.
readers 70
is "what 70 readers read" "$said" "6 EAGAIN, 64 OK, "
line=$(tail -n1 "$mnt/ctl/error_log")
matches "error_log" "$line" "$time_re export/web\\.tar EAGAIN \"\" 64 exports are open.*"
refused EBUSY deactivate 'web\n'
tail -n1 "$mnt/ctl/error_log" | grep -q 'web is being exported' || fail "error_log says otherwise"
end_readers
eventually 10 no_exports_run
cmp "$tar" <(cat "$tar") || fail "an export differs after that"

# Open files that nobody reads cost nothing, and hold nothing up.
readers 300 unread
no_exports_run || fail "files that are not read have threads"
exec 9<"$tar"
succeeds write "$mnt/ctl/deactivate" 'web\n'
[ ! -e "$tar" ] || fail "what is not ACTIVE is exported"
is "a read of what is not ACTIVE any more" "$(read_some)" ENODEV
end_readers
exec 9<&-
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE

# Closed half-way, it is over at once.
head -c 1000 "$tar" >/dev/null
eventually 10 no_exports_run
head -c 1000 "$tar" >/dev/null
succeeds write "$mnt/ctl/deactivate" 'web\n'
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE

# A reader that has just read something is not to be broken off: no command does, and it can go on.
hold export
read_waits "$tar"
refused EBUSY deactivate 'web\n'
refused EBUSY remove 'web\n'
refuses EBUSY images/web rmdir "$mnt/images/web"
is "state" "$(cat "$mnt/images/web/state")" ACTIVE
same_tree web
# Readers that wait are ended by a signal; those that are not go on.
kill -KILL $waiter
eventually 5 ends $waiter
read_waits "$tar"
kill -TERM $waiter
eventually 5 ends $waiter
is "a read that a signal interrupts" "$("$python" -SEc 'import os, signal, sys
class Interrupted(Exception):
    pass
def handle(*_):
    raise Interrupted
signal.signal(signal.SIGALRM, handle)
fd = os.open(sys.argv[1], os.O_RDONLY)
signal.setitimer(signal.ITIMER_REAL, 0.2)
try:
    os.read(fd, 1)
except Interrupted:
    print("EINTR")' "$tar")" EINTR
read_waits "$tar"
release export
wait $waiter || fail "who waited could not read: $(cat "$work/read.err")"
cmp "$tar" "$work/read" || fail "who waited reads something else"

# One that takes nothing any more is broken off, once there is need.
exec 9<"$tar"
is "a read" "$(read_some)" OK
sleep 11
is "a read after a long time" "$(read_some)" OK
sleep 11
succeeds write "$mnt/ctl/deactivate" 'web\n'
is "a read of what was broken off" "$(read_some)" EIO
grep -q 'image=web an export is broken off' "$log" || fail "the log does not say so"
exec 9<&-
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE

# The daemon's end is theirs, whichever it is.
for signal in TERM KILL; do
    exec 9<"$tar"
    is "a read" "$(read_some)" OK
    hold export
    read_waits "$tar"
    readers 5 unread
    if [ $signal = TERM ]; then
        stop_daemon
        is "what is still mounted" "$(mounts_below "$store/active")" ""
    else
        kill_daemon
    fi
    eventually 5 ends $waiter
    matches "a read from a daemon that is gone" "$(read_some)" "ENOTCONN|ECONNABORTED|EIO|ENODEV"
    end_readers
    exec 9<&-
    release export
    start_daemon
    wait_state web ACTIVE
done
cat "$tar" | tar -t >/dev/null || fail "it cannot be exported after that"
