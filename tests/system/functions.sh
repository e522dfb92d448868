# What the system tests share. Source it first:  . "${0%/*}/functions.sh"
#
# A test is one script and one behaviour. It says what it needs (needs_…), and ends with 0 (holds),
# 77 (cannot be tried here; the reason is on stdout) or anything else. From the build it gets
# IMGSTOREFS, IMGSTORE and IMGSTORE_HELPER: the daemon, the client, the unpacking helper.
#
# Everything lives below $work, a directory of its own, so that tests run side by side; it is
# unmounted and removed at the end however the test ends. A failed test shows the daemon's log and
# the tree as it stood.
#
#   $mnt the mount point      $www what the server serves      $hold where places are held
#   $store $db the store      $log the daemon's log            $httpd the server's URL

set -euo pipefail
shopt -s nullglob
export LC_ALL=C

here=$(cd "${BASH_SOURCE[0]%/*}" && pwd)
: "${IMGSTOREFS:?the daemon to test}" "${IMGSTORE:?the client to test}"
: "${IMGSTORE_HELPER:?the unpacking helper to test}"
export PYTHONDONTWRITEBYTECODE=1
python=/usr/bin/python3
[ -x "$python" ] || python=python3

# A mount namespace of the test's own: its mounts end with it, and tests that run side by side do not
# hold each other's overlays. The copy of those that are mounted outside is let go at once.
if [ "$(id -u)" = 0 ] && [ -z "${IMGSTORE_TEST_NAMESPACE-}" ]; then
    IMGSTORE_TEST_NAMESPACE=yes exec unshare -m --propagation private bash "$0" "$@"
fi
unset IMGSTORE_TEST_NAMESPACE
if [ "$(id -u)" = 0 ]; then
    while read -r mount; do
        umount -l "$(printf %b "$mount")"
    done < <(awk '/ - fuse\.imgstorefs |upperdir=[^ ]*\/overlays\/[^ ]+\/upper/ { print $5 }' \
        /proc/self/mountinfo | tac)
fi

# On a tmpfs, of whose files the kernel mounts no image: the daemon takes loop devices.
over_loop=${IMGSTORE_TEST_OVER_LOOP-}
if [ -n "$over_loop" ] && [ "$(id -u)" = 0 ]; then
    TMPDIR=/dev/shm
    mount -t tmpfs tmpfs "$TMPDIR"
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/imgstorefs-test.XXXXXX")
chmod 755 "$work"
mnt=$work/mnt store=$work/store db=$work/store.db log=$work/log www=$work/www hold=$work/hold
mkdir "$mnt" "$www" "$hold"
daemon_pid='' httpd_pid='' httpd='' helpers_of_test=()

# ---- saying how it went

fail()
{
    echo "FAIL: $*" >&2
    exit 1
}

skip()
{
    echo "SKIP: $*"
    exit 77
}

# is WHAT GOT WANT: fails unless GOT is WANT.
is()
{
    [ "$2" = "$3" ] || fail "$1 is '$2', not '$3'"
}

# matches WHAT GOT REGEX: fails unless the whole of GOT matches.
matches()
{
    [[ $2 =~ ^($3)$ ]] || fail "$1 is '$2', which does not match '$3'"
}

# All waiting takes so many times as long: for machines that are slow for what they are.
patience=${IMGSTORE_TEST_PATIENCE:-1}

# eventually SECONDS CMD…: fails unless CMD succeeds within SECONDS.
eventually()
{
    local end=$((SECONDS + $1 * patience + 1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || fail "still not so: $*"
        sleep 0.02
    done
}

# ---- saying what it needs

needs_program()
{
    local p
    for p; do
        command -v "$p" >/dev/null || skip "needs the program $p"
    done
}

needs_mounts()
{
    [ "$(id -u)" = 0 ] || skip "needs root, to mount"
    [ -c /dev/fuse ] || skip "needs /dev/fuse"
    grep -qw overlay /proc/filesystems || modprobe -q overlay || skip "needs overlay mounts"
    [ "$(stat -f -c %T "$work")" != overlayfs ] ||
        skip "$work lies on an overlay, which cannot hold writable layers: set TMPDIR"
}

needs_test_points()
{
    case $("$IMGSTOREFS" -V 2>&1) in
    *test-points*) ;;
    *) skip "needs a build with -Dtest_points=true" ;;
    esac
}

