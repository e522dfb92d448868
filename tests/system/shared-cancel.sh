#!/usr/bin/env bash
# If the name whose URL downloads is cancelled, or removed, the next one goes on with its own.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon

for command in cancel remove; do
    sum=$(make_image "$command")
    succeeds write "$mnt/ctl/fetch" "$httpd/stall/$command.tar.gz $sum $command-first\n$httpd/ok/$command.tar.gz $sum $command-second\n"
    eventually 10 was_asked "stall/$command.tar.gz" 1
    succeeds write "$mnt/ctl/$command" "$command-first\n"
    wait_state "$command-second" ACTIVE
    same_tree "$command-second" "$command"
done
is "state" "$(cat "$mnt/images/cancel-first/state")" FAILED
