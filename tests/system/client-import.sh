#!/usr/bin/env bash
# client-import: the client's import takes a file or standard input, waits if asked to, says why what
# is refused is refused, and leaves nothing of what is broken off.
. "${0%/*}/functions.sh"
needs_mounts
start_daemon
export IMGSTORE_MOUNT=$mnt

# imports STATUS ARGUMENTS: with what is on standard input; what it says is $said.
imports()
{
    local want=$1 got=0
    shift
    said=$(timeout 30 "$IMGSTORE" import "$@" 2>&1) || got=$?
    [ "$got" = "$want" ] || fail "import $* exits with $got, not $want: $said"
}

# nothing_of NAME
nothing_of()
{
    [ ! -e "$mnt/images/$1" ] && [ -z "$(ls "$mnt/import")" ] || fail "something is left of $1"
}

make_image web tar.gz 3000 >/dev/null
make_image other tar.zst 300 >/dev/null
imports 0 web "$www/web.tar.gz" --wait
is "what it says at last" "$(tail -n1 <<<"$said")" "web  active  $("$python" -SEc '
import os, sys
print("%.2f MiB" % (os.stat(sys.argv[1]).st_size / 2**20))' "$www/web.tar.gz") in ${said##* in }"
same_tree web
imports 0 other - <"$www/other.tar.zst"
wait_state other ACTIVE
same_tree other
cat "$www/web.tar.gz" | imports 0 piped - --wait
same_tree piped web
"$IMGSTORE" --json import json "$www/web.tar.gz" --wait 2>/dev/null |
    "$python" -SEc 'import json, sys; assert json.load(sys.stdin)["url"] == "import:"' ||
    fail "no JSON"

imports 5 web "$www/other.tar.zst"
[[ $said == "imgstore: web: exists: "* ]] || fail "it says $said"
imports 2 ../x "$www/web.tar.gz"
imports 2 new "$work/nothere"
is "it says" "$said" "imgstore: new: cannot open $work/nothere: No such file or directory"
imports 2 new "$work/trees"
[[ $said == *"is a directory: pack it first"* ]] || fail "it says $said"
imports 5 new - </dev/null
is "it says" "$said" "imgstore: new: standard input is empty"
nothing_of new
head -c 100000 "$www/web.tar.gz" >"$work/cut"
imports 5 new "$work/cut"
[[ $said == "imgstore: new: "*"corrupt-archive: "*"cut short"* ]] || fail "it says $said"
nothing_of new

# What is taken, and then found to be not allowed, is FAILED as anything fetched is.
mkdir "$work/trees/climbs" && ln -s ../../up "$work/trees/climbs/link"
pack climbs tar >/dev/null
imports 1 climbs "$www/climbs.tar" --wait
[[ $said == *"unsafe-link: "* ]] || fail "it says $said"

# Broken off by a signal: while it waits for more, and while much comes.
mkfifo "$work/fifo"
for more in 0 3000000; do
    "$IMGSTORE" import new - <"$work/fifo" 2>"$work/err" &
    client=$!
    in_background "$client"
    exec 7>"$work/fifo"
    head -c 200000 "$www/web.tar.gz" >&7
    head -c "$more" /dev/urandom >&7 || true
    eventually 10 test -e "$mnt/import/new"
    kill -TERM "$client"
    got=0
    wait_exit "$client" 10 || got=$?
    exec 7>&-
    is "its status" "$got" 143
    is "it says" "$(<"$work/err")" "imgstore: new: broken off, nothing of it is kept"
    nothing_of new
done
