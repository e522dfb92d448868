#!/usr/bin/env bash
# For an ordinary user, too, what is active outlives the daemon: a kill and SIGUSR2 leave it as it
# stands, and the next start adopts it. What serves a layer may be killed itself: it is served anew.
. "${0%/*}/functions.sh"
[ -n "${IMGSTORE_TEST_USER-}" ] || skip "is run by ordinary.sh"
start_httpd
start_daemon
active web
mkdir "$mnt/images/web/snapshots/build"
echo web >"$mnt/images/web/rootfs/who"
echo build >"$mnt/images/web/snapshots/build/rootfs/who"
mounted_as()
{
    awk -v m="$store/active/$1" '$5 == m { print $1 }' /proc/self/mountinfo
}
servers()
{
    pgrep -r D,R,S,T -u "$UID" -x fuse-overlayfs | sort | tr '\n' ' '
}
adopted()
{
    wait_state web ACTIVE
    is "the mount" "$(mounted_as web)" "$web"
    is "the snapshot's" "$(mounted_as .snap/1)" "$snapshot"
    is "what serves them" "$(servers)" "$serving"
    is "what was written" "$(cat "$mnt"/images/web/{,snapshots/build/}rootfs/who | tr '\n' ' ')" "web build "
}

web=$(mounted_as web) snapshot=$(mounted_as .snap/1) serving=$(servers)
sit_in web
exec 9>"$store/active/web/open"
kill_daemon
is "what the sitter sees" "$(cat "/proc/$sitter/cwd/who")" web
start_daemon
adopted
echo written >&9
exec 9>&-
is "what was written through it" "$(cat "$mnt/images/web/rootfs/open")" written
refused EBUSY deactivate 'web\n'
stand_up
stop_daemon USR2
is "what serves them" "$(servers)" "$serving"
start_daemon
adopted

# Killed, each of them, with the daemon and without.
served_anew()
{
    [ "$(cat "$mnt/images/web/rootfs/who" "$mnt/images/web/snapshots/build/rootfs/who" 2>/dev/null |
        tr '\n' ' ')" = "web build " ]
}
pkill_servers()
{
    local p
    for p in $(servers); do
        kill -KILL "$p"
    done
}
pkill_servers
eventually 20 served_anew
kill_daemon
pkill_servers
start_daemon
eventually 20 served_anew
is "how many serve" "$(served)" 2

# One that is dead can be unmounted, too.
pkill_servers
succeeds write "$mnt/ctl/deactivate" 'web\n'
succeeds write "$mnt/ctl/activate" 'web\n'
wait_state web ACTIVE
is "what was written" "$(cat "$mnt/images/web/rootfs/who")" web

# A start that was cut short while it tried out what it can do has left its mount.
kill_daemon
mkdir -p "$store/overlays/.probe/"{lower,upper,work,point}
(
    cd "$store/overlays/.probe"
    fuse-overlayfs -o lowerdir=lower,upperdir=upper,workdir=work "$PWD/point"
)
start_daemon
[ ! -e "$store/overlays/.probe" ] || fail "what was tried out is left over"
adopted_since()
{
    state_is web ACTIVE && served_anew
}
eventually 10 adopted_since
stop_daemon
no_mounts
eventually 5 none_served
