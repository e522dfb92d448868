# A systemd of the test's own, as process 1 of a box: the machine's root below an overlay whose
# changes are in memory, with namespaces of its own but for the network. Source it after
# functions.sh.
#
#   box_boot          boots it; $box is its root, seen from here, until then: what is put there is there
#   in_box CMD…       runs CMD in it, as outside of all units as one can be
#
# imgstorefs, its helper, imgstore and the units are there, as if they were installed, unless
# $box_bare is set; the store of imgstorefs.service is on the disk, all else in memory. $box_lower is
# whose root directory it has instead of this machine's.

: "${IMGSTORE_UNITS:?the folder with the units}"
box_sources=$(realpath "$here/../..") # at the same place, wherever that is mounted
box=$work/box box_lower=/ box_bare='' box_init='' box_cgroup=''

needs_box()
{
    needs_mounts
    needs_program unshare nsenter setpriv pivot_root findmnt systemctl journalctl systemd-analyze
    [ -x /lib/systemd/systemd ] || skip "needs systemd"
    cgroups=$(awk '$0 ~ / - cgroup2 / { print $5; exit }' /proc/self/mountinfo)
    [ -n "$cgroups" ] || skip "needs cgroup v2"
    box_cgroup=$cgroups/imgstorefs-test.$$
    mkdir "$box_cgroup" 2>/dev/null || skip "needs to make control groups in $cgroups"
    (echo "$BASHPID" >"$box_cgroup/cgroup.procs") 2>/dev/null || skip "needs to enter control groups in $cgroups"
    mkdir "$box" "$work/memory" "$work/lib"
    mount -t tmpfs tmpfs "$work/memory"
    mkdir "$work/memory/upper" "$work/memory/work"
    box_root || skip "needs an overlay over the root directory"
}

box_root()
{
    mount -t overlay overlay "$box" 2>/dev/null \
        -o "lowerdir=$box_lower,upperdir=$work/memory/upper,workdir=$work/memory/work"
}

box_devices()
{
    local i
    mount -t tmpfs -o mode=755 tmpfs "$box/dev"
    for i in null zero full random urandom tty fuse loop-control; do
        [ ! -e "/dev/$i" ] || cp -a "/dev/$i" "$box/dev/"
    done
    for i in {0..127}; do
        mknod -m 600 "$box/dev/loop$i" b 7 "$i"
    done
    mkdir "$box/dev/pts" "$box/dev/shm"
    mount -t devpts -o newinstance,ptmxmode=666 devpts "$box/dev/pts"
    ln -s pts/ptmx "$box/dev/ptmx"
    ln -s /proc/self/fd "$box/dev/fd"
}

# Nothing of what this machine would start: a journal, and what the test asks for.
box_units()
{
    local etc=$box/etc/systemd/system lib=$box/lib/systemd/system unit
    rm -rf "$etc" "$box/etc/fstab" "$lib"/{sysinit,sockets,timers,local-fs,multi-user}.target.wants
    mkdir -p "$etc" "$lib/sysinit.target.wants"
    for unit in systemd-journald.service systemd-tmpfiles-setup.service; do
        ln -s "../$unit" "$lib/sysinit.target.wants/"
    done
    printf '[Unit]\nRequires=basic.target\nAfter=basic.target\n' >"$etc/imgstorefs-test.target"
    rm -rf "$box/var/log/journal" "$box"{/etc,/usr/lib}/systemd/journald.conf.d
    mkdir "$box/etc/systemd/journald.conf.d"
    printf '[Journal]\nAudit=no\n' >"$box/etc/systemd/journald.conf.d/box.conf" # that is the machine's
    ln -s /dev/null "$etc/systemd-journald-audit.socket"
    : >"$box/etc/fstab"
    tr -d - </proc/sys/kernel/random/uuid >"$box/etc/machine-id"
}

