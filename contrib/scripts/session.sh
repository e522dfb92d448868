# shellcheck shell=bash disable=SC2034
# What the demo and the transcript share, to be sourced: a throwaway place with a test image, a
# server and a daemon; run, which shows a command before it runs it; and an end that leaves nothing
# behind. Sets $session_dir (also the current directory); the mount point is mnt in it.

session_repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
session_dir=
session_tmpfs=
session_daemon=
session_server=

# Called as `run 'the command line'`.
run() {
    printf '%s$ %s%s\n' "${session_bold-}" "$1" "${session_plain-}"
    eval "$1"
}

session_fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Builds and installs below build-demo, so that the two programs and the helper find each other.
session_build() {
    local build=$session_repo/build-demo log
    log=$(mktemp)
    if ! { { [ -f "$build/build.ninja" ] || meson setup --prefix "$build/root" "$build" \
        "$session_repo"; } && meson install -C "$build"; } >"$log" 2>&1; then
        tail -n 40 "$log" >&2
        rm -f "$log"
        session_fail "The build failed."
    fi
    rm -f "$log"
}

# Makes the place. An overlay cannot hold an overlay's writable layer: a tmpfs goes over it then.
session_open() {
    [ "$(id -u)" -eq 0 ] || session_fail "Mounting needs root: run this with sudo."
    [ -e /dev/fuse ] || modprobe fuse 2>/dev/null || true
    [ -e /dev/fuse ] || session_fail "There is no /dev/fuse here (in a container: --device /dev/fuse --privileged)."
    session_dir=$(mktemp -d)
    trap session_close EXIT
    trap 'exit 130' INT TERM HUP
    chmod 755 "$session_dir"
    if [ "$(stat -f -c %T "$session_dir")" = overlayfs ]; then
        mount -t tmpfs -o mode=755 imgstore-demo "$session_dir"
        session_tmpfs=1
    fi
    cd "$session_dir" || exit 1
    mkdir mnt www
    export PATH="$session_repo/build-demo/root/bin:$PATH"
    export IMGSTORE_STORE_PATH="$session_dir/store" IMGSTORE_DB_PATH="$session_dir/store.db"
    export IMGSTORE_MOUNT="$session_dir/mnt"
}

# Waits up to 10 s for a command to succeed while a process lives.
session_until() { # PID COMMAND…
    local pid=$1 i
    shift
    for ((i = 0; i < 200; i++)); do
        "$@" 2>/dev/null && return 0
        kill -0 "$pid" 2>/dev/null || return 1
        sleep 0.05
    done
    return 1
}

# Serves www/ at that many bytes a second; sets $session_port.
session_serve() {
    "$session_repo/contrib/scripts/serve" www port "$1" 2>server.log &
    session_server=$!
    session_until $session_server test -s port || session_fail "The server did not start: $(cat server.log)"
    session_port=$(cat port)
}

session_mount() {
    imgstorefs -f mnt 2>daemon.log &
    session_daemon=$!
    session_until $session_daemon test -e mnt/ctl/fetch ||
        session_fail "The daemon did not start: $(cat daemon.log)"
}

session_stop() { # PID: gives it 5 s to end by itself
    local i
    kill "$1" 2>/dev/null
    for ((i = 0; i < 50; i++)); do
        kill -0 "$1" 2>/dev/null || break
        sleep 0.1
    done
    kill -9 "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

session_mounts() { # the innermost first
    awk -v d="$session_dir/" 'index($5, d) == 1 { print $5 }' /proc/self/mountinfo | tac
}

session_close() {
    local status=$? at i
    set +e
    trap - EXIT
    cd /
    [ -n "$session_daemon" ] && session_stop "$session_daemon"
    [ -n "$session_server" ] && session_stop "$session_server"
    # An unmount ends a daemon in the background: let it end in peace, then take away what a
    # daemon that died has left.
    umount "$session_dir/mnt" 2>/dev/null
    for ((i = 0; i < 30; i++)); do
        [ -n "$(session_mounts)" ] || break
        sleep 0.1
    done
    session_mounts | while read -r at; do umount -l "$at"; done
    [ -n "$session_tmpfs" ] && umount -l "$session_dir"
    rm -rf --one-file-system "$session_dir"
    exit "$status"
}