# ---- one system call at a time

# Prints OK or the errno's name, a word for each write. See ctl.py for what it calls.
call()
{
    "$python" -SE "$here/ctl.py" "$@"
}

fails_with()
{
    local want=$1 got
    shift
    got=$(call "$@")
    [ "$got" = "$want" ] || fail "gives '$got', not '$want': $*"
}

succeeds()
{
    fails_with OK "$@"
}

time_re='[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z'

# refuses ERRNO PATH CALL…: the call fails so, and has left its line in error_log, which names PATH
# and says why. $line is that line.
refuses()
{
    local errno=$1 path=$2 before
    shift 2
    before=$(cat "$mnt/ctl/error_log")
    fails_with "$errno" "$@"
    [ "$(cat "$mnt/ctl/error_log")" != "$before" ] || fail "leaves no line in error_log: $*"
    line=$(tail -n1 "$mnt/ctl/error_log")
    [[ $line =~ ^$time_re\ "$path"\ $errno\ \".*\"\ .+ ]] || fail "error_log says otherwise: $line"
}

# refused ERRNO FILE DATA [ESCAPED]: the same of a write of DATA to ctl/FILE. DATA is spelled as a C
# string's inside; ESCAPED is the line that the log shows, by default DATA without its newline.
refused()
{
    local errno=$1 file=$2 data=$3 shown=${4-${3%\\n}} line
    refuses "$errno" "ctl/$file" write "$mnt/ctl/$file" "$data"
    [[ $line == *" $errno \"$shown\" "?* ]] || fail "error_log shows no \"$shown\": $line"
}

# ---- the daemon

# start_daemon [OPTIONS]: in the foreground, its log in $log; returns once the tree is there.
start_daemon()
{
    launch_daemon "$@"
    local end=$((SECONDS + 20 * patience))
    # To read, not to look: a dead mount still shows what the kernel remembers.
    until read_value version; do
        kill -0 "$daemon_pid" 2>/dev/null || fail "the daemon did not start"
        [ $SECONDS -lt $end ] || fail "no tree in time"
        sleep 0.02
    done 2>/dev/null
    [ -z "$over_loop" ] || grep -q ' images: erofs files, mounted over loop devices' "$log" ||
        skip "needs erofs over loop devices: $(sed -n 's/.* images: //p' "$log")"
}

launch_daemon()
{
    IMGSTORE_HOLD=$hold "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" \
        -o log_level=debug,retry_delay=100ms "$@" "$mnt" >>"$log" 2>&1 </dev/null 9<&- &
    daemon_pid=$!
}

# wait_exit PID SECONDS: the exit status of a child that must end in time.
wait_exit()
{
    local end=$((SECONDS + $2 * patience + 1)) status=0
    while kill -0 "$1" 2>/dev/null; do
        [ $SECONDS -lt $end ] || fail "process $1 still runs after $2 s"
        sleep 0.02
    done
    wait "$1" || status=$?
    return $status
}

# stop_daemon [SIGNAL]: a clean stop, TERM by default; it must end with 0.
stop_daemon()
{
    kill -"${1:-TERM}" "$daemon_pid"
    wait_exit "$daemon_pid" 20 || fail "the daemon ended with $?"
    daemon_pid=''
}

kill_daemon()
{
    kill -KILL "$daemon_pid"
    wait "$daemon_pid" 2>/dev/null || true
    daemon_pid=''
}

# alive: the daemon that was started is the one that answers.
alive()
{
    kill -0 "$daemon_pid" 2>/dev/null || fail "the daemon is gone"
    cat "$mnt/version" >/dev/null
}

# another_boot: what the daemon that starts next takes this one for. In the test's mount namespace, so
# that it ends with it.
another_boot()
{
    cat /proc/sys/kernel/random/uuid >"$work/boot_id"
    mount --bind "$work/boot_id" /proc/sys/kernel/random/boot_id
}

# ---- the server

# start_httpd [OPTIONS]: serves $www; see httpd_modes.py for what it does to those who ask.
start_httpd()
{
    "$python" "$here/httpd.py" 0 "$www" --port-file "$work/port" "$@" >"$work/httpd.log" 2>&1 &
    httpd_pid=$!
    eventually 10 test -s "$work/port"
    httpd=http://127.0.0.1:$(<"$work/port")
}

# asked PATH [KEY]: how often the server was asked for PATH; or that KEY of its statistics.
asked()
{
    curl -sS "$httpd/_stats" | "$python" -SEc '
import json, sys
told = json.load(sys.stdin).get("/" + sys.argv[1], {}).get(sys.argv[2])
print(json.dumps(told) if isinstance(told, (list, dict)) else told or 0)' "$1" "${2:-requests}"
}

# was_asked PATH TIMES
was_asked()
{
    [ "$(asked "$1")" = "$2" ]
}

# ---- holding places (names of states)

hold()
{
    touch "$hold/$1"
}

release()
{
    rm -f "$hold/$1"
}

# ---- images

# make_tree NAME [KIB]: a small root file system below $work/trees/NAME, KIB of it incompressible.
make_tree()
{
    local t=$work/trees/$1
    mkdir -p "$t/etc" "$t/bin" "$t/tmp"
    echo "$1" >"$t/etc/image-name"
    echo 'PRETTY_NAME="a test"' >"$t/etc/os-release"
    printf '#!/bin/sh\necho hello\n' >"$t/bin/hello"
    chmod 755 "$t/bin/hello"
    ln -s ../etc/os-release "$t/tmp/release"
    ln "$t/etc/image-name" "$t/etc/other-name"
    head -c "$((${2:-1} * 1024))" /dev/urandom >"$t/payload"
}

# pack NAME EXT: $www/NAME.EXT from that tree; prints its SHA-256.
pack()
{
    local tree=$work/trees/$1 out=$www/$1.$2
    local tar=(tar --numeric-owner --owner=0 --group=0 -C "$tree" -cf - .)
    case $2 in
    tar) "${tar[@]}" >"$out" ;;
    tar.gz | tgz) "${tar[@]}" | gzip -1 >"$out" ;;
    tar.xz | txz) "${tar[@]}" | xz -1 >"$out" ;;
    tar.zst | tzst) "${tar[@]}" | zstd -q -1 >"$out" ;;
    tar.bz2 | tbz2) "${tar[@]}" | bzip2 -1 >"$out" ;;
    *) fail "pack: no such format: $2" ;;
    esac
    digest "$out"
}

