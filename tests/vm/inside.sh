#!/bin/bash
# Runs the tests of /tests/list inside the machine, as its process 1, and says how each went: lines
# `VM: TEST: PASS|FAIL|SKIP SECONDS` on the console, and at last `VM: END`.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C HOME=/root TMPDIR=/var/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
ln -s /proc/self/fd /dev/fd
mkdir -p /dev/shm
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
chmod 1777 /tmp /var/tmp
ip link set lo up
. /tests/environment
sink=$(sed -n 's/.*sink=\([a-z]*\).*/\1/p' /proc/cmdline)
export IMGSTORE_SINK=$sink IMGSTORE_TEST_PATIENCE=6
echo "VM: Linux $(uname -r), sink $sink"

while read -r test; do
    read -ra words <<<"$test"
    script=/tests/system/${words[0]}.sh
    [ -e "$script" ] || script=/tests/vm/${words[0]}.sh
    SECONDS=0
    timeout 300 bash "$script" "${words[@]:1}" </dev/null >/run/out 2>&1
    status=$?
    case $status in
    0) said=PASS ;;
    77) said=SKIP ;;
    *) said=FAIL ;;
    esac
    [ $status = 0 ] || tail -n 150 /run/out
    echo "VM: $test: $said $SECONDS s"
done </tests/list

# Nothing stays behind, and the kernel has nothing to complain of.
nothing() { # WHAT FOUND
    [ -z "$2" ] || printf '%s\nVM: %s: FAIL\n' "$2" "$1"
}
nothing "loop devices left" "$(losetup -a)"
nothing "processes left" "$(pgrep -a 'imgstore|python')"
nothing "the kernel's log" "$(dmesg | grep -E 'BUG|Oops|WARNING|blocked for more')"
echo "VM: END"
sync
echo o >/proc/sysrq-trigger
sleep 60
