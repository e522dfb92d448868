#!/usr/bin/env bash
# Runs another system test as an ordinary user:  ordinary.sh TEST [ARG…]
#
# Root prepares a place for him: a mount namespace, in which /dev/fuse is open to all, whatever the
# machine's, and he has a line in /etc/passwd (fusermount3 wants one), with a copy of the programs
# and tests where he can get at them; and takes all of it away in the end. What ordinary_functions.sh
# holds comes behind functions.sh.
set -euo pipefail

user_id=$((1000000 + $$)) user_name=imgstore-test # tests run side by side
here=${0%/*}

skip()
{
    echo "SKIP: $*"
    exit 77
}

needs()
{
    local p
    [ "$(id -u)" = 0 ] || skip "needs root, to become another user"
    [ -c /dev/fuse ] || skip "needs /dev/fuse"
    for p in setpriv unshare pgrep fuse-overlayfs fusermount3; do
        command -v $p >/dev/null || skip "needs the program $p"
    done
}

as_user()
{
    setpriv --reuid=$user_id --regid=$user_id --clear-groups --inh-caps=-all "$@"
}

open_to_user()
{
    local program
    cp -r "$here" "$place/tests"
    cat "$here/ordinary_functions.sh" >>"$place/tests/functions.sh"
    mkdir "$place/bin" "$place/home" "$place/dev"
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

# Ended with the test: what a failed one has left, and no passing one may.
end_all()
{
    local p
    for p in $(pgrep -r D,R,S,T -u $user_id); do
        echo "process $p ($(<"/proc/$p/comm")) is left over"
        kill -KILL "$p"
    done
}

needs
if [ -z "${IMGSTORE_TEST_NAMESPACE-}" ]; then
    IMGSTORE_TEST_NAMESPACE=yes exec unshare -m --propagation private bash "$0" "$@"
fi
unset IMGSTORE_TEST_NAMESPACE
place=$(mktemp -d "${TMPDIR:-/tmp}/imgstorefs-user.XXXXXX")
trap 'umount -lq "$place/dev" /etc/passwd "$place" || :; rm -rf --one-file-system "$place"' EXIT
chmod 755 "$place"
mount --bind "$place" "$place"
mount --make-shared "$place" # as all is where systemd is at home
open_to_user
test=$1
shift
status=0
as_user env -u XDG_DATA_HOME -u XDG_RUNTIME_DIR HOME="$place/home" TMPDIR="$place/home" \
    IMGSTORE_TEST_USER=yes bash "$place/tests/$test.sh" "$@" || status=$?
for _ in {1..50}; do # whoever has just been told to end
    pgrep -r D,R,S,T -u $user_id >/dev/null || break
    sleep 0.02
done
left=$(end_all)
if [ -n "$left" ] && [ $status = 0 ]; then
    echo "FAIL: $left" >&2
    status=1
fi
exit $status