# make_image NAME [EXT [KIB]]: a tree and its archive $www/NAME.EXT; prints its SHA-256.
make_image()
{
    make_tree "$1" "${3:-1}"
    pack "$1" "${2:-tar.gz}"
}

digest()
{
    local sum
    sum=$(sha256sum "$1")
    echo "${sum%% *}"
}

# ---- what the tree says

# read_value PATH: the first line of that file in the tree, nothing if there is none. No fork.
read_value()
{
    value=''
    { read -r value <"$mnt/$1" || [ -n "$value" ]; } 2>/dev/null
}

state_is()
{
    read_value "images/$1/state" && [ "$value" = "$2" ]
}

# wait_state NAME STATE [SECONDS]
wait_state()
{
    local end=$((SECONDS + ${3:-20} * patience + 1))
    until state_is "$1" "$2"; do
        if [ "$value" = FAILED ] || [ $SECONDS -ge $end ]; then
            fail "$1 is '$value', not $2: $(cat "$mnt/images/$1/error" 2>&1)"
        fi
        sleep 0.01
    done
}

info()
{
    sed -n "s/^$2 //p" "$mnt/images/$1/info"
}

# fetch URL SHA256 [NAME]
fetch()
{
    succeeds write "$mnt/ctl/fetch" "$*\n"
}

# active NAME [EXT]: makes it, fetches it, waits until it is ACTIVE.
active()
{
    local sum
    sum=$(make_image "$1" "${2:-tar.gz}")
    fetch "$httpd/ok/$1.${2:-tar.gz}" "$sum" "$1"
    wait_state "$1" ACTIVE
}

# failed_with NAME CODE: it ends FAILED, with that code and one line that says why, and shows no
# rootfs.
failed_with()
{
    wait_state "$1" FAILED "${3:-20}"
    matches "$1/error" "$(cat "$mnt/images/$1/error")" "$2: [ -~]+"
    is "lines of $1/error" "$(wc -l <"$mnt/images/$1/error")" 1
    [ ! -L "$mnt/images/$1/rootfs" ] || fail "$1 is FAILED and has a rootfs"
}

