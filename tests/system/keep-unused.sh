#!/usr/bin/env bash
# keep_unused: what nobody refers to goes by itself once it was unused so long.
. "${0%/*}/functions.sh"
needs_mounts
start_httpd
start_daemon -o keep_unused=1s
active web
active other
sum=$(digest "$www/web.tar.gz")
succeeds write "$mnt/ctl/remove" 'web\n'
gone()
{
    [ -z "$(find "$store/blobs" "$store/images" -name "$sum*")" ]
}
# The sweep need not be prompt: a start sweeps.
sleep 1.5
gone || { stop_daemon && start_daemon -o keep_unused=1s; }
eventually 10 gone
wait_state other ACTIVE
same_tree other
