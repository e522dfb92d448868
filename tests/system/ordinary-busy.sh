#!/usr/bin/env bash
# What is in use stays for an ordinary user as it does for root, whoever uses it: a folder, an open
# file, a mount namespace; and whoever was refused is told by whom, and has lost nothing.
. "${0%/*}/functions.sh"
[ -n "${IMGSTORE_TEST_USER-}" ] || skip "is run by ordinary.sh"
start_httpd
start_daemon
active web
root=$store/active/web
echo mine >"$root/mine"

stays()
{
    refuses EBUSY ctl/deactivate write "$mnt/ctl/deactivate" 'web\n'
    [[ $line == *"$1"* ]] || fail "it does not say '$1': $line"
    refused EBUSY remove 'web\n'
    refused EBUSY reset 'web\n'
    refuses EBUSY images/web rmdir "$mnt/images/web"
    is state "$(cat "$mnt/images/web/state")" ACTIVE
    is "what was written" "$(cat "$mnt/images/web/rootfs/mine")" mine
}

sit_in web
stays "pid $sitter (sleep) has its current directory there"
stand_up
sleep 100 3<"$root/mine" &
in_background $!
eventually 5 grep -q sleep "/proc/$!/comm"
stays "pid $! (sleep) has a file open there"
end_process $! KILL

# In a mount namespace of its own, where there is no seeing who is in there.
if unshare -Urm true 2>/dev/null; then
    unshare -Urm --propagation private sleep 100 &
    in_background $!
    eventually 5 grep -q sleep "/proc/$!/comm"
    stays "(pid $! (sleep) sees it at $root)"
    end_process $! KILL
    # One that follows what happens here is no hindrance: it lets go of it, too.
    unshare -Urm --propagation slave sleep 100 &
    in_background $!
    eventually 5 grep -q sleep "/proc/$!/comm"
    grep -q "$root .* master:" "/proc/$!/mountinfo" || fail "it does not follow"
    succeeds write "$mnt/ctl/deactivate" 'web\n'
    ! grep -q "$root " "/proc/$!/mountinfo" || fail "it did not follow"
    succeeds write "$mnt/ctl/activate" 'web\n'
    wait_state web ACTIVE
    is "what was written" "$(cat "$mnt/images/web/rootfs/mine")" mine
    end_process $! KILL
    # But not of what it has mounted at another place of its own.
    mkdir "$work/else"
    # shellcheck disable=SC2016
    unshare -Urm --propagation slave sh -c 'mount --bind "$1" "$2" && exec sleep 100' - "$root" "$work/else" &
    in_background $!
    eventually 5 grep -q sleep "/proc/$!/comm"
    stays "(pid $! (sleep) sees it at $work/else)"
    end_process $! KILL
    # A folder of the store may lie elsewhere.
    stop_daemon
    mv "$store/active" "$work/mounts"
    ln -s ../mounts "$store/active"
    start_daemon
    wait_state web ACTIVE
    unshare -Urm --propagation private sleep 100 &
    in_background $!
    eventually 5 grep -q sleep "/proc/$!/comm"
    stays "(pid $! (sleep) sees it at $work/mounts/web)"
    end_process $! KILL
    stop_daemon
    rm "$store/active"
    mv "$work/mounts" "$store/active"
    start_daemon
    wait_state web ACTIVE
fi

# Where it cannot be told whether it is alive, it is left as it is.
sit_in web
chmod 000 "$store/overlays/web"
refused EBUSY deactivate 'web\n'
is "what was written" "$(cat "$root/mine")" mine
chmod 700 "$store/overlays/web"
stays "pid $sitter (sleep)"
stand_up

# A stop that finds it in use leaves it, and the next start finds it.
sit_in web
stop_daemon
is "what the sitter sees" "$(cat "/proc/$sitter/cwd/mine")" mine
start_daemon
wait_state web ACTIVE
stays "pid $sitter (sleep)"
stand_up
eventually 10 call write "$mnt/ctl/remove" 'web\n'
is "what is left" "$(ls "$mnt/images")" ""
