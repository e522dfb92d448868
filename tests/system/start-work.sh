#!/usr/bin/env bash
# What a start does for an image it does once, and does not do again for each other one: counted in
# system calls, of a start with few images and of one with many.
. "${0%/*}/functions.sh"
needs_mounts
needs_program sqlite3 strace
strace -o /dev/null true || skip "strace may not trace here"
bench=$(cd "${0%/*}/../bench" && pwd)
export ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=0 # which needs ptrace for itself
start_httpd

# started WHAT: starts and stops the daemon, and leaves its system calls in $work/WHAT.
started()
{
    strace -f -qq -o "$work/$1" -e signal=none \
        -e trace=openat,newfstatat,faccessat2,statx,read,pread64,getdents64,unlinkat,fdatasync,statfs \
        "$IMGSTOREFS" -f -o "db=$db,store=$store,helper=$IMGSTORE_HELPER" "$mnt" >>"$log" 2>&1 &
    daemon_pid=$!
    eventually 60 read_value version
    eventually 60 all_active
    is "images" "$(ls "$mnt/images" | wc -l)" "$2"
    umount "$mnt"
    wait_exit "$daemon_pid" 60 || fail "the daemon ended with $?"
    daemon_pid=''
}

all_active()
{
    [ "$(cat "$mnt"/images/a*/state | grep -cx ACTIVE)" = $actives ]
}

calls()
{
    grep -c "$2" "$work/$1" || true
}

# grows WHAT REGEX MOST: how often it is called grows by no more than MOST with ten images more, but for
# what differs from one start to the next.
grows()
{
    local few many
    few=$(calls few "$2") many=$(calls many "$2")
    echo "$1: $few with $few_images images, $many with $many_images"
    [ $((many - few)) -le $(($3 * (many_images - few_images) / 10 + 25)) ] || fail "$1 are too many"
}

actives=12 few_images=100 many_images=900
mkdir "$www/ok"
"$python" -SE "$bench/scale_images.py" tars "$www" $actives "$httpd/ok" >"$work/lines"
start_daemon
cat "$work/lines" >"$mnt/ctl/fetch"
eventually 60 all_active
stop_daemon
"$python" -SE "$bench/scale_images.py" rest "$db" "$store" $few_images $few_images
started few $few_images
"$python" -SE "$bench/scale_images.py" rest "$db" "$store" $many_images $many_images
started many $many_images
# An unpacked image: is it there, and what holds it; nothing is opened for it, and nothing read.
grows "looks at files" '\(faccessat2\|newfstatat\)(' 20
grows "files opened" 'openat(' 0
grows "folders read" 'getdents64(' 1
grows "looks at the mount table" 'openat(.*mountinfo' 0
grows "syncs" 'fdatasync(' 0

# The same of what is mounted: as many images, more of them ACTIVE.
sqlite3 "$db" "UPDATE images SET state = 'ACTIVE', want = 'active' WHERE name LIKE 'r2_'"
few_images=$actives many_images=$((actives + 10))
mv "$work/many" "$work/few"
all_active()
{
    [ "$(cat "$mnt"/images/{a*,r2?}/state | grep -cx ACTIVE)" = $((actives + 10)) ]
}
started many 900
grows "looks at the mount table" 'openat(.*mountinfo' 0
grows "files opened" 'openat(' 250
