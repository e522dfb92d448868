# What the tests of those who watch the tree share; after functions.sh.

# The process that makes the events of inotify.
replayer()
{
    local p
    for p in $(cat "/proc/$daemon_pid"/task/*/children); do
        ! is_replayer "$p" || echo "$p"
    done 2>/dev/null
}

replayer_is_there()
{
    [ -n "$(replayer)" ]
}

# helpers: the daemon's other children.
helpers()
{
    local p
    for p in $(cat "/proc/$daemon_pid"/task/*/children); do
        is_replayer "$p" || echo "$p"
    done 2>/dev/null
}

is_replayer()
{
    local name=''
    read -r -d '' name <"/proc/$1/cmdline"
    [ "$name" = imgstorefs-watch ]
}

# What is open when the daemon stops is what it does not give back: under a sanitizer that is a leak.
let_go_of_files()
{
    local p
    for p in "${helpers_of_test[@]}"; do
        end_process "$p" KILL
    done
    sleep 0.2
}

# watch_images FILE [PATH]: each event of inotify below images/ (or there) as a line in FILE from now on,
# but of who opens and reads; $watcher is who notes them.
watch_images()
{
    inotifywait -m -r -e create,delete,modify,close_write,delete_self,move --format '%w%f %e' \
        "${2-$mnt/images}" >"$1.raw" 2>"$1.err" &
    watcher=$!
    in_background $watcher
    eventually 10 grep -q '^Watches established' "$1.err"
}

# events FILE: those by then, paths below images/.
events()
{
    sed "s|^$mnt/images/||; s|,ISDIR||; s|,CLOSE$||" "$1.raw"
}

# quiet FILE: no event has come for half a second.
quiet()
{
    local before
    until [ "$(stat -c %s "$1.raw")" = "${before-}" ]; do
        before=$(stat -c %s "$1.raw")
        sleep 0.5
    done
}