box_programs()
{
    bindir=$(sed -n 's/^ExecStart=\(.*\)\/imgstorefs .*/\1/p' "$IMGSTORE_UNITS/imgstorefs.service")
    settings=$(sed -n 's/^EnvironmentFile=-//p' "$IMGSTORE_UNITS/imgstorefs.service")
    mkdir -p "$box$bindir" "$box${settings%/*}" "$box/usr/lib/tmpfiles.d"
    cp "$IMGSTOREFS" "$IMGSTORE" "$IMGSTORE_HELPER" "$box$bindir/"
    cp "$here/../../contrib/systemd/imgstorefs.tmpfiles" "$box/usr/lib/tmpfiles.d/imgstorefs.conf"
    echo "IMGSTORE_HELPER=$bindir/${IMGSTORE_HELPER##*/}" >"$box$settings"
    # LeakSanitizer traces the process, which the unit forbids; what else is found ends it.
    echo "ASAN_OPTIONS=detect_leaks=0" >>"$box$settings"
    cp "$box$settings" "$box$settings-other"
    cp "$IMGSTORE_UNITS"/imgstorefs*.service "$box/lib/systemd/system/"
}

box_mounts()
{
    box_devices
    mount -t tmpfs -o mode=755 tmpfs "$box/run"
    mount -t tmpfs -o mode=1777 tmpfs "$box/tmp"
    mkdir -p "$box/var/lib/imgstore" "$box/var/lib/imgstores"
    mount --bind "$work/lib" "$box/var/lib/imgstore"
    mount -t tmpfs tmpfs "$box/var/lib/imgstores"
    mkdir -p "$box$box_sources"
    mount --bind "$box_sources" "$box$box_sources"
}

# Process 1, in its namespaces: lets go of the machine's mounts.
# shellcheck disable=SC2016
box_first='
set -e
mount --make-rprivate /
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount --bind "$1/proc/sys" "$1/proc/sys"
mount -o remount,bind,ro "$1/proc/sys"
cd "$1"
mkdir -p .before
pivot_root . .before
umount -l /.before
exec env -i container=imgstorefs-test PATH="$PATH" /lib/systemd/systemd --system \
    --unit=imgstorefs-test.target --show-status=yes --log-target=journal'

box_boot()
{
    box_units
    [ -n "$box_bare" ] || box_programs
    box_mounts
    (
        echo $BASHPID >"$box_cgroup/cgroup.procs"
        exec setpriv --pdeathsig KILL unshare --mount --pid --cgroup --ipc --uts --fork --kill-child bash -c "$box_first" - "$box"
    ) >"$work/console" 2>&1 </dev/null &
    in_background $!
    box_child=$!
    eventually 10 box_has_init
    in_background "$box_init" # which takes all else with it
    eventually 30 box_is_up
}

box_has_init()
{
    box_init=$(cat "/proc/$box_child/task/$box_child/children" 2>/dev/null)
    box_init=${box_init// /}
    [ -d "/proc/$box_child" ] || fail "the box ends: $(cat "$work/console")"
    [ -n "$box_init" ]
}

in_box()
{
    nsenter -t "$box_init" -m -p -C -i -u -r -w "$@"
}

box_is_up()
{
    kill -0 "$box_init" || fail "systemd ends: $(cat "$work/console")"
    in_box systemctl is-active -q imgstorefs-test.target 2>/dev/null
}

# box_says REGEX [OPTIONS]: the journal has such a line.
box_says()
{
    [ -n "$(in_box journalctl -q --no-pager -o cat "${@:2}" | grep -e "$1")" ]
}

# property UNIT NAME
property()
{
    in_box systemctl show --value -p "$2" "$1"
}

# ---- imgstorefs@other, whose store is in memory

instance=imgstorefs@other.service tree=/run/imgstores/other

set_instance()
{
    printf '%s\n' "$@" >>"/proc/$box_init/root$settings-other"
}

start_instance()
{
    in_box systemctl start "$instance" || fail "$instance does not start"
}

client()
{
    in_box "$bindir/imgstore" --mount "$tree" "$@"
}

show_failure()
{
    echo "---- the box's console"
    tail -n 30 "$work/console"
    [ -z "$box_init" ] || {
        echo "---- its journal"
        timeout 5 nsenter -t "$box_init" -m -p -r journalctl -q --no-pager | tail -n 60
    }
} 2>&1

let_go()
{
    for _ in {1..100}; do
        find "$box_cgroup" -depth -type d -exec rmdir {} +
        [ -d "$box_cgroup" ] || break
        sleep 0.05
    done
}
