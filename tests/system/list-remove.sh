#!/usr/bin/env bash
# Looking at all that was listed costs no question a name; and yet what is removed is gone at once, and
# the next image of that name is the one that is seen.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -d
sum=$(make_image web)
for i in {1..300}; do
    echo "$httpd/404/x.tar $(printf '%064x' "$i") n$i"
done >"$mnt/ctl/fetch"

# But for those of the process that tells watchers of the 300, which may still be at it.
lookups()
{
    grep 'opcode: LOOKUP' "$log" | grep -vc "pid: $(pgrep -P "$daemon_pid" -f '^imgstorefs-watch')\$"
}

before=$(lookups)
ls -l "$mnt/images" >"$work/list"
is "lines" "$(wc -l <"$work/list")" 301
asked=$(($(lookups) - before))
echo "questions for names in ls -l of 300: $asked"
[ $asked -lt 30 ] || fail "ls -l asks for $asked names"
stop_daemon
start_daemon

all=("$mnt"/images/*/)
is "folders" "${#all[@]}" 300
for i in {1..100}; do
    [ -e "$mnt/images/n$i" ] || fail "n$i is not there"
    echo "n$i" >"$mnt/ctl/remove"
    [ ! -e "$mnt/images/n$i" ] || fail "n$i is still there"
    ! read_value "images/n$i/state" || fail "n$i still reads $value"
done
for i in {101..120}; do
    ls "$mnt/images" >"$work/list"
    [ -d "$mnt/images/n$i/" ] || fail "n$i is not there"
    echo "n$i" >"$mnt/ctl/remove"
    echo "$httpd/ok/web.tar.gz $sum n$i" >"$mnt/ctl/fetch"
    read_value "images/n$i/state" || fail "n$i is not there any more"
    is "digest of the new one" "$(info "n$i" sha256)" "$sum"
done

# Who sits in the folder of a removed image is not let into another one.
cd "$mnt/images/n121"
ls "$mnt/images" >"$work/list"
echo n121 >"$mnt/ctl/remove"
echo "$httpd/ok/web.tar.gz $sum n121" >"$mnt/ctl/fetch"
! cat state 2>/dev/null || fail "the folder of a removed image shows a state"
cd "$work"
