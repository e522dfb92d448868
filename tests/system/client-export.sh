#!/usr/bin/env bash
# client-export: the client's export of an image and of a snapshot, to a file that is whole or not
# there at all, and to standard output; what cannot be exported is told with the way out.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon
active web
export IMGSTORE_MOUNT=$mnt
mkdir "$mnt/images/web/snapshots/build" "$work/out"
echo new >"$mnt/images/web/rootfs/new"
echo built >"$mnt/images/web/snapshots/build/rootfs/built"
cd "$work/out"

# exports STATUS ARGUMENTS: what it says is $said.
exports()
{
    local want=$1 got=0
    shift
    said=$(timeout 30 "$IMGSTORE" export "$@" 2>&1 >"$work/stdout") || got=$?
    [ "$got" = "$want" ] || fail "export $* exits with $got, not $want: $said"
}

exports 0 web web.tar
is "what it says off a terminal" "$said$(<"$work/stdout")" ""
is "a file" "$(tar -xOf web.tar ./new)" new
is "its mode" "$(stat -c %a web.tar)" 644
exports 0 web@build build.tar
is "a file of the snapshot" "$(tar -xOf build.tar ./built)" built
for to in "" -; do
    # shellcheck disable=SC2086
    exports 0 web $to
    cmp -s "$work/stdout" web.tar || fail "standard output has another tar"
done
"$IMGSTORE" export web | tar -tf - | grep -x ./new >/dev/null || fail "no tar through a pipe"
chmod 600 web.tar
echo more >"$mnt/images/web/rootfs/more"
exports 0 web web.tar
is "over the old one" "$(tar -xOf web.tar ./more) $(stat -c %a web.tar)" "more 600"
exports 0 web /dev/null
ln -s web.tar link.tar
exports 0 web link.tar
[ -L link.tar ] || fail "a link is replaced"
is "where it leads" "$(tar -xOf web.tar ./more)" more
rm link.tar

exports 4 nothere x.tar
exports 4 web@nothere x.tar
exports 2 'we b' x.tar
exports 5 web "$work/no/x.tar"
[[ $said == "imgstore: web: cannot write $work/no/x.tar: No such file or directory" ]] || fail "$said"
exports 5 web "$work"
[[ $said == *"is a directory: name a file in it" ]] || fail "it says $said"
mount -t tmpfs -o size=64k tmpfs "$work/out"
head -c 1000000 /dev/urandom >"$mnt/images/web/rootfs/large"
cd "$work/out"
exports 5 web x.tar
[[ $said == "imgstore: web: cannot write x.tar: No space left on device" ]] || fail "it says $said"
is "left" "$(ls -A)" ""
cd "$work"
umount "$work/out"
got=0
said=$("$IMGSTORE" export web 2>&1 >/dev/full) || got=$?
is "to a full disk" "$got" 5

# Broken off: by a signal while it goes (what it writes to is slow), nothing half is left.
truncate -s 0 "$mnt/images/web/rootfs/large"
head -c 300000000 /dev/zero >"$mnt/images/web/rootfs/large"
cd "$work/out"
"$IMGSTORE" export web big.tar 2>"$work/err" &
client=$!
in_background "$client"
eventually 10 test -n "$(ls -A)" || true
eventually 10 compgen -G 'big.tar.*' >/dev/null
kill -TERM "$client"
got=0
wait_exit "$client" 20 || got=$?
if [ "$got" = 143 ]; then
    is "left" "$(ls -A | grep big || true)" ""
    is "it says" "$(<"$work/err")" "imgstore: web: broken off, nothing of it is kept"
else
    is "its status, where it was quicker" "$got" 0
    is "a file" "$(tar -xOf big.tar ./new)" new
fi
cd "$work"

# A pipe that nobody reads yet; whoever is tired of waiting ends it.
mkfifo "$work/pipe"
"$IMGSTORE" export web "$work/pipe" 2>"$work/err" &
client=$!
in_background "$client"
sleep 0.3
kill -TERM "$client"
got=0
wait_exit "$client" 5 || got=$?
is "of a pipe that nobody reads" "$got" 143
"$IMGSTORE" export web "$work/pipe" &
in_background $!
is "through a named pipe" "$(tar -xOf "$work/pipe" ./new)" new

exports 4 wbe x.tar
is "mistyped" "$said" "imgstore: wbe: no such image; did you mean web?"
rmdir "$mnt/images/web/snapshots/build"
echo web >"$mnt/ctl/deactivate"
exports 5 web x.tar
[[ $said == *"it is STORED, and only what is ACTIVE can be exported; \`imgstore activate web\` mounts it" ]] ||
    fail "it says $said"
