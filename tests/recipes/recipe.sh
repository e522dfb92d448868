#!/usr/bin/env bash
# recipe.sh NAME: the recipe of that name in contrib/doc/recipes.md does what the page says.
. "${0%/*}/../system/functions.sh"
. "${0%/*}/page.sh"
needs_mounts

begin()
{
    start_httpd
    start_daemon
    make_plain
    pack_web
}

# web is there, with a job that ends at once.
web_is_there()
{
    start_httpd
    start_daemon
    make_plain
    touch "$work/plain/srv/stop"
    pack_web
    fetch_web web
    wait_state web ACTIVE
}

# ---- waiting

try_wait()
{
    needs_test_points
    begin
    hold DOWNLOADING
    fetch_web web
    cooking "$1"
    sleep 0.5
    kill -0 "$cook" || fail "it does not wait: $(cat "$work/out" "$work/err")"
    release DOWNLOADING
    wait_exit "$cook" 10 || fail "it ends with $?: $(cat "$work/err")"
    is state "$(cat "$mnt/images/web/state")" ACTIVE
    cooked "$1" # at once
}

try_wait_inotify()
{
    needs_program inotifywait
    echo "with $(inotifywait --help | head -n1)"
    try_wait wait-inotify
}

try_wait_plain()
{
    try_wait wait-plain
}

try_wait_events()
{
    try_wait wait-events
}

# ---- following

# told REGEX CMD: what is seen once the program has begun to look, before which nobody knows when: CMD is
# done again until then.
told()
{
    local n=0
    until grep -qE "$1" "$work/out"; do
        n=$((n + 1))
        [ $n -lt 20 ] || fail "is not told: $(cat "$work/out" "$work/err")"
        "$2" $n
        sleep 0.5
    done
}

try_watch()
{
    needs_program inotifywait
    begin
    cooking watch
    eventually 10 grep -q 'Watches established' "$work/err"
    fetch_web web
    wait_state web ACTIVE
    eventually 10 grep -qE "^[0-9:]+ CREATE,ISDIR $mnt/images/web$" "$work/out"
    succeeds write "$mnt/ctl/deactivate" 'web\n'
    eventually 10 grep -qE "^[0-9:]+ DELETE $mnt/images/web/rootfs$" "$work/out"
    eventually 10 grep -qE "^[0-9:]+ MODIFY $mnt/images/web/state$" "$work/out"
}

try_entr()
{
    needs_program entr
    web_is_there
    cooking entr
    told '^STORED$' change_again
}

change_again()
{
    succeeds write "$mnt/ctl/activate" 'web\n'
    wait_state web ACTIVE
    sleep 0.2 # it passes over what comes while it runs and just after
    succeeds write "$mnt/ctl/deactivate" 'web\n'
}

one_more()
{
    fetch_web "more$1"
    wait_state "more$1" ACTIVE
}

one_broken()
{
    fetch "$httpd/404/x" "$(printf %064d 1)" "broken$1"
}

try_on_active()
{
    with jq
    begin
    cooking on-active
    told '^more[0-9]+ is there: bytes [0-9]+$' one_more
}

try_failures()
{
    with jq
    begin
    cooking failures
    told "^$time_re broken[0-9]+: http-status: 404 .+" one_broken
}

try_fetch_list()
{
    local name sum
    begin
    for name in one two three; do
        sum=$(make_image $name)
        echo "$httpd/ok/$name.tar.gz $sum $name"
    done >"$work/images.txt"
    cooked fetch-list
    for name in one two three; do
        is "$name" "$(cat "$mnt/images/$name/state")" ACTIVE
        same_tree $name
    done
}

# ---- layers

try_build()
{
    web_is_there
    cooked build
    is "what the job said" "$(cat "$work/out")" "I have done it."
    tar -xOf "$work/kitchen/web-built.tar" ./srv/began | grep -q PRETTY_NAME ||
        fail "the archive has not what was built"
    [ ! -e "$mnt/images/web/rootfs/srv/began" ] || fail "it was built in the image"
    is snapshots "$(ls "$mnt/images/web/snapshots")" ""
    # It is an archive that is taken.
    cat "$work/kitchen/web-built.tar" >"$mnt/import/built"
    wait_state built ACTIVE
    [ -e "$mnt/images/built/rootfs/srv/began" ] || fail "what was built does not come back"
}

try_ci_job()
{
    web_is_there
    export CI_JOB_ID=77
    cooked ci-job
    is "what the job said" "$(cat "$work/out")" "I have done it."
    is snapshots "$(ls "$mnt/images/web/snapshots")" ""
    # One that fails leaves as little.
    instead '/srv/job' 'false'
    ! cooks ci-job || fail "a job's failure is lost"
    is snapshots "$(ls "$mnt/images/web/snapshots")" ""
    is error_log "$(cat "$mnt/ctl/error_log")" ""
}

try_changes()
{
    web_is_there
    rm "$mnt/images/web/rootfs/etc/motd"
    echo changed >"$mnt/images/web/rootfs/etc/hostname"
    echo new >"$mnt/images/web/rootfs/srv/note"
    cooked changes
    is "changes" "$(sed 's/ and .* differ//; s/.*rootfs.*\/etc\/hostname/changed/' "$work/out" | sort)" \
        "Only in rootfs/srv: note
Only in snapshots/pristine/rootfs/etc: motd
changed"
    is snapshots "$(ls "$mnt/images/web/snapshots")" ""
}

try_copy()
{
    web_is_there
    echo mine >"$mnt/images/web/rootfs/srv/mine"
    instead 'ssh host' 'bash -c'
    cooked copy
    wait_state web-copy ACTIVE
    is "what was written" "$(cat "$mnt/images/web-copy/rootfs/srv/mine")" mine
}

# ---- from elsewhere

try_import_debootstrap()
{
    with debootstrap
    begin
    cooks import-debootstrap || skip "debootstrap cannot run here: $(tail -n1 "$work/out")"
    wait_state bookworm ACTIVE
    chroot "$mnt/images/bookworm/rootfs" dpkg -s base-files | grep -q '^Status: install ok installed' ||
        fail "it is no Debian"
}

# ---- metrics

# collects PROGRAM: node_exporter, at a port that is free.
collects()
{
    with "$1"
    "$1" --collector.disable-defaults --collector.textfile \
        --collector.textfile.directory="$work/textfile" --web.listen-address=127.0.0.1:0 \
        >"$work/exporter" 2>&1 &
    in_background $!
    eventually 10 serves
}

serves()
{
    local port
    port=$(sed -n 's/.*Listening on.*address=127\.0\.0\.1:\([0-9]*\).*/\1/p' "$work/exporter")
    [ -n "$port" ] && curl -sS "http://127.0.0.1:$port/metrics" |
        grep -qx 'imgstorefs_images{state="ACTIVE"} 1'
}

try_metrics()
{
    with promtool
    web_is_there
    mkdir "$work/textfile"
    instead /var/lib/prometheus/node-exporter "$work/textfile"
    cooked metrics
    is files "$(ls "$work/textfile")" imgstorefs.prom
    promtool check metrics <"$work/textfile/imgstorefs.prom" || fail "promtool does not take it"
    grep -qx 'imgstorefs_images{state="ACTIVE"} 1' "$work/textfile/imgstorefs.prom" ||
        fail "it does not know of the image"
    ! command -v prometheus-node-exporter >/dev/null || collects prometheus-node-exporter
}

name=${1//-/_}
. "${0%/*}/containers.sh"
[ "$(type -t "try_$name")" = function ] || fail "no test for the recipe $1"
"try_$name"
