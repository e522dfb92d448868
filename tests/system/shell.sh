#!/usr/bin/env bash
# imgstore shell: a command in an image, with what it needs around it, and nothing of it afterwards.
. "${0%/*}/functions.sh"
. "${0%/*}/client_functions.sh"
needs_mounts
needs_program busybox
start_httpd
start_daemon
exits 4 "$IMGSTORE" shell web
active_system web
in_web()
{
    exits 0 "$IMGSTORE" shell web "$@"
}
mounts_before=$(mounts_below "" | sort)

# The command, its arguments as they are, its exit code.
in_web cat /etc/image-name
is "in the image" "$out" web
in_web echo --json -n --help '*' 'a b'
is "its arguments" "$out" '--json -n --help * a b'
exits 1 "$IMGSTORE" shell web false
exits 3 "$IMGSTORE" shell web sh -c 'exit 3'
exits 137 "$IMGSTORE" shell web sh -c 'kill -9 $$'
exits 127 "$IMGSTORE" shell web no-such-command
matches "not found" "$err" 'imgstore: web: cannot run no-such-command: .*'
exits 126 "$IMGSTORE" shell web /etc/passwd
in_web -- echo x
is "after --" "$out" x

# Standard input that is no terminal, to the shell of the image's passwd.
echo 'echo $0; pwd; exit 7' >"$work/script"
exits 7 "$IMGSTORE" shell web <"$work/script"
is "the shell" "$out" $'/bin/sh\n/'
sed -i 's|/bin/sh|/bin/myshell|' "$mnt/images/web/rootfs/etc/passwd"
exits 0 "$IMGSTORE" shell web
is "another shell" "$out" hello
sed -i 's|/bin/myshell|/bin/gone|' "$mnt/images/web/rootfs/etc/passwd"
exits 7 "$IMGSTORE" shell web <"$work/script"
rm "$mnt/images/web/rootfs/etc/passwd"
mkfifo "$mnt/images/web/rootfs/etc/passwd"
exits 7 "$IMGSTORE" shell web <"$work/script"
exits 0 "$IMGSTORE" reset web

# What it sees.
TERM=vt100 SECRET=1 LD_PRELOAD= in_web env
is "environment" "$(sort <<<"$out" | tr '\n' ' ')" "HOME=/root LOGNAME=root \
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin SHELL=/bin/sh TERM=vt100 USER=root debian_chroot=web "
SECRET=1 in_web cat /proc/1/environ
matches "environment of the first process" "$(tr -d '\0' <<<"$out")" "(TERM=[a-z0-9-]*)?"
in_web sh -c 'cd /proc && echo [0-9]*'
is "processes" "$out" "1 2"
in_web sh -c 'for n in null zero full random urandom tty; do [ -c /dev/$n ] || echo no $n; done
    echo x >/dev/null; [ -d /dev/pts ] && [ -e /dev/ptmx ] && [ -d /dev/shm ] && [ -L /dev/fd ]
    echo -n /run/* /tmp/*; touch /run/x /tmp/x /dev/shm/x; touch /sys/x 2>/dev/null || echo " ro"'
is "/dev, /run, /tmp, /sys" "$out" "/run/* /tmp/* ro"
in_web cat /etc/resolv.conf
is "resolv.conf" "$out" "$(cat /etc/resolv.conf)"
before=$(cat /etc/resolv.conf)
exits 1 "$IMGSTORE" shell web sh -c 'echo x >/etc/resolv.conf'
is "the host's" "$(cat /etc/resolv.conf)" "$before"
is "what is said of all that" "$(grep imgstore: <<<"$err" || :)" ""
in_web mount
! grep -v '^\(imgstore:web\|overlay\) on / ' <<<"$out" | grep "$work" || fail "another mount is seen"

# What is written stays, what was mounted does not.
in_web touch /root/mine
is "the layer" "$(upper web)" $'./root\n./root/mine'
is "mounts outside" "$(mounts_below "" | sort)" "$mounts_before"

# At once it can be unmounted, whatever ran in there.
for i in {1..15}; do
    "$IMGSTORE" shell web true || fail "true"
    exits 0 "$IMGSTORE" deactivate web
    exits 0 "$IMGSTORE" activate web
    exits 0 "$IMGSTORE" wait web
done
in_web sh -c 'sleep 1000 & sleep 1000 & exit 0'
exits 0 "$IMGSTORE" deactivate web
exits 5 "$IMGSTORE" shell web true
matches "what to do" "$err" '.*imgstore activate web.*'
exits 0 "$IMGSTORE" activate web
wait_state web ACTIVE

# What the caller ignores: of children it must hear all the same, a nohup(1) holds in there, too.
exits 0 env --ignore-signal=CHLD "$IMGSTORE" shell web true
exits 0 nohup "$IMGSTORE" shell web sh -c 'kill -HUP $$; echo goes on'
is "under nohup" "$out" "goes on"

# Others are not held, itself it is, by whom is said; a signal goes through, and all ends with it.
active other
sleeps()
{
    "$IMGSTORE" shell web sh -c 'echo in >/root/there; exec sleep 1000' &
    shell=$!
    eventually 10 test -e "$mnt/images/web/rootfs/root/there"
}
sleeps
exits 0 "$IMGSTORE" deactivate other
exits 5 "$IMGSTORE" deactivate web
matches "by whom" "$err" '.*in use.*pid.*'
kill -TERM $shell
wait_exit $shell 10 || is "of a command that was ended" $? 143
exits 0 "$IMGSTORE" deactivate web
exits 0 "$IMGSTORE" activate web
wait_state web ACTIVE
exits 0 "$IMGSTORE" reset web
sleeps
kill -KILL $shell
wait_exit $shell 10 2>/dev/null || :
eventually 5 "$IMGSTORE" deactivate web

# A snapshot; and a daemon that has gone.
exits 0 "$IMGSTORE" snapshot web build
exits 0 "$IMGSTORE" shell web@build touch /root/built
[ -e "$mnt/images/web/snapshots/build/rootfs/root/built" ] || fail "it was not the snapshot"
exits 4 "$IMGSTORE" shell web@none
exits 0 "$IMGSTORE" snapshot web build --remove
stop_daemon
exits 3 "$IMGSTORE" shell web
