# shellcheck shell=bash
# The recipes that run an image in a container. What a program cannot do here without us either (the
# same recipe, over a plain folder), it is not asked to do with us: skipped, with what it says.

# What containers leave behind ends with the test, whose mount namespace it is.
containers_of_test()
{
    local dir
    for dir in /run /dev/shm /var/lib/containers; do
        [[ ! -d $dir || $work/ == $dir/* ]] || mount -t tmpfs -o mode=1777 tmpfs "$dir"
    done
}

# cgroups_of_test HOW: the one tree of cgroups that crun and podman want there, and not every machine
# has at hand; a part of it for the test alone, which is all they see (bind), or where they are (enter).
cgroups_of_test()
{
    [ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || return 0
    umount -R /sys/fs/cgroup 2>/dev/null || true
    mount -t cgroup2 cgroup2 /sys/fs/cgroup || skip "needs cgroups, version 2"
    cgroup=/sys/fs/cgroup/imgstorefs-test-$$
    mkdir "$cgroup"
    case $1 in
    bind) mount --bind "$cgroup" /sys/fs/cgroup ;;
    enter) echo $$ >"$cgroup/cgroup.procs" ;;
    esac
}

let_go()
{
    [ -n "${cgroup-}" ] || return 0
    umount /sys/fs/cgroup
    mountpoint -q /sys/fs/cgroup || mount -t cgroup2 cgroup2 /sys/fs/cgroup
    echo $$ >/sys/fs/cgroup/cgroup.procs
    find "$cgroup" -depth -type d -exec rmdir {} \;
}

# podman with a place of its own, that asks for no more than it gets on machines that give little:
# no cgroups, no network of its own, and the limits that there are.
podman_of_test()
{
    with podman
    containers_of_test
    cgroups_of_test bind
    cat >"$work/containers.conf" <<END
[containers]
cgroups = "disabled"
netns = "host"
default_ulimits = ["nofile=$(ulimit -Sn):$(ulimit -Hn)", "nproc=1024:1024"]
log_driver = "k8s-file"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
tmp_dir = "/run/libpod"
END
    cat >"$work/storage.conf" <<END
[storage]
driver = "vfs"
graphroot = "$work/containers"
runroot = "/run/containers"
END
    export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
}

# cooks_without_us NAME: it must work over a plain folder, or there is nothing to be tried.
cooks_without_us()
{
    local before=("${replaced[@]}")
    touch "$work/plain/srv/stop"
    instead /run/imgstore/images/web/rootfs "$work/plain"
    cooks "$1" || skip "$1 cannot run here, not over a plain folder either: $(tail -n1 "$work/err")"
    grep -qF "I have done it." "$work/out" || fail "the job did not run: $(cat "$work/out" "$work/err")"
    replaced=("${before[@]}")
}

has_begun()
{
    [ -s "$mnt/images/web/rootfs/srv/began" ]
}

# runs_in_us NAME: the job runs in the image, which stays as long as it runs.
runs_in_us()
{
    begin
    cooks_without_us "$1"
    fetch_web web
    wait_state web ACTIVE
    cooking "$1"
    eventually 20 begun_or_ended
    has_begun || fail "$1 has not begun: $(cat "$work/out" "$work/err")"
    cmp "$mnt/images/web/rootfs/srv/began" "$work/plain/etc/os-release" || fail "it ran elsewhere"
    stays_while_it_runs
    touch "$mnt/images/web/rootfs/srv/stop"
    wait_exit "$cook" 20 || fail "$1 ends with $?: $(cat "$work/err")"
    is "what the job said" "$(tr -d '\r' <"$work/out")" "I have done it."
    eventually 10 goes_after
}

begun_or_ended()
{
    has_begun || ! kill -0 "$cook" 2>/dev/null
}

stays_while_it_runs()
{
    refused EBUSY deactivate 'web\n'
    matches "who holds it" "$(tail -n1 "$mnt/ctl/error_log")" '.*web is in use: .*\(pid [0-9]+ .*'
    refused EBUSY remove 'web\n'
    is state "$(cat "$mnt/images/web/state")" ACTIVE
}

goes_after()
{
    [ "$(call write "$mnt/ctl/deactivate" 'web\n')" = OK ] && state_is web STORED
}

try_runc()
{
    with runc jq
    containers_of_test
    cgroups_of_test bind
    runs_in_us runc
}

try_crun()
{
    with crun jq
    containers_of_test
    cgroups_of_test bind
    runs_in_us crun
}

try_bubblewrap()
{
    with bwrap
    runs_in_us bubblewrap
}

try_nspawn()
{
    with systemd-nspawn
    containers_of_test
    cgroups_of_test enter
    runs_in_us nspawn
}

try_podman()
{
    podman_of_test
    runs_in_us podman
}

# Nothing of what it writes arrives: so the job is to stop before it begins.
try_podman_overlay()
{
    podman_of_test
    begin
    cooks_without_us podman-overlay
    fetch_web web
    wait_state web ACTIVE
    touch "$mnt/images/web/rootfs/srv/stop"
    cooked podman-overlay
    is "what the job said" "$(cat "$work/out")" "I have done it."
    ! has_begun || fail "what it wrote is still there"
    eventually 10 goes_after
}

try_import_podman()
{
    podman_of_test
    begin
    podman import -q "$www/web.tar.gz" localhost/alpine >"$work/err" 2>&1 ||
        skip "podman cannot import here: $(tail -n1 "$work/err")"
    instead docker.io/library/alpine localhost/alpine
    cooked import-podman
    wait_state alpine ACTIVE
    cmp "$mnt/images/alpine/rootfs/srv/job" "$work/plain/srv/job" || fail "it is another image"
    is "containers left" "$(podman ps -aq)" ""
}

try_busy()
{
    begin
    fetch_web web
    wait_state web ACTIVE
    chroot "$mnt/images/web/rootfs" /srv/job >/dev/null &
    in_background $!
    eventually 10 has_begun
    cooked busy
    matches "who is in there" "$(cat "$work/out")" ".* EBUSY \"web\" web is in use: .*pid [0-9]+.*"
    touch "$mnt/images/web/rootfs/srv/stop"
    wait $!
    cooked busy
    is state "$(cat "$mnt/images/web/state")" STORED
}
