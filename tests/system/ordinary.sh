# What the tests of an ordinary user share. Source it in place of functions.sh, which it brings:
#   . "${0%/*}/ordinary.sh"
#
# The test itself runs as that user, with no privilege. Root prepares a place for
# it: a mount namespace, in which /dev/fuse is open to all, whatever the machine's, the user has a
# line in /etc/passwd (fusermount3 wants one), and the programs and tests are where he can get at
# them; and takes all of it away in the end.

user_id=54321 user_name=imgstore-test

as_user()
{
    setpriv --reuid=$user_id --regid=$user_id --clear-groups --inh-caps=-all "$@"
}

# The tests, and whatever they need from the build.
open_to_user()
{
    local program
    mkdir "$place/tests" "$place/bin" "$place/home" "$place/dev"
    mount --bind "${0%/*}" "$place/tests"
    for program in IMGSTOREFS IMGSTORE IMGSTORE_HELPER; do
        install -m 755 "${!program}" "$place/bin/"
        export "$program=$place/bin/${!program##*/}"
    done
    cp /etc/passwd "$place/passwd"
    echo "$user_name:x:$user_id:$user_id::$place/home:/bin/sh" >>"$place/passwd"
    mount --bind "$place/passwd" /etc/passwd
    mount -t tmpfs tmpfs "$place/dev"
    mknod -m 666 "$place/dev/fuse" c 10 229
    mount --bind "$place/dev/fuse" /dev/fuse
    chown -R $user_id:$user_id "$place/home"
}

run_as_user()
{
    local place status=0 p
    place=$(mktemp -d "${TMPDIR:-/tmp}/imgstorefs-user.XXXXXX")
    trap 'umount -l "$place/tests" "$place/dev"; rm -rf --one-file-system "$place"' EXIT
    chmod 755 "$place"
    open_to_user
    as_user env -u XDG_DATA_HOME -u XDG_RUNTIME_DIR HOME="$place/home" TMPDIR="$place/home" \
        IMGSTORE_TEST_USER=yes bash "$place/tests/${0##*/}" "$@" || status=$?
    # What has ended and nobody has asked about is gone. The daemon's end is not the end of what it has started, which a failed test may leave.
    for p in $(pgrep -r D,R,S,T -u $user_id); do
        echo "process $p ($(<"/proc/$p/comm")) is left over" >&2
        kill -KILL "$p"
        [ $status != 0 ] || status=1
    done
    exit $status
}

if [ -z "${IMGSTORE_TEST_USER-}" ]; then
    set -euo pipefail
    [ "$(id -u)" = 0 ] || { echo "SKIP: needs root, to become another user" && exit 77; }
    [ -c /dev/fuse ] || { echo "SKIP: needs /dev/fuse" && exit 77; }
    for p in setpriv unshare pgrep fuse-overlayfs fusermount3; do
        command -v $p >/dev/null || { echo "SKIP: needs the program $p" && exit 77; }
    done
    if [ -z "${IMGSTORE_TEST_NAMESPACE-}" ]; then
        IMGSTORE_TEST_NAMESPACE=yes exec unshare -m --propagation private bash "$0" "$@"
    fi
    unset IMGSTORE_TEST_NAMESPACE
    run_as_user "$@"
fi

. "${0%/*}/functions.sh"

# What the user has mounted he takes away, too.
let_go()
{
    local m
    while read -r m; do
        fusermount3 -uz "$m"
    done < <(mounts_below "$work" | tac)
}

# served: how many processes serve writable layers.
served()
{
    pgrep -r D,R,S,T -u "$(id -u)" -c -x fuse-overlayfs || true
}

none_served()
{
    [ "$(served)" = 0 ]
}
