#!/usr/bin/env bash
# busy-container.sh HOW: a container that entered an image in a mount namespace of its own (pivot: as runc and
# podman do; bwrap: with bubblewrap) keeps its writable layer, whatever became of the mount here: remove,
# deactivate, rmdir and a second activation are EBUSY, it goes on unharmed, and nothing it wrote is lost or
# doubled.
. "${0%/*}/functions.sh"
needs_mounts
needs_program unshare busybox pivot_root
unshare -m --propagation private true 2>/dev/null || skip "needs mount namespaces"
how=${1-pivot}
if [ "$how" = bwrap ]; then
    needs_program bwrap
    why=$(bwrap --bind / / true 2>&1) || skip "bubblewrap cannot run here: $why"
fi
start_httpd
start_daemon

# The program inside: a line a beat, one file appended to, one replaced.
make_tree web
cp "$(command -v busybox)" "$work/trees/web/bin/busybox"
"$work/trees/web/bin/busybox" true || skip "busybox does not run"
cat >"$work/trees/web/bin/beat" <<'EOF'
i=0
while :; do
    i=$((i + 1))
    echo $i >>/beats
    echo $i >/last.new && /bin/busybox mv /last.new /last
    /bin/busybox usleep 5000
done
EOF
sum=$(pack web tar.gz)
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
root=$(realpath "$mnt/images/web/rootfs")
layer=$store/overlays/web/upper

enter()
{
    case $how in
    pivot)
        exec unshare -m --propagation private sh -c 'cd "$0" && pivot_root . tmp &&
            exec /bin/busybox sh -c "/bin/busybox umount -l /tmp && exec /bin/busybox sh /bin/beat"' "$root"
        ;;
    bwrap) exec bwrap --bind "$root" / --die-with-parent /bin/busybox sh /bin/beat ;;
    esac
}

# The process that beats: its root is the image.
find_beater()
{
    local p
    for p in $holder $(cat "/proc/$holder/task"/*/children); do
        if [ -e "/proc/$p/root/beats" ] && [ "$(readlink "/proc/$p/exe")" = /bin/busybox ]; then
            beater=$p
            return
        fi
    done
    false
}

# Its own view of the file, which is there whatever is mounted here.
beats()
{
    tail -n1 "/proc/$beater/root/beats"
}

goes_on()
{
    local was
    kill -0 "$beater" 2>/dev/null || fail "the container is gone"
    was=$(beats)
    eventually 5 beats_after "$was"
}

beats_after()
{
    [ "$(beats)" -gt "$1" ]
}

# says_who TEXT REGEX: it names one that is in there, perhaps what the beater has just started, which
# may have ended since.
says_who()
{
    local pid
    matches "who holds it" "$1" "$2.*\(pid [0-9]+ \((busybox|bwrap)\).*"
    pid=${1##*(pid } pid=${pid%% *}
    [ "$pid" = "$holder" ] || eventually 5 is_inside_or_ended "$pid"
}

is_inside_or_ended()
{
    [ -e "/proc/$1/root/beats" ] || ! kill -0 "$1" 2>/dev/null
}

# Refused, saying by whom; and not a second file system over the same layer.
in_use()
{
    local call
    for call; do
        if [ "$call" = rmdir ]; then
            refuses EBUSY images/web rmdir "$mnt/images/web"
        else
            refused EBUSY "$call" 'web\n'
        fi
        [ "$call" = activate ] || says_who "$(tail -n1 "$mnt/ctl/error_log")" ""
        goes_on
    done
    [ ! -L "$mnt/images/web/rootfs" ] ||
        is "the file system seen here" "$(stat -c %d "$root/")" "$(stat -L -c %d "/proc/$beater/root/")"
    refused EEXIST fetch "$httpd/ok/web.tar.gz $(printf %064d 1) web\n"
}

enters()
{
    enter >>"$work/container" 2>&1 &
    holder=$!
    in_background $holder
    eventually 10 find_beater
    goes_on
}

# Nothing of what it wrote, from its first beat to its last, is lost or doubled.
ends()
{
    local last
    goes_on
    last=$(beats)
    kill -KILL "$beater" "$holder" 2>/dev/null || true
    wait "$holder" 2>/dev/null || true
    [ "$(tail -n1 "$layer/beats")" -ge "$last" ] || fail "beats are lost"
    seq "$(wc -l <"$layer/beats")" | cmp - "$layer/beats" || fail "beats are lost or doubled"
    is "what is left of a rename" "$(($(<"$layer/last") >= last - 1))" 1
}

# The mount here is gone, the container's is not: nothing is mounted over its layer.
cannot_be_mounted()
{
    eventually 10 state_is web FAILED
    says_who "$(cat "$mnt/images/web/error")" "mount-failed: web is in use: "
    is "mounts here" "$(mounts_below "$root")" ""
}

enters
in_use deactivate remove rmdir
is state "$(cat "$mnt/images/web/state")" ACTIVE
echo here >"$mnt/images/web/rootfs/from-here"
is "what the container sees" "$(cat "/proc/$beater/root/from-here")" here

# Restarts: an orderly one, and a crash.
stop_daemon USR2
goes_on
start_daemon
in_use remove deactivate
kill_daemon
goes_on
start_daemon
in_use rmdir deactivate
is state "$(cat "$mnt/images/web/state")" ACTIVE

# A crash, and the mount is lost.
kill_daemon
umount "$root"
goes_on
start_daemon
cannot_be_mounted
in_use remove rmdir activate
for again in retry fetch; do
    case $again in
    retry) succeeds write "$mnt/ctl/retry" 'web\n' ;;
    fetch) fetch "$httpd/ok/web.tar.gz" "$sum" web ;;
    esac
    cannot_be_mounted
    goes_on
done
ends
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE
is "what was written from here" "$(cat "$mnt/images/web/rootfs/from-here")" here
cmp "$layer/beats" "$mnt/images/web/rootfs/beats" || fail "the layer is another"
rm "$mnt/images/web/rootfs/beats"

# Unmounted behind the daemon's back.
enters
umount -l "$root"
goes_on
call write "$mnt/ctl/activate" 'web\n' >/dev/null
cannot_be_mounted
in_use remove rmdir
ends
succeeds write "$mnt/ctl/retry" 'web\n'
wait_state web ACTIVE

# In nobody's use any more: all succeeds, and the next image of that name begins anew.
succeeds write "$mnt/ctl/deactivate" 'web\n'
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
succeeds rmdir "$mnt/images/web"
fetch "$httpd/ok/web.tar.gz" "$sum" web
wait_state web ACTIVE
same_tree web
nothing_half_done