# same_tree NAME [OTHER]: its rootfs shows what the tree OTHER (by default NAME's) holds.
same_tree()
{
    diff -r --no-dereference "$work/trees/${2:-$1}" "$mnt/images/$1/rootfs/" ||
        fail "$1 is not what was packed"
}

# sit_in NAME: $sitter, a process whose working directory is that image's rootfs, or
# (NAME/snapshots/ID) that snapshot's.
sit_in()
{
    sitter_at=$(readlink "$mnt/images/$1/rootfs")
    (cd "$sitter_at" && exec sleep 100) &
    sitter=$!
    in_background $sitter
    eventually 5 sits_in
}

sits_in()
{
    [ "$(readlink "/proc/$sitter/cwd")" = "$sitter_at" ] &&
        [ "$(cat "/proc/$sitter/comm")" = sleep ]
}

stand_up()
{
    kill "$sitter"
    wait "$sitter" 2>/dev/null || true
}

# mounts_below DIR: mount points there, deepest last.
mounts_below()
{
    awk -v d="$1/" 'index($5 "/", d) == 1 { print $5 }' /proc/self/mountinfo
}

no_mounts()
{
    is "what is still mounted" "$(mounts_below "$work")" ""
}

# nothing_half_done: the store holds neither partial nor discarded things, and a sound database.
leftovers()
{
    find "$store" -xdev \( -name '*.part' -o -name '.trash-*' -o -name '*.part.*' \) -print
}

nothing_left_over()
{
    [ -z "$(leftovers)" ]
}

nothing_half_done()
{
    local end=$((SECONDS + 6 * patience))
    until nothing_left_over; do
        [ $SECONDS -lt $end ] || fail "is left over: $(leftovers)"
        sleep 0.02
    done
    is "integrity of the database" "$(sqlite3 "$db" 'PRAGMA integrity_check')" ok
}

# ---- cleaning up

# in_background PID…: processes of the test's own, ended with it.
in_background()
{
    helpers_of_test+=("$@")
}

end_process()
{
    local i
    kill -"$2" "$1" 2>/dev/null || return 0
    for i in {1..1000}; do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.02
    done
    echo "process $1 had to be killed" >&2
    kill -KILL "$1" 2>/dev/null || true
}

show_failure()
{
    echo "---- the daemon's log"
    tail -n 200 "$log"
    echo "---- the tree"
    timeout 5 find "$mnt" -path '*/rootfs' -prune -o -path "$mnt/images/*" -type f -printf '%P: ' \
        -exec timeout 1 cat {} \; | head -n 200
    timeout 5 cat "$mnt/ctl/error_log"
    echo "---- mounts"
    mounts_below "$work"
    [ ! -e "$work/httpd.log" ] || tail -n 50 "$work/httpd.log"
} 2>&1

# What a test holds outside of $work: it says itself how to let go of it.
let_go()
{
    :
}

clean_up()
{
    local status=$? p m
    trap - EXIT
    set +eu
    trap '' INT TERM PIPE
    rm -rf "$hold"
    if [ $status = 0 ] && [ -n "$daemon_pid" ]; then
        # Every test's daemon ends well, or the test has not.
        end_process "$daemon_pid" TERM
        wait "$daemon_pid" || { echo "FAIL: the daemon ended with $?" >&2 && status=1; }
        daemon_pid=''
    fi
    [ $status = 0 ] || [ $status = 77 ] || [ -n "${quiet-}" ] || show_failure >&2
    exec 2>/dev/null
    for p in "${helpers_of_test[@]}"; do
        end_process "$p" KILL
    done
    [ -z "$daemon_pid" ] || end_process "$daemon_pid" TERM
    [ -z "$httpd_pid" ] || end_process "$httpd_pid" TERM
    let_go
    while read -r m; do
        umount -l "$m"
    done < <(mounts_below "$work" | tac)
    # Never into something that is still mounted.
    [ -n "$(mounts_below "$work")" ] || rm -rf --one-file-system "$work"
    exit $status
}

trap clean_up EXIT
trap 'exit 1' INT TERM
