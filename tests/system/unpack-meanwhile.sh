#!/usr/bin/env bash
# Helpers on their way into their jail hold copies of all mounts for a moment: while images are
# unpacked, others are activated and deactivated without ever being in use.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o keep_unused=0
active web
for i in 1 2 3 4; do
    sums[i]=$(make_image "u$i")
done

unpack_on()
{
    local i
    trap - EXIT
    while [ ! -e "$work/enough" ]; do
        for i in 1 2 3 4; do
            succeeds write "$mnt/ctl/fetch" "$httpd/ok/u$i.tar.gz ${sums[i]} u$i\n"
        done
        for i in 1 2 3 4; do
            wait_state "u$i" ACTIVE 60
            succeeds write "$mnt/ctl/remove" "u$i\n"
            echo >>"$work/unpacked"
        done
        succeeds write "$mnt/ctl/cleanup" 'run\n'
    done
}
unpack_on &
unpacker=$!
in_background $unpacker
eventually 60 test -s "$work/unpacked"

rounds=0
end=$((SECONDS + 8))
until [ $SECONDS -ge $end ] && [ $rounds -ge 5 ]; do
    kill -0 $unpacker 2>/dev/null || fail "the unpacking ended early"
    succeeds write "$mnt/ctl/deactivate" 'web\n'
    succeeds write "$mnt/ctl/activate" 'web\n'
    wait_state web ACTIVE 60
    rounds=$((rounds + 1))
done
touch "$work/enough"
wait $unpacker || fail "the unpacking failed"
is "what was refused" "$(cat "$mnt/ctl/error_log")" ""
echo "$rounds rounds during $(wc -l <"$work/unpacked") unpacked images"
